"""scripts/check_layers.py finds what it is there to find; the tree itself is checked with the formatting."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_layers.py"


def check(csrc: Path):
    done = subprocess.run([sys.executable, SCRIPT, csrc], capture_output=True, text=True)
    return done.returncode, done.stdout


def write(csrc: Path, files: dict[str, str]):
    for name, text in files.items():
        path = csrc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_includes_that_run_downward_pass(tmp_path):
    write(
        tmp_path,
        {
            "kernels/core/tasks.h": "#include <vector>\n",
            "kernels/conv1d.h": '#include "kernels/core/tasks.h"\n',
            "runtime/launch.h": '#include <ATen/Parallel.h>\n#include "kernels/conv1d.h"\n',
            "composed/spectra.h": '#include "runtime/launch.h"\n',
            "ops/dispatch/cpu.cpp": '#include "composed/spectra.h"\n#include "cpu.h"\n',
            "ops/dispatch/cpu.h": "",
            "nn/module.cpp": '#include "ops/dispatch/cpu.h"\n',
        },
    )
    assert check(tmp_path) == (0, "")


def test_a_new_algorithm_stands_above_the_others(tmp_path):
    files = {
        "kernels/algorithms/direct/direct.h": "",
        "kernels/algorithms/made_up/made_up.h": '#include "kernels/algorithms/direct/direct.h"\n',
        "kernels/choose.cpp": '#include "kernels/algorithms/made_up/made_up.h"\n',
    }
    write(tmp_path, files)
    assert check(tmp_path) == (0, "")
    write(tmp_path, {"kernels/algorithms/direct/direct.h": '#include "kernels/algorithms/made_up/made_up.h"\n'})
    including, included = (f"kernels/algorithms/{name}.h" for name in ("direct/direct", "made_up/made_up"))
    assert check(tmp_path) == (1, f"{including} includes {included}, which stands above it\n")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (
            {"composed/spectra.h": '#include "ops/dispatch/cpu.h"\n', "ops/dispatch/cpu.h": ""},
            "composed/spectra.h includes ops/dispatch/cpu.h, which stands above it",
        ),
        (
            {"ops/arguments/role.h": '#  include "ops/packed/packed.h"\n', "ops/packed/packed.h": ""},
            "ops/arguments/role.h includes ops/packed/packed.h, which stands above it",
        ),
        (
            {"cuda/select.cuh": '#include "runtime/launch.h"\n', "runtime/launch.h": ""},
            "cuda/select.cuh includes runtime/launch.h, and cuda and runtime stand side by side",
        ),
        (
            {"composed/spectra.h": '#include "../cuda/planner.h"\n', "cuda/planner.h": ""},
            "composed/spectra.h includes cuda/planner.h, and composed and cuda stand side by side",
        ),
        (
            {"kernels/core/tasks.h": "#include <ATen/Parallel.h>\n"},
            "kernels/core/tasks.h includes <ATen/Parallel.h>, and kernels is free of torch",
        ),
        (
            {"ops/dispatch/cuda.cpp": '#include "cuda/plans/planner.h"\n', "cuda/plans/planner.h": ""},
            "ops/dispatch/cuda.cpp includes cuda/plans/planner.h, which is no door of cuda: cuda/conv1d.h",
        ),
        ({"nn/module.cpp": '#include "ops/gone.h"\n'}, "nn/module.cpp includes ops/gone.h, which does not exist"),
        ({"ops/misc/thing.cpp": ""}, "ops/misc/thing.cpp stands in no layer"),
    ],
)
def test_what_may_not_stand_there_is_named(tmp_path, files, complaint):
    write(tmp_path, files)
    assert check(tmp_path) == (1, complaint + "\n")
