"""A wrong call raises what the same call of torch raises: the same type, the same words."""

import pytest
import torch
from support import on_device

import tapconv

pytestmark = pytest.mark.usefixtures("device")

X, W, B = torch.zeros(2, 6, 20), torch.zeros(4, 6, 3), torch.zeros(4)

WRONG_CALLS = {
    "channels do not fit": (X, torch.zeros(4, 5, 3)),
    "channels do not fit the groups": (X, torch.zeros(4, 6, 3), None, 1, 0, 1, 2),
    "out_channels not divisible by groups": (X, torch.zeros(5, 3, 3), None, 1, 0, 1, 2),
    "in_channels not divisible by groups": (torch.zeros(2, 5, 20), torch.zeros(4, 2, 3), None, 1, 0, 1, 2),
    "kernel longer than the input": (X, torch.zeros(4, 6, 21)),
    "dilated kernel longer than the padded input": (X, W, None, 1, 1, 11),
    "stride zero": (X, W, None, 0),
    "stride negative": (X, W, None, -1),
    "dilation zero": (X, W, None, 1, 0, 0),
    "dilation negative": (X, W, None, 1, 0, -2),
    "padding negative": (X, W, None, 1, -1),
    "groups zero": (X, W, None, 1, 0, 1, 0),
    "groups negative": (X, W, None, 1, 0, 1, -1),
    "two strides": (X, W, None, (1, 2)),
    "no stride": (X, W, None, ()),
    "two dilations": (X, W, None, 1, 0, (1, 2)),
    "three paddings": (X, W, None, 1, (1, 2, 3)),
    "input without channels": (torch.zeros(20), W),
    "input of four dimensions": (torch.zeros(1, 2, 6, 20), W),
    "weight of two dimensions": (X, torch.zeros(4, 6)),
    "weight of four dimensions": (X, torch.zeros(4, 6, 3, 1)),
    "bias of wrong length": (X, W, torch.zeros(5)),
    "bias of two dimensions": (X, W, torch.zeros(4, 1)),
    "scalar bias": (X, W, torch.zeros(())),
    "weight of another type": (X, W.double()),
    "input of another type": (X.half(), W),
    "bias of another type": (X, W, B.double()),
    "integer input": (X.long(), W),
    "unknown padding": (X, W, None, 1, "everything"),
    "same with stride": (X, W, None, 2, "same"),
    "empty kernel": (X, torch.zeros(4, 6, 0)),
    "empty input": (torch.zeros(2, 6, 0), W),
    "no channels in the input alone": (torch.zeros(2, 0, 20), W),
    "padding near 2^62": (X, W, None, 1, 2**62),
    "dilation near 2^62": (X, W, None, 1, 0, 2**62),
    "stride near 2^62 and padding negative": (X, W, None, 2**62, -3),
}


def outcome(function, arguments):
    try:
        return tuple(function(*on_device(arguments)).shape)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", WRONG_CALLS)
@pytest.mark.parametrize("function", [tapconv.conv1d, torch.ops.tapconv.conv1d], ids=["tapconv", "torch.ops"])
def test_same_error_as_torch(name, function):
    theirs = outcome(torch.conv1d, WRONG_CALLS[name])
    assert isinstance(theirs[0], type), f"torch accepts this call and gives the shape {theirs}"
    assert outcome(function, WRONG_CALLS[name]) == theirs


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_same_error_as_torch_when_gradients_are_wanted(name):
    arguments = list(WRONG_CALLS[name])
    arguments[1] = arguments[1].clone().requires_grad_()
    assert outcome(tapconv.conv1d, arguments) == outcome(torch.conv1d, arguments)


def test_unknown_padding_mode():
    with pytest.raises(ValueError, match=r"padding_mode must be one of .* but got padding_mode='mirror'"):
        tapconv.conv1d(*on_device((X, W)), padding_mode="mirror")


def test_unknown_algorithm():
    with pytest.raises(ValueError, match=r"algorithm must be one of .* but got algorithm='magic'"):
        tapconv.conv1d(*on_device((X, W)), algorithm="magic")


@pytest.mark.parametrize(
    ("padding_mode", "padding"), [("reflect", 20), ("reflect", (0, 25)), ("circular", 21), ("circular", (22, 0))]
)
def test_padding_longer_than_a_mode_allows(padding_mode, padding):
    input, weight = on_device((X, W))
    pair = [padding, padding] if isinstance(padding, int) else list(padding)
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.functional.pad(input, pair, mode=padding_mode)
    with pytest.raises(RuntimeError) as ours:
        tapconv.conv1d(input, weight, padding=padding, padding_mode=padding_mode)
    assert str(ours.value) == str(theirs.value)


WRONG_KINDS = {
    "input None": (None, W),
    "input a string": ("x", W),
    "input a list": ([1.0, 2.0], W),
    "weight None": (X, None),
    "bias a number": (X, W, 3),
    "stride a float": (X, W, None, 1.5),
    "stride None": (X, W, None, None),
    "stride a string": (X, W, None, "2"),
    "padding None": (X, W, None, 1, None),
    "padding a tuple of a float": (X, W, None, 1, (1.5,)),
    "dilation a float beside a named padding": (X, W, None, 1, "same", 1.0),
    "groups a string": (X, W, None, 1, 0, 1, "2"),
}


@pytest.mark.parametrize("name", WRONG_KINDS)
def test_arguments_of_a_wrong_kind(name):
    arguments = WRONG_KINDS[name]
    theirs = outcome(torch.conv1d, arguments)
    assert theirs[0] is TypeError
    assert outcome(tapconv.conv1d, arguments) == theirs
    with pytest.raises((TypeError, RuntimeError)):
        torch.ops.tapconv.conv1d(*on_device(arguments))


def test_arguments_of_a_wrong_kind_where_torch_has_no_such_call():
    input, weight = on_device((X, W))
    with pytest.raises(TypeError, match="groups"):
        tapconv.conv1d(input, weight, padding="causal", groups="2")
    with pytest.raises(RuntimeError, match="padding_mode"):
        tapconv.conv1d(input, weight, padding_mode=3)
    with pytest.raises(TypeError):
        tapconv.conv1d(input)


@pytest.mark.parametrize("make", [lambda m: m.Conv1d(6, 4, 3), lambda m: m.ConvTranspose1d(6, 4, 3)])
@pytest.mark.parametrize("input", [None, "x", [1.0]])
def test_modules_called_with_a_wrong_kind(make, input):
    ours, theirs = (outcome(make(modules), (input,)) for modules in (tapconv, torch.nn))
    assert ours[0] is theirs[0] is TypeError
    assert ours[1].partition(", Parameter")[0] == theirs[1].partition(", Parameter")[0]  # got (str, Parameter, ...
