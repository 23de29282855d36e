"""The results as a section of Markdown, as JSON, and as a plot."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib

from tapconv.models.compare import RUNTIMES, Row
from tapconv.reporting.machine import command, machine
from tapconv.reporting.plots import BLUE, DARK_GREY, GREEN, GREY, ORANGE, STYLE, new_figure
from tapconv.reporting.tables import markdown_table

BEGIN, END = "<!-- python -m tapconv models: begin -->", "<!-- python -m tapconv models: end -->"
RUNTIME_NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
EXPLANATION = (
    "Architectures from transformers with random weights and a batch of one, in float32. Times are medians in "
    "milliseconds of calls in one process, all candidates in turn; the spread is the largest half distance between "
    "quartiles. *torch* and *tapconv* are the same eager model before and after `tapconv.convert` (Mamba hands the "
    "weight of its module to `torch.conv1d`, and EnCodec pads by `F.pad`, so there it is `tapconv.enable` as well), "
    "*direct* the same as tapconv under "
    "`TAPCONV_ALGORITHM=direct`: sums in plain order only, no transforms. ONNX Runtime and OpenVINO run the whole "
    "model, exported to ONNX, with input and output bound in advance. The share is what convolutions take of the "
    "forward pass, before and after. Training is forward and backward, for the gradients of all parameters."
)


def table(rows: Sequence[Row]) -> str:
    """Rows of one number of threads, all forward or all training."""
    train = rows[0].train
    names = ["torch", "tapconv", "direct"] + ([] if train else list(RUNTIMES))
    headers = ["model", "input", *(f"{RUNTIME_NAMES.get(name, name)} ms" for name in names), "spread"]
    headers += ["to torch", "direct to torch"]
    headers += [] if train else ["to best runtime", "share before", "share after"]
    lines = []
    for row in rows:
        times = [f"{row.timings[name].median * 1e3:.1f}" if name in row.timings else "-" for name in names]
        spread = max(timing.spread for timing in row.timings.values())
        line = [row.architecture.name, row.architecture.input, *times, f"{spread:.0%}", f"{row.speedup():.2f}x"]
        line.append(f"{row.speedup('direct'):.2f}x")
        if not train:
            ratios = [ratio for runtime in RUNTIMES if (ratio := row.speedup(over=runtime)) is not None]
            line.append(f"{min(ratios):.2f}x" if ratios else "-")
            line += [f"{row.convolution_share[name]:.0%}" for name in ("torch", "tapconv")]
        lines.append(line)
    return markdown_table(headers, lines)


def section(rows: Sequence[Row], picture: str) -> str:
    """What stands in the documentation."""
    versions = {name: importlib.metadata.version(name) for name in (*RUNTIMES, "transformers") if _has(name)}
    parts = [
        "## Whole models",
        EXPLANATION,
        machine(versions),
        f"Command: `{command()}`",
        f"![Whole models]({picture})",
    ]
    for threads in sorted({row.threads for row in rows}):
        for train in (False, True):
            chosen = [row for row in rows if (row.threads, row.train) == (threads, train)]
            if chosen:
                work = "forward and backward" if train else "forward"
                parts += [f"### {work.capitalize()}, {threads} thread{'s' if threads > 1 else ''}", table(chosen)]
    for row in rows:
        for name, reason in row.left_out.items():
            if row.threads == rows[0].threads:
                parts.append(f"{RUNTIME_NAMES[name]} was left out of {row.architecture.name}: `{reason}`")
    return "\n\n".join(parts)


def _has(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def to_json(rows: Sequence[Row]) -> str:
    """Every sample in seconds."""
    return json.dumps(
        [
            {
                "model": row.architecture.name,
                "threads": row.threads,
                "train": row.train,
                "convolution_share": row.convolution_share,
                "left_out": row.left_out,
                "seconds": {name: list(timing.samples) for name, timing in row.timings.items()},
            }
            for row in rows
        ],
        indent=1,
    )


def draw(rows: Sequence[Row], path: Path) -> None:
    """For each number of threads, a group of bars for each model: how many times faster than torch each is."""
    kinds = [("tapconv", False, BLUE, "tapconv"), ("tapconv", True, GREY, "tapconv, forward and backward")]
    kinds += [("onnxruntime", False, GREEN, "ONNX Runtime"), ("openvino", False, ORANGE, "OpenVINO")]
    names = list(dict.fromkeys(row.architecture.name for row in rows))
    all_threads = sorted({row.threads for row in rows})
    by_key = {(row.architecture.name, row.threads, row.train): row for row in rows}
    with matplotlib.rc_context(STYLE):
        figure = new_figure(5.2 * len(all_threads), 1.6 + 0.75 * len(names))
        every_axes = figure.subplots(1, len(all_threads), sharey=True, squeeze=False)[0]
        for axes, threads in zip(every_axes, all_threads, strict=True):
            for offset, (candidate, train, color, label) in enumerate(kinds):
                bars = []
                for position, name in enumerate(names):
                    row = by_key.get((name, threads, train))
                    if row and (ratio := row.speedup(of=candidate)) is not None:
                        bars.append((position + (offset - 1.5) * 0.2, ratio))
                if bars:
                    positions, ratios = zip(*bars, strict=True)
                    axes.barh(positions, ratios, height=0.18, color=color, label=label)
                    for height, ratio in bars:
                        axes.text(ratio, height, f" {ratio:.2f}", va="center", fontsize=7)
            axes.set_yticks(range(len(names)), names)
            axes.axvline(1, color=DARK_GREY, linewidth=1)
            axes.set(title=f"{threads} thread{'s' if threads > 1 else ''}", xlabel="times faster than torch")
            axes.grid(axis="y", visible=False)
        every_axes[0].invert_yaxis()
        figure.legend(*every_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds))
        figure.savefig(path)


def replace_section(document: Path, text: str) -> None:
    """Puts the text between the marks in the document, or at its end where it has none."""
    before = document.read_text(encoding="utf-8") if document.is_file() else "# Performance\n"
    marked = f"{BEGIN}\n\n{text}\n\n{END}"
    found = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    after = found.sub(lambda _: marked, before) if found.search(before) else f"{before.rstrip()}\n\n{marked}\n"
    document.write_text(after, encoding="utf-8")


def write(rows: Sequence[Row], folder: Path, document: Path | None) -> list[Path]:
    """Writes models.md, models.json and models.png, and where asked rewrites the section of a document and its plot."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"models.{ending}" for ending in ("md", "json", "png")]
    paths[0].write_text(section(rows, paths[2].name) + "\n", encoding="utf-8")
    paths[1].write_text(to_json(rows), encoding="utf-8")
    draw(rows, paths[2])
    if document:
        picture = document.parent / "images" / "models.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(rows, picture)
        replace_section(document, section(rows, f"images/{picture.name}"))
        paths += [document, picture]
    return paths
