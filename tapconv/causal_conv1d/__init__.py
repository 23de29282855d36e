"""Causal depthwise convolutions with a state, as state-space models call them, on CPUs: the functions of the package
causal-conv1d (Dao-AILab, 1.6), which runs on GPUs alone, with its signatures and meanings.

`install` makes programs that look for that package find these functions for tensors on the CPU.
"""

from tapconv.causal_conv1d.functions import causal_conv1d_fn, causal_conv1d_update, causal_conv1d_varlen_states
from tapconv.causal_conv1d.installation import install, is_installed, uninstall

__all__ = [
    "causal_conv1d_fn",
    "causal_conv1d_update",
    "causal_conv1d_varlen_states",
    "install",
    "is_installed",
    "uninstall",
]
