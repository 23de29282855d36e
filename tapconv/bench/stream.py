"""`python -m tapconv bench --stream`: what a step of a stream costs, on one thread."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from tqdm import tqdm

from tapconv.bench.measure import Timing, interleave
from tapconv.bench.steps import STEPS, Chunk, Step, Update
from tapconv.reporting.machine import command, machine
from tapconv.reporting.tables import geometric_mean, markdown_table


@dataclass(frozen=True)
class StepRow:
    """The candidates' times for one step, taken in turn."""

    step: str
    timings: Mapping[str, Timing]

    def ratios(self, peer: str) -> list[float]:
        """How many times as long as tapconv a peer took, round by round."""
        ours = self.timings["tapconv"].samples
        return [theirs / mine for theirs, mine in zip(self.timings[peer].samples, ours, strict=True)]


def by_thread(call: Step, calls: int) -> float:
    """Seconds per call by the thread's own clock, which stands still while another program has the processor."""
    start = time.thread_time_ns()
    for _ in range(calls):
        call()
    return (time.thread_time_ns() - start) * 1e-9 / calls


def time_step(step: Update | Chunk, rounds: int) -> StepRow:
    timings = interleave(step.candidates(), rounds, budget=60.0, shortest_sample=4e-3, seconds_per_call=by_thread)
    return StepRow(str(step), timings)


def to_text(rows: list[StepRow]) -> str:
    peers = list(dict.fromkeys(name for row in rows for name in row.timings if name != "tapconv"))
    lines = []
    for row in rows:
        line = [row.step, *(_microseconds(row.timings.get(name)) for name in ("tapconv", *peers))]
        for peer in peers:
            if peer not in row.timings:
                line.append("")
                continue
            ratios = row.ratios(peer)
            low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
            line.append(f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})")
        lines.append(line)
    headers = ["step", "tapconv, us", *(f"{peer}, us" for peer in peers), *(f"{peer} / tapconv" for peer in peers)]
    means = [
        f"{peer}: {geometric_mean([statistics.median(row.ratios(peer)) for row in rows if peer in row.timings]):.2f}"
        for peer in peers
    ]
    return (
        f"{machine({})}\n`{command()}`, one thread, times of the thread in turn; medians of the ratios and their "
        f"quartiles.\n\n{markdown_table(headers, lines)}\n\nGeometric means of the ratios: {', '.join(means)}."
    )


def _microseconds(timing: Timing | None) -> str:
    return "" if timing is None else f"{timing.median * 1e6:.1f}"


def run_stream(options: argparse.Namespace) -> int:
    """Times every step, prints the table, and writes it and the samples."""
    steps = [step for step in STEPS if not options.names or any(name in str(step) for name in options.names)]
    if not steps:
        print(f"python -m tapconv bench --stream: no step has a name with any of {options.names}.")
        return 2
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            rows = [time_step(step, max(2, options.repetitions)) for step in tqdm(steps, unit="step")]
    finally:
        torch.set_num_threads(threads)
    text = to_text(rows)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    data = [{"step": row.step, "seconds": {name: t.samples for name, t in row.timings.items()}} for row in rows]
    for path, content in (("stream.md", text + "\n"), ("stream.json", json.dumps(data, indent=1) + "\n")):
        (options.output / path).write_text(content, encoding="utf-8")
        print(f"Wrote {options.output / path}")
    return 0
