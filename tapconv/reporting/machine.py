"""What a report says about the machine it was made on, and about the command that made it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

import tapconv


def processor_name() -> str:
    """The processor's name as Linux gives it, or what Python knows elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine(peer_versions: Mapping[str, str]) -> str:
    """The processor and the versions of everything that was timed, in one sentence."""
    versions = ", ".join(f"{peer} {version}" for peer, version in peer_versions.items() if peer != "torch")
    return (
        f"{processor_name()}, {torch.get_num_threads()} processors used by default; tapconv {tapconv.__version__} "
        f"({tapconv.isa()}), torch {torch.__version__}" + (f", {versions}" if versions else "") + "."
    )


def command() -> str:
    """The command line of this process, as a user would type it."""
    return " ".join(["python -m tapconv", *sys.argv[1:]])
