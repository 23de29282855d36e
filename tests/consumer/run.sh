#!/usr/bin/env bash
# Builds the consumer project against an install tree of tapconv and runs its programs:
#
#   tests/consumer/run.sh INSTALL_PREFIX BUILD_DIR TORCH_CMAKE_DIR [CMAKE_ARGUMENT...]
#
# TORCH_CMAKE_DIR is where TorchConfig.cmake lies; empty where tapconv's own config has to find torch.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=$1
build=$2
torch_cmake_dir=$3
shift 3

cmake -S "$source_dir" -B "$build" -Dtapconv_DIR="$prefix/share/cmake/tapconv" \
  ${torch_cmake_dir:+-DTorch_DIR="$torch_cmake_dir"} "$@"
cmake --build "$build"
"$build/uses_module"
"$build/uses_operator"
