"""An output depends on what it sees: numbers of very different size side by side, by every algorithm, both ways.
Zeros, whole numbers, impulses and filters of single taps are exact, as with torch. docs/algorithms.md has the bound.
"""

from __future__ import annotations

import pytest
import torch
from support import (
    PATTERNS,
    assert_locally_accurate,
    local_roundings,
    pattern,
    seen_by_input_gradient,
    seen_by_output,
    seen_by_weight_gradient,
)
from torch.nn import functional as F

import tapconv

# (batch, in_channels, length), out_channels, kernel_size, stride, padding, dilation, groups. Between them they reach
# Winograd's and Fourier tiles of every size and blocking, tiles of depthwise filters with one part and several, filter
# banks, dilated and strided rows, segments that lack a tap, and overlap-save.
LAYERS = {
    "winograd": ((2, 64, 500), 64, 3, 1, (1, 1), 1, 1),
    "winograd_two_taps": ((1, 64, 300), 64, 4, 2, (1, 1), 1, 1),
    "dilated_three_taps": ((1, 64, 600), 48, 3, 1, (4, 4), 4, 1),
    "five_taps": ((2, 32, 400), 64, 5, 1, (2, 2), 1, 1),
    "eleven_taps": ((1, 64, 700), 64, 11, 1, (10, 0), 1, 1),
    "few_tiles": ((1, 128, 60), 128, 9, 1, (4, 4), 1, 1),
    "strided": ((1, 16, 900), 32, 15, 4, (7, 7), 1, 1),
    "grouped": ((2, 32, 300), 32, 16, 1, (8, 7), 1, 4),
    "dilated": ((1, 12, 900), 24, 21, 1, (40, 40), 4, 1),
    "forty_taps": ((1, 8, 1000), 32, 40, 1, (0, 0), 1, 1),
    "filter_bank": ((1, 1, 3000), 40, 251, 1, (125, 125), 1, 1),
    "depthwise_one_part": ((2, 20, 1500), 20, 120, 1, (119, 0), 1, 20),
    "depthwise_many_parts": ((1, 18, 2500), 18, 700, 1, (699, 0), 1, 18),
    "overlap_save": ((1, 1, 20000), 1, 1024, 1, (1023, 0), 1, 1),
    "overlap_save_channels": ((1, 2, 6000), 3, 400, 1, (0, 0), 1, 1),
    "overlap_save_strided": ((1, 1, 9000), 2, 301, 2, (150, 150), 3, 1),
}


def tensors(layer: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, dict]:
    """Input, weight, and the other arguments of the layer."""
    shape, out_channels, kernel_size, stride, padding, dilation, groups = LAYERS[layer]
    torch.manual_seed(len(layer))
    weight = torch.randn(out_channels, shape[1] // groups, kernel_size) / (shape[1] // groups * kernel_size) ** 0.5
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return torch.randn(shape).to(dtype), weight.to(dtype), arguments


def output_like(input: torch.Tensor, weight: torch.Tensor, arguments: dict) -> torch.Tensor:
    """Random numbers in the shape and type of the output."""
    reach = (weight.shape[-1] - 1) * arguments["dilation"] + 1
    length = (input.shape[-1] + sum(arguments["padding"]) - reach) // arguments["stride"] + 1
    return torch.randn(len(input), len(weight), length).to(input.dtype)


def reference(input: torch.Tensor, weight: torch.Tensor, arguments: dict) -> torch.Tensor:
    rest = {key: value for key, value in arguments.items() if key != "padding"}
    input, weight = F.pad(input.double(), arguments["padding"]), weight.double()
    if weight.shape[1] * 20 < weight.shape[-1] and rest["stride"] == rest["dilation"] == 1:
        return in_phases(input, weight, rest["groups"])
    return torch.conv1d(input, weight, **rest)


def in_phases(input: torch.Tensor, weight: torch.Tensor, groups: int, phases: int = 32) -> torch.Tensor:
    """torch.conv1d of a long filter, a matrix product instead of a huge one with a vector, which takes many times as
    long: every `phases` neighbouring samples become channels. The sums are plain ones, of the same products and of
    products with zero."""
    out_channels, kernel_size = weight.shape[0], weight.shape[-1]
    outputs = input.shape[-1] - kernel_size + 1
    taps = -(-(kernel_size + phases - 1) // phases)
    columns = -(-outputs // phases)
    input = F.pad(input, (0, (columns - 1 + taps) * phases - input.shape[-1]))
    channels = input.unflatten(-1, (-1, phases)).movedim(-1, 2).flatten(1, 2)
    of_output, of_input, of_tap = torch.arange(phases), torch.arange(phases), phases * torch.arange(taps)
    tap = of_tap + of_input[:, None] - of_output[:, None, None] + phases - 1
    padded = F.pad(weight, (phases - 1, int(tap.max()) + 1 - (kernel_size + phases - 1)))
    filters = padded[..., tap].movedim(2, 1).flatten(0, 1).flatten(1, 2)
    output = torch.conv1d(channels, filters, groups=groups)
    return output.unflatten(1, (out_channels, phases)).movedim(2, -1).flatten(-2)[..., :outputs]


def test_phases():
    for groups in (1, 2):
        input, weight = torch.randn(2, 4, 500).double(), torch.randn(6, 4 // groups, 77).double()
        torch.testing.assert_close(in_phases(input, weight, groups), torch.conv1d(input, weight, groups=groups))


def check_all_directions(input, weight, grad_output, arguments, algorithm="auto") -> None:
    leaves = [tensor.clone().requires_grad_() for tensor in (input, weight)]
    output = tapconv.conv1d(*leaves, **arguments, algorithm=algorithm)
    gradients = torch.autograd.grad(output, leaves, grad_output)
    wide = [tensor.double().requires_grad_() for tensor in (input, weight)]
    exact = reference(*wide, arguments)
    exact_gradients = torch.autograd.grad(exact, wide, grad_output.double())
    bound = local_roundings(input.dtype)
    seen = seen_by_output(input, weight, **arguments)
    assert_locally_accurate(output.detach(), exact.detach(), seen, bound)
    seen = seen_by_input_gradient(grad_output, weight, input.shape[-1], **arguments)
    assert_locally_accurate(gradients[0], exact_gradients[0], seen, bound)
    seen = seen_by_weight_gradient(grad_output, input, weight.shape[-1], **arguments)
    assert_locally_accurate(gradients[1], exact_gradients[1], seen, bound)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("layer", LAYERS)
def test_uneven_samples(layer, name):
    input, weight, arguments = tensors(layer, torch.float32)
    input = pattern(name, input)
    grad_output = output_like(input, weight, arguments)
    check_all_directions(input, weight, grad_output, arguments)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("layer", LAYERS)
def test_uneven_output_gradients(layer, name):
    input, weight, arguments = tensors(layer, torch.float32)
    grad_output = pattern(name, output_like(input, weight, arguments))
    check_all_directions(input, weight, grad_output, arguments)


@pytest.mark.parametrize("name", ["a click", "masked by -1e9", "growth"])
@pytest.mark.parametrize(
    ("layer", "algorithm"),
    [(layer, "fft") for layer in LAYERS] + [(layer, "winograd") for layer in LAYERS if "winograd" in layer],
)
def test_named_algorithms(layer, name, algorithm):
    input, weight, arguments = tensors(layer, torch.float32)
    input = pattern(name, input)
    grad_output = output_like(input, weight, arguments)
    check_all_directions(input, weight, grad_output, arguments, algorithm)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("name", ["masked by 2e2", "a click", "an impulse"])
@pytest.mark.parametrize("layer", LAYERS)
def test_other_types(layer, name, dtype):
    input, weight, arguments = tensors(layer, dtype)
    input = pattern(name, input)
    grad_output = output_like(input, weight, arguments) / 64
    check_all_directions(input, weight, grad_output, arguments)


@pytest.mark.parametrize("layer", ["five_taps", "eleven_taps", "grouped", "depthwise_one_part"])
def test_one_loud_channel(layer):
    input, weight, arguments = tensors(layer, torch.float32)
    input[:, -1] *= 1e6
    grad_output = output_like(input, weight, arguments)
    grad_output[:, -1] *= 1e6
    check_all_directions(input, weight, grad_output, arguments)


@pytest.mark.parametrize("name", ["masked by -1e9", "a click", "an impulse"])
@pytest.mark.parametrize("layer", ["winograd", "eleven_taps", "few_tiles", "forty_taps"])
def test_packed_weights(layer, name):
    input, weight, arguments = tensors(layer, torch.float32)
    input = pattern(name, input)
    shape = {key: arguments[key] for key in ("stride", "dilation", "groups")}
    packed = tapconv.pack_weight(weight, input_length=input.shape[-1], **shape)
    with torch.inference_mode():
        output = tapconv.conv1d_packed(input, packed, weight.shape, **arguments)
    assert_locally_accurate(output, reference(input, weight, arguments), seen_by_output(input, weight, **arguments))


@pytest.mark.parametrize("layer", LAYERS)
def test_whole_numbers_are_exact(layer):
    input, weight, arguments = tensors(layer, torch.float32)
    input, weight = torch.randint_like(input, -4, 5), torch.randint_like(weight, -3, 4)
    leaves = [tensor.clone().requires_grad_() for tensor in (input, weight)]
    output = tapconv.conv1d(*leaves, **arguments)
    grad_output = torch.randint_like(output, -2, 3)
    wide = [tensor.double().requires_grad_() for tensor in (input, weight)]
    exact = reference(*wide, arguments)
    assert torch.equal(output.double(), exact)
    gradients = torch.autograd.grad(output, leaves, grad_output)
    exact_gradients = torch.autograd.grad(exact, wide, grad_output.double())
    assert all(torch.equal(ours.double(), theirs) for ours, theirs in zip(gradients, exact_gradients, strict=True))


def test_counts_matches_and_masks():
    ones = tapconv.conv1d(torch.ones(1, 1, 20000), torch.ones(1, 1, 1024))
    assert (ones == 1024).all()
    bases = torch.randint(0, 4, (1, 20000))
    dna = F.one_hot(bases, 4).float().movedim(-1, 1)
    motifs = torch.stack([dna[0, :, at : at + 12] for at in range(0, 64 * 100, 100)])
    score = tapconv.conv1d(dna, motifs, algorithm="fft")
    assert torch.equal(score, torch.conv1d(dna.double(), motifs.double()).float())
    assert (score == 12).sum() >= 64
    mask = (torch.rand(1, 1, 10000) < 0.001).float()
    for taps in (5, 101, 1001):
        filters = torch.ones(1, 1, taps)
        ours = tapconv.conv1d(mask, filters, padding=taps // 2, algorithm="fft")
        assert torch.equal(ours > 0, torch.conv1d(mask, filters, padding=taps // 2) > 0)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_filter_of_single_taps_copies(layer):
    input, weight, arguments = tensors(layer, torch.float32)
    kernel_size = weight.shape[-1]
    weight.zero_()
    for o in range(len(weight)):
        weight[o, o % weight.shape[1], (7 * o + kernel_size // 2) % kernel_size] = 1 + o % 3
    rest = {key: value for key, value in arguments.items() if key != "padding"}
    expected = torch.conv1d(F.pad(input, arguments["padding"]), weight, **rest)
    assert torch.equal(tapconv.conv1d(input, weight, **arguments), expected)


@pytest.mark.parametrize("layer", LAYERS)
def test_receptive_fields_by_gradients(layer):
    input, weight, arguments = tensors(layer, torch.float32)
    leaf = input.clone().requires_grad_()
    output = tapconv.conv1d(leaf, weight, **arguments)
    wide = input.double().requires_grad_()
    exact = reference(wide, weight, arguments)
    for at in (0, output.shape[-1] // 2, output.shape[-1] - 1):
        (field,) = torch.autograd.grad(output[0, 0, at], leaf, retain_graph=True)
        (expected,) = torch.autograd.grad(exact[0, 0, at], wide, retain_graph=True)
        assert torch.equal(field != 0, expected != 0)


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_not_seen_does_not_count(layer):
    input, weight, arguments = tensors(layer, torch.float32)
    start = 2 * input.shape[-1] // 3
    # Positions before `start` alone.
    unseen = (start + arguments["padding"][0] - (weight.shape[-1] - 1) * arguments["dilation"]) // arguments["stride"]
    before = tapconv.conv1d(input, weight, **arguments)[..., : max(unseen, 0)]
    for loud in (1e9, float("inf"), float("nan")):
        other = input.clone()
        other[..., start:] = loud
        after = tapconv.conv1d(other, weight, **arguments)[..., : max(unseen, 0)]
        seen = seen_by_output(input, weight, **arguments)[..., : max(unseen, 0)]
        assert_locally_accurate(after, before.double(), 2 * seen)
    alone = input.clone()
    alone[..., :start] = 0
    assert (tapconv.conv1d(alone, weight, **arguments)[..., : max(unseen, 0)] == 0).all()
