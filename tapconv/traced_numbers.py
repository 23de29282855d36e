"""Convolutions of numbers that `torch.jit.trace` records, such as a padding computed from a tensor's length. The tracer
hands them about in tensors. Each function here is TorchScript, which the tracer takes over as it is, so that the traced
program computes the numbers whenever it runs."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Optional

import torch
from torch import Tensor

from tapconv.arguments import Number, Size, number


def exports_to_onnx() -> bool:
    """Does the tracer record for ONNX? Once torch.onnx is imported, its own answer stands here."""
    return False


@functools.cache
def _scripted(function: Callable) -> torch.jit.ScriptFunction:
    return torch.jit.script(function)


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else _constant(number(value))


def _constant(value: Tensor | Number) -> Tensor:
    """What the tracer does not follow."""
    with warnings.catch_warnings():  # the tracer says that this is a constant, which it is
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return torch.tensor(int(value))


def _groups(groups: Any) -> Tensor:
    """ONNX has the number of groups as an attribute, so an export to it records the number, as torch's does."""
    return _constant(groups) if exports_to_onnx() else _tensor(groups)


def _one(value: Any) -> Tensor:
    """Of a list of one number, the number."""
    if isinstance(value, (tuple, list)):
        (value,) = value
    return _tensor(value)


def _pair(padding: Any) -> list[Tensor]:
    """Left and right."""
    ends = padding if isinstance(padding, (tuple, list)) else [padding]
    return [_tensor(ends[0]), _tensor(ends[-1])]


# Numbers one by one, not in lists, which TorchScript would go through by a loop that exporters cannot unroll.
def _by_samples(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: Tensor,
    left: Tensor,
    right: Tensor,
    dilation: Tensor,
    groups: Tensor,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    return torch.ops.tapconv.conv1d(
        input,
        weight,
        bias,
        [int(stride)],
        [int(left), int(right)],
        [int(dilation)],
        int(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def _into_out(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: Tensor,
    left: Tensor,
    right: Tensor,
    dilation: Tensor,
    groups: Tensor,
    padding_mode: str,
    algorithm: str,
    out: Tensor,
) -> Tensor:
    return torch.ops.tapconv.conv1d(
        input,
        weight,
        bias,
        [int(stride)],
        [int(left), int(right)],
        [int(dilation)],
        int(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
        out=out,
    )


def _by_name(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: Tensor,
    padding: str,
    dilation: Tensor,
    groups: Tensor,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    return torch.ops.tapconv.conv1d(
        input,
        weight,
        bias,
        [int(stride)],
        padding,
        [int(dilation)],
        int(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


def _packed(
    input: Tensor,
    packed: Tensor,
    out_channels: Tensor,
    channels_of_group: Tensor,
    kernel_size: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: Tensor,
    left: Tensor,
    right: Tensor,
    dilation: Tensor,
    groups: Tensor,
    padding_mode: str,
    out: Optional[Tensor],  # noqa: UP045 (TorchScript)
) -> Tensor:
    shape = [int(out_channels), int(channels_of_group), int(kernel_size)]
    padding = [int(left), int(right)]
    if out is not None:
        return torch.ops.tapconv.conv1d_packed(
            input,
            packed,
            shape,
            bias,
            [int(stride)],
            padding,
            [int(dilation)],
            int(groups),
            padding_mode=padding_mode,
            out=out,
        )
    return torch.ops.tapconv.conv1d_packed(
        input,
        packed,
        shape,
        bias,
        [int(stride)],
        padding,
        [int(dilation)],
        int(groups),
        padding_mode=padding_mode,
    )


def _transposed(
    input: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: Tensor,
    padding: Tensor,
    output_padding: Tensor,
    groups: Tensor,
    dilation: Tensor,
) -> Tensor:
    return torch.ops.tapconv.conv_transpose1d(
        input,
        weight,
        bias,
        [int(stride)],
        [int(padding)],
        [int(output_padding)],
        int(groups),
        [int(dilation)],
    )


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: Number,
    padding_mode: str,
    algorithm: str,
    out: Tensor | None,
) -> Tensor:
    """:func:`tapconv.conv1d`, recorded; with `out`, of a padding in samples."""
    sizes = (_one(dilation), _groups(groups), padding_mode, algorithm)
    if out is not None:
        return _scripted(_into_out)(input, weight, bias, _one(stride), *_pair(padding), *sizes, out)
    if isinstance(padding, str):
        return _scripted(_by_name)(input, weight, bias, _one(stride), padding, *sizes)
    return _scripted(_by_samples)(input, weight, bias, _one(stride), *_pair(padding), *sizes)


def conv1d_packed(
    input: Tensor,
    packed: Tensor,
    weight_shape: Sequence[Number],
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    dilation: Size,
    groups: Number,
    padding_mode: str,
    out: Tensor | None,
) -> Tensor:
    """:func:`tapconv.conv1d_packed`, recorded."""
    out_channels, channels_of_group, kernel_size = map(_tensor, weight_shape)
    sizes = (_one(stride), *_pair(padding), _one(dilation), _groups(groups))
    return _scripted(_packed)(
        input, packed, out_channels, channels_of_group, kernel_size, bias, *sizes, padding_mode, out
    )


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: Number,
    dilation: Size,
) -> Tensor:
    """:func:`tapconv.conv_transpose1d`, recorded."""
    sizes = (_one(stride), _one(padding), _one(output_padding), _groups(groups), _one(dilation))
    return _scripted(_transposed)(input, weight, bias, *sizes)
