"""One row of the benchmark: all implementations on one layer, checked against each other and timed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from tapconv.bench import peers
from tapconv.bench.measure import MachineLimits, Timing, interleave, stopwatch
from tapconv.shapes import Layer

# Peers that write into an output bound in advance are held against tapconv with out=; torch, which allocates, against
# tapconv allocating.
PAIRED_WITH = {"torch": "tapconv", "onnxruntime": "tapconv out=", "openvino": "tapconv out="}

# The same for who packs weights ahead, as ONNX Runtime and OpenVINO do. Torch keeps plain weights; its user has the
# choice.
PAIRED_WITH_PACKED = {
    "torch": "tapconv packed, new output",
    "onnxruntime": "tapconv packed",
    "openvino": "tapconv packed",
}

# How long idle threads of another library may spin, in seconds; only a second thread makes it matter.
SETTLING = 0.02

# A peer whose output is further from tapconv's than this has not computed the same layer; outputs have unit variance.
LARGEST_DIFFERENCE = {torch.float32: 1e-3, torch.float64: 1e-9, torch.bfloat16: 0.1, torch.float16: 2e-2}


@dataclass(frozen=True)
class Row:
    """The timings of one layer, by candidate: "tapconv", "tapconv out=", "tapconv packed" (with out=), "tapconv packed,
    new output" and the peers."""

    layer: Layer
    dtype: torch.dtype
    train: bool
    timings: dict[str, Timing]
    left_out: dict[str, str]  # peers that could not run this layer, and why

    @property
    def flops(self) -> int:
        """Of a plain sum; the two gradients take as many each as the output."""
        return self.layer.flops * (3 if self.train else 1)

    @property
    def bytes_moved(self) -> int:
        """Training reads input, weight and grad_output and writes both gradients, beside the forward pass."""
        return self.layer.bytes_moved(self.dtype.itemsize) * (3 if self.train else 1)

    @property
    def has_packed(self) -> bool:
        """Was tapconv also timed with its weight packed ahead?"""
        return "tapconv packed" in self.timings

    def ratio(self, peer: str, statistic: str = "median", packed: bool = False) -> float | None:
        """How many times faster tapconv is than the peer; None if the peer was left out."""
        if peer not in self.timings:
            return None
        ours = self.timings[(PAIRED_WITH_PACKED if packed else PAIRED_WITH)[peer]]
        return getattr(self.timings[peer], statistic) / getattr(ours, statistic)

    def ratio_to_best_peer(self, statistic: str = "median", packed: bool = False) -> tuple[float, str]:
        """The smallest of the ratios, and the peer it belongs to."""
        ratios = ((self.ratio(peer, statistic, packed), peer) for peer in PAIRED_WITH)
        return min((ratio, peer) for ratio, peer in ratios if ratio is not None)

    def fraction_of_limit(self, limits: MachineLimits, candidate: str = "tapconv out=") -> tuple[float, str]:
        """The shortest time that the machine allows a plain sum over the time taken, and what bounds it. Above one when
        an algorithm multiplies less than a plain sum does."""
        timing = self.timings.get(candidate, self.timings["tapconv"])
        at_least, bound = limits.seconds_at_least(self.flops, self.bytes_moved)
        return at_least / timing.best, bound


def compare(
    layer: Layer,
    dtype: torch.dtype,
    peer_names: Sequence[str],
    train: bool,
    repetitions: int,
    seconds: float,
    device: str = "cpu",
) -> Row:
    """Times all candidates on one layer, on the CPU with torch's current number of threads. A peer that cannot run the
    layer is left out with its reason; one that computes something else raises RuntimeError."""
    tensors = layer.make_tensors(dtype, device=device)
    clock = stopwatch(device)
    candidates: dict[str, peers.Call] = {"tapconv": peers.tapconv_call(layer, tensors)}
    left_out: dict[str, str] = {}
    with torch.no_grad():
        expected = candidates["tapconv"]()
        if not train:
            candidates["tapconv out="] = peers.tapconv_out_call(layer, tensors)
            into_output, candidates["tapconv packed, new output"] = peers.tapconv_packed_calls(layer, tensors)
            candidates["tapconv packed"] = into_output
            _check("tapconv packed", into_output(), expected)
        if "torch" in peer_names:
            candidates["torch"] = peers.torch_call(layer, tensors)
            _check("torch", candidates["torch"](), expected)
        for name, make_call in (("onnxruntime", peers.onnxruntime_call), ("openvino", peers.openvino_call)):
            if name not in peer_names:
                continue
            try:
                call = make_call(layer, tensors, torch.get_num_threads())
                output = call()
            except Exception as error:  # whatever a runtime raises for a layer that it lacks
                left_out[name] = " ".join(str(error).split())[-160:]
                continue
            _check(name, output, expected)
            candidates[name] = call
        del expected
    other_pools = candidates.keys() & {"onnxruntime", "openvino"}
    settling = SETTLING if other_pools and torch.get_num_threads() > 1 else 0.0
    timed: Mapping[str, Callable[[], object]] = candidates
    if train:
        timed = {name: peers.training_call(call, layer, tensors) for name, call in candidates.items()}
    with torch.inference_mode(not train):
        timings = interleave(timed, repetitions, seconds, settling=settling, seconds_per_call=clock)
    return Row(layer, dtype, train, timings, left_out)


def _check(name: str, output: torch.Tensor, expected: torch.Tensor) -> None:
    difference = torch.sub(output.to(torch.promote_types(output.dtype, torch.float32)), expected).abs_().max().item()
    if not difference <= LARGEST_DIFFERENCE[expected.dtype]:
        raise RuntimeError(f"{name} and tapconv disagree by {difference:.2e} on outputs of unit variance")
