#!/usr/bin/env bash
# Sets up all that is needed, builds tapconv and runs its tests; fails on any failure.
#
#   scripts/test.sh                 everything
#   scripts/test.sh STAGE...        some of: lint configure kernels ops python package
#
# Tests run once for each instruction set of this machine, forced by TAPCONV_ISA. scripts/common.sh lists the
# environment variables that choose Python, the virtual environment and torch.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all_stages=(lint configure kernels ops python package)
stages=("$@")
[ $# -gt 0 ] || stages=("${all_stages[@]}")
for stage in "${stages[@]}"; do
  [[ " ${all_stages[*]} " == *" $stage "* ]] || fail "unknown stage '$stage'; the stages are: ${all_stages[*]}"
done

wants() { [[ " ${stages[*]} " == *" $1 "* ]]; }

build=build/release
# Inductor's cache knows nothing of a library's schemas: it would hand back code made for an older build.
export TORCHINDUCTOR_FORCE_DISABLE_CACHES=1
unset TAPCONV_ISA

run_lint() {
  say "Lint"
  ruff check .
  ruff format --check .
  find csrc docs tests \( -name '*.h' -o -name '*.hpp' -o -name '*.cpp' \) -exec clang-format --dry-run -Werror {} +
  shellcheck -x scripts/*.sh tests/*.sh tests/*/*.sh .ci/run
  mypy
  # The kernels alone, which need no torch, and of these what is compiled for this machine.
  cmake -S . -B build/lint -G Ninja -DTAPCONV_KERNELS_ONLY=ON -DTAPCONV_BUILD_TESTS=OFF >/dev/null
  sed -n 's/^ *"file": "\(.*\)",*$/\1/p' build/lint/compile_commands.json |
    xargs -d '\n' -n 2 -P "$(nproc)" clang-tidy -p build/lint --quiet
  "$venv/bin/python" scripts/check_layers.py
  "$venv/bin/python" scripts/check_imports.py
}

set_up_googletest() {
  echo '#include <gtest/gtest.h>' | "${CXX:-c++}" -E -x c++ - >/dev/null 2>&1 || apt_install libgtest-dev ||
    echo "GoogleTest is not installed; CMake will try to fetch it"
}

configure_and_build() {
  say "Build"
  # Torch may have changed since the tree was configured.
  rm -f "$build/CMakeCache.txt"
  cmake --preset release -G Ninja -DPython3_EXECUTABLE="$venv/bin/python" -DTAPCONV_CUDA="${TAPCONV_CUDA:-AUTO}"
  cmake --build "$build"
}

# CMake finds torch by CMAKE_PREFIX_PATH alone, in both forms of it, given as a variable and by the environment, with a
# Python that has no torch and with none at all. What was found is right if a file that includes torch compiles.
run_configure() {
  say "CMake without a Python that has torch"
  local scratch torch_root form
  scratch=$(mktemp -d)
  torch_root=$(python -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parent)')
  "$venv/bin/python" -m venv --without-pip "$scratch/bare"
  if "$scratch/bare/bin/python" -c 'import torch' 2>/dev/null; then fail "the bare Python has torch"; fi
  configure() {
    rm -rf "$scratch/build"
    cmake -S . -B "$scratch/build" -G Ninja -DTAPCONV_CUDA=OFF -DTAPCONV_BUILD_TESTS=OFF "$@"
    cmake --build "$scratch/build" --target CMakeFiles/tapconv.dir/csrc/ops/arguments/attributes.cpp.o
  }
  for form in "$torch_root/share/cmake" "$torch_root"; do
    configure -DCMAKE_PREFIX_PATH="$form" -DPython3_EXECUTABLE="$scratch/bare/bin/python"
    CMAKE_PREFIX_PATH=$form configure -DCMAKE_DISABLE_FIND_PACKAGE_Python3=ON
  done
  if configure -DCMAKE_PREFIX_PATH=/nowhere -DPython3_EXECUTABLE="$scratch/bare/bin/python" 2>"$scratch/log"; then
    fail "CMake finds a torch that nothing names"
  fi
  grep -q "pass -DCMAKE_PREFIX_PATH=" "$scratch/log" || fail "CMake does not say how torch can be named: $(<"$scratch/log")"
  rm -rf "$scratch"
}

# ctest over the tests that the arguments select by label.
run_ctest() {
  say "ctest $*"
  ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error "$@"
}

run_pytest() {
  # The C++ program that the Python tests hand TorchScript files to.
  export TAPCONV_JIT_RUNNER=$root/$build/tests/ops/jit_runner
  # And the one that times ways to compute a layer.
  export TAPCONV_TIME_WAYS=$root/$build/tests/costs/time_ways
  say "Editable install"
  TAPCONV_BUILD_DIR=$build python -m pip install --quiet --no-deps --no-build-isolation -e .
  local instruction_sets instruction_set
  instruction_sets=$(python -c 'import tapconv, torch; print(*torch.ops.tapconv.isa_available())')
  for instruction_set in $instruction_sets; do
    say "pytest with TAPCONV_ISA=$instruction_set"
    local selection=() only
    # Some differ from another one in a data type alone.
    only=$(awk -v name="$instruction_set" '$1 == name { print $2 }' "$build/instruction_sets.txt")
    [ -z "$only" ] || selection=(-k "$only or instruction_set")
    # One thread in each of the processes; what is about threads, memory or time runs alone.
    TAPCONV_ISA=$instruction_set OMP_NUM_THREADS=1 python -m pytest -q -n "$(nproc)" --dist worksteal \
      -m "not slow and not serial and not once" "${selection[@]}"
    TAPCONV_ISA=$instruction_set python -m pytest -q -m "serial and not slow and not once" "${selection[@]}"
  done
  set_up_recording || echo "no recording of speech; the test that needs one will be skipped"
  say "pytest, slow tests and those that are the same on every instruction set"
  # Two threads in each of the processes, since these tests see threads at work, too.
  OMP_NUM_THREADS=2 python -m pytest -q -n "$(nproc)" --dist worksteal -m "(slow or once) and not serial"
  python -m pytest -q -m "(slow or once) and serial"
}

# The built wheel, unpacked away from the sources, works from Python, as the README says, and from CMake. The source
# distribution has all that a build needs.
run_package() {
  say "Wheel"
  local site torch_cmake missing
  site=$(mktemp -d)
  torch_cmake=$(python -c 'import torch; print(torch.utils.cmake_prefix_path)')/Torch
  TAPCONV_BUILD_DIR=$build python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$site" .
  # It is for the platform, and for the minor version of torch that it was built for.
  python - "$site"/tapconv-*.whl <<'PYTHON'
import pathlib, re, sys, zipfile

import torch

wheel = pathlib.Path(sys.argv[1])
assert re.fullmatch(r"tapconv-[\d.]+-py3-none-(linux|macosx)\w+\.whl", wheel.name), wheel.name
with zipfile.ZipFile(wheel) as archive:
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))).decode()
requirement = re.search(r"^Requires-Dist: torch(.*)$", metadata, re.MULTILINE).group(1)
major, minor = map(int, torch.__version__.split(".")[:2])
assert set(requirement.split(",")) == {f">={major}.{minor}", f"<{major}.{minor + 1}"}, requirement
PYTHON
  python -m pip install --quiet --no-deps --target "$site" "$site"/tapconv-*.whl
  (cd / && PYTHONPATH=$site python -m tapconv info)
  (cd / && PYTHONPATH=$site python -m pytest -q -p no:cacheprovider -m "not slow" "$root/tests/python/test_readme.py")
  bash tests/consumer/run.sh "$site/tapconv" "$site/consumer" "$torch_cmake" -G Ninja
  say "Source distribution"
  python setup.py -q sdist --dist-dir "$site/sdist"
  mkdir "$site/unpacked"
  tar xzf "$site"/sdist/tapconv-*.tar.gz -C "$site/unpacked" --strip-components 1
  missing=$(git ls-files csrc cmake tapconv CMakeLists.txt setup.py pyproject.toml README.md LICENSE |
    while read -r file; do [ -f "$site/unpacked/$file" ] || echo "$file"; done)
  [ -z "$missing" ] || fail "the source distribution lacks $missing"
  (cd "$site/unpacked" && TAPCONV_BUILD_DIR=$root/$build python -m pip wheel --quiet --no-deps --no-build-isolation \
    --wheel-dir "$site/from_sdist" .)
  rm -rf "$site"
}

set_up_compiler
set_up_venv
if wants lint; then
  set_up_build_tools
  set_up_python_packages lint
  run_lint
fi
if wants configure || wants kernels || wants ops || wants python || wants package; then
  set_up_build_tools
  set_up_python_packages demo test
fi
if wants configure; then run_configure; fi
if wants kernels || wants ops || wants python || wants package; then
  set_up_googletest
  configure_and_build
fi
if wants kernels; then run_ctest -L '^(kernels|fuzz|hygiene)$'; fi
if wants ops; then run_ctest -LE '^(kernels|fuzz|hygiene)$'; fi
if wants python; then run_pytest; fi
if wants package; then run_package; fi
say "All passed: ${stages[*]}"
