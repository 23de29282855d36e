"""Everything that the README shows is run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tapconv
from tapconv._library import PACKAGE_FOLDER

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"no {language} in the README"
    return found


@pytest.mark.once
@pytest.mark.parametrize("program", blocks("python"), ids=["package", "library", "conversion", "packed", "streaming"])
def test_python(program):
    # The relative path in it is relative to the folder that holds the package.
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PACKAGE_FOLDER.parent)


@pytest.mark.slow
def test_cpp(tmp_path):
    if not (Path(tapconv.cmake_prefix_path) / "tapconv").is_dir():
        pytest.skip("only the library was installed, not its CMake package")
    if not shutil.which("cmake"):
        pytest.skip("CMake is not installed")
    (tmp_path / "CMakeLists.txt").write_text(blocks("cmake")[0])
    (tmp_path / "main.cpp").write_text(blocks("cpp")[0])
    prefixes = f"{tapconv.cmake_prefix_path};{torch.utils.cmake_prefix_path}"
    commands = [["cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefixes}"], ["cmake", "--build", "build"]]
    for command in commands:
        subprocess.run(command, check=True, cwd=tmp_path)
    result = subprocess.run([tmp_path / "build" / "example"], check=True, capture_output=True, text=True)
    assert "[4, 1, 256]" in result.stdout


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT))
def test_links(path):
    assert (README.parent / path).exists()


@pytest.mark.once
def test_commands_exist():
    commands = "\n".join(blocks("sh"))
    for script in re.findall(r"bash (\S+\.sh)", commands):
        assert (README.parent / script).is_file()
    for subcommand in set(re.findall(r"python -m tapconv (\w+)", commands)):
        subprocess.run([sys.executable, "-m", "tapconv", subcommand, "--help"], check=True, stdout=subprocess.DEVNULL)


def test_models_named_are_models_listed():
    from tapconv.shapes import load_layers

    assert len(load_layers()) == int(re.search(r"(\d+) layers of published models", TEXT).group(1))
