"""`tapconv.convert` makes the convolutions of a model tapconv's, `tapconv.revert` undoes it, and `tapconv.report` says
what computes each of them and why."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tapconv import converted_modules, devices, script_graphs
from tapconv.causal_conv1d import installation
from tapconv.converted_modules import TWINS, torch_base
from tapconv.reporting.tables import markdown_table

Model = TypeVar("Model", bound=nn.Module)

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Entry:
    """One convolution: where it is, what it is, and whether tapconv computes it."""

    name: str
    description: str
    by_tapconv: bool
    remark: str = ""
    count: int = 1  # calls, or nodes of a graph, that this stands for


@dataclass(frozen=True)
class Report:
    """What computes each convolution. `print` shows it as a table."""

    entries: tuple[Entry, ...]

    @property
    def converted(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.by_tapconv]

    @property
    def left_alone(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.by_tapconv]

    def __str__(self) -> str:
        by_tapconv, total = (sum(entry.count for entry in entries) for entries in (self.converted, self.entries))
        summary = f"{by_tapconv} of {total} convolutions are computed by tapconv."
        if not self.entries:
            return summary
        rows = [
            [entry.name, entry.description, str(entry.count), "tapconv" if entry.by_tapconv else "torch", entry.remark]
            for entry in self.entries
        ]
        return f"{summary}\n\n{markdown_table(['where', 'what', 'number', 'computed by', 'remark'], rows)}"


def convert(model: Model) -> Model:
    """Makes every `nn.Conv1d` and `nn.ConvTranspose1d` in a model compute by tapconv, in place.

    Each module stays the same object of the same class, with the same parameters, hooks, buffers and names, also where
    `weight_norm`, `spectral_norm` or another parametrization computes its weight, and where a subclass changes what
    goes in or comes out. It gets a mark, by which torch's own class knows that tapconv is to compute it, and unless it
    has something of these names already, the attributes `algorithm`, `pack`, `unpack` and `is_packed` of
    :class:`tapconv.Conv1d`. Copies, pickles and checkpoints of the model work as before. In a TorchScript module, the
    calls in its graphs are replaced, in no other that shares its types; it may have been called before.

    Modules that tapconv cannot make faster are left alone: :func:`tapconv.report` lists them with the reason.

    Args:
        model: any module. Calling `convert` again does nothing to what is converted already.

    Returns:
        The model itself.

    Raises:
        TypeError: for anything but a module, such as its class or an exported program.

    Example:
        >>> model = nn.Sequential(nn.Conv1d(16, 32, 5), nn.ReLU())
        >>> print(tapconv.report(tapconv.convert(model)))
        1 of 1 convolutions are computed by tapconv.
        ...
    """
    _require_module(model, "convert")
    for _, module in _parts(model):
        if isinstance(module, torch.jit.ScriptModule):
            script_graphs.convert(module)
        elif torch_base(type(module)) and not computed_by_tapconv(module) and obstacle(module) is None:
            converted_modules.mark(module)
    return model


def revert(model: Model) -> Model:
    """Undoes :func:`tapconv.convert`, in place. Modules that were made as `tapconv.Conv1d` stay so. In a TorchScript
    module, all calls of tapconv that torch can compute become torch's.

    Returns:
        The model itself.
    """
    _require_module(model, "revert")
    for _, module in _parts(model):
        if isinstance(module, torch.jit.ScriptModule):
            script_graphs.revert(module)
        elif converted_modules.is_marked(module):
            converted_modules.unmark(module)
    return model


def report(model: nn.Module) -> Report:
    """Says for each convolution of a model whether tapconv computes it, and if not, why; changes nothing."""
    _require_module(model, "report")
    parts = _parts(model)
    by_function = {id(child): by_tapconv for _, module in parts for child, by_tapconv in _causal_children(module)}
    return Report(
        tuple(
            entry
            for name, module in parts
            for entry in (
                [_causal_entry(name, module, by_function[id(module)])]
                if id(module) in by_function
                else _entries(name, module)
            )
        )
    )


def _causal_children(module: nn.Module) -> Iterator[tuple[nn.Module, bool]]:
    """The convolutions whose weights a state-space model hands to `causal_conv1d_fn`, never calling them, and whether
    tapconv computes that."""
    by_tapconv = installation.computes_for(type(module))
    if by_tapconv is None or isinstance(module, torch.jit.ScriptModule):
        return
    for child in module._modules.values():
        if isinstance(child, nn.Conv1d) and child.groups == child.in_channels == child.out_channels:
            yield child, by_tapconv


def _causal_entry(name: str, module: nn.Module, by_tapconv: bool) -> Entry:
    remark = "its model calls causal_conv1d_fn with its weight"
    if not by_tapconv:
        remark += ": call tapconv.causal_conv1d.install()"
    return Entry(name, _describe(module), by_tapconv, remark)


def _parts(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a model by name, each once. A TorchScript module is one part: it calls its submodules itself,
    whatever has become of the Python objects that stand for them."""
    seen = set()  # by address: what is equal to what is the model's business

    def walk(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        if id(module) in seen:
            return
        seen.add(id(module))
        yield name, module
        if not isinstance(module, torch.jit.ScriptModule):
            for child_name, child in module._modules.items():
                if child is not None:
                    yield from walk(f"{name}.{child_name}" if name else child_name, child)

    return list(walk("", model))


def _require_module(model: object, function: str) -> None:
    if not isinstance(model, nn.Module):
        got = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise TypeError(
            f"tapconv.{function} expects a torch.nn.Module, but got {got}. Exported and packaged programs keep "
            "the operators that they were made with: convert the module first, then export it."
        )


def _entries(name: str, module: nn.Module) -> Iterator[Entry]:
    if isinstance(module, torch.jit.ScriptModule):
        remark = script_graphs.obstacle(module) or "not converted"
        for path, method, by_torch, by_tapconv in script_graphs.methods_with_convolutions(module):
            where, description = ".".join(filter(None, (name, path))), f"TorchScript {method}"
            if by_tapconv:
                yield Entry(where, description, True, "", by_tapconv)
            if by_torch:
                yield Entry(where, description, False, remark, by_torch)
    elif torch_base(type(module)):
        by_tapconv = computed_by_tapconv(module)
        remark = "" if by_tapconv else obstacle(module) or "not converted"
        yield Entry(name, _describe(module), by_tapconv, remark)


def computed_by_tapconv(module: nn.Module) -> bool:
    return isinstance(module, tuple(TWINS.values())) or converted_modules.is_marked(module)


def obstacle(module: nn.Module) -> str | None:
    """Why a subclass of `nn.Conv1d` or `nn.ConvTranspose1d` has to be left alone; None if it can be converted."""
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        return "has no weights yet: call the model once, then convert it"
    try:
        weight = module.weight
    except Exception as error:  # a parametrization's, or of a class that computes its attributes
        return f"its weight cannot be read: {type(error).__name__}: {error}"
    if not isinstance(weight, Tensor):
        return f"its weight is a {type(weight).__name__}"
    if elsewhere := devices.why_not(weight.device):
        return f"its weight is {elsewhere}"
    if weight.dtype not in DTYPES:
        return f"its weight is {str(weight.dtype).removeprefix('torch.')}: tapconv computes floating point"
    return _obstacle_in_methods(module)


def _obstacle_in_methods(module: nn.Module) -> str | None:
    """tapconv takes the place of `nn.Conv1d._conv_forward` and `nn.ConvTranspose1d.forward`. A method of a
    subclass that does not hand on to it computes something of its own, of which nothing is known."""
    base = torch_base(type(module))
    replaced = "_conv_forward" if base is nn.Conv1d else "forward"
    if replaced in vars(module):
        return f"its {replaced} was replaced on the object"
    classes = type(module).__mro__[: type(module).__mro__.index(base)]
    for method in ("forward", "_conv_forward"):
        for cls in classes:
            if method in vars(cls) and not _hands_on(vars(cls)[method], method, replaced, classes):
                return f"{cls.__name__}.{method} computes by itself: `with tapconv.enabled()` may reach it"
    return None


def _hands_on(function: Any, method: str, replaced: str, classes: tuple[type, ...]) -> bool:
    names = _names_in(function, classes, set())
    if method == replaced:
        return {"super", method} <= names
    return bool({"_conv_forward", "forward"} & names)


def _names_in(function: Any, classes: tuple[type, ...], seen: set[str]) -> set[str]:
    """The names that a function reads, and those that it reads through the methods of these classes that it calls."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    names = set(code.co_names) if code else set()
    helpers = names - seen - {"forward", "_conv_forward"}
    seen |= helpers
    return names.union(
        *(_names_in(vars(cls)[name], classes, seen) for name in helpers for cls in classes if name in vars(cls))
    )


def _describe(module: Any) -> str:
    """Like the printed form of the module, shorter: class, channels, kernel size, groups."""
    text = f"{type(module).__name__} {module.in_channels} -> {module.out_channels}, kernel {module.kernel_size[0]}"
    return text if module.groups == 1 else f"{text}, {module.groups} groups"
