"""The examples that people learn conv1d from, each computed by tapconv, by torch and by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import tapconv
from tapconv.demo.by_hand import conv1d_by_hand, output_length
from tapconv.functional import padding_in_samples
from tapconv.reference import torch_conv1d


@dataclass(frozen=True)
class Example:
    """One call of conv1d. `code` is how a reader would write it."""

    title: str
    code: str
    input: Tensor
    weight: Tensor
    bias: Tensor | None
    arguments: dict = field(default_factory=dict)  # stride, padding, dilation, groups, padding_mode

    @property
    def padding(self) -> tuple[int, int]:
        """Samples added on the left and on the right."""
        left, right = padding_in_samples(
            self.arguments.get("padding", 0), self.weight.shape[2], self.arguments.get("dilation", 1)
        )
        return int(left), int(right)


@dataclass(frozen=True)
class ExampleResult:
    """What came out: the outputs of tapconv and torch, and those by hand for the first sample of the batch."""

    example: Example
    output: Tensor
    torch_output: Tensor
    output_by_hand: Tensor
    formula_length: int

    @property
    def error_against_torch(self) -> float:
        return (self.output - self.torch_output).abs().max().item()

    @property
    def error_by_hand(self) -> float:
        return (self.output[0].double() - self.output_by_hand).abs().max().item()

    @property
    def agrees(self) -> bool:
        return (
            self.output.shape == self.torch_output.shape
            and self.output.shape[2] == self.formula_length
            and self.error_against_torch < 1e-4
            and self.error_by_hand < 1e-4
        )


# A published table: the filters of a Conv1d(2, 4, 3, padding="valid"), and its first five outputs for a two-channel
# signal, the sine and the cosine of linspace(0, 10, 100).
PUBLISHED_WEIGHT = [
    [[0.3532, -0.0864, -0.2273], [0.3906, 0.4004, 0.4054]],
    [[-0.0145, 0.3996, -0.2601], [0.3777, -0.0403, -0.1950]],
    [[-0.1861, 0.1455, 0.3016], [-0.1227, 0.1366, 0.3082]],
    [[-0.2982, 0.2398, 0.0650], [0.1740, 0.0829, 0.3248]],
]
PUBLISHED_BIAS = [-0.0893, -0.3084, -0.1192, -0.3725]
PUBLISHED_OUTPUT = [
    [1.0425, -0.1738, 0.2711, 0.2394],
    [1.0289, -0.1572, 0.2871, 0.2293],
    [1.0040, -0.1421, 0.2989, 0.2131],
    [0.9679, -0.1288, 0.3066, 0.1908],
    [0.9210, -0.1172, 0.3098, 0.1629],
]


def sine_and_cosine() -> Tensor:
    """The two-channel signal of the published table, shape (1, 2, 100)."""
    time = torch.linspace(0, 10, 100)
    return torch.stack([time.sin(), time.cos()])[None]


def published_example() -> Example:
    return Example(
        "A two-channel signal",
        'tapconv.Conv1d(2, 4, 3, padding="valid")',
        sine_and_cosine(),
        torch.tensor(PUBLISHED_WEIGHT),
        torch.tensor(PUBLISHED_BIAS),
        {"padding": "valid"},
    )


def units_from_published_table(output: Tensor) -> int:
    """How far the first five outputs of (1, 4, 98), rounded to four decimals as the table is, are from it at most: in
    units of the fourth decimal. The weights are rounded too, which moves an output by up to 2.6 units."""
    ours = (output[0, :, :5].T.double() * 1e4).round()
    return int((ours - (torch.tensor(PUBLISHED_OUTPUT, dtype=torch.float64) * 1e4).round()).abs().max().item())


def _random_example(
    title: str, input_shape: tuple[int, int, int], out_channels: int, kernel_size: int, **arguments: Any
) -> Example:
    generator = torch.Generator().manual_seed(len(title) + 7 * kernel_size + out_channels)
    in_channels = input_shape[1]
    module = tapconv.Conv1d(in_channels, out_channels, kernel_size, **arguments)
    described = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Example(
        title,
        f"tapconv.Conv1d({in_channels}, {out_channels}, {kernel_size}{', ' if described else ''}{described})",
        torch.randn(input_shape, generator=generator),
        torch.empty_like(module.weight, requires_grad=False).uniform_(-0.5, 0.5, generator=generator),
        torch.empty(out_channels).uniform_(-0.5, 0.5, generator=generator),
        arguments,
    )


def worked_examples() -> list[Example]:
    """The examples in the order of the report."""
    examples = [
        _random_example("One channel to 64", (10, 1, 100), 64, 3, padding=1),
        _random_example("A filter of five, as long as before", (128, 1, 100), 1, 5, padding=5 // 2),
        _random_example("Three channels to two", (128, 3, 100), 2, 5, padding=5 // 2),
        _random_example("Every second position", (20, 16, 50), 33, 3, stride=2),
        published_example(),
        _random_example("Depthwise, two filters per channel", (4, 6, 60), 12, 5, padding=2, groups=6),
        _random_example("Dilated", (4, 3, 60), 5, 3, dilation=4, padding="same"),
        _random_example("Causal: no look into the future", (4, 3, 60), 5, 4, padding="causal"),
    ]
    for padding_mode in ("zeros", "reflect", "replicate", "circular"):
        examples.append(
            _random_example(
                f"Padding mode {padding_mode}, left 3 and right 1",
                (4, 3, 40),
                5,
                4,
                padding=(3, 1),
                padding_mode=padding_mode,
            )
        )
    return examples


def compute(example: Example) -> ExampleResult:
    """Computes an example three ways, and its output length by the formula."""
    settings = {name: value for name, value in example.arguments.items() if name != "padding"}
    left_and_right = example.padding
    by_hand = conv1d_by_hand(
        example.input[0].tolist(),
        example.weight.tolist(),
        None if example.bias is None else example.bias.tolist(),
        padding=left_and_right,
        **settings,
    )
    return ExampleResult(
        example,
        tapconv.conv1d(example.input, example.weight, example.bias, **example.arguments),
        torch_conv1d(example.input, example.weight, example.bias, padding=left_and_right, **settings),
        torch.tensor(by_hand, dtype=torch.float64),
        output_length(
            example.input.shape[2],
            example.weight.shape[2],
            settings.get("stride", 1),
            left_and_right,
            settings.get("dilation", 1),
        ),
    )


def dot_product_in_words(result: ExampleResult, channel: int, position: int) -> str:
    """One output of a stride-1, undilated, unpadded example, written out as the dot product that it is."""
    example = result.example
    total = 0.0 if example.bias is None else example.bias[channel].item()
    terms = [f"{total:.4f}"]
    for c in range(example.weight.shape[1]):
        for k in range(example.weight.shape[2]):
            weight, sample = example.weight[channel, c, k].item(), example.input[0, c, position + k].item()
            terms.append(f"({weight:.4f})*({sample:.4f})")
            total += weight * sample
    return f"y[{channel}, {position}] = {' + '.join(terms)} = {total:.4f}"
