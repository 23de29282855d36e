"""Tensors that redefine torch's functions are asked first, whichever argument they are, as torch asks them."""

import contextlib
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from support import kernel_calls
from torch import Tensor, nn
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import tapconv

GENERATOR = torch.Generator().manual_seed(0)
SIGNAL, WEIGHT, BIAS = (torch.randn(shape, generator=GENERATOR) for shape in ((2, 4, 20), (4, 4, 3), (4,)))


class Redefined(Tensor):
    """Says which functions it is asked about, and has torch's convolutions give something else."""

    asked: ClassVar[list] = []
    rules: ClassVar[dict] = {}

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.asked.append(func)
        if func in cls.rules:
            return cls.rules[func]
        return super().__torch_function__(func, types, args, kwargs or {})


# Made before tapconv.enable() is called, as the tables of libraries are.
Redefined.rules = {torch.conv1d: "a convolution", torch.conv_transpose1d: "a transposed one"}


@pytest.fixture(autouse=True)
def forget():
    Redefined.asked.clear()


@pytest.fixture
def process_wide():
    tapconv.enable()
    yield
    tapconv.disable()


@pytest.fixture(params=["input", "weight", "bias"])
def tensors(request):
    """One of the three redefines torch's functions."""
    tensors = {"input": SIGNAL, "weight": WEIGHT, "bias": BIAS}
    tensors[request.param] = tensors[request.param].as_subclass(Redefined)
    return list(tensors.values())


def module_with(make, tensors):
    module = make(4, 4, 3).eval()
    module.weight, module.bias = (nn.Parameter(tensor, requires_grad=False) for tensor in tensors[1:])
    return module


MODULES = {
    "own": tapconv.Conv1d,
    "own transposed": tapconv.ConvTranspose1d,
    "own, direct": lambda *sizes: tapconv.Conv1d(*sizes, algorithm="direct"),
    "converted": lambda *sizes: tapconv.convert(nn.Conv1d(*sizes)),
    "converted transposed": lambda *sizes: tapconv.convert(nn.ConvTranspose1d(*sizes)),
    "plain": nn.Conv1d,
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name, tensors):
    module = module_with(MODULES[name], tensors)
    assert module(tensors[0]) == ("a transposed one" if "transposed" in name else "a convolution")


def test_a_packed_module(tensors):
    module = tapconv.Conv1d(4, 4, 3).eval().pack()
    if type(tensors[0]) is Redefined:
        assert module(tensors[0]) == "a convolution"
    else:
        parameters = dict(zip(("weight", "bias"), tensors[1:], strict=True))
        assert torch.func.functional_call(module, parameters, tensors[0]) == "a convolution"


@pytest.mark.parametrize("way", ["function", "mode", "process"])
def test_functions(way, tensors, request):
    if way == "process":
        request.getfixturevalue("process_wide")
    functions = (tapconv.conv1d, tapconv.conv_transpose1d) if way == "function" else (F.conv1d, F.conv_transpose1d)
    input, weight, bias = tensors
    with tapconv.enabled() if way == "mode" else contextlib.nullcontext():
        for call in (lambda f: f(*tensors), lambda f: f(input, bias=bias, weight=weight, padding=1)):
            assert [call(function) for function in functions] == ["a convolution", "a transposed one"]
    if way == "process":
        assert all(asked is function for asked, function in zip(Redefined.asked, functions * 2, strict=True))


@pytest.mark.parametrize(
    "arguments", [{"padding": "causal"}, {"padding": (2, 1)}, {"padding": 2, "padding_mode": "circular"}]
)
def test_paddings_that_torch_lacks(arguments):
    """Are torch's padding ahead of torch's convolution."""
    for tensors, functions in (
        ((SIGNAL, WEIGHT.as_subclass(Redefined)), [torch.conv1d]),
        ((SIGNAL.as_subclass(Redefined), WEIGHT), [F.pad, torch.conv1d]),
    ):
        Redefined.asked.clear()
        assert tapconv.conv1d(*tensors, **arguments) == "a convolution"
        assert [asked for asked in Redefined.asked if asked in (F.pad, torch.conv1d)] == functions


class Named(Tensor):
    """Redefines nothing."""


def test_kinds_without_rules():
    with kernel_calls() as calls:
        output = tapconv.conv1d(SIGNAL.as_subclass(Named), WEIGHT, BIAS)
    assert type(output) is Named and calls.forward == 1 and not calls.by_torch


def test_modes_are_no_kinds():
    with torch.device("cpu"), kernel_calls() as calls:
        tapconv.conv1d(SIGNAL, nn.Parameter(WEIGHT), BIAS)
    assert calls.forward == 1 and not calls.by_torch


def test_as_an_attribute_of_a_class(process_wide):
    """torch's functions are no methods."""

    class Holds:
        convolution, transposed = torch.conv1d, F.conv_transpose1d

    torch.testing.assert_close(Holds().convolution(SIGNAL, WEIGHT), tapconv.conv1d(SIGNAL, WEIGHT))
    torch.testing.assert_close(Holds().transposed(SIGNAL, WEIGHT), tapconv.conv_transpose1d(SIGNAL, WEIGHT))


WAYS = {
    "own": lambda **arguments: tapconv.Conv1d(4, 6, 3, **arguments),
    "converted": lambda **arguments: tapconv.convert(nn.Conv1d(4, 6, 3, **arguments)),
    "mode": lambda **arguments: nn.Conv1d(4, 6, 3, **arguments),
    "process": lambda **arguments: nn.Conv1d(4, 6, 3, **arguments),
}
ARGUMENTS = [{}, {"padding": 2, "stride": 2}, {"padding": "same", "dilation": 2, "groups": 2}]
ARGUMENTS += [{"padding": 1, "padding_mode": "reflect"}, {"padding": "valid", "bias": False}]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_per_sample_gradients(way, arguments, request):
    """torch's expanded weights: tensors that give each sample its gradient."""
    theirs = nn.Conv1d(4, 6, 3, **arguments)
    module = WAYS[way](**arguments)
    module.load_state_dict(theirs.state_dict())
    call_for_per_sample_grads(theirs)(SIGNAL).square().sum().backward()
    if way == "process":
        request.getfixturevalue("process_wide")
    with tapconv.enabled() if way == "mode" else contextlib.nullcontext():
        call_for_per_sample_grads(module)(SIGNAL).square().sum().backward()
    for ours, torchs in zip(module.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours.grad_sample, torchs.grad_sample)
