"""The classes of converted modules that are packed.

A converted module keeps its class until :meth:`tapconv.Conv1d.pack` is called on it. A packed weight follows the weight
through `to`, `load_state_dict`, `train` and copies, which takes the methods of :class:`tapconv.Conv1d`: so the module
becomes an object of a subclass of its class and of that one, until it is reverted.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar, SupportsIndex, cast

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from tapconv.modules import Conv1d


class Packed:
    """What the classes made here are."""

    _tapconv_original: ClassVar[type[Any]]

    def __init_subclass__(cls) -> None:
        """Goes no further: what a user's class does about its subclasses, such as enlisting them, is not for these."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple:
        # The class is made at run time, so that pickle cannot find it by name; its original can be found.
        _, _, *state = cast("tuple[Any, ...]", super().__reduce_ex__(protocol))
        return (new_packed, (self._tapconv_original,), *state)


def new_packed(original: Any) -> nn.Module:
    """An empty module of the packed class; pickle and deepcopy fill it."""
    cls = packed_class(original)
    return cls.__new__(cls)


@functools.cache
def packed_class(original: Any) -> Any:
    """A subclass of `original`, and what its `super()` reaches is tapconv's. It bears the original's name, so that
    printed models and searches by class name stay the same."""
    bases = (Packed, Conv1d) if original is nn.Conv1d else (Packed, original, Conv1d)
    names = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    # Not by calling the metaclass, which may be a user's and enlist classes.
    return type.__new__(type(original), original.__name__, bases, {**names, "_tapconv_original": original})


def pack(module: Any, *, input_length: int | None = None, batch: int = 1) -> nn.Conv1d:
    """:meth:`tapconv.Conv1d.pack` of a converted module."""
    if "_tapconv_algorithm" not in module.__dict__:
        raise RuntimeError(
            f"pack() reads the module's attribute `algorithm`, and {type(module).__name__} has one of its own: "
            "use tapconv.pack_weight and tapconv.conv1d_packed"
        )
    if is_parametrized(module):
        raise RuntimeError(
            "pack() needs parameters, and some of this module are computed from others at every call: remove the "
            "parametrization first (torch.nn.utils.parametrize.remove_parametrizations)"
        )
    original: Any = type(module)
    module.__class__ = packed_class(original)
    try:
        return module.pack(input_length=input_length, batch=batch)
    except BaseException:
        module.__class__ = original
        raise


def leave(module: Any) -> None:
    """Undoes :func:`pack`, the class included."""
    if issubclass(type(module), Packed):
        module.unpack()
        module.__class__ = _class_before(type(module))
        for name in vars(module).keys() & (vars(Conv1d).keys() - {"algorithm"}):
            del module.__dict__[name]


def _class_before(cls: type[Any]) -> type[Any]:
    """The class without tapconv's. Parametrizations and FSDP put a class of their own on top of a module's class."""
    if "_tapconv_original" in vars(cls):
        return cls._tapconv_original
    bases = tuple(_class_before(base) if issubclass(base, Packed) else base for base in cls.__bases__)
    namespace = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return type(cls.__name__, bases, namespace)
