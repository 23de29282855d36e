"""Small helpers that the demo and the benchmark share for showing numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table with its columns padded, so that it reads well as plain text too."""
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (headers, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
