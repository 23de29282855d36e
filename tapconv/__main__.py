"""The command line: `python -m tapconv info | demo | bench | models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tapconv", description="conv1d for CPUs, as a PyTorch plugin")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("info", help="version, torch, instruction sets found and used, threads")

    demo = commands.add_parser("demo", help="worked examples, a real recording and published layers, as a report")
    demo.add_argument("--quick", action="store_true", help="shorter training and fewer repetitions: under a minute")
    demo.add_argument("--output", type=Path, default=Path("tapconv_report"), metavar="DIR", help="default: %(default)s")

    from tapconv.bench import options as bench_options
    from tapconv.models import options as models_options

    bench_options.add_options(commands.add_parser("bench", help="time layers: tapconv, torch, ONNX Runtime, OpenVINO"))
    models_options.add_options(commands.add_parser("models", help="time whole networks before and after converting"))
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ModuleNotFoundError as error:
        print(f"python -m tapconv {options.command}: {error}. To install what it needs:", file=sys.stderr)
        print(f"    pip install 'tapconv[{options.command}]'", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    if options.command == "info":
        from tapconv.reporting.info import describe

        try:
            print(describe())
        except RuntimeError as error:  # TAPCONV_ISA names what is not there
            print(f"python -m tapconv info: {error}", file=sys.stderr)
            return 1
        return 0
    if options.command == "demo":
        from tapconv.demo.command import run

        return 0 if run(options.output, options.quick) else 1
    if options.command == "models":
        from tapconv.models.command import run_models

        return run_models(options)
    from tapconv.bench.command import run_bench

    return run_bench(options)


if __name__ == "__main__":
    sys.exit(main())
