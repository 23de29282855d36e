"""Gives a TorchScript module types of its own, which no other module shares.

torch can copy the types only together with the modules, so that all that a copy must not have of its own is put back:
the tensors, and the Python objects through which people hold the module and its submodules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.jit._script import OrderedDictWrapper, OrderedModuleDict

CppModule = torch._C.ScriptModule
_PLAIN = (bool, int, float, complex, str, type(None))


def submodules(module: CppModule, path: str = "") -> Iterator[tuple[str, CppModule]]:
    """A module and all that are in it, with their paths, each once."""
    seen = set()

    def walk(module: CppModule, path: str) -> Iterator[tuple[str, CppModule]]:
        if module in seen:
            return
        seen.add(module)
        yield path, module
        for name, child in torch._C.ModuleDict(module).items():
            yield from walk(child, f"{path}.{name}" if path else name)

    return walk(module, path)


def has_hooks(module: CppModule) -> bool:
    return any(part._get_forward_hooks() or part._get_forward_pre_hooks() for _, part in submodules(module))


def give_own_types(module: torch.jit.ScriptModule) -> None:
    """The module stays the same Python object, with the same tensors, and so do its submodules."""
    copy = torch._C._hack_do_not_use_clone_module_with_class(module._c, [], [])
    _share_tensors(module._c, copy, {})
    _move_to(module, copy)


def _share_tensors(original: CppModule, copy: CppModule, copies: dict[CppModule, CppModule]) -> None:
    copies[original] = copy
    for name in torch._C.ConcreteModuleType.from_jit_type(original._type()).get_attributes():
        value = original.getattr(name)
        if not isinstance(value, _PLAIN):
            copy.setattr(name, value)
    for name, child in torch._C.ModuleDict(original).items():
        if child in copies:
            copy.setattr(name, copies[child])
        else:
            _share_tensors(child, copy.getattr(name), copies)


def _move_to(wrapper: torch.jit.ScriptModule, module: CppModule) -> None:
    """Has a Python object stand for another C++ module, with the same submodules by name."""
    wrapper = wrapper.__dict__.get("_actual_script_module", wrapper)
    children: dict[str, Any] = dict(wrapper._modules.items())
    for name, child in children.items():
        _move_to(child, module.getattr(name))
    attributes = wrapper.__dict__
    attributes["_c"] = module
    attributes["_concrete_type"] = torch._C.ConcreteModuleType.from_jit_type(module._type())
    attributes["_modules"] = OrderedModuleDict(module, children)
    attributes["_parameters"] = OrderedDictWrapper(torch._C.ParameterDict(module))
    attributes["_buffers"] = OrderedDictWrapper(torch._C.BufferDict(module))
    # Methods that were looked up once are kept, and those are the old ones.
    for name in [name for name, value in attributes.items() if isinstance(value, torch._C.ScriptMethod)]:
        del attributes[name]
