"""Builds the Python package by running the project's CMake.

Everything about compiling stands in CMakeLists.txt, so that C++ users, Python users and the tests get one and the same
library; this file only runs it and puts its install tree (lib/, include/, share/) inside the package. The rest of the
package's description is in pyproject.toml.

The library is tied to the minor version of torch that it was compiled against, so build without isolation, against the
torch that will load it:

    pip install --no-build-isolation .          # or -e . to work on the sources

Environment:
    CMAKE_ARGS                  more arguments for CMake's configure step, as one shell-quoted line
    CMAKE_GENERATOR             the generator; Ninja by default where ninja is found
    CMAKE_BUILD_PARALLEL_LEVEL  the number of compilers at a time; one for each processor by default
    TAPCONV_BUILD_DIR           a configured CMake build tree to build and install from, instead of an own one
"""

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError as error:
    raise ImportError("tapconv builds with setuptools 77 or newer: pip install --upgrade setuptools") from error

ROOT = Path(__file__).parent.resolve()


def project_version() -> str:
    """The version that the project() line of CMakeLists.txt states."""
    found = re.search(r"project\([^)]*?VERSION\s+([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    if found is None:
        raise RuntimeError("the project() line of CMakeLists.txt states no version")
    return found.group(1)


def torch_requirement() -> str:
    """A wheel needs the minor version of torch that it was built against; a source distribution any supported one."""
    try:
        major, minor = importlib.metadata.version("torch").split(".")[:2]
    except importlib.metadata.PackageNotFoundError:
        return "torch>=2.11"
    return f"torch>={major}.{minor},<{major}.{int(minor) + 1}"


class CMakeBuild(build_ext):
    """Builds libtapconv.so and installs it into the package: the built one, or for an editable install the sources."""

    def run(self) -> None:
        # Tools that pip installed are found even when their environment is not activated.
        path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
        environment = {**os.environ, "PATH": path}
        environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
        if shutil.which("ninja", path=path):
            environment.setdefault("CMAKE_GENERATOR", "Ninja")
        if shutil.which("ccache", path=path):
            environment.setdefault("CMAKE_CXX_COMPILER_LAUNCHER", "ccache")

        def cmake(*arguments: str) -> None:
            subprocess.run(["cmake", *arguments], check=True, cwd=ROOT, env=environment)

        build_dir = os.environ.get("TAPCONV_BUILD_DIR")
        if not build_dir:
            build_dir = str(Path(self.build_temp).resolve() / "cmake")
            # A cache would keep the torch of whichever environment built here last.
            Path(build_dir, "CMakeCache.txt").unlink(missing_ok=True)
            options = {
                "CMAKE_BUILD_TYPE": "Release",
                "Python3_EXECUTABLE": sys.executable,
                "TAPCONV_BUILD_TESTS": "OFF",
                "TAPCONV_WARNINGS_AS_ERRORS": "OFF",
            }
            definitions = [f"-D{name}={value}" for name, value in options.items()]
            cmake("-S", str(ROOT), "-B", build_dir, *definitions, *shlex.split(os.environ.get("CMAKE_ARGS", "")))
        package = ROOT / "tapconv" if self.inplace else Path(self.build_lib).resolve() / "tapconv"
        cmake("--build", build_dir, "--target", "tapconv")
        cmake("--install", build_dir, "--prefix", str(package))

    def get_source_files(self) -> list[str]:
        return []  # MANIFEST.in lists them

    def get_outputs(self) -> list[str]:
        return []  # CMake's install step puts them in place

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class PlatformWheel(bdist_wheel):
    """The library links torch but no libpython, so one wheel serves every Python of the platform."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(
    version=project_version(),
    install_requires=[torch_requirement()],
    ext_modules=[Extension("tapconv.lib.libtapconv", sources=[])],
    cmdclass={"build_ext": CMakeBuild, "bdist_wheel": PlatformWheel},
)
