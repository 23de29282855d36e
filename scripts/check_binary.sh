#!/usr/bin/env bash
# Checks what the compiler and the linker made: scripts/check_binary.sh BUILD_DIR. Run by ctest, which names the
# compiler's own nm and objdump by the variables NM and OBJDUMP.
set -euo pipefail
export LC_ALL=C

build=${1:?usage: check_binary.sh BUILD_DIR}
failures=0

# complain WHAT OFFENDERS: one failure, unless there are no offenders.
complain() {
  [ -n "$2" ] || return 0
  printf 'FAILED: %s\n%s\n' "$1" "$2"
  failures=$((failures + 1))
}

# A weak function (inline, or a template's) in an object built with -mavx* may be the copy that the linker keeps for
# everyone, and then a processor without AVX stops at it. So such objects define weak functions only in a namespace that
# bears their own instruction set's name. Weak data (nm's V and u) is the same in every object.
checked=0
while read -r name _; do
  object=$(find "$build" -path "*tapconv_kernels_$name.dir*" -name "$name.cpp.o")
  if [ -z "$object" ]; then
    complain "the object of $name" "is not in $build"
    continue
  fi
  checked=$((checked + 1))
  offenders=$("${NM:-nm}" --defined-only "$object" | awk '$2 == "W" {print $3}' | c++filt |
    grep -vE "(^|[ (&*<])tapconv::kernels::$name::" || true)
  complain "$object has weak functions outside tapconv::kernels::$name" "$offenders"
  if [ "$name" = portable ]; then
    complain "$object uses AVX registers" "$("${OBJDUMP:-objdump}" -d "$object" | grep -E '%[yz]mm' | head -3 || true)"
  fi
done <"$build/instruction_sets.txt"
[ "$checked" -gt 0 ] || complain "instruction_sets.txt" "names none"

library=$build/libtapconv.so
if [ -f "$library" ]; then
  headers=$(readelf -lW "$library")
  dynamic=$(readelf -dW "$library")
  grep -q GNU_RELRO <<<"$headers" || complain "$library" "has no RELRO segment"
  grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || complain "$library" "does not bind its symbols at load time"
  complain "$library has an executable stack" "$(grep -E 'GNU_STACK.* RWE ' <<<"$headers" || true)"
  complain "$library has relocations in its code" "$(grep TEXTREL <<<"$dynamic" || true)"
  complain "$library needs symbols that torch does not provide" \
    "$(ldd -r "$library" 2>&1 | grep -E 'undefined symbol|not found' | head -5 || true)"
  complain "$library exports kernels" "$(nm -DC --defined-only "$library" | grep 'tapconv::kernels' | head -5 || true)"
fi

[ "$failures" = 0 ] || exit 1
echo "checked $checked objects$([ -f "$library" ] && echo " and $library")"
