"""Checks that includes between the folders of csrc run downward only: python scripts/check_layers.py [CSRC]

Prints every include that runs upward, that leads into a layer by another header than its doors, that leads out of a
layer which is free of torch, or that names no file, and every file whose folder stands in no layer. Fails if there is
one.
"""

import re
import sys
from pathlib import Path

# From the ground up. A folder may include what stands before it; files named alone stand apart from their folder.
FLOORS = [
    ["include/tapconv", "ops/compat/nlohmann"],
    ["kernels/problem.h"],
    ["kernels/core/forward_variant.h"],
    ["kernels/numbers"],
    ["kernels/prices"],
    ["kernels/instruction_sets"],
    ["kernels/core"],
    ["kernels/simd"],
    ["kernels/rows"],
    ["kernels/causal"],
    ["kernels/algorithms/matrix"],
    ["kernels/algorithms/direct"],
    ["kernels/algorithms/grad_weight"],
    ["kernels/algorithms/transforms"],
    ["kernels/algorithms/tiles"],
    ["kernels/algorithms/grad_weight_tiles"],
    ["kernels/algorithms/depthwise_tiles"],
    ["kernels/algorithms/few_outputs"],
    ["kernels/algorithms/columns"],
    ["kernels/plan.h"],
    ["kernels/targets"],
    ["kernels/plan_memory.h", "kernels/plan_memory.cpp"],
    ["kernels"],
    ["kernels/lowering"],
    ["kernels/overlap_save.h", "kernels/overlap_save.cpp"],
    ["kernels/packed"],
    ["kernels/borders"],
    ["kernels/explain.h", "kernels/explain.cpp"],
    ["cuda/conv1d.h"],
    ["cuda/kernels"],
    ["cuda/plans"],
    ["cuda/device"],
    ["cuda"],
    ["runtime"],
    ["composed"],
    ["composed/accuracy"],
    ["composed/any_device"],
    ["composed/overlap_save"],
    ["ops/arguments"],
    ["ops/schema"],
    ["ops/causal"],
    ["ops/dispatch"],
    ["ops/packed"],
    ["ops/context"],
    ["nn"],
]
# A folder in one of these that is not named above stands where the last of its neighbours does, so that a new algorithm
# needs no place of its own here until others are built on it.
NEWCOMERS = {"kernels/algorithms": "kernels/algorithms/columns"}
FLOOR_OF = {place: number for number, places in enumerate(FLOORS) for place in places}

# The headers by which other layers enter one. Layers that are not named here are open.
DOORS = {
    "kernels": [
        "kernels/problem.h",
        "kernels/conv1d.h",
        "kernels/borders/bordered.h",
        "kernels/borders/push_samples.h",
        "kernels/causal/causal.h",
        "kernels/packed/packed_weight.h",
        "kernels/overlap_save.h",
        "kernels/explain.h",
        "kernels/lowering/input_gradient.h",
        "kernels/core/integers.h",
        "kernels/numbers/storage.h",
        "kernels/rows/padding.h",
    ],
    "cuda": ["cuda/conv1d.h"],
}

# Layers side by side: neither includes the other, whichever stands first above.
APART = [("cuda", "runtime"), ("cuda", "composed")]

# Layers that know nothing of torch, nor of what is made for it.
FREE_OF_TORCH = ["kernels", "cuda"]
TORCH = re.compile(r"(ATen|c10|torch|tapconv)/")

SUFFIXES = {".h", ".hpp", ".cpp", ".cu", ".cuh"}


def place_of(name: str) -> str:
    """The file itself if it stands apart, else its folder."""
    if name in FLOOR_OF:
        return name
    folder = name.rpartition("/")[0]
    return folder if folder in FLOOR_OF else NEWCOMERS.get(folder.rpartition("/")[0], folder)


def layer_of(name: str) -> str:
    return name.partition("/")[0]


def wrong_includes(csrc: Path, path: Path):
    """What is wrong with each include of a file that may not stand there."""
    name = path.relative_to(csrc).as_posix()
    for bracket, included in re.findall(r'^\s*#\s*include\s+([<"])([^">]+)', path.read_text(), re.M):
        if bracket == "<":
            if layer_of(name) in FREE_OF_TORCH and TORCH.match(included):
                yield f"{name} includes <{included}>, and {layer_of(name)} is free of torch"
            continue
        found = next((file for file in (path.parent / included, csrc / included) if file.exists()), None)
        if found is None:
            yield f"{name} includes {included}, which does not exist"
            continue
        other = found.resolve().relative_to(csrc).as_posix()
        place, other_place = place_of(name), place_of(other)
        layers = (layer_of(name), layer_of(other))
        if layers in APART or layers[::-1] in APART:
            yield f"{name} includes {other}, and {layers[0]} and {layers[1]} stand side by side"
        elif other_place != place and FLOOR_OF.get(other_place, -1) > FLOOR_OF[place]:
            yield f"{name} includes {other}, which stands above it"
        elif layers[0] != layers[1] and other not in DOORS.get(layers[1], [other]):
            yield f"{name} includes {other}, which is no door of {layers[1]}: {', '.join(DOORS[layers[1]])}"


def main() -> int:
    csrc = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "csrc").resolve()
    wrong = []
    for path in sorted(file for file in csrc.rglob("*") if file.suffix in SUFFIXES):
        name = path.relative_to(csrc).as_posix()
        if place_of(name) in FLOOR_OF:
            wrong += wrong_includes(csrc, path)
        else:
            wrong.append(f"{name} stands in no layer")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
