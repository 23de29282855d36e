"""The classes that `tapconv.convert` gives to modules: a module's own class, with tapconv's computation beneath it.

Converting changes the `__class__` of a module, nothing else. The object stays the same, with its parameters, hooks,
buffers, training flag and its place in the model, under every name that leads to it. What is written against the old
class still holds: `isinstance`, a subclass's methods, `weight_norm`'s hook, and the properties of a parametrization.
"""

from __future__ import annotations

import functools
from typing import ClassVar

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from tapconv.modules import Conv1d, ConvTranspose1d

#: torch's classes, and tapconv's that compute the same.
TWINS = {nn.Conv1d: Conv1d, nn.ConvTranspose1d: ConvTranspose1d}


class Converted:
    """What all converted classes are, and modules that a user made from tapconv's classes are not."""

    _tapconv_original: ClassVar[type[nn.Module]]

    def __reduce_ex__(self, protocol: int) -> tuple:
        # The class is made at run time, so that pickle cannot find it by name; its original can be found.
        _, _, *state = super().__reduce_ex__(protocol)
        return (new_converted, (self._tapconv_original,), *state)


def new_converted(original: type[nn.Module]) -> nn.Module:
    """An empty module of the converted class; pickle and deepcopy fill it."""
    cls = converted_class(original)
    return cls.__new__(cls)


def torch_base(cls: type) -> type | None:
    """The class of torch that a module's class derives from and that tapconv has a twin of, or None."""
    return next((base for base in TWINS if issubclass(cls, base)), None)


@functools.cache
def converted_class(original: type[nn.Module]) -> type[nn.Module]:
    """A subclass of `original`, and where it is a subclass of torch's convolution itself, what its `super()` reaches is
    tapconv's. It bears the original's name, so that printed models and searches by class name stay the same."""
    base = torch_base(original)
    bases = (Converted, TWINS[base]) if original is base else (Converted, original, TWINS[base])
    names = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(original.__name__, bases, {**names, "_tapconv_original": original})


def class_after_converting(module: nn.Module) -> type[nn.Module]:
    return _replace(module, converted_class)


def class_after_reverting(module: nn.Module) -> type[nn.Module]:
    return _replace(module, lambda cls: cls._tapconv_original)


def _replace(module: nn.Module, change: functools.partial) -> type[nn.Module]:
    """The module's class after `change`. A parametrized module has a class of its own, whose properties compute the
    parameters, and torch finds the class underneath by `__bases__[0]`: so it is the base that changes."""
    cls = type(module)
    if not is_parametrized(module):
        return change(cls)
    namespace = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return type(cls.__name__, (change(cls.__bases__[0]),), namespace)
