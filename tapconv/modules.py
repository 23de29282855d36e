"""`tapconv.Conv1d`, `tapconv.LazyConv1d` and `tapconv.ConvTranspose1d`: torch's modules, computed by tapconv."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Optional, cast

import torch
from torch import Tensor

from tapconv.arguments import Size
from tapconv.functional import ALGORITHMS, NAMED_PADDINGS, conv1d, conv_transpose1d, padding_in_samples
from tapconv.packed import conv1d_packed_or_plain
from tapconv.packing import Packing
from tapconv.tensor_kinds import redefines_functions


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

    __constants__ = [*torch.nn.Conv1d.__constants__, "algorithm"]  # noqa: RUF012 (as torch's own)
    algorithm = "auto"  # of modules that became this class without its constructor; TorchScript sees it as a constant

    # Set by pack(). No buffer, since it follows the weight and is not to be moved, cast or saved by itself; without
    # types, since TorchScript reads them from the values.
    _packed_weight = None  # what compilers see
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
        if isinstance(padding, Iterable) and not isinstance(padding, str):
            padding = tuple(padding)
        if isinstance(padding, tuple) and len(padding) not in (1, 2):
            raise ValueError(f"padding must be one number or a (left, right) pair, but got padding={padding!r}")
        if isinstance(padding, str) and padding not in NAMED_PADDINGS:
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {list(NAMED_PADDINGS)}")
        extends_torch = len(padding) == 2 if isinstance(padding, tuple) else padding == "causal"
        # torch takes more than its annotations say, such as lists.
        arguments: tuple[Any, ...] = (kernel_size, stride, 0 if extends_torch else padding, dilation, groups, bias)
        initialize: Callable[..., None] = super().__init__
        initialize(in_channels, out_channels, *arguments, padding_mode, device=device, dtype=dtype)
        if extends_torch:
            self.padding = cast("str | tuple[int, ...]", padding)
            left_and_right = padding_in_samples(padding, self.kernel_size[0], self.dilation[0])
            self._reversed_padding_repeated_twice = cast("list[int]", list(left_and_right))
        self.algorithm = algorithm
        self.unpack()

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.algorithm == "auto" else f", algorithm={self.algorithm}")

    def pack(self, *, input_length: int | None = None, batch: int = 1) -> Conv1d:
        """Packs the weight ahead of the calls, for inference; see :func:`tapconv.pack_weight`.

        Calls that record no gradient then use the packed weight; all others run as before. The packed weight follows
        the weight and the module's attributes: it is made again when the module is moved to another type, loads a
        checkpoint, is copied or unpickled, gets another weight, stride, dilation or groups, or when a call finds that
        the weight has changed. Changes that PyTorch counts are always found. For others, such as those by
        `weight.data`, NumPy or a fused optimizer, every call compares the weight, or of one above 16 KiB a part that
        is spread over all of it; a call that finds a difference computes with the plain weight, and the next one packs.
        It is no part of the `state_dict`, but of a scripted, compiled or exported module, which compares in the same
        way, and from then on computes with the plain weight. `train()` drops it.

        Args:
            input_length: samples of a typical input, any other length works too.
            batch: inputs of a typical call.

        Returns:
            The module.

        Raises:
            RuntimeError: in training mode; if the weight is computed from other parameters, or has no values yet; or if
                it is one that :func:`tapconv.pack_weight` does not take.
        """
        if self.training:
            raise RuntimeError("Conv1d.pack() is for inference, and this module is in training mode: call eval() first")
        weight = self._parameters.get("weight")
        if weight is None:
            raise RuntimeError(
                "Conv1d.pack() needs a weight that is a parameter, and this one is computed from others at every call: "
                "remove the parametrization first (torch.nn.utils.parametrize.remove_parametrizations)"
            )
        if isinstance(weight, torch.nn.parameter.UninitializedParameter):
            raise RuntimeError(
                "Conv1d.pack() needs a weight, and a lazy module has none before its first call: call the module once, "
                "then pack it"
            )
        if weight.is_inference():
            raise RuntimeError(
                "Conv1d.pack() needs a weight whose changes can be seen, and this one was made under "
                "torch.inference_mode(): make the module outside of it"
            )
        options: dict[str, Any] = {"input_length": input_length, "batch": batch}
        packing = Packing.of(weight, self._packing_arguments(), options)
        # Each is set as a whole and from what is at hand here: other threads may pack or unpack the module meanwhile.
        self._packing = packing
        self._packed_weight = packing.packed
        return self

    def _packing_arguments(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "dilation": self.dilation,
            "groups": self.groups,
            "algorithm": self.algorithm,
        }

    def unpack(self) -> Conv1d:
        """Drops the packed weight, if there is one, and returns the module."""
        self._packed_weight = None  # on the module itself, where TorchScript looks
        self._packing = None
        return self

    @property
    def is_packed(self) -> bool:
        """Does the module hold a packed weight?"""
        return self._packed_weight is not None

    def _pack_again(self) -> None:
        """After the weight has changed or moved, if the module is packed."""
        packing = self._packing  # once: other threads may drop it meanwhile
        if packing is None:
            return
        weight = self._parameters.get("weight")
        if weight is not None and weight.is_cpu and weight.is_floating_point() and not weight.is_inference():
            self.pack(**packing.options)
        else:
            self.unpack()

    def train(self, mode: bool = True) -> Conv1d:
        """Sets training mode, which drops a packed weight, or evaluation mode."""
        if mode:
            self.unpack()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Conv1d:
        super()._apply(fn, recurse)
        self._pack_again()
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._pack_again()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if state.get("_packing") is not None:
            state.pop("_packed_weight", None)
            state["_packing"] = state["_packing"].options
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = state.get("_packing")
        super().__setstate__({**state, "_packing": None})
        if options is not None:
            self.pack(**options)

    def _packed_for(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
        """The packed weight for a call, made again if it no longer is that of the module; None if the call has no use
        for it: what records a gradient, torch.fx, which traces without tensors, and weights that are none of the
        module's, as in torch.func.functional_call."""
        if redefines_functions(input, weight, bias):
            return None
        if torch.compiler.is_compiling():
            return self._packed_weight
        packing = self._packing
        if packing is None or not isinstance(input, Tensor):
            return None
        if torch.is_grad_enabled() and (
            input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
        ):
            return None
        if weight is not packing.weight and not isinstance(weight, torch.nn.Parameter):
            return None
        if not packing.is_current(weight, self._packing_arguments()):
            self._pack_again()
            packing = self._packing
        return None if packing is None else packing.packed

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:  # noqa: UP045 (TorchScript)
        packed = self._packed_weight
        if packed is not None:
            if not torch.jit.is_scripting():
                packed = self._packed_for(input, weight, bias)
            if packed is not None:
                if self.padding_mode == "zeros":
                    return conv1d_packed_or_plain(
                        input,
                        packed,
                        weight,
                        bias,
                        self.stride,
                        self.padding,
                        self.dilation,
                        self.groups,
                        padding_mode=self.padding_mode,
                        algorithm=self.algorithm,
                    )
                return conv1d_packed_or_plain(
                    input,
                    packed,
                    weight,
                    bias,
                    self.stride,
                    self._reversed_padding_repeated_twice,  # left and right; what torch pads by in these modes
                    self.dilation,
                    self.groups,
                    padding_mode=self.padding_mode,
                    algorithm=self.algorithm,
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


class LazyConv1d(torch.nn.LazyConv1d, Conv1d):  # type: ignore[misc]  # as torch's own has it
    r"""A :class:`tapconv.Conv1d` that learns `in_channels` from its first input, and becomes one then.

    The arguments are those of :class:`tapconv.Conv1d` without `in_channels`; see :class:`torch.nn.LazyConv1d`.
    """

    cls_to_become = Conv1d

    def __init__(self, *arguments: Any, algorithm: str = "auto", **keywords: Any) -> None:
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
        # torch annotates as lists what is a tuple in every module.
        output_padding = self._output_padding(
            input,
            output_size,
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.kernel_size,  # type: ignore[arg-type]
            1,  # spatial dimension
            self.dilation,  # type: ignore[arg-type]
        )
        return conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )
