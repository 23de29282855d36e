"""Where tapconv computes by itself; what lies elsewhere is torch's."""

from __future__ import annotations

import torch

_HAS_CUDA = bool(torch.ops.tapconv.cuda_architectures())
_KINDS = ("cpu", "meta", "cuda") if _HAS_CUDA else ("cpu", "meta")
_NAMES = "CPUs and CUDA devices" if _HAS_CUDA else "the CPU"


def why_not(device: torch.device) -> str | None:
    """Why tensors on this device are left to torch, as the end of a sentence; None if they are not."""
    return None if device.type in _KINDS else f"on {device}: tapconv computes on {_NAMES}"
