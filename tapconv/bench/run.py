"""One run of the benchmark: what was timed, under which conditions, and the ratios that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapconv.bench.compare import PAIRED_WITH, Row
from tapconv.bench.measure import MachineLimits


@dataclass(frozen=True)
class Run:
    """All rows for one number of threads and one data type."""

    threads: int
    dtype: str
    train: bool
    limits: MachineLimits
    rows: Sequence[Row]
    device: str = "cpu"

    @property
    def title(self) -> str:
        work = "forward and backward" if self.train else "forward"
        where = "CUDA" if self.device == "cuda" else f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.dtype}, {work}, {where}"

    @property
    def peers(self) -> list[str]:
        return [peer for peer in PAIRED_WITH if any(peer in row.timings for row in self.rows)]

    def ratios(self, peer: str, statistic: str = "median") -> list[float]:
        return [ratio for row in self.rows if (ratio := row.ratio(peer, statistic)) is not None]
