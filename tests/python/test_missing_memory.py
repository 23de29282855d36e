"""Tensors whose storage was freed or cut, as FSDP does with parameters between their uses, raise and are not read."""

import pytest
import torch

import tapconv

OPERATORS = torch.ops.tapconv


def tensors():
    return {
        "input": torch.randn(2, 4, 40),
        "weight": torch.randn(6, 4, 3),
        "bias": torch.randn(6),
        "grad_output": torch.randn(2, 6, 38),
        "transposed": torch.randn(4, 6, 3),
        "out": torch.empty(2, 6, 38),
        "long": torch.randn(6, 4, 400),
        "long_input": torch.randn(2, 4, 4000),
    }


def packed_call(t, **changed):
    packed = tapconv.pack_weight(t["weight"])
    return tapconv.conv1d_packed(t["input"], packed, t["weight"].shape, t["bias"], **changed)


# Each with the tensors that it reads or writes.
CALLS = {
    "conv1d": (lambda t: tapconv.conv1d(t["input"], t["weight"], t["bias"]), ["input", "weight", "bias"]),
    "conv1d with out": (lambda t: tapconv.conv1d(t["input"], t["weight"], out=t["out"]), ["input", "weight", "out"]),
    "large transforms": (
        lambda t: tapconv.conv1d(t["long_input"], t["long"], algorithm="fft"),
        ["long_input", "long"],
    ),
    "conv_transpose1d": (lambda t: tapconv.conv_transpose1d(t["input"], t["transposed"]), ["input", "transposed"]),
    "grad_input": (
        lambda t: OPERATORS.conv1d_grad_input(t["grad_output"], t["weight"], 40),
        ["grad_output", "weight"],
    ),
    "grad_weight": (
        lambda t: OPERATORS.conv1d_grad_weight(t["grad_output"], t["input"], 3),
        ["grad_output", "input"],
    ),
    "grad_weight_bias": (
        lambda t: OPERATORS.conv1d_grad_weight_bias(t["grad_output"], t["input"], 3),
        ["grad_output", "input"],
    ),
    "pack_weight": (lambda t: tapconv.pack_weight(t["weight"]), ["weight"]),
    "conv1d_packed": (packed_call, ["input", "bias"]),
}


@pytest.mark.parametrize("left", [0, 8])
@pytest.mark.parametrize(("call", "name"), [(call, name) for call, (_, names) in CALLS.items() for name in names])
def test_a_storage_that_was_freed_or_cut(call, name, left):
    operands = tensors()
    run, _ = CALLS[call]
    expected = run({key: value.clone() for key, value in operands.items()})
    storage = operands[name].untyped_storage()
    size = storage.nbytes()
    values = operands[name].clone()
    storage.resize_(left)
    with pytest.raises(RuntimeError):
        run(operands)
    # What gets its memory back works again.
    storage.resize_(size)
    operands[name].copy_(values)
    torch.testing.assert_close(run(operands), expected)


def test_the_words():
    input, weight = torch.randn(1, 2, 20), torch.randn(3, 2, 3)
    weight.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"expected weight to have the memory .* 72 bytes, but its storage has 0\."):
        tapconv.conv1d(input, weight)


def test_a_packed_weight_without_memory():
    input, weight = torch.randn(1, 2, 20), torch.randn(3, 2, 3)
    packed = tapconv.pack_weight(weight)
    packed.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="expected packed to have the memory"):
        tapconv.conv1d_packed(input, packed, weight.shape)


def test_an_empty_batch_needs_no_memory():
    input, weight = torch.randn(0, 2, 20), torch.randn(3, 2, 3)
    assert tapconv.conv1d(input, weight).shape == (0, 3, 18)


def test_views_of_a_part_are_measured_by_what_they_reach():
    memory = torch.randn(200)
    view = memory[100:140].view(1, 2, 20)
    memory.untyped_storage().resize_(140 * 4)
    weight = torch.randn(3, 2, 3)
    torch.testing.assert_close(tapconv.conv1d(view, weight), torch.conv1d(view, weight))
    memory.untyped_storage().resize_(140 * 4 - 1)
    with pytest.raises(RuntimeError, match="expected input to have the memory"):
        tapconv.conv1d(view, weight)
