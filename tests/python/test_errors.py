"""A wrong call raises what the same call of torch raises: the same type, the same words."""

import pytest
import torch
from support import cpu_only, on_device

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


def keyword_outcome(function, arguments, named):
    try:
        return tuple(function(*on_device(arguments), **named).shape)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("function", ["conv1d", "conv_transpose1d"])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), {}),
        ((X,), {}),
        ((X,), {"weight": None}),
        ((), {"input": X}),
        ((), {"input": X, "weight": "w"}),
        ((X, W), {"stride": 1.5}),
        ((X, W), {"stride": None}),
        ((X, W), {"padding": None}),
        ((X, W), {"padding": 1.5, "groups": 1}),
        ((X, W, None, 1), {"dilation": "2"}),
        ((X, W, None), {"bias": None}),
        ((X, W), {"strides": 2}),
        ((X, W), {"padding": 1, "unknown": X}),
        ((X, W), {"groups": [1]}),
        ((X, W), {"stride": True}),
        ((X, W), {"padding": [True]}),
    ],
)
def test_keywords_and_missing_and_unknown_arguments(function, arguments, named):
    theirs = keyword_outcome(getattr(torch, function), arguments, named)
    assert theirs[0] is TypeError
    assert keyword_outcome(getattr(tapconv, function), arguments, named) == theirs
    with tapconv.enabled():
        assert keyword_outcome(getattr(torch, function), arguments, named) == theirs


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"out": 3}, r"conv1d\(\): argument 'out' must be Tensor or None, not int"),
        ({"algorithm": None}, r"conv1d\(\): argument 'algorithm' must be str, not NoneType"),
        ({"padding_mode": 3}, r"conv1d\(\): argument 'padding_mode' must be str, not int"),
        (
            {"padding": "causal", "groups": "2"},
            r"got \(Tensor, Tensor, (padding=str, groups=str|groups=str, padding=str)\)",
        ),
    ],
)
def test_arguments_that_torch_lacks(named, words):
    with pytest.raises(TypeError, match=words):
        tapconv.conv1d(*on_device((X, W)), **named)
    if "padding" not in named and "out" not in named:
        with pytest.raises(TypeError, match=r"\(position 9\)|\(position 8\)"):
            tapconv.conv1d(
                *on_device((X, W, None)), 1, 0, 1, 1, named.get("padding_mode", "zeros"), named.get("algorithm", "auto")
            )


def test_too_many_arguments():
    with pytest.raises(TypeError, match="positional arguments"):
        tapconv.conv1d(*on_device((X, W, None)), 1, 0, 1, 1, "zeros", "auto", None)


def packed_call(*arguments, **named):
    return tapconv.conv1d_packed(*arguments, **{"packed": tapconv.pack_weight(W), "weight_shape": W.shape, **named})


@cpu_only
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: tapconv.pack_weight([1.0]),
            r"pack_weight\(\): argument 'weight' \(position 1\) must be Tensor, not list",
        ),
        (lambda: tapconv.pack_weight(None), r"argument 'weight' \(position 1\) must be Tensor, not NoneType"),
        (lambda: tapconv.pack_weight(W, stride=1.5), "argument 'stride' must be tuple of ints, not float"),
        (lambda: tapconv.pack_weight(W, groups=True), "argument 'groups' must be int, not bool"),
        (lambda: tapconv.pack_weight(W, input_length="9"), "argument 'input_length' must be int or None, not str"),
        (lambda: tapconv.pack_weight(W, algorithm=None), "argument 'algorithm' must be str, not NoneType"),
        (lambda: tapconv.pack_weight(), "missing 1 required positional argument: 'weight'"),
        (lambda: tapconv.pack_weight(W, strides=2), "unexpected keyword argument 'strides'"),
        (lambda: packed_call([1.0]), r"conv1d_packed\(\): argument 'input' \(position 1\) must be Tensor, not list"),
        (lambda: packed_call(None), r"argument 'input' \(position 1\) must be Tensor, not NoneType"),
        (lambda: packed_call(X, packed=None), "argument 'packed' must be Tensor, not NoneType"),
        (lambda: packed_call(X, bias=3), "argument 'bias' must be Tensor or None, not int"),
        (lambda: packed_call(X, stride="2"), "argument 'stride' must be tuple of ints, not str"),
        (lambda: packed_call(X, padding=None), "argument 'padding' must be tuple of ints or str, not NoneType"),
        (lambda: packed_call(X, groups=[1]), "argument 'groups' must be int, not list"),
        (lambda: packed_call(X, weight_shape=None), "argument 'weight_shape' must be tuple of ints, not NoneType"),
        (lambda: packed_call(X, weight_shape=[4, 6, 3.0]), "argument 'weight_shape' must be tuple of ints, not list"),
        (lambda: packed_call(X, padding_mode=None), "argument 'padding_mode' must be str, not NoneType"),
        (lambda: packed_call(X, out=3), "argument 'out' must be Tensor or None, not int"),
    ],
)
def test_packed_calls_of_a_wrong_kind(call, words):
    with pytest.raises(TypeError, match=words):
        call()


@cpu_only
@pytest.mark.parametrize("function", ["conv1d_packed", "pack_weight"])
def test_packed_operators_without_tensors(function):
    arguments = (None,) if function == "pack_weight" else (None, None, [4, 6, 3])
    with pytest.raises(RuntimeError, match=f"{function}: expected .*, got None"):
        getattr(torch.ops.tapconv, function)(*arguments)


@pytest.mark.parametrize("make", [lambda m: m.Conv1d(6, 4, 3), lambda m: m.ConvTranspose1d(6, 4, 3)])
@pytest.mark.parametrize("input", [None, "x", [1.0]])
def test_modules_called_with_a_wrong_kind(make, input):
    ours, theirs = (outcome(make(modules), (input,)) for modules in (tapconv, torch.nn))
    assert ours[0] is theirs[0] is TypeError
    assert ours[1].partition(", Parameter")[0] == theirs[1].partition(", Parameter")[0]  # got (str, Parameter, ...
