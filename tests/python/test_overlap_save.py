"""Very long filters: overlap-save with large transforms, forward and backward, against a double-precision oracle."""

import itertools

import pytest
import torch
from support import DTYPES, PADDING_MODES, Problem, assert_within_bound, cpu_only

import tapconv

pytestmark = pytest.mark.usefixtures("device")

CHANNELS = {"one": (1, 1, 1), "depthwise": (4, 4, 4), "grouped": (4, 6, 2), "dense": (8, 8, 1)}


def long_problem(channels="one", length=900, kernel_size=600, **arguments):
    in_channels, out_channels, groups = CHANNELS[channels]
    return Problem((2, in_channels, length), out_channels, kernel_size, groups=groups, **arguments)


def grid():
    for channels, stride, dilation in itertools.product(CHANNELS, (1, 3), (1, 2)):
        yield long_problem(channels, stride=stride, dilation=dilation, padding=(420, 307))
    for mode in PADDING_MODES[1:]:
        yield long_problem("grouped", stride=2, dilation=2, padding=(300, 11), padding_mode=mode)
    yield long_problem(length=600)  # a kernel as long as the signal
    yield long_problem("dense", length=5000, kernel_size=700)
    yield long_problem(length=601, padding=599)
    yield Problem((None, 1, 900), 1, 899, padding="same")
    yield Problem((1, 2, 40), 2, 7, padding=300, dilation=50)  # a dilation longer than the output is possible
    yield Problem((1, 3, 50), 3, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", list(grid()), ids=str)
def test_forward(problem, dtype):
    tensors = problem.tensors(dtype)
    output = tapconv.conv1d(*tensors, **problem.arguments, algorithm="fft")
    assert_within_bound(output, *problem.oracle(*tensors), "fft")


def gradients(function, problem, tensors, grad_output, **more):
    tensors = [tensor.detach().requires_grad_() for tensor in tensors]
    return torch.autograd.grad(function(*tensors, **problem.arguments, **more), tensors, grad_output)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(
    "arguments",
    [{}, {"stride": 2, "dilation": 3, "padding": (400, 500)}]
    + [{"stride": 2, "padding": (850, 30), "padding_mode": mode} for mode in PADDING_MODES[1:]],
    ids=str,
)
def test_gradients(channels, arguments, dtype):
    problem = long_problem(channels, **arguments)
    tensors = problem.tensors(dtype)
    grad_output = torch.randn_like(tapconv.conv1d(*tensors, **problem.arguments))
    ours = gradients(tapconv.conv1d, problem, tensors, grad_output, algorithm="fft")
    wide = [tensor.double() for tensor in tensors]
    expected = gradients(lambda *t, **_: problem.reference(*t), problem, wide, grad_output.double())
    magnitudes = gradients(
        lambda *t, **_: problem.reference(*t), problem, [tensor.abs() for tensor in wide], grad_output.double().abs()
    )
    for gradient, exact, magnitude in zip(ours, expected, magnitudes, strict=True):
        assert_within_bound(gradient, exact, magnitude.amax().expand_as(exact), "auto")


def transforms_in(function):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        function()
    return sum(event.count for event in profile.key_averages() if event.key == "aten::_fft_r2c")


@cpu_only
def test_auto_takes_it_for_very_long_filters_in_every_direction():
    input, weight = torch.randn(1, 1, 60000), torch.randn(1, 1, 20000)
    grad_output = torch.randn(1, 1, 40001)
    calls = (
        lambda: tapconv.conv1d(input, weight),
        lambda: torch.ops.tapconv.conv1d_grad_input(grad_output, weight, 60000),
        lambda: torch.ops.tapconv.conv1d_grad_weight(grad_output, input, 20000),
    )
    for call in calls:
        assert transforms_in(call) > 0
        with tapconv.default_algorithm("direct"):
            assert transforms_in(call) == 0


@cpu_only
def test_the_same_bits_for_any_number_of_threads():
    problem = long_problem("grouped", length=30000, kernel_size=5000, padding=10)
    tensors = problem.tensors()
    results = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            output = tapconv.conv1d(*tensors, **problem.arguments)
            results.append((output, *gradients(tapconv.conv1d, problem, tensors, output)))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@cpu_only
@pytest.mark.parametrize("value", [float("nan"), -float("inf"), 3e38])
@pytest.mark.parametrize("where", ["input", "weight", "bias"])
def test_what_a_transform_would_spread_stays_where_the_direct_sum_has_it(where, value):
    problem = long_problem(
        "grouped", length=6000, kernel_size=520, stride=2, dilation=2, padding=(5, 9), padding_mode="circular"
    )
    tensors = problem.tensors()
    tensors[("input", "weight", "bias").index(where)].view(-1)[-3] = value
    output = tapconv.conv1d(*tensors, **problem.arguments, algorithm="fft")
    expected = tapconv.conv1d(*tensors, **problem.arguments, algorithm="direct")
    assert torch.equal(output.isnan(), expected.isnan())
    assert torch.equal(output.isinf(), expected.isinf())
    assert torch.equal(output[output.isinf()], expected[output.isinf()])
    finite = expected.isfinite() & (expected.abs() < 1e30)
    torch.testing.assert_close(output[finite], expected[finite], rtol=1e-3, atol=1e-3)

    grad_output = torch.randn_like(output)
    ours = gradients(tapconv.conv1d, problem, tensors, grad_output, algorithm="fft")
    theirs = gradients(tapconv.conv1d, problem, tensors, grad_output, algorithm="direct")
    for gradient, direct in zip(ours, theirs, strict=True):
        assert torch.equal(gradient.isfinite(), direct.isfinite())


ADVERSARIES = {
    "impulse beside tiny values": lambda n: torch.full((n,), 1e-6).index_fill(0, torch.tensor([n // 3]), 1e6),
    "alternating signs": lambda n: torch.ones(n) * (1 - 2 * (torch.arange(n) % 2)),
    "cancelling": lambda n: torch.cat([torch.ones(n // 2), -torch.ones(n - n // 2)]),
    "growing": lambda n: torch.logspace(-6, 6, n),
}


@pytest.mark.parametrize("weights", ADVERSARIES)
@pytest.mark.parametrize("samples", ADVERSARIES)
def test_adversarial_numbers_stay_within_the_bound(samples, weights):
    """A block's error is at most a few roundings of the norms of its samples and of the filter."""
    input, weight = ADVERSARIES[samples](12000).view(1, 1, -1), ADVERSARIES[weights](3000).view(1, 1, -1)
    output = tapconv.conv1d(input, weight, algorithm="fft")
    exact = tapconv.conv1d(input.double(), weight.double(), algorithm="direct")
    bound = 8 * torch.finfo(torch.float32).eps * input.double().norm() * weight.double().norm()
    assert (output.double() - exact).abs().max() <= bound


def test_out_and_unsorted_strides():
    input = torch.randn(3000, 2, 2).permute(1, 2, 0)
    weight = torch.randn(700, 2, 3).permute(2, 1, 0)
    out = torch.empty(2301, 3, 2).permute(2, 1, 0)
    assert tapconv.conv1d(input, weight, algorithm="fft", out=out) is out
    expected = torch.conv1d(input.double(), weight.double())
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-3)


def test_vmap_and_double_backward():
    input, weight = torch.randn(3, 1, 900, dtype=torch.double), torch.randn(1, 1, 400, dtype=torch.double)
    mapped = torch.func.vmap(lambda x: tapconv.conv1d(x, weight, algorithm="fft"))(input)
    torch.testing.assert_close(mapped, torch.conv1d(input, weight))
    input, weight = input[:, :, :420].requires_grad_(), weight.requires_grad_()
    ours, theirs = (
        torch.autograd.grad(
            torch.autograd.grad(function(input, weight).square().sum(), input, create_graph=True)[0].square().sum(),
            (input, weight),
        )
        for function in (lambda x, w: tapconv.conv1d(x, w, algorithm="fft"), torch.conv1d)
    )
    for gradient, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, expected)


@cpu_only
@pytest.mark.slow
def test_65536_taps_on_a_million_samples_in_bounded_memory():
    input, weight = torch.randn(1, 1, 1_000_000), torch.randn(1, 1, 65_536)
    output = tapconv.conv1d(input, weight)
    some = torch.randint(output.shape[-1], (50,))
    exact = torch.stack([input[0, 0, t : t + 65_536].double() @ weight[0, 0].double() for t in some])
    assert (output[0, 0, some].double() - exact).abs().max() < 1e-6 * input.norm() * weight.norm()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        tapconv.conv1d(input, weight)
    allocated = sum(max(event.self_cpu_memory_usage, 0) for event in profile.key_averages())
    assert allocated < 40 * input.nbytes
