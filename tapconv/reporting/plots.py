"""The look of all pictures, and the bar chart of speed ratios that the demo and the benchmark share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tapconv.reporting.tables import geometric_mean

BLUE, ORANGE, GREEN, RED, GREY = "#2f6fb0", "#e08a1e", "#3a9a5b", "#c8442f", "#8a8f98"
DARK_GREY = "#50555e"

STYLE = {
    "figure.dpi": 130,
    "savefig.bbox": "tight",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e6ea",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def new_figure(width: float, height: float) -> Figure:
    """A figure that belongs to no window, so that it needs no display. Sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def draw_ratio_bars(names: Sequence[str], ratios: Sequence[float], title: str, path: Path) -> None:
    """One bar per layer, the largest ratio on top, from 1 to the right if faster and to the left if slower."""
    order = sorted(range(len(ratios)), key=lambda i: ratios[i])
    names, ratios = [names[i] for i in order], [ratios[i] for i in order]
    mean = geometric_mean(ratios)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9, 1.4 + 0.235 * len(ratios))
        axes = figure.subplots()
        colors = [GREEN if ratio >= 1.05 else GREY if ratio >= 0.95 else RED for ratio in ratios]
        axes.barh(range(len(ratios)), [ratio - 1 for ratio in ratios], left=1, color=colors, height=0.72)
        low, high = min(0.5, min(ratios) * 0.7), max(2.0, max(ratios) * 1.6)
        axes.set_xscale("log")
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}x" for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(names)), names, fontsize=8)
        for position, ratio in enumerate(ratios):
            x, side = (ratio * 1.05, "left") if ratio >= 1 else (ratio / 1.05, "right")
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.text(x, position, f"{ratio:.2f}x", va="center", ha=side, fontsize=7.5, bbox=box)
        axes.axvline(1, color=DARK_GREY, linewidth=1)
        axes.axvline(mean, color=BLUE, linestyle="--", linewidth=1.2, zorder=0.5)
        axes.text(mean * 1.03, -1.15, f"geometric mean {mean:.2f}x", color=BLUE, fontsize=8.5, va="center")
        axes.set(title=title, xlim=(low, high), ylim=(-1.8, len(ratios) - 0.3))
        axes.grid(axis="y", visible=False)
        figure.savefig(path)
