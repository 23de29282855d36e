"""What a module packed, and whether it is still what the module would compute with."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tapconv import _library
from tapconv.packed import pack_weight

_is_packed_from = torch.ops.tapconv.is_packed_from.default

# How many calls of this process have found that a weight is no longer what was packed of it.
_stale_calls = ctypes.c_int64.in_dll(ctypes.CDLL(str(_library.LIBRARY_PATH)), "tapconv_stale_packed_calls")


@dataclass
class Packing:
    """A packed weight, and what it was made from. Replaced as a whole, so that calls on other threads go on with the
    one that they have."""

    packed: Tensor
    arguments: dict[str, Any]  # of pack_weight, as the module had them
    options: dict[str, Any]  # of Conv1d.pack
    weight: torch.nn.Parameter
    memory: Tensor  # keeps the weight's memory from being used again while its address is compared
    version: int  # of the weight: what changes it in place counts it up, as far as PyTorch sees it
    stale_calls: int  # when this was last seen to be the weight's

    @classmethod
    def of(cls, weight: torch.nn.Parameter, arguments: dict[str, object], options: dict[str, object]) -> Packing:
        memory, version, stale_calls = weight.detach(), weight._version, _stale_calls.value
        packed = pack_weight(memory, **arguments, **options)
        return cls(packed, arguments, options, weight, memory, version, stale_calls)

    def is_current(self, weight: Tensor, arguments: dict[str, object]) -> bool:
        """Is it what the module would pack now?"""
        if (
            weight is not self.weight
            or weight._version != self.version
            or weight.data_ptr() != self.memory.data_ptr()
            or arguments != self.arguments
        ):
            return False
        # Every call compares a part of the weight with what was packed. Since this was looked at, some call, of
        # whichever module, has found them to differ.
        stale_calls = _stale_calls.value
        if stale_calls == self.stale_calls:
            return True
        stride, dilation, groups = (arguments[name] for name in ("stride", "dilation", "groups"))
        if not _is_packed_from(self.packed, weight, stride, dilation, groups):
            return False
        self.stale_calls = stale_calls
        return True
