"""Derivatives: against finite differences, against torch, and the registration of the operators."""

import itertools

import pytest
import torch
from support import PADDING_MODES, Problem
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

import tapconv

pytestmark = pytest.mark.usefixtures("device")

conv1d = torch.ops.tapconv.conv1d

PROBLEMS = {
    "plain": Problem((2, 2, 7), 3, 3),
    "one tap": Problem((2, 2, 5), 3, 1),
    "padded": Problem((2, 2, 6), 2, 3, padding=1),
    "stride": Problem((1, 2, 9), 2, 3, stride=2, padding=1),
    "stride that leaves samples over": Problem((1, 2, 10), 2, 2, stride=3),
    "dilation": Problem((1, 2, 9), 2, 3, padding=2, dilation=2),
    "stride and dilation": Problem((1, 2, 11), 2, 3, stride=2, padding=3, dilation=2),
    "left and right": Problem((1, 2, 6), 2, 3, padding=(2, 0)),
    "same": Problem((1, 2, 6), 2, 4, padding="same"),
    "causal": Problem((1, 2, 6), 2, 3, padding="causal", dilation=2),
    "groups": Problem((2, 4, 6), 4, 3, padding=1, groups=2),
    "depthwise": Problem((2, 3, 6), 3, 3, padding=1, groups=3),
    "depthwise with multiplier": Problem((1, 2, 6), 6, 3, padding=1, groups=2),
    "unbatched": Problem((None, 2, 7), 3, 3, padding=1),
    "without bias": Problem((2, 2, 7), 3, 3, bias=False),
    "reflect": Problem((1, 2, 6), 2, 3, padding=(2, 1), padding_mode="reflect"),
    "replicate": Problem((1, 2, 6), 2, 3, padding=(0, 3), padding_mode="replicate"),
    "circular": Problem((1, 2, 6), 2, 3, padding=(3, 1), padding_mode="circular", stride=2),
}


def differentiable(problem):
    tensors = [tensor for tensor in problem.tensors(torch.float64) if tensor is not None]
    for tensor in tensors:
        tensor.requires_grad_()
    return tensors, lambda *t: tapconv.conv1d(*t, **problem.arguments)


@pytest.mark.parametrize("name", PROBLEMS)
def test_first_derivative(name):
    tensors, function = differentiable(PROBLEMS[name])
    assert gradcheck(function, tensors, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)


@pytest.mark.parametrize("name", PROBLEMS)
def test_second_derivative(name):
    tensors, function = differentiable(PROBLEMS[name])
    assert gradgradcheck(function, tensors, check_fwd_over_rev=True, check_batched_grad=True)


GROUPS = {"dense": (2, 3, 1), "groups": (4, 2, 2), "depthwise": (2, 2, 2), "multiplier": (2, 4, 2)}


def grid_of_kernel_size(kernel_size):
    """Every combination of attributes, on odd lengths; every fifth without a batch."""
    combinations = itertools.product(
        (1, 2, 3), (0, 1, (2, 0), "same", "causal"), PADDING_MODES, (1, 2), GROUPS.values()
    )
    for number, (stride, padding, mode, dilation, (in_channels, out_channels, groups)) in enumerate(combinations):
        if padding == "same" and stride > 1:
            continue
        batch = None if number % 5 == 0 else 1
        length = dilation * (kernel_size - 1) + (5 if dilation * (kernel_size - 1) % 2 == 0 else 4)
        shape = (batch, in_channels, length)
        yield Problem(shape, out_channels, kernel_size, stride, padding, dilation, groups, mode, number % 2 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("kernel_size", range(1, 10))
def test_first_and_second_derivatives_over_a_grid(kernel_size):
    for problem in grid_of_kernel_size(kernel_size):
        tensors, function = differentiable(problem)
        try:
            assert gradcheck(function, tensors, fast_mode=True)
            assert gradgradcheck(function, tensors, fast_mode=True)
        except Exception as error:
            raise AssertionError(f"{problem}") from error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_match_torch(name, dtype):
    problem = PROBLEMS[name]
    tensors = problem.tensors(dtype)
    results = []
    for function in (lambda *t: tapconv.conv1d(*t, **problem.arguments), problem.reference):
        wanted = [None if tensor is None else tensor.clone().requires_grad_() for tensor in tensors]
        output = function(*wanted)
        grad_output = torch.linspace(-1, 1, output.numel()).view(output.shape).to(dtype)
        leaves = [tensor for tensor in wanted if tensor is not None]
        results.append(torch.autograd.grad(output, leaves, grad_output))
    tolerance = {torch.bfloat16: 3e-2, torch.float16: 4e-3}.get(dtype)
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
def test_only_what_is_wanted(wanted):
    tensors = list(Problem((2, 3, 12), 4, 3, padding=1).tensors())
    for position in wanted:
        tensors[position].requires_grad_()
    tapconv.conv1d(*tensors, padding=1).sum().backward()
    assert [tensor.grad is not None for tensor in tensors] == [position in wanted for position in range(3)]


def test_no_graph_without_gradients():
    tensors = Problem((2, 3, 12), 4, 3).tensors()
    assert tapconv.conv1d(*tensors).grad_fn is None
    tensors[1].requires_grad_()
    with torch.no_grad():
        assert tapconv.conv1d(*tensors).grad_fn is None
    with torch.inference_mode():
        assert tapconv.conv1d(*tensors).is_inference()
    assert tapconv.conv1d(*tensors).grad_fn is not None


def test_changed_inputs_are_noticed():
    input, weight, bias = Problem((2, 3, 12), 4, 3).tensors()
    weight.requires_grad_()
    output = tapconv.conv1d(input, weight, bias)
    input += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_a_graph_is_freed_after_use():
    input, weight, bias = Problem((2, 3, 12), 4, 3).tensors()
    output = tapconv.conv1d(input, weight.requires_grad_(), bias).square().sum()
    output.backward()
    with pytest.raises(RuntimeError, match="second time"):
        output.backward()


def test_saved_tensor_hooks_and_checkpoints():
    tensors = [tensor.requires_grad_() for tensor in Problem((2, 3, 12), 4, 3, padding=1).tensors()]
    expected = torch.autograd.grad(tapconv.conv1d(*tensors, padding=1).square().sum(), tensors)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        hooked = torch.autograd.grad(tapconv.conv1d(*tensors, padding=1).square().sum(), tensors)
    output = torch.utils.checkpoint.checkpoint(lambda *t: tapconv.conv1d(*t, padding=1), *tensors, use_reentrant=False)
    for other in (hooked, torch.autograd.grad(output.square().sum(), tensors)):
        assert all(map(torch.equal, other, expected))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize(
    ("operator", "arguments", "named"),
    [
        (conv1d.default, ([2], [1], [1], 1), {}),
        (conv1d.default, ([1], [2, 0], [2], 2), {"padding_mode": "reflect", "algorithm": "direct"}),
        (conv1d.padding, ([1], "same", [1], 1), {}),
        (conv1d.padding, ([2], "causal", [1], 2), {"padding_mode": "circular"}),
        (conv1d.ints, (2, 1, 1, 1), {}),
        (conv1d.padding_ints, (2, "causal", 1, 2), {"padding_mode": "circular"}),
    ],
)
def test_opcheck(operator, arguments, named, requires_grad):
    groups = arguments[3]
    for shape in ((2, 4, 12), (4, 12)):
        tensors = [torch.randn(size, requires_grad=requires_grad) for size in (shape, (6, 4 // groups, 3), (6,))]
        opcheck(operator, (*tensors, *arguments), named)


def test_opcheck_of_out():
    input, weight, bias = Problem((2, 4, 12), 6, 3).tensors()
    opcheck(conv1d.out, (input, weight, bias), {"out": torch.empty(2, 6, 10)})


@pytest.mark.parametrize("requires_grad", [False, True])
def test_opcheck_of_the_gradients(requires_grad):
    input, weight, _ = Problem((2, 4, 12), 6, 3).tensors()
    grad_output = torch.randn(2, 6, 12)
    for tensor in (input, weight, grad_output):
        tensor.requires_grad_(requires_grad)
    opcheck(torch.ops.tapconv.conv1d_grad_input.default, (grad_output, weight, 12, [1], [1]))
    opcheck(torch.ops.tapconv.conv1d_grad_weight.default, (grad_output, input, 3, [1], [1]))
