"""The options of `python -m tapconv models`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", help="only models whose name contains one of these")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="one table for each (default: 1 2)")
    parser.add_argument("--small", action="store_true", help="small versions of the models, to see that all runs")
    parser.add_argument("--repetitions", type=int, default=15, help="rounds for each model (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="no new round for a model after this long (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("tapconv_models"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--update", type=Path, metavar="FILE", help="Markdown file to rewrite the section 'Whole models' of, with plot"
    )
