"""`tapconv.default_algorithm`: what algorithm="auto" may choose on this thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from tapconv import _library

_library.load()


# torch.compile would run this while it traces; so it breaks the graph instead. This is torch.compiler.disable without
# importing the compiler, which takes longer than importing torch.
@torch._disable_dynamo
def _exchange(algorithm: str) -> str:
    return torch.ops.tapconv.set_default_algorithm(algorithm)


@contextlib.contextmanager
def default_algorithm(algorithm: str) -> Iterator[None]:
    """Binds what "auto" may choose: with "direct", sums in plain order only; with "auto", anything.

    Like torch's context managers it holds for the thread that enters it, can be nested (the innermost counts) and
    decorates functions. Derivatives are computed by what the forward call was bound to, wherever backward runs. Until
    it is entered, the environment variable TAPCONV_ALGORITHM ("auto" or "direct") decides. Calls that name another
    algorithm get that.

    Compiled and exported code reads the default when it runs, in its forward and in its backward pass; a backward pass
    that was traced under "direct" stays direct. Inside a function that torch.compile compiles, the statement breaks the
    graph.

    Args:
        algorithm: "direct" or "auto".

    Raises:
        ValueError: for any other name.
        RuntimeError: if TAPCONV_ALGORITHM names anything else.

    Example:
        >>> with tapconv.default_algorithm("direct"):
        ...     output = tapconv.conv1d(signal, filters)
    """
    previous = _exchange(algorithm)
    try:
        yield
    finally:
        _exchange(previous)


def get_default_algorithm() -> str:
    """What "auto" may choose on this thread: "auto" (anything) or "direct"; see :func:`tapconv.default_algorithm`."""
    return torch.ops.tapconv.get_default_algorithm()
