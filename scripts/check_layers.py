"""Checks that includes between the folders of csrc run downward only: python scripts/check_layers.py

Prints every include that runs upward, and fails if there is one.
"""

import re
import sys
from pathlib import Path

CSRC = Path(__file__).resolve().parent.parent / "csrc"

# From the ground up. A folder may include what stands before it; files named alone stand apart from their folder.
FLOORS = [
    ["kernels/problem.h"],
    ["kernels/core/forward_variant.h"],
    ["kernels/plan.h"],
    ["kernels/core"],
    ["kernels/simd"],
    ["kernels/rows"],
    ["kernels/algorithms/matrix"],
    ["kernels/algorithms/direct"],
    ["kernels/algorithms/grad_weight"],
    ["kernels/algorithms/tiles"],
    ["kernels/algorithms/depthwise_tiles"],
    ["kernels/algorithms/few_outputs"],
    ["kernels/targets"],
    ["kernels/plan_memory.h", "kernels/plan_memory.cpp"],
    ["kernels"],
    ["kernels/lowering"],
    ["kernels/overlap_save.h", "kernels/overlap_save.cpp"],
    ["kernels/packed"],
    ["cuda"],
    ["ops"],
    ["nn"],
]
FLOOR_OF = {place: number for number, places in enumerate(FLOORS) for place in places}


def place_of(path: Path) -> str:
    """The file itself if it stands apart, else its folder."""
    name = path.relative_to(CSRC).as_posix()
    return name if name in FLOOR_OF else path.parent.relative_to(CSRC).as_posix()


def includes_of(path: Path):
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M):
        for candidate in (path.parent / name, CSRC / name):
            if candidate.exists():
                yield candidate.resolve()
                break


def main() -> int:
    wrong = []
    for path in sorted(file for suffix in ("h", "cpp", "cu") for file in CSRC.rglob(f"*.{suffix}")):
        place = place_of(path)
        if place not in FLOOR_OF:
            continue  # public headers, which include one another and torch
        for included in includes_of(path):
            other = place_of(included)
            if other in FLOOR_OF and other != place and FLOOR_OF[other] > FLOOR_OF[place]:
                wrong.append(f"{path.relative_to(CSRC)} includes {included.relative_to(CSRC)}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
