"""torch.func: vmap over any argument, forward mode, Jacobians, and their combinations, all against torch.conv1d."""

import itertools
import warnings

import pytest
import torch
from support import Problem
from torch.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import tapconv

pytestmark = pytest.mark.usefixtures("device")

ARGUMENTS = {"stride": 2, "padding": 1, "dilation": 2}


def ours(input, weight, bias, groups=1):
    return tapconv.conv1d(input, weight, bias, groups=groups, **ARGUMENTS)


def theirs(input, weight, bias, groups=1):
    return torch.conv1d(input, weight, bias, groups=groups, **ARGUMENTS)


def assert_same(transform, *tensors):
    """The transform of both functions gives the same, and vmap never falls back to a loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # vmap says so when it falls back to a loop
        output = transform(ours)(*tensors)
    expected = transform(theirs)(*tensors)
    torch.utils._pytree.tree_map(torch.testing.assert_close, output, expected)


BATCHED = [dims for dims in itertools.product((0, None), repeat=3) if any(dim == 0 for dim in dims)]


def tensors_for(in_dims, groups, unbatched=False):
    shapes = ((4, 11) if unbatched else (2, 4, 11), (6, 4 // groups, 3), (6,))
    return [
        torch.randn(*(() if dim is None else (3,)), *shape, dtype=torch.float64)
        for dim, shape in zip(in_dims, shapes, strict=True)
    ]


@pytest.mark.parametrize("unbatched", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("in_dims", BATCHED)
def test_vmap(in_dims, groups, unbatched):
    tensors = tensors_for(in_dims, groups, unbatched)
    assert_same(lambda f: vmap(lambda *t: f(*t, groups), in_dims), *tensors)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("in_dims", BATCHED)
def test_vmap_of_grad(in_dims, groups):
    tensors = tensors_for(in_dims, groups)
    assert_same(lambda f: vmap(grad(lambda *t: f(*t, groups).sin().sum(), (0, 1, 2)), in_dims), *tensors)


def test_vmap_over_another_dimension_and_twice():
    input, weight, bias = Problem((2, 4, 11), 6, 3).tensors(torch.float64)
    inputs = torch.stack([input, input + 1, input - 1], -1)
    assert_same(lambda f: vmap(f, (3, None, None), out_dims=1), inputs, weight, bias)
    weights = torch.randn(5, *weight.shape, dtype=torch.float64)
    assert_same(lambda f: vmap(vmap(f, (None, 0, None)), (3, None, None)), inputs, weights, bias)


def test_vmap_over_nothing():
    input, weight, bias = Problem((2, 4, 11), 6, 3).tensors()
    nothing = input.new_empty(0, *input.shape)
    expected = vmap(torch.conv1d, (0, None, None))(nothing, weight, bias)
    assert vmap(tapconv.conv1d, (0, None, None))(nothing, weight, bias).shape == expected.shape


@pytest.mark.parametrize(
    ("padding", "padding_mode"), [("same", "zeros"), ("causal", "zeros"), ((2, 1), "reflect"), (2, "circular")]
)
def test_vmap_with_other_paddings(padding, padding_mode):
    inputs, weight = torch.randn(3, 2, 4, 11, dtype=torch.float64), torch.randn(6, 4, 3, dtype=torch.float64)

    def function(input):
        return tapconv.conv1d(input, weight, padding=padding, padding_mode=padding_mode)

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # vmap says so when it falls back to a loop
        output = vmap(function)(inputs)
    torch.testing.assert_close(output, torch.stack([function(input) for input in inputs]))


@pytest.mark.parametrize("argument", [0, 1, 2])
def test_derivatives_of_one_argument(argument):
    tensors = Problem((2, 2, 9), 3, 3).tensors(torch.float64)

    def alone(function, tensor):
        return function(*tensors[:argument], tensor, *tensors[argument + 1 :]).sin()

    tensor, tangent = tensors[argument], torch.randn_like(tensors[argument])
    assert_same(lambda f: lambda x: jvp(lambda t: alone(f, t), (x,), (tangent,)), tensor)
    assert_same(lambda f: jacrev(lambda t: alone(f, t)), tensor)
    assert_same(lambda f: jacfwd(lambda t: alone(f, t)), tensor)
    assert_same(lambda f: hessian(lambda t: alone(f, t).sum()), tensor)
    assert_same(lambda f: grad(lambda t: grad(lambda u: alone(f, u).sum())(t).square().sum()), tensor)
    assert_same(lambda f: functionalize(lambda t: alone(f, t)), tensor)


def test_vjp_and_jvp_together():
    tensors = Problem((2, 2, 9), 3, 3).tensors(torch.float64)
    tangents = tuple(torch.randn_like(tensor) for tensor in tensors)
    assert_same(lambda f: lambda *t: jvp(f, t, tangents), *tensors)
    grad_output = torch.randn_like(theirs(*tensors))
    assert_same(lambda f: lambda *t: vjp(f, *t)[1](grad_output), *tensors)
    assert_same(lambda f: lambda *t: jvp(lambda *u: vjp(f, *u)[1](grad_output), t, tangents), *tensors)


def test_gradient_of_each_sample():
    """The classic use of vmap(grad): one weight gradient per sample of a batch."""
    input, weight, bias = Problem((5, 2, 12), 3, 3).tensors(torch.float64)

    def loss(f, weight, sample):
        return f(sample, weight, bias).square().sum()

    assert_same(lambda f: lambda w, x: vmap(grad(lambda *a: loss(f, *a)), (None, 0))(w, x), weight, input)
