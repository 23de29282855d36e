"""The benchmark's picture: how tapconv compares with every peer on every layer."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from tapconv.bench.run import Run
from tapconv.reporting.plots import BLUE, DARK_GREY, GREEN, ORANGE, STYLE, new_figure
from tapconv.reporting.tables import geometric_mean

PEER_COLORS = {"torch": BLUE, "onnxruntime": GREEN, "openvino": ORANGE}
PEER_NAMES = {"torch": "torch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def draw_ratios(run: Run, path: Path) -> None:
    """One line per layer, one dot per peer: how many times faster tapconv is. Layers in the order of their smallest."""
    rows = sorted(run.rows, key=lambda row: row.ratio_to_best_peer()[0] if run.peers else 0.0)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9, 1.8 + 0.235 * len(rows))
        axes = figure.subplots()
        every_ratio = [1.0]
        for position, row in enumerate(rows):
            ratios = [ratio for peer in run.peers if (ratio := row.ratio(peer)) is not None]
            every_ratio += ratios
            if ratios:
                axes.plot([min(ratios), max(ratios)], [position] * 2, color="#c9cdd4", linewidth=1.4, zorder=1)
        for peer in run.peers:
            points = [(ratio, i) for i, row in enumerate(rows) if (ratio := row.ratio(peer)) is not None]
            mean = geometric_mean([ratio for ratio, _ in points])
            label = f"against {PEER_NAMES[peer]}, geometric mean {mean:.2f}x"
            axes.scatter(*zip(*points, strict=True), s=26, color=PEER_COLORS[peer], label=label, zorder=2)
        low, high = min(every_ratio) * 0.8, max(every_ratio) * 1.25
        axes.set_xscale("log")
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}x" for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [row.layer.name for row in rows], fontsize=8)
        axes.axvline(1, color=DARK_GREY, linewidth=1)
        axes.set(xlim=(low, high), ylim=(-0.8, len(rows) - 0.2), xlabel="times faster than the peer (right is faster)")
        axes.set_title(f"tapconv, {run.title}", pad=14 + 14 * len(run.peers))
        if run.peers:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderaxespad=0.2)
        figure.savefig(path)
