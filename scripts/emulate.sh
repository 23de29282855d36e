#!/usr/bin/env bash
# Runs the fuzzer's random calls on processors that this machine is not, by qemu-user:
#
#   scripts/emulate.sh BUILD_DIR    x86-64 with AVX2 and without, by the programs of a release build, and aarch64
#
# Every processor must take the best instruction set that it has, and none may meet an instruction that it lacks.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=${1:?usage: emulate.sh BUILD_DIR}
runs=${TAPCONV_EMULATED_RUNS:-1500}
# qemu reads the whole operand of a masked load.
export TAPCONV_TEST_UNDER_QEMU=1

have qemu-x86_64 && have qemu-aarch64 || apt_install qemu-user ||
  fail "no qemu-user found. Install it (Debian, Ubuntu: apt-get install qemu-user)."
have aarch64-linux-gnu-g++ || apt_install g++-aarch64-linux-gnu ||
  fail "no cross compiler found. Install it (Debian, Ubuntu: apt-get install g++-aarch64-linux-gnu)."

# emulate MODEL INSTRUCTION_SET: the model's own choice must be that set, and all that it has must be right.
emulate() {
  local model=$1 expected=$2 sets
  sets=$(qemu-x86_64 -cpu "$model" "$build/tests/fuzz/fuzz_random" --list)
  say "$model: $sets"
  [ "${sets%% *}" = "$expected" ] || fail "the best instruction set of $model should be $expected, not ${sets%% *}"
  qemu-x86_64 -cpu "$model" "$build/tests/fuzz/fuzz_random" --runs="$runs" tests/fuzz/corpus
}

if [ "$(uname -m)" = x86_64 ]; then
  emulate Haswell avx2
  emulate Nehalem portable
  emulate SandyBridge portable # AVX, but not AVX2
fi

say "aarch64"
cmake --preset aarch64 -G Ninja -DTAPCONV_FUZZ_RUNS="$runs"
cmake --build --preset aarch64
ctest --preset aarch64 --no-tests=error
