"""Timing of several candidates for one job, interleaved, and the machine's limits measured the same way."""

from __future__ import annotations

import functools
import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Repeated measurements of one call, in seconds per call."""

    samples: tuple[float, ...]

    @property
    def best(self) -> float:
        return min(self.samples)

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, as a fraction of the median: the noise of the machine."""
        if len(self.samples) < 2:
            return 0.0
        lower, _, upper = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (upper - lower) / 2 / self.median


Stopwatch = Callable[[Callable[[], object], int], float]  # seconds per call, over so many calls


def on_cpu(call: Callable[[], object], calls: int) -> float:
    """By the processor's clock."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def on_cuda(call: Callable[[], object], calls: int) -> float:
    """Between two events on the current stream: what the device was busy for, or, where its work is shorter than it
    takes to ask for it, the asking."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e-3 / calls


def stopwatch(device: str) -> Stopwatch:
    return on_cuda if device == "cuda" else on_cpu


def interleave(
    candidates: Mapping[str, Callable[[], object]],
    repetitions: int = 7,
    budget: float = 3.0,
    shortest_sample: float = 2e-3,
    settling: float = 0.0,
    seconds_per_call: Stopwatch = on_cpu,
) -> dict[str, Timing]:
    """Times every candidate in turn, round after round, so that a change of the machine's pace meets all alike.

    Args:
        candidates: name and call. Each is called once or twice before, to warm up.
        repetitions: rounds.
        budget: seconds after which no further round begins; there are always at least two.
        shortest_sample: seconds; a faster call is repeated within a sample until it lasts this long.
        settling: seconds of rest before each sample, and an untimed call after it, which wakes the cores. Thread pools
            keep spinning for a while after their work is done, and would take the cores from the next candidate.
        seconds_per_call: the stopwatch of the device that the calls use.
    """
    calls = {}
    for name, call in candidates.items():
        once = seconds_per_call(call, 1)
        if once < 10 * shortest_sample:  # else the first call's extra cost does not show
            once = seconds_per_call(call, 1)
        calls[name] = max(1, round(shortest_sample / max(once, 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    collects = gc.isenabled()
    gc.disable()
    try:
        deadline = time.perf_counter() + budget
        for round_number in range(repetitions):
            if round_number >= 2 and time.perf_counter() > deadline:
                break
            shift = round_number % len(names)
            for name in names[shift:] + names[:shift]:
                if settling > 0:
                    time.sleep(settling)
                    candidates[name]()
                samples[name].append(seconds_per_call(candidates[name], calls[name]))
    finally:
        if collects:
            gc.enable()
    return {name: Timing(tuple(values)) for name, values in samples.items()}


@dataclass(frozen=True)
class MachineLimits:
    """What this machine can do at most with the threads in use."""

    flops_per_second: float  # of the data type that was measured
    bytes_per_second: dict[int, float]  # by the bytes read and written together

    def best_of(self, other: MachineLimits) -> MachineLimits:
        """The higher of two measurements of each limit."""
        rates = {size: max(rate, other.bytes_per_second[size]) for size, rate in self.bytes_per_second.items()}
        return MachineLimits(max(self.flops_per_second, other.flops_per_second), rates)

    def seconds_at_least(self, flops: float, bytes_moved: int) -> tuple[float, str]:
        """The shortest possible time of a plain sum, and what bounds it: "arithmetic" or "memory"."""
        arithmetic = flops / self.flops_per_second
        nearest_size = min(self.bytes_per_second, key=lambda size: abs(size - bytes_moved))
        memory = bytes_moved / self.bytes_per_second[nearest_size]
        return (arithmetic, "arithmetic") if arithmetic >= memory else (memory, "memory")


def measure_limits(dtype: torch.dtype, budget: float = 2.0, device: str = "cpu") -> MachineLimits:
    """Measures the arithmetic peak and the memory bandwidth with torch's current number of threads.

    The peak is the best of large matrix products (`torch.mm`) and of a large dense `torch.conv2d`: the library behind
    one or the other comes within a few per cent of the fused multiply-add peak. bfloat16 and float16 are held against
    the float32 peak, in which they are summed, except on CUDA, which has units for them. The bandwidth is that of
    `Tensor.copy_`, read and written bytes counted, for working sets from one that fits in L2 to one that fits in no
    cache. No measurement begins a new round after `budget` seconds.
    """
    arithmetic_dtype = dtype if dtype == torch.float64 or device == "cuda" else torch.float32
    clock = stopwatch(device)
    best = 0.0
    for size in (1024, 2048):
        a, b = torch.randn(2, size, size, device=device).to(arithmetic_dtype)
        out = torch.empty_like(a)
        timing = interleave({"mm": functools.partial(torch.mm, a, b, out=out)}, 9, budget, seconds_per_call=clock)["mm"]
        best = max(best, 2 * size**3 / timing.best)
    image, filters = (torch.randn(size).to(device, arithmetic_dtype) for size in ((1, 256, 56, 56), (256, 256, 3, 3)))
    with torch.inference_mode():
        convolve = functools.partial(torch.conv2d, image, filters)
        timing = interleave({"conv2d": convolve}, 9, budget, seconds_per_call=clock)["conv2d"]
    best = max(best, 2 * 54 * 54 * filters.numel() / timing.best)
    bandwidth = {}
    for megabytes in (0.25, 1, 4, 16, 64, 256):
        source = torch.ones(int(megabytes * 2**20) // 4, device=device)
        target = torch.ones_like(source)
        copy = functools.partial(target.copy_, source)
        timing = interleave({"copy": copy}, 9, budget, seconds_per_call=clock)["copy"]
        moved = 2 * source.nbytes
        bandwidth[moved] = moved / timing.best
    return MachineLimits(best, bandwidth)
