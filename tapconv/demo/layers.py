"""Parity and speed of tapconv against torch over the layers of `shapes.csv`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

import tapconv
from tapconv.bench.measure import Timing, interleave
from tapconv.bench.peers import torch_layer
from tapconv.shapes import Layer

# What the largest error over all layers has to stay below, for outputs of unit variance whose largest is about 5: a few
# units in the last place of the sum for float32 and float64, one of the result for the types that are rounded to.
ERROR_BOUNDS = {torch.float32: 5e-5, torch.float64: 1e-12, torch.bfloat16: 7e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class LayerResult:
    """One layer in float32: the largest absolute difference from torch (outputs have unit variance), and the times."""

    layer: Layer
    error: float
    tapconv: Timing
    torch: Timing

    @property
    def ratio(self) -> float:
        """How many times faster than torch, by the medians."""
        return self.torch.median / self.tapconv.median


@dataclass(frozen=True)
class DtypeParity:
    """The layer on which tapconv's output is furthest from torch's, both in this data type (torch's float32 output,
    rounded, for float16)."""

    dtype: torch.dtype
    layers: int
    largest_error: float
    worst_layer: str


def tapconv_layer(layer: Layer, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's output, by tapconv."""
    return tapconv.conv1d(
        input, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode
    )


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest absolute difference; infinity if the shapes differ or any difference is not finite."""
    if ours.shape != theirs.shape:
        return math.inf
    wide = torch.promote_types(ours.dtype, torch.float32)
    difference = torch.sub(ours.to(wide), theirs).abs_().max().item()
    return difference if math.isfinite(difference) else math.inf


def measure_layer(layer: Layer, repetitions: int, budget: float) -> LayerResult:
    """Error and times of one layer, with torch's current number of threads."""
    tensors = layer.make_tensors()
    with torch.inference_mode():
        error = largest_difference(tapconv_layer(layer, *tensors), torch_layer(layer, *tensors))
        timings = interleave(
            {"tapconv": lambda: tapconv_layer(layer, *tensors), "torch": lambda: torch_layer(layer, *tensors)},
            repetitions,
            budget,
        )
    return LayerResult(layer, error, timings["tapconv"], timings["torch"])


def shortened(layer: Layer, flops: float) -> Layer:
    """The layer with a smaller batch, then fewer groups, then a shorter input, down to about this many operations.
    What makes it hard for a kernel stays: channels per group, kernel, stride, dilation and padding."""
    layer = dataclasses.replace(layer, batch=_scaled(layer.batch, flops / layer.flops))
    groups = _scaled(layer.groups, flops / layer.flops)
    layer = dataclasses.replace(
        layer,
        in_channels=layer.in_channels // layer.groups * groups,
        out_channels=layer.out_channels // layer.groups * groups,
        groups=groups,
    )
    reach = layer.dilation * (layer.kernel_size - 1) + 1
    shortest = max(max(layer.padding) + 1, reach - sum(layer.padding)) + 16 * layer.stride
    return dataclasses.replace(
        layer, length=min(layer.length, max(shortest, _scaled(layer.length, flops / layer.flops)))
    )


def _scaled(count: int, factor: float) -> int:
    return count if factor >= 1 else max(1, int(count * factor))


def parity_by_dtype(
    layers: Iterable[Layer], dtype: torch.dtype, flops: float = 5e7, on_layer: Callable[[], object] = lambda: None
) -> DtypeParity:
    """The largest difference from torch in one data type, over layers shortened to about `flops` operations each (torch
    takes seconds for some of them in half precision). float16 is held against torch's float32, rounded: in torch 2.13,
    where the processor has AVX512-FP16, oneDNN never ends generating code for some depthwise layers in float16, such as
    2 to 16 channels of 530 samples with 31 taps."""
    worst, worst_name, count = 0.0, "", 0
    with torch.inference_mode():
        for layer in layers:
            small = shortened(layer, flops)
            tensors = small.make_tensors(dtype)
            error = largest_difference(tapconv_layer(small, *tensors), _expected(small, *tensors))
            count += 1
            on_layer()
            if error >= worst:
                worst, worst_name = error, layer.name
    return DtypeParity(dtype, count, worst, worst_name)


def _expected(layer: Layer, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if input.dtype != torch.float16:
        return torch_layer(layer, input, weight, bias)
    return torch_layer(layer, input.float(), weight.float(), None if bias is None else bias.float()).half()
