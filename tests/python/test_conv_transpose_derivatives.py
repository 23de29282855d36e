"""Derivatives of `tapconv.conv_transpose1d`, by autograd and by `torch.func`, against torch's."""

import itertools
import warnings

import pytest
import torch
from torch.func import functionalize, grad, jacfwd, jacrev, jvp, vmap
from transposed_problems import EDGES, Problem

import tapconv

pytestmark = pytest.mark.usefixtures("device")


GRADIENT_PROBLEMS = [
    Problem((2, 3, 1), 3, 2, 1, 1, length=4),
    Problem((2, 4, 2), 2, 3, 0, 2, 2, length=3),
    Problem((3, 3, 3), 4, 1, 2, length=5),
    Problem((2, 2, 1), 1, 2, length=3),
    Problem((2, 3, 1), 3, 2, 1, 1, length=4, batch=None),
]


@pytest.mark.parametrize("problem", GRADIENT_PROBLEMS, ids=str)
def test_derivatives(problem):
    tensors = [tensor.requires_grad_() for tensor in problem.tensors(torch.float64)]

    def function(*tensors):
        return tapconv.conv_transpose1d(*tensors, *problem.arguments)

    assert torch.autograd.gradcheck(function, tensors, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("needed", list(itertools.product([False, True], repeat=3)))
def test_gradients_match_torch(needed):
    problem = Problem((4, 6, 2), 5, 2, 2, 1, length=21)
    gradients = []
    for function in (tapconv.conv_transpose1d, torch.conv_transpose1d):
        torch.manual_seed(0)
        tensors = [t.requires_grad_(n) for t, n in zip(problem.tensors(torch.float64), needed, strict=True)]
        output = function(*tensors, *problem.arguments)
        assert output.requires_grad == any(needed)
        if any(needed):
            output.square().sum().backward()
        gradients.append([tensor.grad for tensor in tensors])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("problem", EDGES, ids=str)
def test_runs_on_the_kernels(problem):
    """Forward and backward: no convolution of torch's is called."""
    tensors = [tensor.requires_grad_() for tensor in problem.tensors(torch.float32)]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        tapconv.conv_transpose1d(*tensors, *problem.arguments).sum().backward()
    called = {event.name for event in profile.events()}
    assert {"tapconv::conv1d_grad_input", "tapconv::conv1d", "tapconv::conv1d_grad_weight"} <= called
    assert not any("conv" in name and not name.lower().startswith(("tapconv", "autograd::")) for name in called)


@pytest.mark.parametrize("unbatched", [False, True])
@pytest.mark.parametrize("in_dims", [dims for dims in itertools.product((0, None), repeat=3) if 0 in dims])
def test_vmap(in_dims, unbatched):
    problem = Problem((4, 6, 2), 3, 2, 1, 1, batch=None if unbatched else 2)
    tensors = [
        tensor if dim is None else torch.stack([tensor, tensor + 1, -tensor])
        for tensor, dim in zip(problem.tensors(torch.float64), in_dims, strict=True)
    ]

    def mapped(function):
        return vmap(lambda *t: function(*t, *problem.arguments), in_dims)(*tensors)

    def mapped_gradients(function):
        return vmap(grad(lambda *t: function(*t, *problem.arguments).sin().sum(), (0, 1, 2)), in_dims)(*tensors)

    for transform in (mapped, mapped_gradients):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            output = transform(tapconv.conv_transpose1d)
        torch.testing.assert_close(output, transform(torch.conv_transpose1d))


@pytest.mark.parametrize("argument", [0, 1, 2])
def test_transforms_of_one_argument(argument):
    problem = Problem((2, 3, 1), 3, 2, 1, length=5)
    tensors = problem.tensors(torch.float64)
    tangent = torch.randn_like(tensors[argument])

    def results(function):
        def alone(tensor):
            return function(*tensors[:argument], tensor, *tensors[argument + 1 :], *problem.arguments).sin()

        tensor = tensors[argument]
        return (
            jvp(alone, (tensor,), (tangent,)),
            jacrev(alone)(tensor),
            jacfwd(alone)(tensor),
            functionalize(alone)(tensor),
        )

    torch.testing.assert_close(results(tapconv.conv_transpose1d), results(torch.conv_transpose1d))
