#!/usr/bin/env bash
# Sets up all that is needed (virtual environment, torch, build), then runs the demonstration. Arguments go to it:
#
#   scripts/demo.sh            everything
#   scripts/demo.sh --quick    under a minute
#
# scripts/common.sh lists the environment variables that choose Python, the virtual environment and torch.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

set_up_compiler
set_up_venv
set_up_build_tools
set_up_python_packages demo
say "Build and install tapconv"
python -m pip install --quiet --no-deps --no-build-isolation -e .
say "python -m tapconv demo $*"
exec python -m tapconv demo "$@"
