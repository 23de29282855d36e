"""Convolutions chunk by chunk, with the state as a tensor that is passed in and out.

The state is the samples that later outputs still read. An output comes out with the chunk that brings its last sample,
so that chunks of any length, put through one after the other, give the outputs of the whole signal.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from tapconv import _library
from tapconv.functional import padding_in_samples
from tapconv.streaming_layers.checks import check_chunk, check_reach, check_state, check_weight

_library.load()


def left_and_right(padding: int | tuple[int, int] | str, kernel_size: int, dilation: int) -> tuple[int, int]:
    """A padding in samples.

    Raises:
        ValueError: if it is negative, or a word that is no padding.
    """
    left, right = (int(samples) for samples in padding_in_samples(padding, kernel_size, dilation))
    if left < 0 or right < 0:
        raise ValueError(f"expected paddings of at least 0, got padding={padding!r}")
    return left, right


def conv1d_stream_state(
    batch: int,
    channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    padding: int | tuple[int, int] | str = "causal",
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """The state before the first sample of a stream: the padding on the left, as zeros.

    Args:
        batch: signals that are streamed side by side.
        channels: channels of the input.
        kernel_size, stride, dilation: of the convolution.
        padding: "causal", "same", "valid", a number for both ends or a (left, right) pair. What it has on the right
            comes at the end, by :func:`tapconv.conv1d_stream_flush`.
        dtype, device: of the signal.

    Returns:
        Zeros of shape (batch, channels, padding_left). For a signal that begins as if its first sample had always been
        there, pass `first_chunk[..., :1].repeat(1, 1, padding_left)` instead.

    Raises:
        ValueError: for sizes below 1, and for a stride beyond what a filter spans.

    Example:
        >>> state = tapconv.conv1d_stream_state(1, 2, kernel_size=3)
        >>> state.shape
        torch.Size([1, 2, 2])
    """
    if batch < 0 or min(channels, kernel_size, stride, dilation) < 1:
        raise ValueError(
            "conv1d_stream_state: expected channels, kernel_size, stride and dilation of at least 1 and no negative "
            f"batch, got batch={batch}, channels={channels}, kernel_size={kernel_size}, stride={stride}, "
            f"dilation={dilation}"
        )
    check_reach("conv1d_stream_state", stride, kernel_size, dilation)
    left, _ = left_and_right(padding, kernel_size, dilation)
    return torch.zeros(batch, channels, left, dtype=dtype, device=device)


def _following(x: Tensor, state: Tensor, consumed: int) -> Tensor:
    """The next state: what is left of the last one and of the chunk behind the first `consumed` samples."""
    if not torch.jit.is_scripting() and torch.compiler.is_compiling():
        # Asks for no comparison of lengths, which the graph would be bound to.
        return torch.cat([state, x], 2)[:, :, consumed:].clone()
    if consumed >= state.shape[2]:
        return x[:, :, consumed - state.shape[2] :].clone()
    return torch.cat([state, x], 2)[:, :, consumed:]


def _outputs(
    x: Tensor,
    state: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (TorchScript)
    stride: int,
    dilation: int,
    groups: int,
    algorithm: str,
) -> Tensor:
    """The outputs whose last samples the chunk brings."""
    reach = dilation * (weight.shape[2] - 1)
    if x.shape[2] == 0 or state.shape[2] + x.shape[2] <= reach:
        return x.new_empty([x.shape[0], weight.shape[0], 0])
    return torch.ops.tapconv.conv1d_context(
        x, weight, bias, state, None, [stride], [state.shape[2], 0], [dilation], groups, algorithm=algorithm
    )


def conv1d_stream(
    x: Tensor,
    state: Tensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,  # noqa: UP045 (TorchScript)
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> tuple[Tensor, Tensor]:
    """The next chunk of a stream through a convolution.

    Args:
        x: the chunk, shape (batch, in_channels, samples); any number of samples, none included.
        state: what :func:`tapconv.conv1d_stream_state` or the call before has returned. It is not changed.
        weight: the filters, shape (out_channels, in_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        stride, dilation, groups, algorithm: as for :func:`tapconv.conv1d`.

    Returns:
        The outputs whose last sample is in the chunk, shape (batch, out_channels, outputs), and the next state.
        Differentiable by all tensors, through the states too.

    Raises:
        ValueError: for a chunk or a state of another batch, number of channels, type or device than the other, and for
            a stride beyond what a filter spans.
        RuntimeError: where :func:`tapconv.conv1d` raises it.

    Example:
        >>> filters, state = torch.randn(4, 2, 3), tapconv.conv1d_stream_state(1, 2, kernel_size=3)
        >>> first, state = tapconv.conv1d_stream(torch.randn(1, 2, 10), state, filters)
        >>> second, state = tapconv.conv1d_stream(torch.randn(1, 2, 1), state, filters)
        >>> first.shape, second.shape
        (torch.Size([1, 4, 10]), torch.Size([1, 4, 1]))
    """
    check_weight("conv1d_stream", weight, stride, dilation, groups)
    check_reach("conv1d_stream", stride, weight.shape[2], dilation)
    check_chunk("conv1d_stream", x, state, weight.shape[1] * groups)
    y = _outputs(x, state, weight, bias, stride, dilation, groups, algorithm)
    return y, _following(x, state, y.shape[2] * stride)


def conv1d_stream_flush(
    state: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | tuple[int, int] | str = "causal",
    algorithm: str = "auto",
) -> Tensor:
    """The outputs that a stream still owes when it ends: those that read the padding on the right.

    Args:
        state: the state after the last chunk.
        weight, bias, stride, dilation, groups, algorithm: as for :func:`tapconv.conv1d_stream`.
        padding: as for :func:`tapconv.conv1d_stream_state`.

    Returns:
        The last outputs, shape (batch, out_channels, outputs). Behind those of all chunks they make the output of
        `tapconv.conv1d` with this padding.

    Raises:
        ValueError: as :func:`tapconv.conv1d_stream`.
    """
    check_weight("conv1d_stream_flush", weight, stride, dilation, groups)
    check_state("conv1d_stream_flush", state, weight.shape[1] * groups)
    _, right = left_and_right(padding, weight.shape[2], dilation)
    zeros = state.new_zeros(state.shape[0], state.shape[1], right)
    return conv1d_stream(zeros, state, weight, bias, stride, dilation, groups, algorithm)[0]


def conv1d_stream_(
    x: Tensor,
    state: Tensor,
    weight: Tensor,
    bias: Optional[Tensor] = None,  # noqa: UP045 (TorchScript)
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    exec_mask: Optional[Tensor] = None,  # noqa: UP045 (TorchScript)
    algorithm: str = "auto",
) -> Tensor:
    """:func:`tapconv.conv1d_stream` that writes the next state over the last one, whose size stays the same.

    For inference: not differentiable.

    Args:
        x: the chunk, shape (batch, in_channels, samples), a multiple of `stride` samples.
        state: as for :func:`tapconv.conv1d_stream`, with dilation * (kernel_size - 1) samples, as causal padding has
            them, or up to stride - 1 fewer. Changed in place.
        weight, bias, stride, dilation, groups, algorithm: as for :func:`tapconv.conv1d_stream`.
        exec_mask: shape (batch,), booleans: signals where it is False keep their state, and their outputs are zeros.

    Returns:
        The outputs, shape (batch, out_channels, samples / stride).

    Raises:
        ValueError: as :func:`tapconv.conv1d_stream`, and for chunks, states and masks that do not fit. The state is
            then as it was.
        RuntimeError: if a derivative would be recorded.
    """
    return torch.ops.tapconv.conv1d_stream_(x, state, weight, bias, stride, dilation, groups, exec_mask, algorithm)
