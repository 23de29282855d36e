"""What calls are given: numbers in all the forms that torch takes, and torch's words for what it does not take."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

import torch
from torch import Tensor

Number = int | torch.SymInt
Size = Number | Sequence[Number]


class TracedNumber(Exception):
    """A number in a tensor, while torch.jit.trace records: its value now is not what it will be."""


def number(value: Any) -> Number:
    """A whole number as the operators take it: an int, a symbolic one while torch.compile or torch.export trace, what
    NumPy and others have as integers, or a tensor of one element.

    Raises:
        TypeError: for anything else. Truth values are no numbers, as in torch.
        TracedNumber: for a tensor that torch.jit.trace is to follow.
    """
    if type(value) is int or isinstance(value, torch.SymInt):
        return value
    if isinstance(value, Tensor):
        if not value.is_floating_point() and not value.is_complex():
            if torch.jit.is_tracing():  # asked first: the tracer warns about conditions on what it follows
                raise TracedNumber
            if value.numel() == 1:
                return cast(int, value.item())
    elif hasattr(type(value), "__torch_function__"):
        return value  # a stand-in, such as torch.fx traces with
    elif not isinstance(value, bool):
        return operator.index(value)
    raise TypeError(f"expected a whole number, but got {value!r}")


def numbers(value: Any) -> Sequence[Number]:
    """One number, or a tuple or list of them, as a sequence. Raises what :func:`number` does."""
    if type(value) is tuple and len(value) == 1 and type(value[0]) is int:
        return value  # what modules have
    if isinstance(value, (tuple, list)):
        return [number(element) for element in value]
    return (number(value),)


def first(value: Any) -> Any:
    """A number, or the first of a tuple or list of them, as it is."""
    return value[0] if isinstance(value, (tuple, list)) else value


def _wrong_kind(function: str, name: str, position: int | None, kind: str, value: object) -> TypeError:
    where = "" if position is None else f" (position {position + 1})"
    return TypeError(f"{function}(): argument '{name}'{where} must be {kind}, not {type(value).__name__}")


def _is_numbers(value: object) -> bool:
    try:
        numbers(value)
    except TypeError:
        return False
    return True


_KINDS: dict[str, Callable[[object], bool]] = {
    "Tensor": lambda value: isinstance(value, Tensor),
    "Tensor or None": lambda value: value is None or isinstance(value, Tensor),
    "str": lambda value: isinstance(value, str),
    "int": lambda value: _is_numbers(value) and not isinstance(value, (tuple, list)),
    "int or None": lambda value: value is None or _KINDS["int"](value),
    "tuple of ints": _is_numbers,
    "tuple of ints or str": lambda value: isinstance(value, str) or _is_numbers(value),
}


def _check_kinds(function: Callable, kinds: dict[str, str], args: tuple, kwargs: dict) -> None:
    """Raises a TypeError in the form of torch's for the first argument that is not of its kind."""
    given = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    for position, name in enumerate(given):
        if name in kinds and not _KINDS[kinds[name]](given[name]):
            at = position if position < len(args) else None
            raise _wrong_kind(function.__name__, name, at, kinds[name], given[name]) from None


def _refuse_distributed(function: Callable, error: Exception) -> NoReturn:
    raise NotImplementedError(
        f"tapconv.{function.__name__} has no rule for distributed tensors (DTensor): call "
        f"torch.{function.__name__} for them, use tapconv.revert on the model before it is sharded, or shard it by "
        "fully_shard or DistributedDataParallel, whose modules compute on plain tensors."
    ) from error


def _is_about_kinds(error: Exception) -> bool:
    """Python's and the schema's errors for arguments that a function does not take."""
    return isinstance(error, TypeError) or str(error).startswith("tapconv::")


def _as_torchs(args: tuple, kwargs: dict, ours: dict[str, str], arity: int) -> tuple[tuple, dict]:
    """The call without what torch's function lacks: arguments after the first `arity`, and causal padding."""
    kwargs = {name: value for name, value in kwargs.items() if name not in ours}
    args = tuple("valid" if isinstance(value, str) and value == "causal" else value for value in args[:arity])
    if kwargs.get("padding") == "causal":
        kwargs["padding"] = "valid"
    return args, kwargs


def with_torchs_errors(torchs: Callable, arity: int, ours: dict[str, str]) -> Callable[[Callable], Callable]:
    """Decorates a function so that a call of wrong, missing or unknown arguments raises what the same call of torch's
    function does. `torchs` has `arity` arguments; the kinds of those that it lacks are in `ours`."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Tensor:
            try:
                return function(*args, **kwargs)
            except (TypeError, RuntimeError) as error:
                _explain(error, args, kwargs)
                raise

        def _explain(error: Exception, args: tuple, kwargs: dict) -> None:
            if isinstance(error, NotImplementedError) and "sharding" in str(error):
                _refuse_distributed(function, error)
            first = [*args[:2], *(kwargs[name] for name in ("input", "weight") if name in kwargs)]
            if not _is_about_kinds(error) and not any(value is None for value in first):
                return
            their_args, their_kwargs = _as_torchs(args, kwargs, ours, arity)
            try:
                with torch.no_grad():
                    torchs(*their_args, **their_kwargs)
            except TypeError as theirs:
                raise theirs from None
            except RuntimeError:
                return
            _check_kinds(function, ours, args, kwargs)

        return checked

    return decorate


def with_named_kinds(kinds: dict[str, str]) -> Callable[[Callable], Callable]:
    """The same for a function that torch has not: the kinds of its arguments are named in torch's form."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Tensor:
            try:
                return function(*args, **kwargs)
            except (TypeError, AttributeError, RuntimeError):
                try:
                    inspect.signature(function).bind(*args, **kwargs)
                except TypeError:
                    pass  # Python's words for missing and unknown arguments
                else:
                    _check_kinds(function, kinds, args, kwargs)
                raise

        return checked

    return decorate
