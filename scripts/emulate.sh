#!/usr/bin/env bash
# Runs tests on processors that this machine is not, by qemu-user:
#
#   scripts/emulate.sh BUILD_DIR    x86-64 with AVX2 and without, by the fuzzer and the library of a release build, and
#                                   aarch64, by all tests of the kernels, cross-compiled
#
# Every processor must take the best instruction set that it has, and none may meet an instruction that it lacks.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=${1:?usage: emulate.sh BUILD_DIR}
runs=${TAPCONV_EMULATED_RUNS:-1500}

have qemu-x86_64 && have qemu-aarch64 || apt_install qemu-user ||
  fail "no qemu-user found. Install it (Debian, Ubuntu: apt-get install qemu-user)."
have aarch64-linux-gnu-g++ || apt_install g++-aarch64-linux-gnu ||
  fail "no cross compiler found. Install it (Debian, Ubuntu: apt-get install g++-aarch64-linux-gnu)."
[ -d /usr/src/googletest ] || apt_install googletest ||
  echo "The sources of GoogleTest are not installed; CMake will try to fetch them"

# emulate MODEL INSTRUCTION_SET: the model's own choice must be that set, and all that it has must be right.
emulate() {
  local model=$1 expected=$2 sets
  sets=$(qemu-x86_64 -cpu "$model" "$build/tests/fuzz/fuzz_random" --list)
  say "$model: $sets"
  [ "${sets%% *}" = "$expected" ] || fail "the best instruction set of $model should be $expected, not ${sets%% *}"
  # qemu reads the whole operand of a masked load.
  TAPCONV_TEST_UNDER_QEMU=1 qemu-x86_64 -cpu "$model" "$build/tests/fuzz/fuzz_random" --runs="$runs" tests/fuzz/corpus
}

# emulate_in_torch MODEL INSTRUCTION_SET: so does the library itself, loaded by torch.
emulate_in_torch() {
  local used
  used=$(qemu-x86_64 -cpu "$1" "$(command -v python)" - "$build/libtapconv.so" <<'PYTHON'
import sys

import torch

torch.ops.load_library(sys.argv[1])
signal, weight = torch.randint(-3, 4, (1, 4, 40)).float(), torch.randint(-3, 4, (6, 4, 3)).float().requires_grad_()
results = [f(signal, weight, None, 1, 1) for f in (torch.ops.tapconv.conv1d, torch.conv1d)]
assert torch.equal(*results) and torch.equal(*(torch.autograd.grad(y.square().sum(), weight)[0] for y in results))
print(torch.ops.tapconv.isa())
PYTHON
  ) || fail "the library stops on $1"
  say "$1, in torch: $used"
  [ "$used" = "$2" ] || fail "the library should use $2 on $1, not $used"
}

if [ "$(uname -m)" = x86_64 ]; then
  emulate Haswell avx2
  emulate Nehalem portable
  emulate SandyBridge portable # AVX, but not AVX2
  # Torch's own code does not run on Nehalem.
  emulate_in_torch Haswell avx2
  emulate_in_torch SandyBridge portable
fi

say "aarch64"
cmake --preset aarch64 -G Ninja -DTAPCONV_FUZZ_RUNS="$runs"
cmake --build --preset aarch64
best=$(qemu-aarch64 -L /usr/aarch64-linux-gnu build/aarch64/tests/fuzz/fuzz_random --list)
[ "${best%% *}" = neon ] || fail "the best instruction set of aarch64 should be neon, not ${best%% *}"
# Every test, on one in so many of the problems in its lists, since the emulator takes ten times as long as a processor:
# with 12, every problem in one of the types and directions that it is listed for. The portable code is the same that runs
# whole on the machine itself.
TAPCONV_TEST_ONE_IN=12 ctest --preset aarch64 --parallel "$(nproc)" --no-tests=error --exclude-regex portable
TAPCONV_TEST_ONE_IN=48 ctest --preset aarch64 --parallel "$(nproc)" --no-tests=error --tests-regex portable
