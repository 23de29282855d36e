"""The layers of `shapes.csv`: one list of published models' conv1d shapes for the tests, the demo and the benchmark."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

SHAPES_PATH = Path(__file__).parent / "shapes.csv"


@dataclass(frozen=True)
class Layer:
    """One conv1d of a published model. Lengths and paddings are in samples."""

    name: str
    model: str
    source: str
    batch: int
    in_channels: int
    length: int
    out_channels: int
    kernel_size: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    groups: int
    bias: bool
    padding_mode: str
    status: str

    @property
    def output_length(self) -> int:
        padded = self.length + sum(self.padding)
        return (padded - self.dilation * (self.kernel_size - 1) - 1) // self.stride + 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.batch, self.in_channels, self.length

    @property
    def weight_shape(self) -> tuple[int, int, int]:
        return self.out_channels, self.in_channels // self.groups, self.kernel_size

    @property
    def output_shape(self) -> tuple[int, int, int]:
        return self.batch, self.out_channels, self.output_length

    @property
    def flops(self) -> int:
        """Floating-point operations of a plain sum, a multiplication and an addition counted as two."""
        batch, out_channels, output_length = self.output_shape
        return 2 * batch * out_channels * output_length * (self.in_channels // self.groups) * self.kernel_size

    def bytes_moved(self, element_size: int) -> int:
        """Bytes that any implementation must move: input, weight and bias read once, output written once."""
        sizes = (self.input_shape, self.weight_shape, self.output_shape)
        elements = sum(torch.Size(size).numel() for size in sizes) + self.bias * self.out_channels
        return elements * element_size

    @property
    def has_symmetric_padding(self) -> bool:
        return self.padding[0] == self.padding[1]

    def make_tensors(
        self, dtype: torch.dtype = torch.float32, seed: int = 0, device: torch.device | str = "cpu"
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Input, weight and bias for this layer: standard normal input, weights scaled so that outputs are near 1. The
        same numbers on every device."""
        generator = torch.Generator("cpu").manual_seed(seed)
        fan_in = self.weight_shape[1] * self.weight_shape[2]
        input = torch.randn(self.input_shape, generator=generator, device="cpu").to(device, dtype)
        weight = (torch.randn(self.weight_shape, generator=generator, device="cpu") / fan_in**0.5).to(device, dtype)
        if not self.bias:
            return input, weight, None
        return input, weight, torch.randn(self.out_channels, generator=generator, device="cpu").to(device, dtype)

    def describe(self) -> str:
        """The shape in one line: "(1,256,800) -> 256, k=11, pad=5:5"."""
        text = f"({self.batch},{self.in_channels},{self.length}) -> {self.out_channels}, k={self.kernel_size}"
        for label, value, default in (
            ("s", self.stride, 1),
            ("pad", f"{self.padding[0]}:{self.padding[1]}", "0:0"),
            ("d", self.dilation, 1),
            ("g", self.groups, 1),
        ):
            text += f", {label}={value}" if value != default else ""
        return text if self.padding_mode == "zeros" else f"{text}, {self.padding_mode}"


def parse_padding(cell: str) -> tuple[int, int]:
    """ "3" -> (3, 3); "3:0" -> (3, 0)."""
    left, _, right = cell.partition(":")
    return int(left), int(right or left)


def load_layers(path: Path | str = SHAPES_PATH, names: list[str] | None = None) -> list[Layer]:
    """Reads the layers of a CSV file with the columns of `shapes.csv`.

    Args:
        path: the file.
        names: keep the layers whose name or model contains one of these, upper and lower case alike; None keeps all.

    Raises:
        ValueError: if a row does not parse (the row is named) or nothing is left.
    """
    layers = []
    with open(path, newline="", encoding="utf-8") as file:
        for row_number, row in enumerate(csv.DictReader(file), start=2):
            try:
                layers.append(_parse_row(row))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {row_number}: not a layer ({error!r}): {row}") from error
    if names:
        layers = [layer for layer in layers if any(n.lower() in f"{layer.name} {layer.model}".lower() for n in names)]
    if not layers:
        raise ValueError(f"no layer in {path}" + (f" has a name or model containing any of {names}" if names else ""))
    return layers


def _parse_row(row: dict[str, str]) -> Layer:
    return Layer(
        name=row["name"],
        model=row.get("model", ""),
        source=row.get("source", ""),
        batch=int(row["N"]),
        in_channels=int(row["C_in"]),
        length=int(row["L"]),
        out_channels=int(row["C_out"]),
        kernel_size=int(row["kernel"]),
        stride=int(row["stride"]),
        padding=parse_padding(row["padding"]),
        dilation=int(row["dilation"]),
        groups=int(row["groups"]),
        bias=bool(int(row["bias"])),
        padding_mode=row["padding_mode"],
        status=row.get("status", ""),
    )
