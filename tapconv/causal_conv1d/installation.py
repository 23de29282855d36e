"""`tapconv.causal_conv1d.install`: programs that look for the package causal-conv1d find tapconv's functions."""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import inspect
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from torch import Tensor

from tapconv.causal_conv1d import functions

PACKAGE = "causal_conv1d"
#: The version of the package whose signatures and meanings the functions have.
VERSION = "1.6.1"
_HOMES = {
    "causal_conv1d_fn": f"{PACKAGE}.causal_conv1d_interface",
    "causal_conv1d_update": f"{PACKAGE}.causal_conv1d_interface",
    "causal_conv1d_varlen_states": f"{PACKAGE}.causal_conv1d_varlen",
}
_OURS: dict[str, Callable] = {name: getattr(functions, name) for name in _HOMES}

#: Modules whose models call the functions by a name of their own, and which may have been imported before.
_MODEL_MODULES = ("transformers.models.", "transformers_modules.")
_REBOUND = ("causal_conv1d_fn", "causal_conv1d_update")

# What is undone by uninstall(): names that stood somewhere else before, and modules that were not there.
_replaced: list[tuple[ModuleType, str, Any]] = []
_added_modules: list[str] = []


def install() -> None:
    """Makes programs find tapconv's functions where they look for the package causal-conv1d, for the whole process,
    until :func:`uninstall`.

    - If the package cannot be imported, as on machines without a GPU, a stand-in of its name takes its place. Models of
      `transformers` that are imported from now on compute their causal convolutions by it (Mamba, Mamba-2, Jamba,
      Zamba-2, Falcon-H1, Qwen3-Next, LFM2 and others), and can be trained on packed sequences.
    - If it can, its functions hand tensors on the CPU to tapconv and all others to the package.
    - Models of `transformers` that were imported before are rebound, for tensors on the CPU.

    A second call rebinds what was imported since the first. :func:`tapconv.enable` calls this, too.
    """
    if not is_installed():
        theirs = _import_package()
        if theirs is None:
            _add_stand_in()
        else:
            _wrap_package(theirs)
    for name, module in list(sys.modules.items()):
        if name.startswith(_MODEL_MODULES) and isinstance(module, ModuleType):
            _rebind_model(module)


def uninstall() -> None:
    """Undoes :func:`install`. Models that were imported in between go back to their own computation."""
    for module, name, original in reversed(_replaced):
        setattr(module, name, original)
    _replaced.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith(_MODEL_MODULES) and isinstance(module, ModuleType):
            _release_model(module)
    for name in _added_modules:
        sys.modules.pop(name, None)
    _added_modules.clear()


def is_installed() -> bool:
    """Whether :func:`install` is in force."""
    return bool(_replaced or _added_modules)


def computes_for(model_class: type) -> bool | None:
    """Whether tapconv computes the causal convolutions of a class of models; None if its module does not call them."""
    module = sys.modules.get(model_class.__module__)
    function = getattr(module, "causal_conv1d_fn", None)
    if not callable(function):
        return None
    return _is_bound(function)


def _import_package() -> ModuleType | None:
    """The package itself. Whatever its import raises without a GPU means that there is none to use."""
    try:
        package = importlib.import_module(PACKAGE)
        for home in set(_HOMES.values()):
            importlib.import_module(home)
    except Exception:
        for name in [PACKAGE, *_HOMES.values()]:
            sys.modules.pop(name, None)
        return None
    return package


def _add_stand_in() -> None:
    def add(name: str, names: list[str], *, is_package: bool) -> ModuleType:
        module = ModuleType(name, f"tapconv's stand-in for {name}, for tensors on the CPU.")
        module.__spec__ = importlib.machinery.ModuleSpec(name, loader=None, is_package=is_package)
        if is_package:
            module.__path__ = []
        module.__dict__["__version__"] = VERSION
        for function in names:
            setattr(module, function, _OURS[function])
        sys.modules[name] = module
        _added_modules.append(name)
        return module

    package = add(PACKAGE, list(_REBOUND), is_package=True)
    for home in dict.fromkeys(_HOMES.values()):
        names = [name for name, where in _HOMES.items() if where == home]
        setattr(package, home.rpartition(".")[2], add(home, names, is_package=False))


def _on_cpu(ours: Callable, theirs: Callable) -> Callable:
    """Tensors on the CPU are ours, whatever else they are called with; others are theirs."""
    parameters = inspect.signature(ours).parameters
    first = next(iter(parameters))

    @functools.wraps(theirs)
    def function(*args: Any, **kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get(first)
        if not isinstance(x, Tensor) or x.device.type != "cpu":
            return theirs(*args, **kwargs)
        if kwargs.get("activation") not in (None, "silu", "swish"):
            return theirs(*args, **kwargs)
        return ours(*args, **{name: value for name, value in kwargs.items() if name in parameters})

    function.__tapconv_original__ = theirs  # type: ignore[attr-defined]
    return function


def _replace(module: ModuleType, name: str, ours: Callable) -> None:
    original = getattr(module, name)
    _replaced.append((module, name, original))
    setattr(module, name, _on_cpu(ours, original))


def _wrap_package(package: ModuleType) -> None:
    for name, home in _HOMES.items():
        for module in (sys.modules[home], package):
            if hasattr(module, name):
                _replace(module, name, _OURS[name])


def _rebind_model(module: ModuleType) -> None:
    for name in _REBOUND:
        function = module.__dict__.get(name)
        if isinstance(function, FunctionType) and not _is_bound(function):
            _replace(module, name, _OURS[name])


def _is_bound(function: object) -> bool:
    is_ours = hasattr(function, "__tapconv_original__") or any(function is ours for ours in _OURS.values())
    return is_ours or _encloses_ours(function)


def _encloses_ours(function: object) -> bool:
    """Whether a function of a model was made, by a decorator, of one of ours."""
    cells = (function.__closure__ or ()) if isinstance(function, FunctionType) else ()
    for cell in cells:
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        if any(value is ours for ours in _OURS.values()):
            return True
    return False


def _release_model(module: ModuleType) -> None:
    """A model imported while the stand-in was there has its own computation behind its decorator."""
    for name in _REBOUND:
        function = module.__dict__.get(name)
        if function is _OURS[name]:
            delattr(module, name)
        elif _encloses_ours(function) and (own := getattr(function, "__wrapped__", None)) is not None:
            setattr(module, name, own)
