"""The options of `python -m tapconv bench`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tapconv.shapes import SHAPES_PATH

DTYPES = ("float32", "float64", "bfloat16", "float16")
PEERS = ("torch", "onnxruntime", "openvino")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", help="only layers whose name or model contains one of these")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="one table for each (default: 1)")
    parser.add_argument("--dtype", choices=DTYPES, nargs="+", default=["float32"], help="default: float32")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: against torch alone (default: %(default)s)"
    )
    parser.add_argument("--train", action="store_true", help="time forward and backward together, against torch")
    parser.add_argument(
        "--stream", action="store_true", help="time steps of streams and decoders instead, in float32 on one thread"
    )
    parser.add_argument("--csv", type=Path, default=SHAPES_PATH, help="layers to time (default: the list inside)")
    parser.add_argument("--peers", choices=PEERS, nargs="+", default=list(PEERS), help="default: all installed")
    parser.add_argument("--repetitions", type=int, default=9, help="rounds for each layer (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="no new round for a layer after this long (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("tapconv_bench"), metavar="DIR", help="default: %(default)s"
    )
