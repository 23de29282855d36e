"""`tapconv.enabled` and `tapconv.enable`: torch's convolution functions, and the padding ahead of them, computed by
tapconv in code that one cannot change."""

from __future__ import annotations

import functools
import importlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, handle_torch_function
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from tapconv import causal_conv1d, devices
from tapconv.conversion import DTYPES, Entry, Report
from tapconv.functional import conv1d, conv_transpose1d
from tapconv.signal_padding import pad
from tapconv.tensor_kinds import is_more_than_a_tensor, redefines_functions

_torch_pad = torch.nn.functional.pad
_OURS: dict[Callable, Callable] = {torch.conv1d: conv1d, torch.conv_transpose1d: conv_transpose1d}


def _tensors_of(args: tuple, kwargs: dict) -> list[object]:
    return [args[i] if i < len(args) else kwargs.get(name) for i, name in enumerate(("input", "weight", "bias"))]


def _obstacle(input: object, weight: object = None, bias: object = None) -> str | None:
    """Why a call is torch's: for tapconv, its tensors must be plain ones, of a type that its kernels take."""
    if not isinstance(input, Tensor):
        return f"the input is a {type(input).__name__}"
    for name, tensor in (("input", input), ("weight", weight), ("bias", bias)):
        if isinstance(tensor, Tensor) and (
            is_more_than_a_tensor(type(tensor)) or is_traceable_wrapper_subclass(tensor)
        ):
            return f"the {name} is a {type(tensor).__name__}"
    if elsewhere := devices.why_not(input.device):
        return f"the input is {elsewhere}"
    if input.dtype not in DTYPES:
        return f"the input is {str(input.dtype).removeprefix('torch.')}: tapconv computes floating point"
    return None


class enabled(TorchFunctionMode):
    """Within it, `torch.conv1d`, `torch.conv_transpose1d`, their names in `torch.nn.functional`, and so `nn.Conv1d` and
    `nn.ConvTranspose1d`, compute by tapconv, whoever calls them in this thread.

    `torch.nn.functional.pad`, which models call ahead of a convolution, gives the same numbers sooner where it reflects
    or replicates the ends of a signal.

    What tapconv cannot compute (other devices and types, tensor subclasses) stays with torch. Every call of torch in
    this thread takes one to three microseconds longer inside, whatever it computes: the step of a decoder, hundreds of
    small calls, may lose more by that than its convolutions gain. :func:`tapconv.convert`, :func:`tapconv.enable` and
    :func:`tapconv.causal_conv1d.install` cost nothing per call.

    Example:
        >>> with tapconv.enabled() as rerouting:
        ...     output = model(signal)
        >>> print(rerouting.report())
        6 of 6 convolutions are computed by tapconv.
        ...
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: Counter[tuple[str, str | None]] = Counter()

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        kwargs = kwargs or {}
        if func is _torch_pad:
            return (func if _obstacle(_tensors_of(args, kwargs)[0]) else pad)(*args, **kwargs)
        ours = _OURS.get(func)
        if ours is None:
            return func(*args, **kwargs)
        reason = _obstacle(*_tensors_of(args, kwargs))
        if not torch.compiler.is_compiling():
            self._calls[ours.__name__, reason] += 1
        return (func if reason else ours)(*args, **kwargs)

    def report(self) -> Report:
        """The calls so far, those from compiled code left out."""
        return Report(
            tuple(
                Entry("calls", f"torch.{function}", reason is None, reason or "", count)
                for (function, reason), count in self._calls.items()
            )
        )


class _Rerouted:
    """One of torch's convolution functions, computed by tapconv.

    An object and no function, since torch's is none either: as an attribute of a class it is no method. It equals
    torch's, so that tables of rules for torch's functions have the same rule for it.
    """

    def __init__(self, theirs: Callable, ours: Callable) -> None:
        functools.update_wrapper(self, ours)
        # What holds it is pickled by this name, and loads with and without tapconv.
        self.__module__, self.__qualname__ = "torch", theirs.__name__
        self._theirs, self._ours = theirs, ours

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        tensors = _tensors_of(args, kwargs)
        if redefines_functions(*tensors):
            return handle_torch_function(self, tensors, *args, **kwargs)
        return (self._theirs if _obstacle(*tensors) else self._ours)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self._theirs

    def __hash__(self) -> int:
        return hash(self._theirs)

    def __reduce__(self) -> str | tuple:
        # pickle takes a name only where it leads to this very object.
        return self.__qualname__ if getattr(torch, self.__qualname__) is self else self._theirs.__reduce__()

    def __copy__(self) -> _Rerouted:
        return self

    def __deepcopy__(self, memo: dict) -> _Rerouted:
        return self


def _rerouted_convolution(theirs: Callable, ours: Callable) -> Callable:
    function = _Rerouted(theirs, ours)
    torch.jit._builtins._register_builtin(function, f"tapconv::{ours.__name__}")
    return function


@functools.wraps(pad)
def _rerouted_pad(*args: Any, **kwargs: Any) -> Tensor:
    return (_torch_pad if _obstacle(_tensors_of(args, kwargs)[0]) else pad)(*args, **kwargs)


# TorchScript compiles torch's function in its place. Attributes of a function are unknown to type checkers.
_rerouted_pad.__script_if_tracing_wrapper = True  # type: ignore[attr-defined]
_rerouted_pad.__original_fn = _torch_pad  # type: ignore[attr-defined]

_REPLACEMENTS = {theirs.__name__: (theirs, _rerouted_convolution(theirs, ours)) for theirs, ours in _OURS.items()}


def enable() -> None:
    """Does for the whole process, all threads, what :class:`tapconv.enabled` does within it, until
    :func:`tapconv.disable`: replaces `torch.conv1d`, `torch.conv_transpose1d`, their names in `torch.nn.functional`,
    and `torch.nn.functional.pad`, and installs the causal convolutions of state-space models, as
    :func:`tapconv.causal_conv1d.install` does. Code that has imported torch's functions by name before keeps them.

    A call costs nothing more than before, unlike within :class:`tapconv.enabled`: what makes many small calls, such as
    a decoder's steps, is better off with this."""
    # Its tables tell functions by their identity, and torch.fx records torch's own.
    importlib.import_module("torch.ao.quantization.backend_config")
    for name, (_, replacement) in _REPLACEMENTS.items():
        setattr(torch, name, replacement)
        setattr(torch.nn.functional, name, replacement)
    torch.nn.functional.pad = _rerouted_pad
    causal_conv1d.install()


def disable() -> None:
    """Undoes :func:`tapconv.enable`."""
    for name, (original, _) in _REPLACEMENTS.items():
        setattr(torch, name, original)
        setattr(torch.nn.functional, name, original)
    torch.nn.functional.pad = _torch_pad
    causal_conv1d.uninstall()
