"""Steps of streams: the whole cost of a chunk (state, call, output), and what torch's operators and a plain loop of C
take for the same."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

import tapconv

Step = Callable[[], object]

# What one would write by hand: a state of `width` samples for each channel, pushed by one.
PLAIN_LOOP = """
#include <math.h>
void step(const float* x, float* state, const float* weight, const float* bias, float* output, long rows, long channels,
          long width) {
  for (long row = 0; row < rows * channels; ++row) {
    float* samples = state + row * width;
    const float* taps = weight + row % channels * width;
    float sum = bias[row % channels];
    for (long k = 0; k + 1 < width; ++k) samples[k] = samples[k + 1];
    samples[width - 1] = x[row];
    for (long k = 0; k < width; ++k) sum += taps[k] * samples[k];
    output[row] = sum / (1.0f + expf(-sum));
  }
}
"""


@cache
def plain_loop() -> ctypes.CDLL | None:
    """The loop, compiled for this machine by the C compiler that is there; None without one."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "step.c", Path(folder) / "step.so"
        source.write_text(PLAIN_LOOP, encoding="utf-8")
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        return ctypes.CDLL(str(library))


def fallback_update(x: Tensor, conv_state: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The step as transformers computes it without the package causal-conv1d."""
    length, state_length = x.shape[-1], conv_state.shape[-1]
    joined = torch.cat([conv_state, x], dim=-1).to(weight.dtype)
    conv_state.copy_(joined[:, :, -state_length:])
    output = torch.nn.functional.conv1d(joined, weight.unsqueeze(1), bias, padding=0, groups=x.shape[1])
    return torch.nn.functional.silu(output[:, :, -length:]).to(x.dtype)


@dataclass(frozen=True)
class Update:
    """A decoder's step by `causal_conv1d_update`, with silu."""

    model: str
    batch: int
    channels: int
    width: int

    def __str__(self) -> str:
        return f"{self.model}: update ({self.batch}, {self.channels}) width {self.width}"

    def candidates(self) -> dict[str, Step]:
        x, bias = torch.randn(self.batch, self.channels, 1), torch.randn(self.channels)
        weight = torch.randn(self.channels, self.width)
        states = [torch.zeros(self.batch, self.channels, self.width) for _ in range(3)]
        steps: dict[str, Step] = {
            "tapconv": lambda: tapconv.causal_conv1d_update(x, states[0], weight, bias, "silu"),
            "torch": lambda: fallback_update(x, states[1], weight, bias),
        }
        library = plain_loop()
        if library is not None:
            output = torch.empty_like(x)
            pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (x, states[2], weight, bias, output)]
            sizes = [ctypes.c_long(size) for size in (self.batch, self.channels, self.width)]

            def by_loop() -> Tensor:
                library.step(*pointers, *sizes)
                return output

            steps["plain C"] = by_loop
        return steps


@dataclass(frozen=True)
class Chunk:
    """A causal layer's step: `conv1d_stream_` beside torch's cat, convolution and copy, which is also what the package
    cached_conv does."""

    model: str
    in_channels: int
    out_channels: int
    kernel_size: int
    length: int = 1
    dilation: int = 1
    groups: int = 1

    def __str__(self) -> str:
        layer = f"{self.in_channels} -> {self.out_channels} k={self.kernel_size}"
        layer += f" d={self.dilation}" if self.dilation > 1 else ""
        layer += " depthwise" if self.groups > 1 else ""
        return f"{self.model}: {layer}, {self.length} samples"

    def candidates(self) -> dict[str, Step]:
        x = torch.randn(1, self.in_channels, self.length)
        weight = torch.randn(self.out_channels, self.in_channels // self.groups, self.kernel_size)
        bias = torch.randn(self.out_channels)
        reach = self.dilation * (self.kernel_size - 1)
        state = tapconv.conv1d_stream_state(1, self.in_channels, self.kernel_size, dilation=self.dilation)
        kept = torch.zeros(1, self.in_channels, reach)

        def by_torch() -> Tensor:
            joined = torch.cat([kept, x], dim=-1)
            kept.copy_(joined[:, :, -reach:])
            return torch.nn.functional.conv1d(joined, weight, bias, 1, 0, self.dilation, self.groups)

        return {
            "tapconv": lambda: tapconv.conv1d_stream_(x, state, weight, bias, 1, self.dilation, self.groups),
            "torch": by_torch,
        }


STEPS: tuple[Update | Chunk, ...] = (
    Update("Mamba 130M", 1, 1536, 4),
    Update("Mamba 130M, 8 sequences", 8, 1536, 4),
    Update("Mamba 2.8B", 1, 5120, 4),
    Update("Qwen3-Next", 1, 8192, 4),
    Update("LFM2", 1, 1024, 3),
    Chunk("Mamba", 1536, 1536, 4, groups=1536),
    Chunk("LFM2", 1024, 1024, 3, groups=1024),
    Chunk("Conformer", 256, 256, 31, groups=256),
    Chunk("Mimi", 512, 512, 7),
    Chunk("Mimi", 512, 512, 7, length=8),
    Chunk("SEANet", 64, 32, 3),
    Chunk("SEANet", 64, 32, 3, length=32),
    Chunk("TCN", 32, 32, 7, dilation=4),
    Chunk("vocoder input", 1, 64, 7),
)
