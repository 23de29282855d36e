"""What `python -m tapconv info` prints."""

from __future__ import annotations

import os
import platform

import torch

import tapconv
from tapconv import _library
from tapconv.reporting.machine import processor_name


def cuda_kernels() -> str:
    """Whether the library has CUDA kernels, for which architectures, and by which compiler."""
    architectures = torch.ops.tapconv.cuda_architectures()
    if not architectures:
        return "none (built without them)"
    return f"for {', '.join(architectures)}, by CUDA {torch.ops.tapconv.cuda_version()}"


def cuda_devices() -> str:
    """The CUDA devices that torch sees, or why it sees none."""
    if torch.version.cuda is None:
        return "none (this torch was built without CUDA)"
    if not torch.cuda.is_available():
        return "none (torch sees no CUDA device)"
    properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return ", ".join(f"{device.name} ({device.major}{device.minor})" for device in properties)


def describe() -> str:
    """Versions, instruction sets and threads, one per line. Raises RuntimeError if TAPCONV_ISA cannot be obeyed."""
    forced = os.environ.get("TAPCONV_ISA")
    built_for = _library.build_info().get("torch_version", "not recorded")
    lines = {
        "tapconv": tapconv.__version__,
        "library": str(_library.LIBRARY_PATH),
        "torch": f"{torch.__version__} (library built for {built_for})",
        "Python": platform.python_version(),
        "processor": processor_name(),
        "instruction sets": "",
        "  compiled": ", ".join(tapconv.isa_compiled()),
        "  on this machine": ", ".join(tapconv.isa_available()),
        "  in use": tapconv.isa() + (" (forced by TAPCONV_ISA)" if forced else ""),
        "default algorithm": tapconv.get_default_algorithm()
        + (" (set by TAPCONV_ALGORITHM)" if os.environ.get("TAPCONV_ALGORITHM") else ""),
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} processors",
        "CUDA kernels": cuda_kernels(),
        "CUDA devices": cuda_devices(),
        "C++ package": f"CMAKE_PREFIX_PATH={tapconv.cmake_prefix_path}",
    }
    width = max(len(label) for label in lines)
    return "\n".join(f"{label:<{width}}  {value}".rstrip() for label, value in lines.items())
