"""Transposed convolutions chunk by chunk, with the state as a tensor that is passed in and out.

The state is the inputs that still reach into later outputs. Each output is computed once, from all inputs that reach
it, so that nothing is added up across chunks, and no bias has to be taken off again.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from tapconv import _library
from tapconv.streaming_layers.checks import check_chunk, check_weight

_library.load()


def conv_transpose1d_stream_state(
    batch: int,
    channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """The state before the first sample of a stream through a transposed convolution.

    Args:
        batch: signals that are streamed side by side.
        channels: channels of the input.
        kernel_size, stride, dilation: of the transposed convolution.
        dtype, device: of the signal.

    Returns:
        Zeros of shape (batch, channels, dilation * (kernel_size - 1) // stride).

    Raises:
        ValueError: for sizes below 1.
    """
    if batch < 0 or min(channels, kernel_size, stride, dilation) < 1:
        raise ValueError(
            "conv_transpose1d_stream_state: expected channels, kernel_size, stride and dilation of at least 1 and no "
            f"negative batch, got batch={batch}, channels={channels}, kernel_size={kernel_size}, stride={stride}, "
            f"dilation={dilation}"
        )
    return torch.zeros(batch, channels, dilation * (kernel_size - 1) // stride, dtype=dtype, device=device)


def _check(function: str, state: Tensor, weight: Tensor, stride: int, dilation: int, groups: int) -> None:
    check_weight(function, weight, stride, dilation, groups)
    kept = dilation * (weight.shape[2] - 1) // stride
    if state.dim() != 3 or state.shape[1] != weight.shape[0] or state.shape[2] != kept:
        raise ValueError(
            f"{function}: expected a state of shape (batch, {weight.shape[0]}, {kept}), got {list(state.shape)}. "
            "conv_transpose1d_stream_state makes the first one."
        )


def _with_bias(y: Tensor, bias: Optional[Tensor]) -> Tensor:  # noqa: UP045 (TorchScript)
    return y if bias is None else y + bias[:, None]


def conv_transpose1d_stream(
    x: Tensor,
    state: Tensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,  # noqa: UP045 (TorchScript)
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor]:
    """The next chunk of a stream through a transposed convolution.

    Args:
        x: the chunk, shape (batch, in_channels, samples); any number of samples, none included.
        state: what :func:`tapconv.conv_transpose1d_stream_state` or the call before has returned. It is not changed.
        weight: the filters, shape (in_channels, out_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        stride, dilation, groups: as for :func:`tapconv.conv_transpose1d`.

    Returns:
        `stride` outputs for each sample, shape (batch, out_channels, samples * stride), and the next state. The outputs
        of all chunks are the first ones of :func:`tapconv.conv_transpose1d` without padding; the others come by
        :func:`tapconv.conv_transpose1d_stream_flush`. Differentiable by all tensors, through the states too.

    Raises:
        ValueError: for a chunk or a state of another batch, number of channels, type or device than the other, and for
            a state of another length than `conv_transpose1d_stream_state` makes.
        RuntimeError: where :func:`tapconv.conv_transpose1d` raises it.

    Example:
        >>> filters, state = torch.randn(2, 4, 4), tapconv.conv_transpose1d_stream_state(1, 2, kernel_size=4, stride=2)
        >>> outputs, state = tapconv.conv_transpose1d_stream(torch.randn(1, 2, 10), state, filters, stride=2)
        >>> outputs.shape, state.shape
        (torch.Size([1, 4, 20]), torch.Size([1, 2, 1]))
    """
    _check("conv_transpose1d_stream", state, weight, stride, dilation, groups)
    check_chunk("conv_transpose1d_stream", x, state, weight.shape[0])
    samples, reach = x.shape[2], dilation * (weight.shape[2] - 1)
    if samples == 0:
        return x.new_empty([x.shape[0], weight.shape[1] * groups, 0]), state
    signal = torch.cat([state, x], 2)
    y = torch.ops.tapconv.conv1d_grad_input(
        signal,
        weight,
        samples * stride,
        [stride],
        [state.shape[2] * stride, max(reach + 1 - stride, 0)],
        [dilation],
        groups,
    )
    return _with_bias(y, bias), signal[:, :, samples:].clone()


def conv_transpose1d_stream_flush(
    state: Tensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,  # noqa: UP045 (TorchScript)
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """The outputs that a stream through a transposed convolution still owes when it ends.

    Args:
        state: the state after the last chunk.
        weight, bias, stride, dilation, groups: as for :func:`tapconv.conv_transpose1d_stream`.

    Returns:
        The last max(dilation * (kernel_size - 1) + 1 - stride, 0) outputs, shape (batch, out_channels, outputs). Behind
        those of all chunks they make the output of `tapconv.conv_transpose1d` with an `output_padding` of
        max(stride - 1 - dilation * (kernel_size - 1), 0).

    Raises:
        ValueError: as :func:`tapconv.conv_transpose1d_stream`.
    """
    _check("conv_transpose1d_stream_flush", state, weight, stride, dilation, groups)
    owed = dilation * (weight.shape[2] - 1) + 1 - stride
    if owed <= 0:
        return state.new_empty([state.shape[0], weight.shape[1] * groups, 0])
    y = torch.ops.tapconv.conv1d_grad_input(
        state, weight, owed, [stride], [state.shape[2] * stride, 0], [dilation], groups
    )
    return _with_bias(y, bias)
