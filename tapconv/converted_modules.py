"""What `tapconv.convert` does to a module: it marks it, and torch's classes compute marked modules by tapconv.

A marked module keeps its class. So tools that ask for `type(module) is nn.Conv1d` get the answer that they expect,
subclasses reach tapconv through `super()`, and the classes of parametrizations and of FSDP through their bases. The
price is that the first mark replaces two methods of torch, `nn.Conv1d._conv_forward` and `nn.ConvTranspose1d.forward`,
for modules without a mark by ones that do the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _single

from tapconv import packed_classes
from tapconv.functional import conv1d, conv_transpose1d
from tapconv.modules import Conv1d, ConvTranspose1d

#: torch's classes, and tapconv's that compute the same.
TWINS = {nn.Conv1d: Conv1d, nn.ConvTranspose1d: ConvTranspose1d}

_torch_conv_forward = nn.Conv1d._conv_forward
_torch_transposed_forward = nn.ConvTranspose1d.forward


class _Mark(str):
    """A string for TorchScript, which knows no other objects. Of a class of its own for pickle: a process that loads a
    marked module imports tapconv and computes it by tapconv, too."""

    __slots__ = ()

    def __reduce__(self) -> tuple:
        return (mark_of_conversion, ())


_MARK = _Mark("converted")


def mark_of_conversion() -> str:
    """The mark, which has an effect from now on."""
    if not hasattr(nn.Conv1d, "_tapconv"):
        _teach_torch()
    return _MARK


# `torch.load(weights_only=True)` takes a converted model where it takes the model.
torch.serialization.add_safe_globals([mark_of_conversion])


def mark(module: nn.Module) -> None:
    """Has a module computed by tapconv. Nothing that its class does at assignments gets in between."""
    attributes = {"_tapconv": mark_of_conversion()}
    if isinstance(module, nn.Conv1d) and not _has_its_own(module, "algorithm"):
        attributes |= {"_tapconv_algorithm": _MARK, "algorithm": "auto"}
    module.__dict__.update(attributes)


def _has_its_own(module: nn.Module, name: str) -> bool:
    try:
        return hasattr(module, name)
    except Exception:  # of a class that computes its attributes
        return True


def unmark(module: nn.Module) -> None:
    packed_classes.leave(module)
    if module.__dict__.pop("_tapconv_algorithm", None):
        module.__dict__.pop("algorithm", None)
    module.__dict__.pop("_tapconv", None)


def is_marked(module: nn.Module) -> bool:
    return "_tapconv" in module.__dict__


def torch_base(cls: type) -> type | None:
    """The class of torch that a module's class derives from and that tapconv has a twin of, or None."""
    return next((base for base in TWINS if issubclass(cls, base)), None)


def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]):  # noqa: UP045 (TorchScript)
    """torch's `nn.Conv1d._conv_forward`, and tapconv's for modules with a mark. TorchScript compiles what follows the
    first return, and leaves out the branch that is not this module's."""
    if not torch.jit.is_scripting():
        return _conv_forward_in_python(self, input, weight, bias)
    if hasattr(self, "_tapconv"):
        algorithm = "auto"
        if hasattr(self, "_tapconv_algorithm"):
            algorithm = self.algorithm
        if self.padding_mode == "zeros":
            return conv1d(
                input, weight, bias, self.stride, self.padding, self.dilation, self.groups, algorithm=algorithm
            )
        return conv1d(
            input,
            weight,
            bias,
            self.stride,
            self._reversed_padding_repeated_twice,
            self.dilation,
            self.groups,
            padding_mode=self.padding_mode,
            algorithm=algorithm,
        )
    if self.padding_mode != "zeros":
        return F.conv1d(
            F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode),
            weight,
            bias,
            self.stride,
            _single(0),
            self.dilation,
            self.groups,
        )
    return F.conv1d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


def _conv_forward_in_python(module: nn.Conv1d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if module._tapconv is None:
        return _torch_conv_forward(module, input, weight, bias)
    padding_mode = module.padding_mode
    return conv1d(
        input,
        weight,
        bias,
        module.stride,
        module.padding if padding_mode == "zeros" else module._reversed_padding_repeated_twice,
        module.dilation,
        module.groups,
        padding_mode,
        module.algorithm if module._tapconv_algorithm else "auto",
    )


def _transposed_forward(self, input: Tensor, output_size: Optional[list[int]] = None) -> Tensor:  # noqa: UP045 (TorchScript)
    """torch's `nn.ConvTranspose1d.forward`, and tapconv's for modules with a mark; see above."""
    if not torch.jit.is_scripting():
        forward = _torch_transposed_forward if self._tapconv is None else ConvTranspose1d.forward
        return forward(self, input, output_size)
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
    if hasattr(self, "_tapconv"):
        return conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )
    return F.conv_transpose1d(
        input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
    )


class _OfMarkedModules:
    """An attribute of a class of torch's that its marked modules have, and the others do not. It takes no name from
    anybody: what a subclass or a module has under the name comes first."""

    def __init__(self, value_for: Callable[[nn.Module], object]) -> None:
        self._value_for = value_for

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, module: nn.Module | None, owner: type) -> object:
        if module is None or module._tapconv is None:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")
        return self._value_for(module)


def _teach_torch() -> None:
    for cls in TWINS:
        cls._tapconv = None
    nn.Conv1d._tapconv_algorithm = None
    for name, value_for in {
        "pack": lambda module: functools.partial(packed_classes.pack, module),
        "unpack": lambda module: lambda: module,
        "is_packed": lambda module: False,
    }.items():
        attribute = _OfMarkedModules(value_for)
        attribute.__set_name__(nn.Conv1d, name)
        setattr(nn.Conv1d, name, attribute)
    nn.Conv1d._conv_forward = _conv_forward
    nn.ConvTranspose1d.forward = _transposed_forward
