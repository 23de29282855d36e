"""Convolutions of numbers that `torch.jit.trace` records, such as a padding computed from a tensor's length. The tracer
hands them about in tensors. Each function here is TorchScript, which the tracer takes over as it is, so that the traced
program computes the numbers whenever it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor

from tapconv.arguments import Size, number


@functools.cache
def _scripted(function: Callable) -> torch.jit.ScriptFunction:
    return torch.jit.script(function)


def _tensor(value: object) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(number(value))


def _tensors(value: object) -> list[Tensor]:
    return [_tensor(element) for element in (value if isinstance(value, (tuple, list)) else [value])]


def _by_samples(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: list[Tensor],
    padding: list[Tensor],
    dilation: list[Tensor],
    groups: Tensor,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    return torch.ops.tapconv.conv1d(
        input,
        weight,
        bias,
        [int(n) for n in stride],
        [int(n) for n in padding],
        [int(n) for n in dilation],
        int(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def _by_name(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: list[Tensor],
    padding: str,
    dilation: list[Tensor],
    groups: Tensor,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    return torch.ops.tapconv.conv1d(
        input,
        weight,
        bias,
        [int(n) for n in stride],
        padding,
        [int(n) for n in dilation],
        int(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def _transposed(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: list[Tensor],
    padding: list[Tensor],
    output_padding: list[Tensor],
    groups: Tensor,
    dilation: list[Tensor],
) -> Tensor:
    return torch.ops.tapconv.conv_transpose1d(
        input,
        weight,
        bias,
        [int(n) for n in stride],
        [int(n) for n in padding],
        [int(n) for n in output_padding],
        int(groups),
        [int(n) for n in dilation],
    )


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    """:func:`tapconv.conv1d`, recorded."""
    sizes = (_tensors(dilation), _tensor(groups), padding_mode, algorithm)
    if isinstance(padding, str):
        return _scripted(_by_name)(input, weight, bias, _tensors(stride), padding, *sizes)
    return _scripted(_by_samples)(input, weight, bias, _tensors(stride), _tensors(padding), *sizes)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
) -> Tensor:
    """:func:`tapconv.conv_transpose1d`, recorded."""
    sizes = (_tensors(stride), _tensors(padding), _tensors(output_padding), _tensor(groups), _tensors(dilation))
    return _scripted(_transposed)(input, weight, bias, *sizes)
