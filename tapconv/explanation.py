"""`tapconv.explain`: why a convolution is computed as it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tapconv import _library
from tapconv.arguments import Size, numbers
from tapconv.functional import padding_in_samples

_library.load()

DIRECTIONS = ("forward", "grad_input", "grad_weight")


def explain(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    *,
    dtype: torch.dtype = torch.float32,
    direction: str = "forward",
    threads: int | None = None,
) -> str:
    """Says how a convolution of contiguous tensors is computed on this machine's CPU, and why. Nothing is computed.

    For every way to compute it there is a line with its estimated cost or its reason to decline, then the one that is
    chosen, with its blocks, its tasks, the threads that share them and its workspace. Costs are in thousands of
    multiply-adds of a vector, and are estimates from the shapes alone. The text is for people: it changes with the
    algorithms. With the environment variable TAPCONV_EXPLAIN=1, the same is written to the standard error stream for
    every call that is unlike those before it.

    Args:
        input_shape: (batch, in_channels, length) or (in_channels, length).
        weight_shape: (out_channels, in_channels / groups, kernel_size).
        stride, padding, dilation, groups, padding_mode, algorithm: as in :func:`tapconv.conv1d`.
        dtype: of both tensors.
        direction: "forward", "grad_input" or "grad_weight".
        threads: that may share the work; by default as many as torch would take.

    Raises:
        ValueError: for a direction, a padding mode, an algorithm or a number of threads that does not exist.

    Example:
        >>> print(tapconv.explain((8, 64, 16000), (64, 64, 3), padding=1))  # doctest: +SKIP
        forward of input (8, 64, 16000), weight (64, 64, 3), stride 1, padding 1, dilation 1, groups 1, float32, ...
          channel_lanes                     declined: the filters are not depthwise
        ...
    """
    input = torch.empty(tuple(input_shape), dtype=dtype, device="meta")
    weight = torch.empty(tuple(weight_shape), dtype=dtype, device="meta")
    dilations = numbers(dilation)
    samples = padding_in_samples(padding, weight.shape[-1], dilations[0]) if isinstance(padding, str) else padding
    return torch.ops.tapconv.explain(
        input,
        weight,
        numbers(stride),
        numbers(samples),
        dilations,
        groups,
        padding_mode,
        algorithm,
        direction,
        0 if threads is None else threads,
    )
