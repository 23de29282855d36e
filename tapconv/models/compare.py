"""One network with torch's convolutions, with tapconv's, and exported to other runtimes: checked and timed together."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import tapconv
from tapconv.bench import runtimes
from tapconv.bench.measure import Timing, interleave
from tapconv.models.zoo import Architecture

RUNTIMES = {"onnxruntime": runtimes.onnxruntime_call, "openvino": runtimes.openvino_call}

# Relative to the largest output; another runtime may well reorder what a deep network sums.
LARGEST_DIFFERENCE = 1e-2

# What torch's convolutions and tapconv's are in a profile, with everything that they call.
CONVOLUTIONS = ("aten::conv1d", "aten::conv_transpose1d", "tapconv::conv1d", "tapconv::conv_transpose1d")


@dataclass(frozen=True)
class Row:
    """The timings of one network, by candidate: "torch", "tapconv", "direct" (tapconv by sums in plain order only) and
    the runtimes."""

    architecture: Architecture
    threads: int
    train: bool
    timings: dict[str, Timing]
    convolution_share: dict[str, float]  # of the forward pass of "torch" and "tapconv"
    left_out: dict[str, str] = field(default_factory=dict)  # runtimes that could not run the network, and why

    def speedup(self, of: str = "tapconv", over: str = "torch") -> float | None:
        """How many times faster one candidate is than another, by medians; None where one of them was left out."""
        if of not in self.timings or over not in self.timings:
            return None
        return self.timings[over].median / self.timings[of].median


class Comparison:
    """A network in all its forms, made once for all numbers of threads."""

    def __init__(self, architecture: Architecture, small: bool) -> None:
        self.architecture = architecture
        self.theirs, self.input = architecture.make(small)
        self.ours = tapconv.convert(copy.deepcopy(self.theirs))
        self.exported: bytes | str = _export(self.theirs, self.input)

    def forward(self, repetitions: int, seconds: float) -> Row:
        """With torch's current number of threads. Raises RuntimeError if a candidate computes something else."""
        threads, candidates, left_out = torch.get_num_threads(), self._modules(), {}
        with torch.inference_mode():
            expected = candidates["torch"]()
            for name, make_call in RUNTIMES.items():
                try:
                    if isinstance(self.exported, str):
                        raise RuntimeError(self.exported)
                    candidates[name] = make_call(self.exported, self.input, tuple(expected.shape), threads)
                    candidates[name]()
                except Exception as error:  # whatever a runtime raises for an operator that it lacks
                    left_out[name] = " ".join(str(error).split())[:160]
                    candidates.pop(name, None)
            for name, call in candidates.items():
                _check(name, call(), expected)
            shares = {name: _convolution_share(candidates[name]) for name in ("torch", "tapconv")}
            timings = interleave(candidates, repetitions, seconds)
        return Row(self.architecture, threads, False, timings, shares, left_out)

    def training(self, repetitions: int, seconds: float) -> Row:
        """Forward and backward, for the gradients of all parameters that the output depends on."""
        parameters = [parameter for parameter in self.theirs.parameters() if parameter.requires_grad]
        our_parameters = [parameter for parameter in self.ours.parameters() if parameter.requires_grad]

        def step(call: Callable[[], Tensor], wanted: Sequence[Tensor]) -> Callable[[], object]:
            return lambda: torch.autograd.grad(call().square().mean(), wanted, allow_unused=True)

        modules = self._modules()
        candidates = {
            name: step(call, parameters if name == "torch" else our_parameters) for name, call in modules.items()
        }
        return Row(self.architecture, torch.get_num_threads(), True, interleave(candidates, repetitions, seconds), {})

    def _modules(self) -> dict[str, Callable[[], Tensor]]:
        by_modules = self.architecture.calls_modules and not self.architecture.pads_by_function

        def ours() -> Tensor:
            with contextlib.nullcontext() if by_modules else _enabled():
                return self.ours(self.input)

        return {
            "torch": lambda: self.theirs(self.input),
            "tapconv": ours,
            "direct": tapconv.default_algorithm("direct")(ours),
        }


@contextlib.contextmanager
def _enabled() -> Iterator[None]:
    tapconv.enable()
    try:
        yield
    finally:
        tapconv.disable()


def _export(model: nn.Module, input: Tensor) -> bytes | str:
    """The network as an ONNX model with its weights inside, or why there is none."""
    file: Any = io.BytesIO()  # which torch takes, though its annotation names paths alone
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            # The exporter by tracing: for networks of one fixed shape it needs no further package.
            torch.onnx.export(copy.deepcopy(model), (input,), file, dynamo=False, opset_version=17)
    except Exception as error:  # of many kinds
        return " ".join(f"export to ONNX: {error}".split())[:160]
    finally:
        logging.disable(logging.NOTSET)
    return file.getvalue()


def _check(name: str, output: Tensor, expected: Tensor) -> None:
    difference = ((output - expected).abs().max() / expected.abs().max()).item()
    if not difference <= LARGEST_DIFFERENCE:
        raise RuntimeError(f"{name} and torch disagree by {difference:.1e} of the largest output")


def _convolution_share(call: Callable[[], Tensor]) -> float:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        call()
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    return sum(event.cpu_time_total for event in events if event.key in CONVOLUTIONS) / total
