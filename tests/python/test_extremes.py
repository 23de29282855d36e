"""Numbers and sizes at the ends of what their types hold."""

import subprocess
import sys
import textwrap
import time

import pytest
import torch
from support import DTYPES, PADDING_MODES, cpu_only, on_device, seeded

import tapconv

pytestmark = pytest.mark.usefixtures("device")

X, W, B = torch.randn(2, 6, 20), torch.randn(4, 6, 3), torch.randn(4)
HUGE = [2**31 - 1, 2**31, 2**31 + 1, 2**32, 2**62 - 1, 2**62, 2**63 - 1]


def outcome(function, *arguments, **keywords):
    try:
        return function(*arguments, **keywords)
    except Exception as error:
        return type(error), str(error)


def assert_same_outcome(*arguments):
    ours, theirs = outcome(tapconv.conv1d, *arguments), outcome(torch.conv1d, *arguments)
    if isinstance(theirs, torch.Tensor):
        torch.testing.assert_close(ours, theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("huge", HUGE)
def test_huge_strides(huge):
    """One output, the first one; torch's own convolution refuses strides of more than 31 bits in other words."""
    tensors = on_device((X, W, B))
    output = tapconv.conv1d(*tensors, huge)
    torch.testing.assert_close(output, torch.conv1d(*tensors, 20))


@pytest.mark.parametrize("huge", HUGE)
def test_huge_dilations(huge):
    input, weight, bias = on_device((X, W, B))
    assert_same_outcome(input, weight, bias, 1, 0, huge)
    one_tap = weight[:, :, :1]
    torch.testing.assert_close(tapconv.conv1d(input, one_tap, bias, 1, 0, huge), torch.conv1d(input, one_tap, bias))


@pytest.mark.parametrize("huge", [2**62 - 1, 2**62, 2**63 - 1])
def test_paddings_whose_sums_overflow(huge):
    tensors = on_device((X, W, B))
    assert_same_outcome(*tensors, 1, huge)
    for padding in ((huge, 1), (0, huge)):
        assert isinstance(outcome(tapconv.conv1d, *tensors, 1, padding)[0], type)


@pytest.mark.parametrize("huge", [2**40, 2**62, 2**63 - 1])
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_paddings_that_no_memory_holds(huge, padding_mode):
    assert isinstance(outcome(tapconv.conv1d, *on_device((X, W, B)), 1, huge, padding_mode=padding_mode)[0], type)


@pytest.mark.parametrize("dilation", [2**31 - 5, 2**31 + 3, 2**40])
def test_taps_far_apart_in_a_padding_of_equal_length(dilation):
    """Only one output, whose first tap stands in the padding: no memory of the padding's length is needed."""
    input, weight, bias = on_device((X, W, B))
    output = tapconv.conv1d(input, weight[:, :, :2], bias, 1, (dilation - 19, 0), dilation)
    assert output.shape == (2, 4, 1)
    torch.testing.assert_close(output, torch.conv1d(input[:, :, 19:], weight[:, :, 1:2], bias))


@pytest.mark.parametrize("length", [2**31 - 1, 2**31 + 7, 2**33 + 5])
def test_more_elements_than_32_bits_count(length):
    """An expanded tensor takes no memory: the same number at every time, and a long way between the outputs."""
    input = torch.tensor([[[2.0]], [[3.0]]]).expand(2, 1, length)
    weight = torch.tensor([[[10.0, 1.0]]])
    stride = 2**29 - 1
    expected = torch.conv1d(torch.tensor([[[2.0]], [[3.0]]]).expand(2, 1, 2), weight)
    output = tapconv.conv1d(input, weight, stride=stride)
    assert output.shape == (2, 1, (length - 2) // stride + 1)
    assert torch.equal(output, expected.expand(output.shape))


@pytest.mark.parametrize("distance", [2**31 - 1, 2**31 + 11, 2**33])
def test_taps_farther_apart_than_32_bits_count(distance):
    input = torch.tensor([2.0]).expand(1, 1, distance + 5)
    output = tapconv.conv1d(input, torch.tensor([[[10.0, 1.0]]]), dilation=distance)
    assert torch.equal(output, torch.full((1, 1, 5), 22.0))


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_of_more_elements_than_32_bits_count(channels):
    grad_output = torch.ones(1).expand(1, channels, 2**31 + 9)
    input = torch.ones(1).expand(1, 1, 2**31 + 9)
    stride = 2**28
    long = tapconv.conv1d(input, torch.ones(channels, 1, 1), stride=stride)
    assert long.shape == (1, channels, 9)
    gradient = torch.ops.tapconv.conv1d_grad_weight(grad_output[:, :, :9], input, 1, stride)
    assert torch.equal(gradient, torch.full((channels, 1, 1), 9.0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_largest_numbers(dtype):
    largest = torch.finfo(dtype).max
    input = torch.tensor([[[largest, 0.0, -largest, 0.0, largest, 0.0]]], dtype=dtype)
    one = torch.ones(1, 1, 1, dtype=dtype)
    assert torch.equal(tapconv.conv1d(input, one), input)
    assert torch.equal(tapconv.conv1d(input, -one), -input)
    double = tapconv.conv1d(input, 2 * one)
    assert torch.equal(double, torch.tensor([[[1.0, 0, -1, 0, 1, 0]]], dtype=dtype) * float("inf")) or torch.equal(
        double.nan_to_num(0.0, 1.0, -1.0), torch.tensor([[[1.0, 0, -1, 0, 1, 0]]], dtype=dtype)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("padding", [0, 2])
def test_zero_times_anything_finite_is_zero(dtype, padding):
    """Negative zeros among the arguments: the result is a zero, of either sign as in torch."""
    input = torch.full((2, 4, 40), -0.0, dtype=dtype)
    output = tapconv.conv1d(input, torch.randn(5, 4, 3).to(dtype), padding=padding)
    assert torch.equal(output, torch.zeros_like(output))
    bias = torch.randn(5).to(dtype)
    assert torch.equal(
        tapconv.conv1d(input, torch.randn(5, 4, 3).to(dtype), bias, padding=padding), bias[:, None].expand(output.shape)
    )


@pytest.mark.parametrize("special", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("algorithm", ["auto", "direct"])
@pytest.mark.parametrize(
    ("shape", "kernel_size", "groups"),
    [((2, 3, 50), 3, 1), ((1, 8, 90), 9, 8), ((1, 48, 600), 11, 1), ((3, 2, 5), 4, 1), ((1, 64, 4), 3, 1)],
)
def test_special_numbers_anywhere(special, algorithm, shape, kernel_size, groups):
    """They reach the outputs and gradients that they are part of, whichever they are, and no other."""
    generator = seeded(5)
    channels = shape[1]
    padding = kernel_size // 2
    weight = torch.randn(channels, channels // groups, kernel_size, generator=generator)
    for _ in range(4):
        input = torch.randn(shape, generator=generator)
        place = [torch.randint(size, (1,), generator=generator).item() for size in shape]
        input[tuple(place)] = special
        clean, marked = input.clone(), torch.zeros(shape)
        clean[tuple(place)], marked[tuple(place)] = 0.0, 1.0
        touched = torch.conv1d(marked, weight.abs(), None, 1, padding, 1, groups) > 0
        output = tapconv.conv1d(input, weight, None, 1, padding, 1, groups, algorithm=algorithm)
        assert torch.equal(output.isfinite(), ~touched)
        expected = torch.conv1d(clean, weight, None, 1, padding, 1, groups)
        torch.testing.assert_close(output[~touched], expected[~touched], rtol=1e-4, atol=1e-4)
        # The gradient by the input of a gradient that holds the special number.
        grad = torch.zeros_like(output)
        at = (*place[:2], min(place[2], output.shape[2] - 1))
        grad[at] = special
        ones = torch.zeros(shape, requires_grad=True)
        torch.conv1d(ones, weight.abs(), None, 1, padding, 1, groups).backward((grad != 0).float())
        gradient = torch.ops.tapconv.conv1d_grad_input(
            grad, weight, shape[2], 1, padding, 1, groups, algorithm=algorithm
        )
        assert torch.equal(gradient.isfinite(), ones.grad == 0)


@pytest.mark.parametrize(("kernel_size", "stride", "dilation"), [(3, 2, 1), (4, 3, 1), (5, 3, 2), (3, 2, 2), (7, 4, 6)])
def test_not_a_number_in_a_strided_gradient_stays_where_it_is(kernel_size, stride, dilation):
    """Positions that no tap of that output reaches have none of it, wherever the kernel ends in its last stride."""
    weight = torch.randn(5, 3, kernel_size)
    length = 60
    outputs = tapconv.conv1d(torch.zeros(1, 3, length), weight, stride=stride, dilation=dilation).shape[2]
    for time_ in (0, outputs // 2, outputs - 1):
        grad = torch.zeros(1, 5, outputs)
        grad[0, 2, time_] = float("nan")
        gradient = torch.ops.tapconv.conv1d_grad_input(grad, weight, length, stride, 0, dilation)
        reached = torch.zeros(length, dtype=torch.bool)
        reached[time_ * stride : time_ * stride + (kernel_size - 1) * dilation + 1 : dilation] = True
        assert torch.equal(gradient.isnan(), reached.expand(1, 3, length))


@pytest.mark.parametrize("kernel_size", [9, 10, 11])
def test_input_gradient_where_the_stride_divides_the_dilation(kernel_size):
    """By tiles, too, where they pay: long kernels, many channels."""
    for stride, dilation in ((2, 2), (2, 4), (3, 3)):
        input = torch.randn(1, 32, 900, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(32, 32, kernel_size, dtype=torch.float64)
        results = []
        for function in (tapconv.conv1d, torch.conv1d):
            output = function(input, weight, None, stride, 7, dilation)
            results.append(torch.autograd.grad(output.square().sum(), input)[0])
        torch.testing.assert_close(*results)


def with_flushing(body):
    """Runs in a process of its own: the mode belongs to threads, which live as long as the process."""
    program = "import torch, tapconv\n" + textwrap.dedent(body)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


@cpu_only
def test_denormal_numbers_are_kept():
    with_flushing("""
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for shape in ((1, 1, 20), (2, 64, 2000)):
            input = torch.full(shape, 2.0 ** -130)
            one = torch.zeros(shape[1], shape[1], 1)
            one[torch.arange(shape[1]), torch.arange(shape[1])] = 0.5
            output = tapconv.conv1d(input, one)
            assert torch.equal(output, input / 2) and output.min() > 0
    """)


@cpu_only
def test_denormal_numbers_are_flushed_when_torch_is_told_to():
    with_flushing("""
    torch.set_num_threads(1)
    if torch.set_flush_denormal(True):
        input = torch.full((1, 4, 200), 2.0 ** -120)
        weight = torch.full((4, 4, 3), 2.0 ** -10)
        output = tapconv.conv1d(input, weight, algorithm="direct")
        assert torch.equal(output, torch.zeros_like(output))
        torch.set_flush_denormal(False)
        output = tapconv.conv1d(input, weight, algorithm="direct")
        assert torch.equal(output, torch.full_like(output, 12 * 2.0 ** -130))
    """)


@cpu_only
@pytest.mark.serial
@pytest.mark.parametrize("flush", [False, True])
def test_denormal_numbers_cause_no_cliff_in_speed(flush):
    """With flushing there is none at all. Without, processors take more time for each instruction that meets a denormal
    number, however wide it is; the kernels add nothing to that, and stay below torch's own time on the same numbers,
    times as many as torch's vectors are wider, and doubled for the noise of a test run."""
    torch_vector_bytes = {"AVX512": 64, "AVX2": 32}.get(torch.backends.cpu.get_cpu_capability(), 16)
    vector_bytes = {"portable": 16, "neon": 16, "avx2": 32}.get(torch.ops.tapconv.isa(), 64)
    narrower = max(torch_vector_bytes / vector_bytes, 1)
    weight = torch.randn(64, 64, 3)
    usual, tiny = torch.randn(1, 64, 4000), torch.randn(1, 64, 4000) * 2.0**-135

    def seconds(function, input):
        best = float("inf")
        for _ in range(7):
            start = time.perf_counter()
            function(input, weight)
            best = min(best, time.perf_counter() - start)
        return best

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        supported = torch.set_flush_denormal(flush)
        ours, theirs, plain = (
            seconds(tapconv.conv1d, tiny),
            seconds(torch.conv1d, tiny),
            seconds(tapconv.conv1d, usual),
        )
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    assert ours < 2 * max(plain, narrower * theirs)
    if flush and supported:
        assert ours < 3 * plain
