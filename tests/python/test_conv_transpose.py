"""`tapconv.conv_transpose1d` against torch's: results in every type and layout, and errors."""

import itertools

import pytest
import torch
from support import DTYPES, assert_within_bound
from transposed_problems import EDGES, Problem, outcome

import tapconv

pytestmark = pytest.mark.usefixtures("device")


CHANNELS = [(3, 5, 1), (4, 6, 2), (3, 3, 3), (3, 6, 3), (1, 1, 1)]


def problems(channels) -> list[Problem]:
    """Strides with every output_padding, dilations, kernels shorter and longer than the stride, odd lengths."""
    grid = [
        Problem(channels, kernel_size, stride, padding, output_padding, dilation, length)
        for stride, dilation, kernel_size, padding, length in itertools.product(
            (1, 2, 3), (1, 3), (1, 2, 3, 7), (0, 1, 3), (1, 2, 9)
        )
        for output_padding in range(stride)
    ]
    return [problem for problem in grid if problem.output_length >= 1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_exact_on_small_integers(channels, dtype, threads):
    """Every sum fits into every type, so that all orders of summation give the same."""
    threads(1)  # thousands of tiny problems: waking threads for each would be most of the time
    for problem in problems(channels):
        input, weight, bias = problem.tensors(dtype, integers=True)
        expected = torch.conv_transpose1d(input.double(), weight.double(), bias.double(), *problem.arguments)
        output = tapconv.conv_transpose1d(input, weight, bias, *problem.arguments)
        assert output.dtype == dtype and output.is_contiguous()
        assert output.shape[-1] == problem.output_length
        assert torch.equal(output.double(), expected), problem


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", EDGES, ids=str)
def test_within_the_bound(problem, dtype):
    """Against torch in double precision. No bias, which is added to the rounded sum."""
    input, weight, _ = problem.tensors(dtype)
    arguments = (None, *problem.arguments)
    expected = torch.conv_transpose1d(input.double(), weight.double(), *arguments)
    magnitude = torch.conv_transpose1d(input.double().abs(), weight.double().abs(), *arguments)
    assert_within_bound(tapconv.conv_transpose1d(input, weight, *arguments), expected, magnitude, "auto")


def test_any_memory_layout():
    problem = Problem((4, 6, 2), 3, 2, 1, 1)
    input, weight, bias = problem.tensors(torch.float64)
    expected = torch.conv_transpose1d(input, weight, bias, *problem.arguments)
    channels_last = input.transpose(1, 2).contiguous().transpose(1, 2)
    spread = torch.zeros(2, 4, 27, dtype=torch.float64)[:, :, ::3].copy_(input)
    for layout in (channels_last, spread):
        assert not layout.is_contiguous()
        flipped = weight.transpose(0, 2).contiguous().transpose(0, 2)
        torch.testing.assert_close(tapconv.conv_transpose1d(layout, flipped, bias, *problem.arguments), expected)
    one = input[:1, :1].expand(2, 4, 9)
    torch.testing.assert_close(
        tapconv.conv_transpose1d(one, weight, bias, *problem.arguments),
        torch.conv_transpose1d(one, weight, bias, *problem.arguments),
    )


def test_arguments_are_left_alone():
    tensors = Problem((3, 5, 1), 3, 2).tensors(torch.float32)
    copies = [tensor.clone() for tensor in tensors]
    tapconv.conv_transpose1d(*tensors, stride=2)
    assert all(torch.equal(tensor, copied) for tensor, copied in zip(tensors, copies, strict=True))


# What the kernels do not take, torch computes.
@pytest.mark.parametrize(
    ("dtype", "arguments"),
    [(torch.complex64, ()), (torch.float32, (2, 0, 2, 1, 3)), (torch.float32, (1, 0, 1, 1, 2))],
    ids=["complex", "output_padding as long as the stride", "output_padding with stride 1"],
)
def test_left_to_torch(dtype, arguments):
    input, weight, bias = (torch.randn(shape, dtype=dtype) for shape in ((2, 3, 9), (3, 5, 3), (5,)))
    assert outcome(tapconv.conv_transpose1d, input, weight, bias, *arguments) == outcome(
        torch.conv_transpose1d, input, weight, bias, *arguments
    )
    if not isinstance(outcome(torch.conv_transpose1d, input, weight, bias, *arguments)[0], type):
        torch.testing.assert_close(
            tapconv.conv_transpose1d(input, weight, bias, *arguments),
            torch.conv_transpose1d(input, weight, bias, *arguments),
        )


X, W, B = torch.zeros(2, 4, 9), torch.zeros(4, 3, 3), torch.zeros(3)
WRONG_CALLS = {
    "channels do not fit": (X, torch.zeros(5, 3, 3)),
    "in_channels not divisible by groups": (X, W, None, 1, 0, 0, 3),
    "groups zero": (X, W, None, 1, 0, 0, 0),
    "groups negative": (X, W, None, 1, 0, 0, -1),
    "groups near 2^63": (X, W, None, 1, 0, 0, 2**63 - 1),
    "stride zero": (X, W, None, 0),
    "stride negative": (X, W, None, -1),
    "two strides": (X, W, None, (1, 2)),
    "no stride": (X, W, None, ()),
    "padding negative": (X, W, None, 1, -1),
    "two paddings": (X, W, None, 1, (1, 1)),
    "padding cuts everything off": (X, W, None, 1, 6),
    "padding near 2^62": (X, W, None, 1, 2**62),
    "output_padding negative": (X, W, None, 2, 0, -1),
    "output_padding longer than stride and dilation": (X, W, None, 2, 0, 5),
    "two output_paddings": (X, W, None, 2, 0, (1, 1)),
    "dilation zero": (X, W, None, 1, 0, 0, 1, 0),
    "two dilations": (X, W, None, 1, 0, 0, 1, (1, 2)),
    "bias of wrong length": (X, W, torch.zeros(4)),
    "bias of two dimensions": (X, W, torch.zeros(3, 1)),
    "bias of another type": (X, W, B.double()),
    "weight of another type": (X, W.double()),
    "weight of two dimensions": (X, torch.zeros(4, 3)),
    "weight of four dimensions": (X, torch.zeros(4, 3, 3, 1)),
    "input of one dimension": (torch.zeros(9), W),
    "input of four dimensions": (torch.zeros(1, 2, 4, 9), W),
    "integer input": (X.long(), W),
    "empty kernel": (X, torch.zeros(4, 3, 0)),
}


@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize("name", WRONG_CALLS)
def test_same_error_as_torch(name, differentiable):
    input, weight, *others = WRONG_CALLS[name]
    if differentiable:
        weight = weight.clone().requires_grad_()
    theirs = outcome(torch.conv_transpose1d, input, weight, *others)
    assert isinstance(theirs[0], type), f"torch accepts this call and gives the shape {theirs}"
    for function in (tapconv.conv_transpose1d, torch.ops.tapconv.conv_transpose1d):
        assert outcome(function, input, weight, *others) == theirs


@pytest.mark.parametrize("shape", [(0, 4, 9), (2, 4, 0), (2, 0, 9)])
def test_empty_input(shape):
    input, weight = torch.zeros(shape), torch.zeros(shape[1], 3, 3)
    assert outcome(tapconv.conv_transpose1d, input, weight, B) == outcome(torch.conv_transpose1d, input, weight, B)
