"""Problems to test transposed convolutions with, and what a call of one comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from support import on_device


@dataclass(frozen=True)
class Problem:
    """One call. `channels` are in_channels, out_channels and groups; without a batch where `batch` is None."""

    channels: tuple[int, int, int]
    kernel_size: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1
    length: int = 9
    batch: int | None = 2

    @property
    def output_length(self) -> int:
        reach = self.dilation * (self.kernel_size - 1)
        return (self.length - 1) * self.stride - 2 * self.padding + reach + self.output_padding + 1

    @property
    def arguments(self) -> tuple:
        return self.stride, self.padding, self.output_padding, self.channels[2], self.dilation

    def tensors(self, dtype: torch.dtype, integers: bool = False) -> list[torch.Tensor]:
        in_channels, out_channels, groups = self.channels
        shapes = [
            (*(() if self.batch is None else (self.batch,)), in_channels, self.length),
            (in_channels, out_channels // groups, self.kernel_size),
            (out_channels,),
        ]
        if integers:
            return [torch.randint(-1, 2, shape).to(dtype) for shape in shapes]
        return [torch.randn(shape).to(dtype) for shape in shapes]


EDGES = [
    Problem((16, 8, 1), 4, 2, 1, length=1000),
    Problem((32, 16, 1), 16, 8, 4, length=301),
    Problem((1, 17, 1), 33, 5, 2, 3, length=257),
    Problem((24, 24, 24), 7, 1, 3, length=500),
    Problem((8, 8, 8), 4, 2, 1, 1, length=333, batch=None),
    Problem((5, 7, 1), 3, 2, 0, 1, 4, length=64, batch=None),
    Problem((2, 3, 1), 300, 1, 100, length=700),
    Problem((4, 4, 1), 2, 7, length=50),
]


def outcome(function: Callable, *arguments: Any) -> tuple:
    """The shape of the result on the device of the `device` fixture, or the error: its type and its words."""
    try:
        return tuple(function(*on_device(arguments)).shape)
    except Exception as error:
        return type(error), str(error)
