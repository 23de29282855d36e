"""The programs in docs/examples, built and run as their first lines say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tapconv
from tapconv._library import LIBRARY_PATH

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
pytestmark = pytest.mark.slow


def run(*command, folder) -> str:
    result = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_converting_a_model(tmp_path):
    output = run(sys.executable, EXAMPLES / "convert_model.py", folder=tmp_path)
    assert "8 of 8 convolutions are computed by tapconv." in output
    assert float(re.search(r"largest difference (\S+),", output).group(1)) < 1e-5


def test_nothing_but_the_library(tmp_path):
    output = run(sys.executable, EXAMPLES / "load_library.py", LIBRARY_PATH, folder=tmp_path)
    assert "shape [1, 4, 100]" in output


def shape_and_mean(output: str) -> tuple[list[int], float]:
    shape, mean = re.search(r"shape \[(.*)\], mean (\S+)", output).groups()
    return [int(size) for size in shape.split(",")], float(mean)


def test_cpp(tmp_path):
    if not (Path(tapconv.cmake_prefix_path) / "tapconv").is_dir():
        pytest.skip("only the library was installed, not its CMake package")
    if not shutil.which("cmake"):
        pytest.skip("CMake is not installed")
    prefixes = f"{tapconv.cmake_prefix_path};{torch.utils.cmake_prefix_path}"
    run("cmake", "-S", EXAMPLES, "-B", "build", f"-DCMAKE_PREFIX_PATH={prefixes}", folder=tmp_path)
    run("cmake", "--build", "build", "--parallel", "2", folder=tmp_path)

    assert "step 200" in run("build/train", folder=tmp_path)
    expected = shape_and_mean(run(sys.executable, EXAMPLES / "export_model.py", tmp_path, folder=tmp_path))
    for program, file in (("run_torchscript", "model.pt"), ("run_aot_inductor", "model.pt2")):
        shape, mean = shape_and_mean(run(f"build/{program}", file, folder=tmp_path))
        assert shape == expected[0] and mean == pytest.approx(expected[1], rel=1e-4)
