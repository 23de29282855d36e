"""Arbitrary calls: the same result as torch, within the bound, or the same exception in the same words.

TAPCONV_EXAMPLES sets how many calls are made; the default is what a test run can afford.
"""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import (
    DTYPES,
    PADDING_MODES,
    PATTERNS,
    assert_locally_accurate,
    assert_within_bound,
    local_roundings,
    pattern,
    seeded,
    seen_by_output,
)

import tapconv
from tapconv.reference import torch_conv1d

pytestmark = pytest.mark.usefixtures("device")

EXAMPLES = int(os.environ.get("TAPCONV_EXAMPLES", "100"))
COMMON = settings(
    max_examples=EXAMPLES,
    derandomize="TAPCONV_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

DIFFERENT = [*DTYPES, torch.int64, torch.complex64, torch.bool]
HUGE = [2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**31), -(2**63)]

mostly = lambda usual, rare: st.integers(0, 9).flatmap(lambda n: rare if n == 0 else usual)  # noqa: E731


@st.composite
def tensors(draw, shape, dtype):
    """Random numbers, in one of several layouts."""
    seed = draw(st.integers(0, 2**16))
    generator = seeded(seed)
    layout = draw(st.sampled_from(["contiguous", "transposed", "strided", "expanded", "shifted"]))
    if layout == "transposed" and shape:
        tensor = torch.randn(shape[::-1], generator=generator).permute(*reversed(range(len(shape))))
    elif layout == "strided" and shape:
        tensor = torch.randn((*shape[:-1], 2 * shape[-1]), generator=generator)[..., ::2]
    elif layout == "expanded" and shape:
        tensor = torch.randn((1, *shape[1:]), generator=generator).expand(shape)
    elif layout == "shifted":
        numbers = 1
        for size in shape:
            numbers *= size
        tensor = torch.randn(numbers + 1, generator=generator)[1:].view(shape)
    else:
        tensor = torch.randn(shape, generator=generator)
    return tensor.to(dtype)


@st.composite
def right_calls(draw):
    """Calls that torch accepts."""
    groups = draw(mostly(st.just(1), st.integers(2, 6)))
    in_channels = groups * draw(st.integers(1, 9))
    out_channels = groups * draw(st.integers(1, 20))
    kernel_size = draw(mostly(st.integers(1, 9), st.integers(10, 70)))
    dilation = draw(mostly(st.integers(1, 3), st.integers(4, 20)))
    padding = draw(st.integers(0, 12))
    least = max(1, dilation * (kernel_size - 1) + 1 - 2 * padding)
    length = draw(st.integers(least, least + 130))
    batch = draw(st.sampled_from([None, 0, 1, 1, 2, 3, 5]))
    dtype = draw(st.sampled_from(DTYPES))
    shape = (in_channels, length) if batch is None else (batch, in_channels, length)
    input = draw(tensors(shape, dtype))
    weight = draw(tensors((out_channels, in_channels // groups, kernel_size), dtype))
    bias = draw(st.none() | tensors((out_channels,), dtype))
    stride = draw(mostly(st.integers(1, 3), st.integers(4, 40)))
    return input, weight, bias, stride, padding, dilation, groups


@st.composite
def any_calls(draw):
    """Calls of which many are wrong: sizes that do not fit, attributes out of range, types that differ."""
    number = mostly(st.integers(0, 4), st.integers(-2, 0) | st.sampled_from(HUGE))
    size = st.integers(0, 6)
    dimensions = lambda usual: draw(mostly(st.just(usual), st.integers(0, 4)))  # noqa: E731
    dtype = draw(st.sampled_from(DTYPES))
    dtypes = [draw(mostly(st.just(dtype), st.sampled_from(DIFFERENT))) for _ in range(3)]
    groups = draw(mostly(st.integers(1, 3), number))
    channels = draw(size)
    input_shape = [draw(size) for _ in range(dimensions(3))]
    weight_shape = [draw(size) for _ in range(dimensions(3))]
    if draw(st.booleans()) and len(input_shape) > 1 and len(weight_shape) > 1 and 0 < groups < 4:
        input_shape[-2], weight_shape[1], weight_shape[0] = channels * groups, channels, draw(size) * groups
    bias_size = weight_shape[0] if weight_shape else 0
    bias_shape = draw(mostly(st.just((bias_size,)), st.sampled_from([(), (0,), (1,), (bias_size, 1), (7,)])))
    bias = draw(st.none() | tensors(bias_shape, dtypes[2]))
    input, weight = draw(tensors(tuple(input_shape), dtypes[0])), draw(tensors(tuple(weight_shape), dtypes[1]))
    pair = st.lists(number, max_size=3)
    attributes = [
        draw(mostly(st.integers(1, 3), number | pair)),
        draw(mostly(st.integers(0, 4), number | pair | st.sampled_from(["same", "valid", "none", ""]))),
        draw(mostly(st.integers(1, 2), number | pair)),
        groups,
    ]
    return input, weight, bias, *attributes[: draw(mostly(st.just(4), st.integers(0, 4)))]


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), str(error)


def outcome_of_torch(*call):
    """What torch.conv1d means: its own kernels decide where oneDNN gives up on a call that they can compute."""
    result = outcome(torch.conv1d, *call)
    if isinstance(result, tuple) and result[1].startswith("could not create a primitive"):
        with torch.backends.mkldnn.flags(enabled=False):
            own = outcome(torch.conv1d, *call)
        return own if isinstance(own, torch.Tensor) else result
    return result


def with_magnitude(input, weight, bias, *attributes):
    """The exact result to double precision, and the sums of the magnitudes of its products."""
    wide = [None if tensor is None else tensor.double() for tensor in (input, weight, bias)]
    magnitudes = [None if tensor is None else tensor.abs() for tensor in wide]
    return torch.conv1d(*wide, *attributes), torch.conv1d(*magnitudes, *attributes)


def assert_local(output, exact, input, weight, bias, stride, padding, dilation, groups):
    """Every output within the roundings of what it sees."""
    batch = input if input.dim() == 3 else input[None]
    seen = seen_by_output(batch, weight, stride, (padding, padding), dilation, groups).view(exact.shape)
    if bias is not None:
        seen = seen + bias.double().abs()[:, None]
    assert_locally_accurate(output, exact, seen, local_roundings(input.dtype))


@given(right_calls(), st.sampled_from(["auto", "direct"]))
@COMMON
def test_right_calls(call, algorithm):
    output = tapconv.conv1d(*call, algorithm=algorithm)
    assert output.dtype == call[0].dtype
    if algorithm == "direct":
        assert_within_bound(output, *with_magnitude(*call), algorithm)
    else:
        assert_local(output, with_magnitude(*call)[0], *call)


# float16 has no numbers for the largest masks.
@given(
    right_calls(), st.sampled_from([name for name in PATTERNS if "1e9" not in name]), st.sampled_from(["auto", "fft"])
)
@COMMON
def test_uneven_calls(call, name, algorithm):
    """Numbers of very different size side by side, under the local bound."""
    input, weight, bias, stride, padding, dilation, groups = call
    uneven = pattern(name, input) if input.numel() else input
    if not uneven.isfinite().all():
        return
    wide = [None if tensor is None else tensor.double() for tensor in (uneven, weight, bias)]
    exact = torch.conv1d(*wide, stride, padding, dilation, groups)
    if exact.numel() == 0 or exact.abs().max() > torch.finfo(input.dtype).max:
        return
    output = tapconv.conv1d(uneven, weight, bias, stride, padding, dilation, groups, algorithm=algorithm)
    assert_local(output, exact, uneven, weight, bias, stride, padding, dilation, groups)


@given(any_calls())
@COMMON
def test_any_calls(call):
    if len(call) > 4 and isinstance(call[4], list) and len(call[4]) == 2:
        return  # two paddings are left and right here, and an error in torch
    ours, theirs = outcome(tapconv.conv1d, *call), outcome_of_torch(*call)
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, torch.Tensor), f"torch gives {tuple(theirs.shape)}, tapconv raises {ours}"
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        if theirs.dtype.is_floating_point:
            assert_within_bound(ours, *with_magnitude(*call), "auto")
        else:
            assert torch.equal(ours, theirs)
    else:
        assert ours == theirs


@given(right_calls(), st.sampled_from(PADDING_MODES), st.integers(0, 12))
@COMMON
def test_padding_modes(call, padding_mode, right):
    input, weight, bias, stride, left, dilation, groups = call
    attributes = (stride, (left, right), dilation, groups, padding_mode)
    ours = outcome(tapconv.conv1d, input, weight, bias, *attributes)
    wide = [None if tensor is None else tensor.double() for tensor in (input, weight, bias)]
    expected = outcome(torch_conv1d, *wide, *attributes)
    if isinstance(expected, torch.Tensor):
        magnitude = torch_conv1d(*(None if tensor is None else tensor.abs() for tensor in wide), *attributes)
        assert_within_bound(ours, expected, magnitude, "auto")
    else:
        assert ours == outcome(torch_conv1d, input, weight, bias, *attributes)


@given(right_calls())
@COMMON
def test_gradients(call):
    input, weight, bias, *attributes = call
    if input.dtype in (torch.bfloat16, torch.float16):
        input, weight = input.float(), weight.float()
        bias = None if bias is None else bias.float()
    call = [None if t is None else t.detach().clone().requires_grad_() for t in (input, weight, bias)]
    present = [tensor for tensor in call if tensor is not None]
    output = tapconv.conv1d(*call, *attributes)
    grad_output = torch.randn(output.shape, generator=seeded(1)).to(output.dtype)
    ours = torch.autograd.grad(output, present, grad_output)
    wide = [None if t is None else t.detach().double().contiguous().requires_grad_() for t in call]
    wide_present = [tensor for tensor in wide if tensor is not None]
    theirs = torch.autograd.grad(torch.conv1d(*wide, *attributes), wide_present, grad_output.double())
    sizes = [None if t is None else t.detach().abs().requires_grad_() for t in wide]
    size_present = [tensor for tensor in sizes if tensor is not None]
    magnitudes = torch.autograd.grad(torch.conv1d(*sizes, *attributes), size_present, grad_output.double().abs())
    for our, their, magnitude in zip(ours, theirs, magnitudes, strict=True):
        if magnitude.numel():
            bound = 8 * torch.finfo(our.dtype).eps * magnitude.amax()
            assert (our.double() - their).abs().max() <= bound
