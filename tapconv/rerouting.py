"""`tapconv.enabled` and `tapconv.enable`: torch's convolution functions, and the padding ahead of them, computed by
tapconv in code that one cannot change."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from tapconv import devices
from tapconv.conversion import DTYPES, Entry, Report
from tapconv.functional import conv1d, conv_transpose1d
from tapconv.signal_padding import pad

_torch_pad = torch.nn.functional.pad
_OURS: dict[Callable, Callable] = {torch.conv1d: conv1d, torch.conv_transpose1d: conv_transpose1d}


def _has_rules_of_its_own(kind: type) -> bool:
    """Does this kind of tensor redefine torch's functions? `torch.overrides.has_torch_function` answers yes also for
    plain tensors wherever a mode is on, such as `torch.device` or `torch.set_default_device`."""
    return kind is not Tensor and kind.__torch_function__ is not torch._C._disabled_torch_function_impl


def _obstacle(input: object) -> str | None:
    """Why a call is torch's: for tapconv, the input must be a plain tensor of a type that its kernels take."""
    if not isinstance(input, Tensor) or _has_rules_of_its_own(type(input)) or is_traceable_wrapper_subclass(input):
        return f"the input is a {type(input).__name__}"
    if elsewhere := devices.why_not(input.device):
        return f"the input is {elsewhere}"
    if input.dtype not in DTYPES:
        return f"the input is {str(input.dtype).removeprefix('torch.')}: tapconv computes floating point"
    return None


def _input_of(args: tuple, kwargs: dict) -> object:
    return args[0] if args else kwargs.get("input")


class enabled(TorchFunctionMode):
    """Within it, `torch.conv1d`, `torch.conv_transpose1d`, their names in `torch.nn.functional`, and so `nn.Conv1d` and
    `nn.ConvTranspose1d`, compute by tapconv, whoever calls them in this thread.

    `torch.nn.functional.pad`, which models call ahead of a convolution, gives the same numbers sooner where it reflects
    or replicates the ends of a signal.

    What tapconv cannot compute (other devices and types, tensor subclasses) stays with torch. Every call of torch in
    this thread takes about a microsecond longer inside, unlike with :func:`tapconv.convert` and :func:`tapconv.enable`.

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
            return (func if _obstacle(_input_of(args, kwargs)) else pad)(*args, **kwargs)
        ours = _OURS.get(func)
        if ours is None:
            return func(*args, **kwargs)
        reason = _obstacle(_input_of(args, kwargs))
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


def _rerouted(theirs: Callable, ours: Callable) -> Callable:
    @functools.wraps(ours)
    def function(*args: object, **kwargs: object) -> Tensor:
        return (theirs if _obstacle(_input_of(args, kwargs)) else ours)(*args, **kwargs)

    return function


def _rerouted_convolution(theirs: Callable, ours: Callable) -> Callable:
    function = _rerouted(theirs, ours)
    # What holds it is pickled by this name, and loads with and without tapconv.
    function.__module__, function.__qualname__ = "torch", theirs.__name__
    torch.jit._builtins._register_builtin(function, f"tapconv::{ours.__name__}")
    return function


def _rerouted_pad() -> Callable:
    function = _rerouted(_torch_pad, pad)
    # TorchScript compiles torch's function in its place.
    function.__script_if_tracing_wrapper = True
    function.__original_fn = _torch_pad
    return function


_REPLACEMENTS = {theirs.__name__: (theirs, _rerouted_convolution(theirs, ours)) for theirs, ours in _OURS.items()}
_PAD = _rerouted_pad()


def enable() -> None:
    """Does for the whole process, all threads, what :class:`tapconv.enabled` does within it, until
    :func:`tapconv.disable`: replaces `torch.conv1d`, `torch.conv_transpose1d`, their names in `torch.nn.functional`,
    and `torch.nn.functional.pad`. Code that has imported these functions by name before keeps torch's."""
    for name, (_, replacement) in _REPLACEMENTS.items():
        setattr(torch, name, replacement)
        setattr(torch.nn.functional, name, replacement)
    torch.nn.functional.pad = _PAD


def disable() -> None:
    """Undoes :func:`tapconv.enable`."""
    for name, (original, _) in _REPLACEMENTS.items():
        setattr(torch, name, original)
        setattr(torch.nn.functional, name, original)
    torch.nn.functional.pad = _torch_pad
