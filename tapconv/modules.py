"""`tapconv.Conv1d`, `tapconv.LazyConv1d` and `tapconv.ConvTranspose1d`: torch's modules, computed by tapconv."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from tapconv.functional import ALGORITHMS, NAMED_PADDINGS, Size, conv1d, conv_transpose1d, padding_in_samples
from tapconv.packed import conv1d_packed, pack_weight
from tapconv.tensor_kinds import redefines_functions


@dataclass(frozen=True)
class _Packing:
    """What a module packed, so that it can tell when that is no longer what it would compute with."""

    arguments: dict[str, object]  # of Conv1d.pack
    weight: torch.nn.Parameter
    memory: Tensor  # keeps the packed weight's memory from being used again while its address is compared
    version: int  # of the weight: every change in place counts it up
    padding: Size | str
    algorithm: str

    def is_of(self, weight: Tensor, padding: Size | str, algorithm: str) -> bool:
        return (
            weight is self.weight
            and weight._version == self.version
            and weight.data_ptr() == self.memory.data_ptr()
            and padding == self.padding
            and algorithm == self.algorithm
        )


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

    # Set by pack(). No buffer, since it follows the weight and is not to be moved, cast or saved by itself; without
    # types, since TorchScript reads them from the values.
    _packed_weight = None
    _packed_padding = (0, 0)
    _packing = None

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
        self.unpack()

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.algorithm == "auto" else f", algorithm={self.algorithm}")

    def pack(self, *, input_length: int | None = None, batch: int = 1) -> Conv1d:
        """Packs the weight ahead of the calls, for inference; see :func:`tapconv.pack_weight`.

        Calls that record no gradient then use the packed weight; all others run as before. The packed weight follows
        the weight: it is made again when the module is moved to another type, loads a checkpoint, is copied or
        unpickled, or when a call finds that the weight has changed in place. Two things escape that: writing to
        `weight.data`, and what a compiled, exported or scripted copy of the module does. Call pack() again after those.
        It is no part of the `state_dict`, but of a scripted or exported module, which then needs the instruction set
        of this machine. `train()` drops it.

        Args:
            input_length: samples of a typical input, any other length works too.
            batch: inputs of a typical call.

        Returns:
            The module.

        Raises:
            RuntimeError: in training mode; if the weight is computed from other parameters; or if it is one that
                :func:`tapconv.pack_weight` does not take.
        """
        if self.training:
            raise RuntimeError("Conv1d.pack() is for inference, and this module is in training mode: call eval() first")
        weight = self._parameters.get("weight")
        if weight is None:
            raise RuntimeError(
                "Conv1d.pack() needs a weight that is a parameter, and this one is computed from others at every call: "
                "remove the parametrization first (torch.nn.utils.parametrize.remove_parametrizations)"
            )
        if weight.is_inference():
            raise RuntimeError(
                "Conv1d.pack() needs a weight whose changes can be seen, and this one was made under "
                "torch.inference_mode(): make the module outside of it"
            )
        arguments = {"input_length": input_length, "batch": batch}
        self._packed_weight = pack_weight(
            weight.detach(),
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
            algorithm=self.algorithm,
            **arguments,
        )
        self._packed_padding = padding_in_samples(self.padding, self.kernel_size[0], self.dilation[0])
        self._packing = _Packing(arguments, weight, weight.detach(), weight._version, self.padding, self.algorithm)
        return self

    def unpack(self) -> Conv1d:
        """Drops the packed weight, if there is one, and returns the module."""
        self._packed_weight = None  # on the module itself, where TorchScript looks
        self._packed_padding = (0, 0)
        self._packing = None
        return self

    @property
    def is_packed(self) -> bool:
        """Does the module hold a packed weight?"""
        return self._packed_weight is not None

    def _pack_again(self) -> None:
        arguments = self._packing.arguments
        weight = self._parameters.get("weight")
        self.unpack()
        if weight is not None and weight.is_cpu and weight.is_floating_point() and not weight.is_inference():
            self.pack(**arguments)

    def train(self, mode: bool = True) -> Conv1d:
        """Sets training mode, which drops a packed weight, or evaluation mode."""
        if mode:
            self.unpack()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Conv1d:
        super()._apply(fn, recurse)
        if self._packing is not None:
            self._pack_again()
        return self

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if self._packing is not None:
            self._pack_again()

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        if self._packing is not None:
            state.pop("_packed_weight")
            state["_packing"] = self._packing.arguments
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        arguments = state.get("_packing")
        super().__setstate__({**state, "_packing": None})
        if arguments is not None:
            self.pack(**arguments)

    def _records_gradient(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> bool:  # noqa: UP045 (TorchScript)
        return torch.is_grad_enabled() and (
            input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
        )

    def _packed_for(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Optional[Tensor]:  # noqa: UP045 (TorchScript)
        """The packed weight, if this call can use it."""
        if not torch.jit.is_scripting():
            return self._current_packed_for(input, weight, bias)
        return None if self._records_gradient(input, weight, bias) else self._packed_weight

    def _current_packed_for(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
        """The same, made again if what it was made from has changed."""
        # torch.fx traces without tensors, and autocast casts the weight.
        if not isinstance(input, Tensor) or torch.is_autocast_enabled("cpu"):
            return None
        if redefines_functions(input, weight, bias):
            return None
        if self._records_gradient(input, weight, bias) or input.dtype != weight.dtype or not input.is_cpu:
            return None
        if torch.compiler.is_compiling():
            return self._packed_weight
        if weight is not self._packing.weight:  # as in torch.func.functional_call
            return None
        if not self._packing.is_of(weight, self.padding, self.algorithm):
            self._pack_again()
        return self._packed_weight

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:  # noqa: UP045 (TorchScript)
        if self._packed_weight is not None:
            packed = self._packed_for(input, weight, bias)
            if packed is not None:
                return conv1d_packed(
                    input,
                    packed,
                    weight.shape,
                    bias,
                    self.stride,
                    self._packed_padding,
                    self.dilation,
                    self.groups,
                    padding_mode=self.padding_mode,
                )
        if self.padding_mode == "zeros":
            if self.algorithm == "auto":
                return conv1d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
            return conv1d(
                input, weight, bias, self.stride, self.padding, self.dilation, self.groups, algorithm=self.algorithm
            )
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
