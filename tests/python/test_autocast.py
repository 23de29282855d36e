"""Autocast: the same types as torch.conv1d, and sums in float32."""

import pytest
import torch
from support import Problem

import tapconv


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("padding", [1, "same", "causal", (2, 0)])
def test_autocast_casts_to_its_type(dtype, padding, device):
    problem = Problem((2, 4, 30), 6, 3, padding=padding)
    input, weight, bias = problem.tensors()
    weight.requires_grad_()
    with torch.autocast(device, dtype=dtype):
        output = tapconv.conv1d(input, weight, bias, padding=padding)
        assert output.dtype == dtype
        inside = tapconv.Conv1d(4, 6, 3, padding=padding)(input)
        assert inside.dtype == dtype
    expected = tapconv.conv1d(input.to(dtype), weight.to(dtype), bias.to(dtype), padding=padding)
    assert torch.equal(output, expected)
    output.float().sum().backward()
    assert weight.grad.dtype == torch.float32


def test_autocast_leaves_double_alone_as_torch_does(device):
    input, weight, bias = Problem((2, 4, 30), 6, 3).tensors(torch.float64)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert tapconv.conv1d(input, weight, bias).dtype == torch.conv1d(input, weight, bias).dtype


def test_autocast_mixes_types_as_torch_does(device):
    input, weight, bias = Problem((2, 4, 30), 6, 3).tensors()
    with torch.autocast(device, dtype=torch.bfloat16):
        output = tapconv.conv1d(input.bfloat16(), weight, bias)
        expected = torch.conv1d(input.bfloat16(), weight, bias)
    torch.testing.assert_close(output, expected, rtol=0.02, atol=0.02)


def test_autocast_switched_off_inside(device):
    input, weight, bias = Problem((2, 4, 30), 6, 3).tensors()
    with torch.autocast(device, dtype=torch.bfloat16), torch.autocast(device, enabled=False):
        assert tapconv.conv1d(input, weight, bias).dtype == torch.float32
