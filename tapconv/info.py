"""What `python -m tapconv info` prints."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

import tapconv
from tapconv import _library


def processor_name() -> str:
    """The processor's name as Linux gives it, or what Python knows elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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
        "C++ package": f"CMAKE_PREFIX_PATH={tapconv.cmake_prefix_path}",
    }
    width = max(len(label) for label in lines)
    return "\n".join(f"{label:<{width}}  {value}".rstrip() for label, value in lines.items())
