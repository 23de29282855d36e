"""Runs the benchmark: every combination of threads and data type is one table in one report."""

from __future__ import annotations

import argparse
import sys

import torch
from tqdm import tqdm

from tapconv.bench import peers, report
from tapconv.bench.compare import Row, compare
from tapconv.bench.measure import measure_limits
from tapconv.bench.run import Run
from tapconv.bench.stream import run_stream
from tapconv.shapes import load_layers


def run_bench(options: argparse.Namespace) -> int:
    """Times the layers that the options choose, prints the tables, and writes JSON, Markdown and plots."""
    if options.stream:
        return run_stream(options)
    try:
        layers = load_layers(options.csv, options.names)
    except (OSError, ValueError) as error:
        print(f"python -m tapconv bench: {error}", file=sys.stderr)
        return 2
    if options.device == "cuda":
        if not torch.cuda.is_available():
            print("python -m tapconv bench: --device cuda, but torch sees no CUDA device.", file=sys.stderr)
            print("`python -m tapconv info` says what torch and tapconv were built for.", file=sys.stderr)
            return 2
        if not torch.ops.tapconv.cuda_architectures():
            print("tapconv was built without CUDA kernels: it passes calls on to torch, and this times nothing else.")
        options.peers = [peer for peer in options.peers if peer == "torch"]
        options.threads = options.threads[:1]
    versions = {peer: peers.installed_version(peer) for peer in options.peers}
    missing = [peer for peer, version in versions.items() if version is None]
    if missing:
        print(f"Left out because they are not installed: {', '.join(missing)} (pip install 'tapconv[bench]')")
    threads_before = torch.get_num_threads()
    runs = []
    try:
        for threads in options.threads:
            torch.set_num_threads(threads)
            for dtype_name in options.dtype:
                dtype = getattr(torch, dtype_name)
                names = [peer for peer in peers_for(dtype, options.train, options.peers) if versions[peer]]
                limits = measure_limits(dtype, min(2.0, options.seconds), options.device)
                rows: list[Row] = []
                settings = (options.train, options.repetitions, options.seconds, options.device)
                for layer in tqdm(layers, desc=f"{dtype_name}, {threads} threads", unit="layer"):
                    rows.append(compare(layer, dtype, names, *settings))
                # Before and after, because the machine may have been busy at either time.
                limits = limits.best_of(measure_limits(dtype, min(2.0, options.seconds), options.device))
                runs.append(Run(threads, dtype_name, options.train, limits, rows, options.device))
                print(report.to_text(runs[-1]))
    finally:
        torch.set_num_threads(threads_before)
    installed = {peer: version for peer, version in versions.items() if version}
    for path in report.write(runs, installed, options.output):
        print(f"Wrote {path}")
    return 0


def peers_for(dtype: torch.dtype, train: bool, chosen: list[str]) -> list[str]:
    """ONNX Runtime and OpenVINO are held to float32 inference; torch does the rest."""
    return [peer for peer in chosen if peer == "torch" or (dtype == torch.float32 and not train)]
