"""`tapconv.StreamingConv1d` and `tapconv.StreamingConvTranspose1d`: layers that are called with one chunk of a signal
after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tapconv.modules import Conv1d, ConvTranspose1d
from tapconv.streaming_layers.checks import check_reach
from tapconv.streaming_layers.conv1d import conv1d_stream, conv1d_stream_flush, conv1d_stream_state, left_and_right
from tapconv.streaming_layers.conv_transpose1d import (
    conv_transpose1d_stream,
    conv_transpose1d_stream_flush,
    conv_transpose1d_stream_state,
)


def _check_mask(name: str, mask: Tensor, batch: int) -> None:
    if mask.dtype != torch.bool or mask.shape != (batch,):
        raise ValueError(
            f"{name}: expected a mask of {batch} booleans, one for each signal, got {mask.dtype} of shape "
            f"{list(mask.shape)}"
        )


def _keep_rows(name: str, following: Tensor, state: Tensor, exec_mask: Tensor) -> Tensor:
    """The next state of the rows in the mask, and the last one of the others."""
    if following.shape != state.shape:
        raise ValueError(
            f"{name}: rows can only be left out of calls that keep the length of the state, and this one takes it from "
            f"{state.shape[2]} samples to {following.shape[2]}. Call with chunks of a multiple of the stride, and for "
            "all rows until as many samples are there as the filters span."
        )
    return torch.where(exec_mask[:, None, None], following, state)


class StreamingConv1d(Conv1d):
    """A :class:`tapconv.Conv1d` that is called with one chunk of a signal after the other.

    Parameters and `state_dict` are those of :class:`torch.nn.Conv1d`; the constructor is that of
    :class:`tapconv.Conv1d`. The outputs of all calls and of :meth:`flush`, put one behind the other, are those of the
    whole signal. The state is kept from call to call, is no part of the `state_dict`, and is detached: gradients do not
    flow from one chunk to the last one, which :func:`tapconv.conv1d_stream` has.

    Shape:
        - Input: (batch, in_channels, samples), any number of samples, and the same batch until :meth:`reset`.
        - Output: (batch, out_channels, outputs), those whose last sample has come.

    Raises:
        ValueError: for the padding modes "reflect" and "circular", for "replicate" with padding on the right, and for a
            stride beyond what a filter spans, beside what :class:`tapconv.Conv1d` raises.

    Example:
        >>> layer = tapconv.StreamingConv1d(1, 4, 5, padding="same")
        >>> signal = torch.randn(1, 1, 100)
        >>> outputs = [layer(chunk) for chunk in signal.split(7, -1)] + [layer.flush()]
        >>> torch.cat(outputs, -1).shape
        torch.Size([1, 4, 100])
    """

    _state: Tensor | None = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        check_reach("StreamingConv1d", self.stride[0], self.kernel_size[0], self.dilation[0])
        left, right = self._samples_of_padding()
        if self.padding_mode in ("reflect", "circular") and left + right > 0:
            raise ValueError(
                f"StreamingConv1d: padding_mode={self.padding_mode!r} reads samples that have not come yet. Pass "
                "'zeros', or 'replicate' with padding on the left alone."
            )
        if self.padding_mode == "replicate" and right > 0:
            raise ValueError(
                "StreamingConv1d: padding_mode='replicate' needs the last sample of the signal, which a state need not "
                f"hold. Pass padding on the left alone, not {right} samples on the right."
            )

    def _samples_of_padding(self) -> tuple[int, int]:
        padding: Any = self.padding
        return left_and_right(padding, self.kernel_size[0], self.dilation[0])

    @property
    def delay(self) -> int:
        """How many samples after its own an output comes: what its filter reads of the future."""
        return self.dilation[0] * (self.kernel_size[0] - 1) - self._samples_of_padding()[0]

    def reset(self, mask: Tensor | None = None) -> None:
        """Forgets the signals, or those for which `mask`, shape (batch,), is True.

        Raises:
            ValueError: for a mask of another shape or type.
            RuntimeError: for a part of the batch while the state has another length than at the start, so that new
                signals would not be in step with the others.
        """
        if mask is None:
            self._state = None
            return
        if self._state is None:
            return
        _check_mask("StreamingConv1d.reset", mask, self._state.shape[0])
        left = self._samples_of_padding()[0]
        if self.padding_mode == "replicate" and left > 0:
            raise RuntimeError(
                "StreamingConv1d.reset: a part of the batch cannot begin anew with padding_mode='replicate', since its "
                "first sample is not known yet. Reset all of it."
            )
        if self._state.shape[2] != left:
            raise RuntimeError(
                f"StreamingConv1d.reset: a part of the batch cannot begin anew while the state has "
                f"{self._state.shape[2]} samples, and {left} at the start. "
                "With causal padding, call with chunks of a multiple of the stride."
            )
        self._state = self._state.masked_fill(mask[:, None, None], 0)

    def _state_for(self, input: Tensor) -> Tensor:
        if self._state is not None:
            return self._state
        left = self._samples_of_padding()[0]
        state = conv1d_stream_state(
            input.shape[0],
            self.in_channels,
            self.kernel_size[0],
            self.stride[0],
            self.dilation[0],
            (left, 0),
            input.dtype,
            input.device,
        )
        if self.padding_mode == "replicate" and input.shape[-1] > 0:
            return input[..., :1].detach().expand(-1, -1, left)
        return state

    def forward(self, input: Tensor, exec_mask: Tensor | None = None) -> Tensor:
        """The outputs that the chunk completes.

        Args:
            input: the chunk, shape (batch, in_channels, samples).
            exec_mask: shape (batch,), booleans: signals where it is False keep their state, and give zeros.

        Raises:
            ValueError: for a chunk that does not fit the weight or the chunks before it, and for a mask that does not
                fit. The state is then as it was.
        """
        if input.dim() != 3:
            raise ValueError(
                f"StreamingConv1d: expected a chunk of shape (batch, {self.in_channels}, samples), got "
                f"{list(input.shape)}"
            )
        if exec_mask is not None:
            _check_mask("StreamingConv1d", exec_mask, input.shape[0])
        state = self._state_for(input)
        output, following = conv1d_stream(
            input, state, self.weight, self.bias, self.stride[0], self.dilation[0], self.groups, self.algorithm
        )
        following = following.detach()
        if exec_mask is not None:
            following = _keep_rows("StreamingConv1d", following, state, exec_mask)
            output = output.masked_fill(~exec_mask[:, None, None], 0)
        if input.shape[-1] > 0:  # before the first sample, there is nothing to remember
            self._state = following
        return output

    def flush(self) -> Tensor:
        """The outputs that are still owed, as the signal has ended: those that read padding on the right. The next call
        begins a new signal.

        Raises:
            RuntimeError: if no sample has come since the start.
        """
        if self._state is None:
            raise RuntimeError("StreamingConv1d.flush: no sample has come since the start. Call the module first.")
        stride, dilation = self.stride[0], self.dilation[0]
        padding = self._samples_of_padding()
        output = conv1d_stream_flush(
            self._state, self.weight, self.bias, stride, dilation, self.groups, padding, self.algorithm
        )
        self._state = None
        return output

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StreamingConv1d:
        super()._apply(fn, recurse)
        if self._state is not None:
            self._state = fn(self._state)
        return self


class StreamingConvTranspose1d(ConvTranspose1d):
    """A :class:`tapconv.ConvTranspose1d` that is called with one chunk of a signal after the other.

    Parameters and `state_dict` are those of :class:`torch.nn.ConvTranspose1d`, and so is the constructor. The outputs
    of all calls and of :meth:`flush`, put one behind the other, are those of the whole signal. The state is kept as by
    :class:`tapconv.StreamingConv1d`.

    Shape:
        - Input: (batch, in_channels, samples), any number of samples, and the same batch until :meth:`reset`.
        - Output: (batch, out_channels, samples * stride), without the first `padding` outputs of a stream.

    Raises:
        ValueError: if padding - output_padding is more than dilation * (kernel_size - 1) + 1 - stride: outputs would
            have to be taken back at the end. And for what :class:`torch.nn.ConvTranspose1d` does not take.

    Example:
        >>> layer = tapconv.StreamingConvTranspose1d(4, 1, 4, stride=2, padding=1)
        >>> signal = torch.randn(1, 4, 50)
        >>> outputs = [layer(chunk) for chunk in signal.split(7, -1)] + [layer.flush()]
        >>> torch.cat(outputs, -1).shape
        torch.Size([1, 1, 100])
    """

    _state: Tensor | None = None
    _left_out = 0  # outputs of this stream that were cut off as padding

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self._owed() < 0:
            raise ValueError(
                f"StreamingConvTranspose1d: with a kernel of {self.kernel_size[0]} taps, stride {self.stride[0]} and "
                f"dilation {self.dilation[0]}, a padding of {self.padding[0]} cuts off outputs at the end that "
                "have gone out by then. Pass a smaller padding, or an output_padding that makes up for it."
            )

    def _owed(self) -> int:
        """How many outputs come at the end."""
        span = self.dilation[0] * (self.kernel_size[0] - 1) + 1
        padding: Any = self.padding
        return span - self.stride[0] - padding[0] + self.output_padding[0]

    @property
    def delay(self) -> int:
        """How many outputs later than those of their samples outputs come: as many as padding cuts off."""
        padding: Any = self.padding
        return int(padding[0])

    def reset(self, mask: Tensor | None = None) -> None:
        """Forgets the signals, or those for which `mask`, shape (batch,), is True.

        Raises:
            ValueError: for a mask of another shape or type.
            RuntimeError: for a part of the batch where padding is cut off, so that new signals would not be in step
                with the others.
        """
        if mask is None:
            self._state, self._left_out = None, 0
            return
        if self._state is None:
            return
        _check_mask("StreamingConvTranspose1d.reset", mask, self._state.shape[0])
        if self.delay > 0:
            raise RuntimeError(
                f"StreamingConvTranspose1d.reset: a part of the batch cannot begin anew, since the first {self.delay} "
                "outputs of a signal are cut off, and those of the others are not. Reset all of it."
            )
        self._state = self._state.masked_fill(mask[:, None, None], 0)

    def forward(self, input: Tensor, output_size: None = None, exec_mask: Tensor | None = None) -> Tensor:  # type: ignore[override]  # has no size to choose
        """The outputs that the chunk completes.

        Args:
            input: the chunk, shape (batch, in_channels, samples).
            output_size: None; the length of a stream is not known.
            exec_mask: shape (batch,), booleans: signals where it is False keep their state, and give zeros.

        Raises:
            ValueError: for a chunk that does not fit the weight or the chunks before it, for a mask that does not fit,
                and for an output_size. The state is then as it was.
        """
        if output_size is not None:
            raise ValueError(
                "StreamingConvTranspose1d: a chunk has no output_size. Pass output_padding to the constructor."
            )
        if input.dim() != 3:
            raise ValueError(
                "StreamingConvTranspose1d: expected a chunk of shape "
                f"(batch, {self.in_channels}, samples), got {list(input.shape)}"
            )
        if exec_mask is not None:
            _check_mask("StreamingConvTranspose1d", exec_mask, input.shape[0])
        state = self._state
        if state is None:
            sizes = (self.kernel_size[0], self.stride[0], self.dilation[0])
            state = conv_transpose1d_stream_state(input.shape[0], self.in_channels, *sizes, input.dtype, input.device)
        output, following = conv_transpose1d_stream(
            input, state, self.weight, self.bias, self.stride[0], self.dilation[0], self.groups
        )
        following = following.detach()
        if exec_mask is not None:
            if self._left_out < self.delay:
                raise ValueError(
                    "StreamingConvTranspose1d: rows can only be left out once the padding of "
                    f"{self.delay} outputs is cut off, and {self._left_out} are. Call for all rows first."
                )
            following = _keep_rows("StreamingConvTranspose1d", following, state, exec_mask)
            output = output.masked_fill(~exec_mask[:, None, None], 0)
        left_out = min(self.delay - self._left_out, output.shape[-1])
        if input.shape[-1] > 0:
            self._state, self._left_out = following, self._left_out + left_out
        return output[..., left_out:]

    def flush(self) -> Tensor:
        """The outputs that are still owed, as the signal has ended. The next call begins a new signal.

        Raises:
            RuntimeError: if no sample has come since the start.
        """
        if self._state is None:
            raise RuntimeError(
                "StreamingConvTranspose1d.flush: no sample has come since the start. Call the module first."
            )
        stride, dilation = self.stride[0], self.dilation[0]
        rest = conv_transpose1d_stream_flush(self._state, self.weight, self.bias, stride, dilation, self.groups)
        owed = self._owed()
        if owed > rest.shape[-1]:  # output_padding that no sample reaches
            beyond = rest.new_zeros(rest.shape[0], rest.shape[1], owed - rest.shape[-1])
            rest = torch.cat([rest, beyond if self.bias is None else beyond + self.bias[:, None]], -1)
        output = rest[..., self.delay - self._left_out : owed]
        self.reset()
        return output
