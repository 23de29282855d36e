"""Finds `libtapconv.so` beside this package and loads it, which registers the operators `torch.ops.tapconv.*`."""

from __future__ import annotations

import json
from pathlib import Path

import torch

if "__torch_package__" in globals():
    raise ImportError(
        "tapconv has a compiled library, which torch.package does not carry. Call extern('tapconv.**') on the "
        "PackageExporter before it saves what uses tapconv, and install tapconv where the package is loaded."
    )

PACKAGE_FOLDER = Path(__file__).parent
LIBRARY_PATH = PACKAGE_FOLDER / "lib" / "libtapconv.so"
BUILD_INFO_PATH = PACKAGE_FOLDER / "lib" / "build_info.json"

REBUILD_HINT = (
    "To build it for the installed torch, run in the source folder of tapconv:\n"
    "    pip install --no-build-isolation .\n"
    "(or `pip install --no-build-isolation -e .` to work on the sources)."
)


def minor_version(version: str) -> str:
    """The part of a torch version that decides whether a C++ library fits: "2.13.0+cpu" -> "2.13"."""
    return ".".join(version.split("+")[0].split(".")[:2])


def build_info() -> dict[str, str]:
    """What the library was built as: "version" and "torch_version", among others. Empty if nothing was recorded."""
    if not BUILD_INFO_PATH.is_file():
        return {}
    return json.loads(BUILD_INFO_PATH.read_text(encoding="utf-8"))


def load(library_path: Path = LIBRARY_PATH) -> None:
    """Loads the library. Raises ImportError, saying what is installed, what is needed and how to rebuild, when the
    library is missing, was built for another minor version of torch, or cannot be loaded."""
    if not library_path.is_file():
        raise ImportError(f"tapconv's compiled library is missing: no file {library_path}.\n{REBUILD_HINT}")
    built_for = build_info().get("torch_version")
    if built_for is not None and minor_version(built_for) != minor_version(torch.__version__):
        raise ImportError(
            f"tapconv's compiled library does not fit the installed torch: torch {torch.__version__} is installed, "
            f"{library_path} was built for torch {built_for} and needs torch {minor_version(built_for)}.x.\n"
            f"{REBUILD_HINT}"
        )
    try:
        torch.ops.load_library(str(library_path))
    except OSError as error:
        raise ImportError(
            f"tapconv's compiled library could not be loaded: {error}\n"
            f"It was built for torch {built_for or 'of unknown version'}; torch {torch.__version__} is installed.\n"
            f"{REBUILD_HINT}"
        ) from error
