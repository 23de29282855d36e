"""Which kinds of tensors redefine torch's functions, by a `__torch_function__` of their own."""

from __future__ import annotations

import torch
from torch import Tensor

_as_torch_does = vars(Tensor)["__torch_function__"].__func__


def is_more_than_a_tensor(kind: type[Tensor]) -> bool:
    """Does torch ask this kind of tensor before it calls a function? `torch.overrides.has_torch_function` says yes of
    plain tensors, too, wherever a mode is on, such as `torch.device` or `torch.set_default_device`."""
    return kind is not Tensor and kind.__torch_function__ is not torch._C._disabled_torch_function_impl


def redefines_functions(*arguments: object) -> bool:
    """Does one of these tensors do by rules of its own what torch's functions are called for? Not within those rules,
    where torch's functions mean themselves."""
    if not torch.overrides.has_torch_function_variadic(*arguments) or not torch._C._is_torch_function_enabled():
        return False
    return any(isinstance(argument, Tensor) and _has_rules_of_its_own(type(argument)) for argument in arguments)


def _has_rules_of_its_own(kind: type[Tensor]) -> bool:
    if not is_more_than_a_tensor(kind):
        return False
    return getattr(kind.__torch_function__, "__func__", None) is not _as_torch_does
