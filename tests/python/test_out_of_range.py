"""Numbers that no convolution has, on every way by which they can reach a division: an exception, never a signal.

Whole processes make the calls that used to end them, so that a signal is a failed test and not the end of all tests.
"""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import grad, jvp, vmap

import tapconv

EXAMPLES = int(os.environ.get("TAPCONV_EXAMPLES", "100"))
NUMBERS = [0, -1, 1, 2, 3, 2**31, 2**32, 2**62, 2**63 - 1, -(2**31), -(2**62), -(2**63)]

X, W, B = (torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)) for shape in ((2, 4, 9), (4, 2, 3), (4,)))
OPS = torch.ops.tapconv
PACKED = tapconv.pack_weight(W[0])


def conv1d(stride, padding, dilation, groups, **named):
    return lambda x, w, b: tapconv.conv1d(x, w, b, stride, padding, dilation, groups, **named)


def packed(stride, padding, dilation, groups):
    return lambda x, w, b: tapconv.conv1d_packed(x, PACKED, W[0].shape, b, stride, padding, dilation, groups)


def packed_or_plain(stride, padding, dilation, groups):
    overload = OPS.conv1d_packed.weight_padding if isinstance(padding, str) else OPS.conv1d_packed.weight
    padding = padding if isinstance(padding, str) else [padding]
    return lambda x, w, b: overload(x, PACKED, w, b, [stride], padding, [dilation], groups)


def into_out(stride, padding, dilation, groups):
    return lambda x, w, b: tapconv.conv1d(x, w, b, stride, padding, dilation, groups, out=torch.empty(0))


def without_words(function):
    """For operators whose padding is a number."""
    return lambda stride, padding, dilation, groups: function(
        stride, 0 if isinstance(padding, str) else padding, dilation, groups
    )


FUNCTIONS = {
    "conv1d": conv1d,
    "reflected": lambda *numbers: conv1d(*numbers, padding_mode="reflect"),
    "by fft": lambda *numbers: conv1d(*numbers, algorithm="fft"),
    "out": into_out,
    "transposed": without_words(
        lambda s, p, d, g: lambda x, w, b: tapconv.conv_transpose1d(x, w, None, s, p, p, groups=g, dilation=d)
    ),
    "grad_input": without_words(lambda s, p, d, g: lambda x, w, b: OPS.conv1d_grad_input(x[..., :7], w, 9, s, p, d, g)),
    "grad_weight": without_words(
        lambda s, p, d, g: lambda x, w, b: OPS.conv1d_grad_weight(x[..., :7], x, 3, s, p, d, g)
    ),
    "grad_weight_bias": without_words(
        lambda s, p, d, g: lambda x, w, b: OPS.conv1d_grad_weight_bias(x[..., :7], x, 3, s, p, d, g)[0]
    ),
    "pack_weight": lambda s, p, d, g: lambda x, w, b: tapconv.pack_weight(w, stride=s, dilation=d, groups=g),
    "packed": packed,
    "packed or plain": packed_or_plain,
}


def faked(f):
    with FakeTensorMode() as mode:
        return f(*(mode.from_tensor(tensor[0]) for tensor in (X, W, B)))


WAYS = {
    "call": lambda f: f(X[0], W[0], B[0]),
    "integers": lambda f: f(X[0].long(), W[0].long(), B[0].long()),
    "shapes alone": lambda f: f(X[0].to("meta"), W[0].to("meta"), B[0].to("meta")),
    "fake tensors": faked,
    "backward": lambda f: f(X[0], W[0].clone().requires_grad_(), B[0]).sum().backward(),
    "vmap over the input": lambda f: vmap(f, (0, None, None))(X, W[0], B[0]),
    "vmap over the weight": lambda f: vmap(f, (None, 0, None))(X[0], W, B[0]),
    "vmap over both": lambda f: vmap(f, (0, 0, None))(X, W, B[0]),
    "vmap over the bias": lambda f: vmap(f, (None, None, 0))(X[0], W[0], B),
    "vmap over no weights": lambda f: vmap(f, (None, 0, None))(X[0], W[:0], B[0]),
    "vmap over integers": lambda f: vmap(f, (None, 0, None))(X[0].long(), W.long(), B[0].long()),
    "vmap twice": lambda f: vmap(vmap(f, (None, 0, None)), (0, None, None))(X, W, B[0]),
    "grad": lambda f: grad(lambda w: f(X[0], w, B[0]).sum())(W[0]),
    "jvp": lambda f: jvp(lambda w: f(X[0], w, B[0]), (W[0],), (W[0],)),
    "vmap of grad": lambda f: vmap(grad(lambda w: f(X[0], w, B[0]).sum()))(W),
    "grad of vmap": lambda f: grad(lambda w: vmap(lambda v: f(X[0], v, B[0]))(w).sum())(W),
}


def assert_raises_or_computes(way, function, numbers):
    stride, padding, dilation, groups = numbers
    # To pad by less than nothing in these modes is to cut, as in torch; pack_weight is told no padding.
    has_padding = not isinstance(padding, str) and function not in ("reflected", "pack_weight")
    impossible = min(stride, dilation, groups) < 1 or (has_padding and padding < 0)
    try:
        WAYS[way](FUNCTIONS[function](*numbers))
    except Exception:
        return
    if way in ("shapes alone", "fake tensors"):
        return  # torch's shapes are less strict than its convolutions
    assert not impossible, f"{function} of {numbers} by {way} raises nothing"


ALL_WAYS = """
import sys
sys.path.insert(0, sys.argv[1])
from test_out_of_range import FUNCTIONS, WAYS, assert_raises_or_computes
for padding in (0, 1, "same", "valid", "causal"):
    for numbers in ((1, padding, 1, 0), (0, padding, 1, 0), (1, padding, 0, 0), (1, padding, 1, -1)):
        for way in WAYS:
            for function in FUNCTIONS:
                assert_raises_or_computes(way, function, numbers)
"""


@pytest.mark.once
def test_no_groups_raise_on_every_way():
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    program = [sys.executable, "-c", ALL_WAYS, os.path.dirname(__file__)]
    result = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f"ended with {result.returncode}\n{result.stderr[-2000:]}"


@pytest.mark.parametrize("padding", [0, (1, 0), "same", "valid", "causal"])
def test_no_groups_under_vmap_in_torchs_words(padding):
    with pytest.raises(RuntimeError, match="non-positive groups is not supported"):
        vmap(conv1d(1, padding, 1, 0), (None, 0, None))(X[0], W, B[0])
    with pytest.raises(RuntimeError, match="non-positive groups is not supported"):
        vmap(lambda w: tapconv.conv_transpose1d(X[0], w, groups=0))(W)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of vmap, about operators without a rule
@given(
    st.sampled_from(sorted(WAYS)),
    st.sampled_from(sorted(FUNCTIONS)),
    st.tuples(
        st.sampled_from([1, *NUMBERS]),
        st.sampled_from([0, *NUMBERS, "same", "valid", "causal"]),
        st.sampled_from([1, *NUMBERS]),
        st.sampled_from([1, 2, *NUMBERS]),
    ),
)
@settings(
    max_examples=EXAMPLES,
    derandomize="TAPCONV_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_any_numbers_raise_or_compute(way, function, numbers):
    assert_raises_or_computes(way, function, numbers)
