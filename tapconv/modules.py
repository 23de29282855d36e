"""`tapconv.Conv1d`, `tapconv.LazyConv1d` and `tapconv.ConvTranspose1d`: torch's modules, computed by tapconv."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from tapconv.functional import ALGORITHMS, NAMED_PADDINGS, Size, conv1d, conv_transpose1d, padding_in_samples


class Conv1d(torch.nn.Conv1d):
    r"""A :class:`torch.nn.Conv1d` whose forward and backward run on tapconv's kernels.

    The constructor, the parameters and their initialisation, the `state_dict` and the printed form are those of
    :class:`torch.nn.Conv1d`, so checkpoints go both ways. Two paddings are added.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps of each filter.
        stride: samples between neighbouring outputs.
        padding: samples added at both ends; or a (left, right) pair; or "valid", "same" or "causal" (all of it on the
            left, so that no output sees a later input).
        dilation: samples between neighbouring taps.
        groups: groups of channels that do not see each other.
        bias: learn one offset per output channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device: where the parameters live.
        dtype: data type of the parameters.
        algorithm: how it sums: "auto", "direct", "fft" or "winograd"; see :func:`tapconv.conv1d`.

    Shape:
        - Input: (batch, in_channels, length) or (in_channels, length).
        - Output: (batch, out_channels, output_length) or (out_channels, output_length), with output_length =
          (length + padding_left + padding_right - dilation * (kernel_size - 1) - 1) // stride + 1.

    Raises:
        ValueError: where :class:`torch.nn.Conv1d` raises it, for a padding of more than two numbers, and
            for an algorithm that does not exist.

    Example:
        >>> module = tapconv.Conv1d(16, 33, 3, stride=2, padding=(2, 0))
        >>> module(torch.randn(20, 16, 50)).shape
        torch.Size([20, 33, 25])
    """

    __constants__ = (*torch.nn.Conv1d.__constants__, "algorithm")
    algorithm = "auto"  # of modules that became this class without its constructor; TorchScript sees it as a constant

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        algorithm: str = "auto",
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {list(ALGORITHMS)}, but got algorithm={algorithm!r}")
        is_pair = not isinstance(padding, (str, int)) and len(padding) != 1
        if is_pair and len(padding) != 2:
            raise ValueError(f"padding must be one number or a (left, right) pair, but got padding={padding!r}")
        if isinstance(padding, str) and padding not in NAMED_PADDINGS:
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {list(NAMED_PADDINGS)}")
        extends_torch = is_pair or padding == "causal"
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            0 if extends_torch else padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device=device,
            dtype=dtype,
        )
        if extends_torch:
            self.padding = padding if isinstance(padding, str) else tuple(padding)
            left_and_right = padding_in_samples(padding, self.kernel_size[0], self.dilation[0])
            self._reversed_padding_repeated_twice = list(left_and_right)
        self.algorithm = algorithm

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.algorithm == "auto" else f", algorithm={self.algorithm}")

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:  # noqa: UP045 (TorchScript)
        if self.padding_mode == "zeros" and self.algorithm == "auto":
            return conv1d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return conv1d(
            input,
            weight,
            bias,
            self.stride,
            self._reversed_padding_repeated_twice,  # left and right; what torch pads by in these modes
            self.dilation,
            self.groups,
            padding_mode=self.padding_mode,
            algorithm=self.algorithm,
        )


class LazyConv1d(torch.nn.LazyConv1d, Conv1d):
    r"""A :class:`tapconv.Conv1d` that learns `in_channels` from its first input, and becomes one then.

    The arguments are those of :class:`tapconv.Conv1d` without `in_channels`; see :class:`torch.nn.LazyConv1d`.
    """

    cls_to_become = Conv1d

    def __init__(self, *arguments, algorithm: str = "auto", **keywords) -> None:
        super().__init__(*arguments, **keywords)
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {list(ALGORITHMS)}, but got algorithm={algorithm!r}")
        self.algorithm = algorithm


class ConvTranspose1d(torch.nn.ConvTranspose1d):
    r"""A :class:`torch.nn.ConvTranspose1d` whose forward and backward run on tapconv's kernels.

    The constructor, the parameters and their initialisation, the `state_dict` and the printed form are those of
    :class:`torch.nn.ConvTranspose1d`, so checkpoints go both ways; for what the arguments mean, see
    :func:`tapconv.conv_transpose1d`.

    Shape:
        - Input: (batch, in_channels, length) or (in_channels, length).
        - Output: (batch, out_channels, output_length) or (out_channels, output_length), with output_length =
          (length - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1.

    Example:
        >>> module = tapconv.ConvTranspose1d(16, 8, 4, stride=2, padding=1)
        >>> module(torch.randn(20, 16, 50)).shape
        torch.Size([20, 8, 100])
    """

    def forward(self, input: Tensor, output_size: Optional[list[int]] = None) -> Tensor:  # noqa: UP045 (TorchScript)
        """Transposes the convolution. `output_size`, a length or a shape, chooses output_padding for this call.

        Raises:
            ValueError: if `output_size` is not among the lengths that the module can give for this input, or if
                padding_mode has been changed.
        """
        if self.padding_mode != "zeros":
            raise ValueError("Only `zeros` padding mode is supported for ConvTranspose1d")
        output_padding = self._output_padding(
            input,
            output_size,
            self.stride,
            self.padding,
            self.kernel_size,
            1,  # spatial dimension
            self.dilation,
        )
        return conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )
