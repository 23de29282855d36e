"""Problems to test with, an oracle in double precision, and the error that a right answer may have."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
import torch

from tapconv.functional import padding_in_samples
from tapconv.reference import torch_conv1d

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
PADDING_MODES = ["zeros", "reflect", "replicate", "circular"]

# For a test of what only CPUs have, in a file whose others run on every device.
cpu_only = pytest.mark.parametrize("device", ["cpu"], indirect=True)


def on_device(arguments: Iterable) -> list:
    """Those that are tensors moved to where the test makes its own, by the `device` fixture; others as they are."""
    device = torch.get_default_device()
    return [argument.to(device) if isinstance(argument, torch.Tensor) else argument for argument in arguments]


def seeded(seed: int) -> torch.Generator:
    """Random numbers for tensors of the `device` fixture, whose generators must be on their device."""
    return torch.Generator(torch.get_default_device()).manual_seed(seed)


@dataclass(frozen=True)
class Problem:
    """One call of conv1d. `shape` is (batch, in_channels, length); without a batch where `batch` is None."""

    shape: tuple[int | None, int, int]
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int | tuple[int, int] | str = 0
    dilation: int = 1
    groups: int = 1
    padding_mode: str = "zeros"
    bias: bool = True

    @property
    def arguments(self) -> dict:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "padding_mode": self.padding_mode,
        }

    def tensors(self, dtype: torch.dtype = torch.float32, integers: bool = False) -> tuple:
        """Input, weight and bias; with `integers`, small ones, so that sums are exact in every type."""
        batch, in_channels, length = self.shape
        shape = (in_channels, length) if batch is None else (batch, in_channels, length)
        weight_shape = (self.out_channels, in_channels // self.groups, self.kernel_size)
        if integers:
            bound = 1 if dtype == torch.bfloat16 else 3
            input, weight = (torch.randint(-bound, bound + 1, size).to(dtype) for size in (shape, weight_shape))
            bias = torch.randint(-bound, bound + 1, (self.out_channels,)).to(dtype)
        else:
            input, weight = (torch.randn(size).to(dtype) for size in (shape, weight_shape))
            bias = torch.randn(self.out_channels).to(dtype)
        return input, weight, bias if self.bias else None

    def reference(self, input, weight, bias):
        """By torch, in the tensors' own type."""
        padding = padding_in_samples(self.padding, self.kernel_size, self.dilation)
        return torch_conv1d(input, weight, bias, self.stride, padding, self.dilation, self.groups, self.padding_mode)

    def oracle(self, input, weight, bias):
        """The exact output to double precision, and for each output the sum of the magnitudes of its products."""
        wide = [None if tensor is None else tensor.double() for tensor in (input, weight, bias)]
        magnitudes = [None if tensor is None else tensor.abs() for tensor in wide]
        return self.reference(*wide), self.reference(*magnitudes)


def assert_within_bound(output, expected, magnitude, algorithm: str) -> None:
    """A sum in the accumulation type may be off by a small multiple of its unit times the sum of the magnitudes;
    bfloat16 and float16 are rounded once more, to nearest, when stored. "direct" keeps to that for each output. "auto"
    may transform a stretch of the signal at a time, and keeps to it for the largest magnitude of a channel."""
    assert output.shape == expected.shape
    if algorithm != "direct" and magnitude.numel():
        magnitude = magnitude.amax(-1, keepdim=True)
    accumulation = torch.float64 if output.dtype == torch.float64 else torch.float32
    bound = 8 * torch.finfo(accumulation).eps * magnitude
    if output.dtype != accumulation:
        info = torch.finfo(output.dtype)
        bound = 1.01 * (bound + 0.5 * info.eps * expected.abs()) + info.smallest_normal * info.eps
    excess = ((output.double() - expected).abs() - bound).max().item() if output.numel() else -1.0
    assert excess <= 0, f"error exceeds the bound by {excess:.3g}"


# How many roundings of what an output sees its error may be, by any algorithm.
LOCAL_ROUNDINGS = 64


def window_maximum(x: torch.Tensor, taps: int, stride: int = 1, dilation: int = 1) -> torch.Tensor:
    """The largest of the `taps` samples, `dilation` apart, that each output of a convolution sees."""
    count = x.shape[-1] - (taps - 1) * dilation
    covered = 1  # taps that each element stands for
    while 2 * covered <= taps:
        x = torch.maximum(x[..., : x.shape[-1] - covered * dilation], x[..., covered * dilation :])
        covered *= 2
    rest = (taps - covered) * dilation
    return torch.maximum(x[..., :count], x[..., rest : rest + count])[..., ::stride]


def _padded(x: torch.Tensor, padding: tuple[int, int], mode: str) -> torch.Tensor:
    return x if padding == (0, 0) else torch.nn.functional.pad(x, padding, "constant" if mode == "zeros" else mode)


def _by_group(x: torch.Tensor, groups: int) -> torch.Tensor:
    """(batch, groups, length): the largest magnitude over the channels of each group."""
    return x.double().abs().unflatten(1, (groups, -1)).amax(2)


def seen_by_output(input, weight, stride=1, padding=(0, 0), dilation=1, groups=1, padding_mode="zeros"):
    """For each output the largest sample that it sees, times the sum of the magnitudes of its filter."""
    seen = window_maximum(_padded(_by_group(input, groups), padding, padding_mode), weight.shape[-1], stride, dilation)
    sums = weight.double().abs().sum((1, 2))
    return seen.repeat_interleave(weight.shape[0] // groups, 1) * sums[:, None]


def seen_by_input_gradient(
    grad_output, weight, input_length, stride=1, padding=(0, 0), dilation=1, groups=1, padding_mode="zeros"
):
    """The same for the gradient by each sample, which sees the gradients of the outputs that see the sample. What a
    padding copies from it is a sum of its own."""
    taps = weight.shape[-1]
    span = (taps - 1) * dilation
    length = sum(padding) + input_length
    outputs = _by_group(grad_output, groups)
    spread = outputs.new_zeros(*outputs.shape[:2], span + max(length, (outputs.shape[-1] - 1) * stride + 1 + span))
    spread[..., span : span + (outputs.shape[-1] - 1) * stride + 1 : stride] = outputs
    seen = window_maximum(spread, taps, 1, dilation)[..., :length]
    # Only taps whose distance fits the stride meet an output.
    by_tap = weight.double().abs().unflatten(0, (groups, -1)).sum(1).flatten(0, 1)
    distances = torch.arange(taps) * dilation % stride
    sums = torch.stack([by_tap[:, distances == phase].sum(-1) for phase in range(min(stride, length))], -1)
    bound = seen.repeat_interleave(weight.shape[1], 1) * sums[:, torch.arange(length) % stride]
    samples = bound.new_zeros(*bound.shape[:2], input_length, requires_grad=True)
    return torch.autograd.grad(_padded(samples, padding, padding_mode), samples, bound)[0]


def seen_by_weight_gradient(
    grad_output, input, kernel_size, stride=1, padding=(0, 0), dilation=1, groups=1, padding_mode="zeros"
):
    """The same for the gradient by each weight: for each sample of the batch, the largest number that the weight
    meets, times the sum of the magnitudes of the output's gradients."""
    padded = _padded(input.double().abs(), padding, padding_mode)
    seen = window_maximum(padded, grad_output.shape[-1], dilation, stride)[..., :kernel_size]
    sums = grad_output.double().abs().sum(-1).unflatten(1, (groups, -1))
    return torch.einsum("ngo,ngck->gock", sums, seen.unflatten(1, (groups, -1))).flatten(0, 1)


def roundings(actual: torch.Tensor, exact: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """By how many roundings of `seen`, in the type that sums are made in, each element is off, beside what storing it
    in its own type rounds. Infinite where nothing is seen and the element is not exact."""
    assert actual.shape == exact.shape == seen.shape
    accumulation = torch.float64 if actual.dtype == torch.float64 else torch.float32
    error = (actual.double() - exact).abs()
    if actual.dtype != accumulation:
        info = torch.finfo(actual.dtype)
        error = (error - 1.01 * (0.5 * info.eps * exact.abs() + 0.5 * info.smallest_normal * info.eps)).clamp(min=0)
    # An oracle in double is no better than its own roundings.
    return torch.where(error == 0, 0.0, error / (0.5 * torch.finfo(accumulation).eps * seen))


def local_roundings(dtype: torch.dtype) -> float:
    """The stated bound, which counts roundings of the type itself, in those of the type that its sums are made in."""
    return LOCAL_ROUNDINGS * (torch.finfo(dtype).eps / torch.finfo(torch.float32).eps if dtype.itemsize == 2 else 1)


# Rows of numbers of very different size side by side: from even ones, their positions and how many there are.
PATTERNS = {
    "even": lambda x, i, n: x,
    "masked by -1e9": lambda x, i, n: torch.where(i < n // 2, x, -1e9),
    "masked by 3e4": lambda x, i, n: torch.where(i >= n // 3, x, 3e4),
    "masked by 2e2": lambda x, i, n: torch.where(i < 2 * n // 3, x, 2e2),
    "a click": lambda x, i, n: torch.where(i == n // 2, 1e4, x),
    "an onset": lambda x, i, n: x * torch.where(i < n // 2, 1e-4, 1e2),
    "an impulse": lambda x, i, n: (i == n // 3).to(x.dtype).expand_as(x),
    "leading silence": lambda x, i, n: torch.where(i < n // 2, 0.0, x),
    "growth": lambda x, i, n: x * torch.exp(14 * i / n),
}


def pattern(name: str, x: torch.Tensor) -> torch.Tensor:
    """The pattern along the last dimension, in the tensor's type."""
    position = torch.arange(x.shape[-1])
    return PATTERNS[name](x.float(), position, x.shape[-1]).to(x.dtype).clone()


def assert_locally_accurate(actual, exact, seen, factor: float = LOCAL_ROUNDINGS) -> None:
    """Each element within `factor` roundings of what it sees; exact if it sees nothing."""
    if actual.numel():
        worst = roundings(actual, exact, seen).max().item()
        assert worst <= factor, f"off by {worst:.3g} roundings of what it sees"


def grid() -> Iterator[Problem]:
    """Every combination of stride, dilation, kernel, groups and padding on a short odd length, then edges."""
    for stride, dilation, kernel_size, groups, padding in itertools.product(
        (1, 2, 3), (1, 2, 5), (1, 2, 3, 4), ((1, 3, 5), (2, 4, 6), (3, 3, 3), (3, 3, 6)), (0, 3, (4, 1), (0, 5))
    ):
        group_count, in_channels, out_channels = groups
        yield Problem((2, in_channels, 23), out_channels, kernel_size, stride, padding, dilation, group_count)


def mode_grid() -> Iterator[Problem]:
    """Padding modes, with paddings up to the longest that each allows."""
    for mode, stride, dilation, padding in itertools.product(
        PADDING_MODES, (1, 2), (1, 3), (0, 2, (3, 1), (0, 4), (11, 11), "same", "causal", "valid")
    ):
        if padding == "same" and stride != 1:
            continue
        for groups in (1, 2):
            yield Problem((3, 4, 12), 6, 3, stride, padding, dilation, groups, mode)


def edges() -> list[Problem]:
    """Shapes that fall off tiles and vectors: few and odd channels, short and odd lengths, long kernels."""
    problems = [
        Problem((1, channels, length), out_channels, kernel_size, padding=kernel_size // 2)
        for channels, out_channels in ((1, 1), (1, 33), (15, 15), (25, 1), (7, 17))
        for length in (1, 2, 7, 16, 31, 65)
        for kernel_size in (1, 3, 9)
    ]
    problems += [
        Problem((1, 8, length), 8, kernel_size, padding=kernel_size // 2, groups=8)
        for length in (1, 15, 16, 17, 100)
        for kernel_size in (1, 4, 31)
    ]
    problems += [
        Problem((None, 3, 20), 4, 3, padding=1),
        Problem((5, 1, 40), 6, 40),
        Problem((1, 2, 300), 3, 128, padding=64),
        Problem((1, 1, 400), 16, 80, stride=16),
        Problem((64, 2, 5), 3, 5),
        Problem((2, 64, 4), 64, 5, padding=2),
        Problem((1, 4, 1000), 8, 3, padding=(256, 0), dilation=128),
        Problem((2, 6, 50), 12, 4, padding="causal", groups=6, bias=False),
        Problem((2, 6, 50), 12, 4, padding="same", dilation=3),
    ]
    return problems


@dataclass
class Calls:
    """How often each kind of operator ran."""

    forward: int = 0
    backward: int = 0
    by_torch: int = 0


@contextlib.contextmanager
def kernel_calls() -> Iterator[Calls]:
    """Counts, with torch's profiler, the calls of tapconv's operators and of torch's convolution."""
    calls = Calls()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        yield calls
    for event in profiler.key_averages():
        if event.key in ("tapconv::conv1d", "tapconv::conv_transpose1d"):
            calls.forward += event.count
        elif event.key.startswith("tapconv::"):
            calls.backward += event.count
        elif re.match(r"(aten|mkldnn|mkldnn_prepacked)::.*conv(?!ert)", event.key):
            calls.by_torch += event.count
