"""Runs `python -m tapconv models`."""

from __future__ import annotations

import argparse
import sys

import torch
from tqdm import tqdm

from tapconv.models import report
from tapconv.models.compare import Comparison, Row
from tapconv.models.zoo import ARCHITECTURES


def run_models(options: argparse.Namespace) -> int:
    """Times the models that the options choose, prints the tables, and writes what the options say."""
    wanted = [name.lower() for name in options.names]
    architectures = [a for a in ARCHITECTURES if not wanted or any(name in a.name.lower() for name in wanted)]
    if not architectures:
        known = ", ".join(architecture.name for architecture in ARCHITECTURES)
        print(f"python -m tapconv models: no model is called so; there are {known}", file=sys.stderr)
        return 2
    threads_before = torch.get_num_threads()
    rows: list[Row] = []
    try:
        for architecture in tqdm(architectures, unit="model"):
            comparison = Comparison(architecture, options.small)
            for threads in options.threads:
                torch.set_num_threads(threads)
                rows.append(comparison.forward(options.repetitions, options.seconds))
                if architecture.trains:
                    rows.append(comparison.training(options.repetitions, options.seconds))
    finally:
        torch.set_num_threads(threads_before)
    print(report.section(rows, "models.png"))
    for path in report.write(rows, options.output, options.update):
        print(f"Wrote {path}")
    return 0
