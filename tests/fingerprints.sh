#!/usr/bin/env bash
# Fingerprints of all results and plans of the kernels, on every instruction set of this machine: for changes that must
# change neither, such as moving code. Run it on the build before and on the build after, and compare what it prints.
#
#   tests/fingerprints.sh build/release > before.txt
#   ... change, build ...
#   tests/fingerprints.sh build/release | diff before.txt - && echo "nothing changed"
set -euo pipefail

if [[ $# -ne 1 || ! -x "$1/tests/kernels/test_kernels_fingerprints" ]]; then
  echo "usage: $0 BUILD_DIRECTORY, where test_kernels_fingerprints was built" >&2
  exit 1
fi
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "$1/tests/kernels/test_kernels_fingerprints" "$root/tapconv/shapes.csv"
