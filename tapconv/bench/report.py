"""The benchmark's results: as a table for people, as JSON for programs, and as a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

import tapconv
from tapconv.bench.compare import PAIRED_WITH
from tapconv.bench.plot import draw_ratios
from tapconv.bench.run import Run
from tapconv.reporting.machine import command, machine, processor_name
from tapconv.reporting.tables import geometric_mean, markdown_table


def table(run: Run) -> str:
    """One line for each layer: times in milliseconds (median and best for tapconv), speed, and ratios of medians."""
    candidates = [
        name for name in ("tapconv", "tapconv out=", "tapconv packed") if any(name in row.timings for row in run.rows)
    ]
    headers = ["layer", "shape"]
    for name in candidates:
        headers += [f"{name} ms", "best"]
    headers += [f"{peer} ms" for peer in run.peers]
    headers += ["spread", "GFLOP/s", "of limit", "bound by", "to torch", "to best peer", "best peer"]
    if "tapconv packed" in candidates:
        headers += ["packed, to best peer", "best peer"]
    lines = []
    for row in run.rows:
        line = [row.layer.name, row.layer.describe()]
        for name in candidates:
            line += [f"{row.timings[name].median * 1e3:.3f}", f"{row.timings[name].best * 1e3:.3f}"]
        for peer in run.peers:
            line.append(f"{row.timings[peer].median * 1e3:.3f}" if peer in row.timings else "-")
        fastest = min(row.timings[name].best for name in candidates)
        fraction, bound = row.fraction_of_limit(run.limits)
        line += [
            f"{max(timing.spread for timing in row.timings.values()):.0%}",
            f"{row.flops / fastest / 1e9:.1f}",
            f"{fraction:.0%}",
            bound,
        ]
        to_torch = row.ratio("torch")
        line.append("-" if to_torch is None else f"{to_torch:.2f}")
        if run.peers:
            ratio, peer = row.ratio_to_best_peer()
            line += [f"{ratio:.2f}", peer]
        else:
            line += ["-", "-"]
        if run.peers and row.has_packed:
            ratio, peer = row.ratio_to_best_peer(packed=True)
            line += [f"{ratio:.2f}", peer]
        elif "tapconv packed" in candidates:
            line += ["-", "-"]
        lines.append(line)
    return markdown_table(headers, lines)


def summary(run: Run) -> list[str]:
    """What the machine can do, the geometric means, and the worst rows, a sentence each."""
    peak = run.limits.flops_per_second
    bandwidths = ", ".join(
        f"{size / 2**20:g} MiB {rate / 1e9:.0f}" for size, rate in sorted(run.limits.bytes_per_second.items())
    )
    lines = [
        f"Measured limits: {peak / 1e9:.0f} GFLOP/s (the best of torch.mm and of a dense torch.conv2d, float32 for the "
        f"16-bit types); copying, by bytes read and written, GB/s: {bandwidths}."
    ]
    for peer in run.peers:
        medians, bests = run.ratios(peer), run.ratios(peer, "best")
        lines.append(
            f"Against {peer} ({PAIRED_WITH[peer]}, {len(medians)} layers): geometric mean "
            f"{geometric_mean(medians):.2f} by medians, {geometric_mean(bests):.2f} by the best times; "
            f"smallest {min(medians):.2f}."
        )
    if run.peers:
        lines.append(f"Against the best peer of each layer: {_against_best_peer(run, packed=False)}")
        if all(row.has_packed for row in run.rows):
            lines.append(f"The same with tapconv's weights packed ahead, too: {_against_best_peer(run, packed=True)}")
    for row in run.rows:
        lines += [f"{peer} was left out of {row.layer.name}: {reason}" for peer, reason in row.left_out.items()]
    return lines


def _against_best_peer(run: Run, packed: bool) -> str:
    rows = sorted((row.ratio_to_best_peer(packed=packed), row.layer.name) for row in run.rows)
    mean = geometric_mean([ratio for (ratio, _), _ in rows])
    worst = "; ".join(f"{name} {ratio:.2f} ({peer})" for (ratio, peer), name in rows[:5])
    return f"geometric mean {mean:.2f}. Worst rows: {worst}."


def to_text(run: Run) -> str:
    return f"\n{run.title}\n\n{table(run)}\n\n" + "\n".join(summary(run)) + "\n"


def to_markdown(runs: Sequence[Run], peer_versions: dict[str, str], picture_names: Sequence[str]) -> str:
    parts = ["# tapconv benchmark", machine(peer_versions), f"Command: `{command()}`"]
    if any(run.device == "cuda" for run in runs):
        parts.append(
            f"Device: {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}. Times lie between CUDA events."
        )
    parts.append(
        "Times are medians unless called best, all candidates interleaved in one process. torch allocates its output "
        "and is held against tapconv allocating; ONNX Runtime and OpenVINO write into an output bound in advance, have "
        "packed the weights ahead of time, and are held against tapconv with out=. The last ratio is the same with "
        "tapconv's own weights packed ahead. The spread is the largest half distance between quartiles of a candidate. "
        "The limit is the shortest time that the measured peak and bandwidth allow a plain sum; an algorithm that "
        "multiplies less can pass it."
    )
    for run, picture in zip(runs, picture_names, strict=True):
        parts += [f"## {run.title}", f"![{run.title}]({picture})", table(run), *summary(run)]
    return "\n\n".join(parts) + "\n"


def to_json(runs: Sequence[Run], peer_versions: dict[str, str]) -> str:
    """Every sample in seconds, so that any statistic can be taken later."""
    return json.dumps(
        {
            "machine": processor_name(),
            "tapconv": tapconv.__version__,
            "isa": tapconv.isa(),
            "torch": torch.__version__,
            "peers": peer_versions,
            "command": command(),
            "runs": [_run_as_dict(run) for run in runs],
        },
        indent=1,
    )


def _run_as_dict(run: Run) -> dict:
    return {
        "threads": run.threads,
        "device": torch.cuda.get_device_name() if run.device == "cuda" else "cpu",
        "dtype": run.dtype,
        "train": run.train,
        "flops_per_second": run.limits.flops_per_second,
        "bytes_per_second": {str(size): rate for size, rate in run.limits.bytes_per_second.items()},
        "rows": [
            {
                "layer": row.layer.name,
                "flops": row.flops,
                "bytes": row.bytes_moved,
                "fraction_of_limit": row.fraction_of_limit(run.limits)[0],
                "bound": row.fraction_of_limit(run.limits)[1],
                "ratios": {peer: row.ratio(peer) for peer in run.peers},
                "ratios_of_best": {peer: row.ratio(peer, "best") for peer in run.peers},
                "left_out": row.left_out,
                "seconds": {name: list(timing.samples) for name, timing in row.timings.items()},
            }
            for row in run.rows
        ],
    }


def write(runs: Sequence[Run], peer_versions: dict[str, str], folder: Path) -> list[Path]:
    """Writes bench.json, bench.md and a plot for each run, and returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for run in runs:
        suffix = "_train" if run.train else ""
        where = "cuda" if run.device == "cuda" else run.threads
        pictures.append(folder / f"ratios_{run.dtype}_{where}{suffix}.png")
        draw_ratios(run, pictures[-1])
    markdown, json_path = folder / "bench.md", folder / "bench.json"
    markdown.write_text(to_markdown(runs, peer_versions, [picture.name for picture in pictures]), encoding="utf-8")
    json_path.write_text(to_json(runs, peer_versions), encoding="utf-8")
    return [markdown, json_path, *pictures]
