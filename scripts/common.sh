# shellcheck shell=bash
# Set-up that test.sh and demo.sh share: tools, virtual environment, torch, Python packages. To be sourced.
#
# Environment:
#   PYTHON          the Python that makes the virtual environment; python3 by default
#   TAPCONV_VENV    the virtual environment to use; else the active one, else .venv here
#   TAPCONV_TORCH   what to install where torch is missing; torch==2.13.0 by default. On machines whose package index
#                   serves a CUDA build under that name, PIP_INDEX_URL or PIP_EXTRA_INDEX_URL can name one with CPU builds
#   TAPCONV_CUDA    AUTO, ON or OFF: the CUDA kernels, see docs/cuda.md; AUTO by default
#   PIP_*           pip's own settings are heeded
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages if this is root on Debian or Ubuntu; fails otherwise.
apt_install() {
  [ "$(id -u)" = 0 ] && have apt-get || return 1
  if [ -z "${apt_lists_fresh:-}" ]; then
    apt-get update -qq && apt_lists_fresh=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A C++ compiler, and ccache in front of it if there is one, which finds again what was compiled in another clone.
set_up_compiler() {
  have c++ || have "${CXX:-g++}" || apt_install g++ ||
    fail "no C++ compiler found. Install one for C++20, such as g++ 11 or newer (Debian, Ubuntu: apt-get install g++)."
  if have ccache; then
    export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
    export CCACHE_BASEDIR=${CCACHE_BASEDIR-$root} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR-1}
  fi
}

set_up_venv() {
  local python=${PYTHON:-python3}
  have "$python" || apt_install python3 python3-venv || fail "no $python found. Install Python 3.10 or newer."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" --version) is too old; tapconv needs Python 3.10 or newer. Set PYTHON to a newer one."
  venv=${TAPCONV_VENV:-${VIRTUAL_ENV:-$root/.venv}}
  if [ ! -x "$venv/bin/python" ]; then
    say "Virtual environment: $venv"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
      apt_install python3-venv ||
        fail "$python cannot make virtual environments. Install its venv module (Debian, Ubuntu: python3-venv)."
    fi
    "$python" -m venv "$venv"
  fi
  export PATH="$venv/bin:$PATH"
}

# cmake and ninja: installed ones, else Debian's, else pip's.
set_up_build_tools() {
  have cmake || apt_install cmake || python -m pip install --quiet cmake ||
    fail "no CMake found. Install CMake 3.22 or newer (Debian, Ubuntu: apt-get install cmake)."
  have ninja || apt_install ninja-build || python -m pip install --quiet ninja ||
    fail "no ninja found. Install it (Debian, Ubuntu: apt-get install ninja-build)."
}

# Speech for the test of a trained network: Debian's alsa-utils has a recording.
set_up_recording() {
  [ -f "${TAPCONV_RECORDING:-/usr/share/sounds/alsa/Front_Center.wav}" ] || apt_install alsa-utils
}

# Prints what the named extras of pyproject.toml ask for, one requirement a line.
requirements_of() {
  python - "$@" <<'PYTHON'
import sys

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib

with open("pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
print("\n".join(sorted({requirement for name in sys.argv[1:] for requirement in extras[name]})))
PYTHON
}

# Torch, unless the environment has one already, and what the named extras ask for.
set_up_python_packages() {
  local wanted=("setuptools>=77")
  if ! python -c 'import torch' 2>/dev/null; then
    wanted+=("${TAPCONV_TORCH:-torch==2.13.0}")
  fi
  local requirements
  requirements=$(requirements_of "$@")
  mapfile -t -O "${#wanted[@]}" wanted <<<"$requirements"
  say "Python packages: ${wanted[*]}"
  python -m pip install --quiet --disable-pip-version-check "${wanted[@]}"
}
