"""tapconv: torch.conv1d and torch.nn.Conv1d, hand-written for CPUs, and their transposes.

`tapconv.conv1d`, `tapconv.conv_transpose1d` and the modules mean what torch's mean. Importing this package loads
`libtapconv.so`, which registers `torch.ops.tapconv.conv1d` and `torch.ops.tapconv.conv_transpose1d` for Python,
TorchScript, torch.compile and torch.export.
"""

from __future__ import annotations

import torch

from tapconv import flop_formulas as flop_formulas  # registers them
from tapconv import inductor_fallbacks, onnx_export
from tapconv._library import PACKAGE_FOLDER
from tapconv.causal_conv1d import causal_conv1d_fn, causal_conv1d_update, causal_conv1d_varlen_states
from tapconv.context import conv1d_context
from tapconv.conversion import Report, convert, report, revert
from tapconv.defaults import default_algorithm, get_default_algorithm
from tapconv.explanation import explain
from tapconv.functional import conv1d, conv_transpose1d
from tapconv.modules import Conv1d, ConvTranspose1d, LazyConv1d
from tapconv.packed import conv1d_packed, pack_weight
from tapconv.rerouting import disable, enable, enabled
from tapconv.streaming_layers.conv1d import conv1d_stream, conv1d_stream_, conv1d_stream_flush, conv1d_stream_state
from tapconv.streaming_layers.conv_transpose1d import (
    conv_transpose1d_stream,
    conv_transpose1d_stream_flush,
    conv_transpose1d_stream_state,
)
from tapconv.streaming_layers.modules import StreamingConv1d, StreamingConvTranspose1d

inductor_fallbacks.register()
onnx_export.register()

__version__: str = torch.ops.tapconv.version()

#: Folder for CMAKE_PREFIX_PATH, so that `find_package(tapconv)` finds the C++ library inside this package.
cmake_prefix_path: str = str(PACKAGE_FOLDER / "share" / "cmake")


def isa() -> str:
    """The instruction set in use: the first of isa_available(), such as "avx512" on x86-64 or "neon" on aarch64, unless
    the environment variable TAPCONV_ISA forces another one.

    Raises:
        RuntimeError: if TAPCONV_ISA names an unknown instruction set or one that this machine lacks.
    """
    return torch.ops.tapconv.isa()


def isa_available() -> list[str]:
    """The instruction sets that the library has kernels for and this machine has, best first. The last one is
    "portable", which every machine has."""
    return torch.ops.tapconv.isa_available()


def isa_compiled() -> list[str]:
    """The instruction sets that the library has kernels for, the best on this processor first."""
    return torch.ops.tapconv.isa_compiled()


__all__ = [
    "Conv1d",
    "ConvTranspose1d",
    "LazyConv1d",
    "Report",
    "StreamingConv1d",
    "StreamingConvTranspose1d",
    "__version__",
    "causal_conv1d_fn",
    "causal_conv1d_update",
    "causal_conv1d_varlen_states",
    "cmake_prefix_path",
    "conv1d",
    "conv1d_context",
    "conv1d_packed",
    "conv1d_stream",
    "conv1d_stream_",
    "conv1d_stream_flush",
    "conv1d_stream_state",
    "conv_transpose1d",
    "conv_transpose1d_stream",
    "conv_transpose1d_stream_flush",
    "conv_transpose1d_stream_state",
    "convert",
    "default_algorithm",
    "disable",
    "enable",
    "enabled",
    "explain",
    "get_default_algorithm",
    "isa",
    "isa_available",
    "isa_compiled",
    "pack_weight",
    "report",
    "revert",
]
