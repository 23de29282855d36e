"""`tapconv.conv1d_context` against torch's convolution of the signal that borders and input make together."""

import itertools
from dataclasses import dataclass

import pytest
import torch
from support import DTYPES
from torch.autograd import gradcheck, gradgradcheck

import tapconv
from tapconv.reference import torch_conv1d

pytestmark = pytest.mark.usefixtures("device")


@dataclass(frozen=True)
class BorderedProblem:
    length: int
    borders: tuple[int | None, int | None]  # samples that are given
    padding: tuple[int, int]
    kernel_size: int = 3
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def arguments(self):
        return self.stride, self.padding, self.dilation, self.groups

    def tensors(self, dtype, integers=False):
        """Input, weight, bias and the borders."""

        def tensor(*shape):
            numbers = torch.randint(-2, 3, shape).to(dtype) if integers else torch.randn(shape, dtype=dtype)
            return numbers.requires_grad_()

        shapes = (2, 4, self.length), (6, 4 // self.groups, self.kernel_size), (6,)
        borders = [None if samples is None else tensor(2, 4, samples) for samples in self.borders]
        return [*(tensor(*shape) for shape in shapes), *borders]


def joined(problem, input, weight, bias, left, right):
    """By torch alone."""
    before = [] if left is None else [left[..., max(left.shape[-1] - problem.padding[0], 0) :]]
    after = [] if right is None else [right[..., : problem.padding[1]]]
    zeros = tuple(
        samples - sum(border.shape[-1] for border in given)
        for samples, given in zip(problem.padding, (before, after), strict=True)
    )
    signal = torch.cat([*before, input, *after], -1)
    return torch_conv1d(signal, weight, bias, problem.stride, zeros, problem.dilation, problem.groups)


PROBLEMS = [
    BorderedProblem(length, borders, padding, kernel_size, stride, dilation, groups)
    for length, borders, padding, (kernel_size, stride, dilation, groups) in itertools.product(
        [1, 9],
        [(None, None), (2, None), (None, 3), (7, 1), (0, 9)],
        [(0, 3), (2, 2), (5, 0)],
        [(1, 1, 1, 1), (3, 1, 1, 2), (4, 3, 1, 1), (3, 2, 3, 2), (2, 5, 2, 1)],
    )
    if length + sum(padding) > dilation * (kernel_size - 1)
] + [  # long enough that ends are summed apart
    BorderedProblem(3000, (2, None), (2, 2), 3),
    BorderedProblem(3000, (None, 9), (2, 5), 4, stride=3, groups=2),
    BorderedProblem(3000, (7, 1), (5, 4), 3, dilation=3),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_outputs_and_gradients_are_those_of_the_joined_signal(dtype):
    """Of whole numbers, whose sums are exact."""
    for problem in PROBLEMS:
        tensors = problem.tensors(dtype, integers=True)
        given = [tensor for tensor in tensors if tensor is not None]
        wide = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in tensors]
        output = tapconv.conv1d_context(*tensors, *problem.arguments, algorithm="direct")
        expected = joined(problem, *wide)
        assert torch.equal(output, expected.to(dtype)), problem
        grad_output = torch.randint(-1, 2, output.shape).to(dtype)
        gradients = torch.autograd.grad(output, given, grad_output)
        theirs = torch.autograd.grad(expected, [tensor for tensor in wide if tensor is not None], grad_output.double())
        for ours, other in zip(gradients, theirs, strict=True):
            assert torch.equal(ours, other.to(dtype)), problem


SMALL = [
    BorderedProblem(9, (2, 2), (2, 2)),
    BorderedProblem(9, (4, 0), (2, 3), stride=2, groups=2),
    BorderedProblem(3, (1, 5), (4, 4), dilation=2),
    BorderedProblem(1, (2, 2), (2, 2), groups=2),
    BorderedProblem(12, (3, None), (2, 2), stride=3),
]


@pytest.mark.parametrize("problem", SMALL, ids=str)
def test_derivatives(problem):
    tensors = problem.tensors(torch.float64)
    given = [tensor for tensor in tensors if tensor is not None]

    def function(*given):
        rest = iter(given)
        return tapconv.conv1d_context(
            *(None if tensor is None else next(rest) for tensor in tensors), *problem.arguments
        )

    assert gradcheck(function, given, check_forward_ad=True, check_undefined_grad=True)
    assert gradgradcheck(function, given)


@pytest.mark.parametrize("needed", range(5))
def test_one_gradient_alone(needed):
    tensors = [tensor.detach() for tensor in SMALL[0].tensors(torch.float64)]

    def function(tensor):
        return tapconv.conv1d_context(*tensors[:needed], tensor, *tensors[needed + 1 :], *SMALL[0].arguments)

    assert gradcheck(function, tensors[needed].requires_grad_())


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("problem", SMALL, ids=str)
def test_opcheck(problem, requires_grad):
    tensors = [None if t is None else t.detach().requires_grad_(requires_grad) for t in problem.tensors(torch.float32)]
    arguments = [problem.stride], problem.padding, [problem.dilation], problem.groups
    torch.library.opcheck(torch.ops.tapconv.conv1d_context.default, (*tensors, *arguments))


def test_derivatives_of_a_divided_signal_are_those_of_the_whole():
    """Long enough that its ends are summed apart, so that gradients are added up."""
    problem = BorderedProblem(20000, (6, 6), (6, 6), kernel_size=7)
    tensors = problem.tensors(torch.float64)
    output = tapconv.conv1d_context(*tensors, *problem.arguments)
    grad_output = torch.randn_like(output)
    ours = torch.autograd.grad(output, tensors, grad_output)
    theirs = torch.autograd.grad(joined(problem, *tensors), tensors, grad_output)
    torch.testing.assert_close(ours, theirs)


def test_special_values_stay_where_torch_has_them():
    problem = BorderedProblem(20000, (6, 6), (6, 6), kernel_size=7)
    tensors = problem.tensors(torch.float64)
    with torch.no_grad():
        for tensor, at in zip((tensors[0], tensors[3], tensors[4]), (10000, 2, 4), strict=True):
            tensor[0, 1, at] = float("inf")
    output = tapconv.conv1d_context(*tensors, *problem.arguments)
    expected = joined(problem, *tensors)
    assert torch.equal(output.isfinite(), expected.isfinite())
    gradients = [torch.autograd.grad(result.sum(), tensors[1])[0] for result in (output, expected)]
    assert torch.equal(gradients[0].isfinite(), gradients[1].isfinite())


def test_no_signal_is_copied(device):
    """An interior is read where it lies, and the memory of a call is that of its output and its ends."""
    signal, left = torch.randn(1, 64, 40000), torch.randn(1, 64, 2)
    weight = torch.randn(64, 1, 3)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        tapconv.conv1d_context(signal, weight, left=left, padding="causal", groups=64)
    if device == "cpu":
        allocated = sum(event.cpu_memory_usage for event in profile.events() if event.cpu_memory_usage > 0)
        assert allocated < 1.5 * signal.nbytes


def test_names_of_paddings():
    input, left, right, weight = torch.randn(1, 2, 9), torch.randn(1, 2, 9), torch.randn(1, 2, 9), torch.randn(3, 2, 4)
    for name, samples in {"causal": (3, 0), "same": (1, 2), "valid": (0, 0)}.items():
        named = tapconv.conv1d_context(input, weight, None, left, right, padding=name)
        assert torch.equal(named, tapconv.conv1d_context(input, weight, None, left, right, padding=samples))


def test_unbatched_and_strided_tensors():
    input, left = torch.randn(9, 4).T, torch.randn(2, 4).T
    weight = torch.randn(6, 4, 3)
    output = tapconv.conv1d_context(input, weight, left=left, padding="causal")
    torch.testing.assert_close(output, torch.conv1d(torch.cat([left, input], -1), weight))


def test_types_without_kernels():
    for dtype in (torch.int64, torch.complex64):
        input, weight = torch.randint(-3, 3, (2, 4, 9)).to(dtype), torch.randint(-3, 3, (6, 4, 3)).to(dtype)
        output = tapconv.conv1d_context(input, weight, left=input[..., :2], padding="causal")
        assert torch.equal(output, torch.conv1d(torch.cat([input[..., :2], input], -1), weight))


def test_very_long_filters():
    problem = BorderedProblem(3000, (1500, 3), (2000, 3), kernel_size=2001)
    tensors = problem.tensors(torch.float64)
    torch.testing.assert_close(tapconv.conv1d_context(*tensors, *problem.arguments), joined(problem, *tensors))


def test_bits_do_not_depend_on_threads(threads):
    problem = BorderedProblem(30000, (2, 2), (2, 2))
    tensors = problem.tensors(torch.float32)
    outputs = []
    for count in (1, 2, 5):
        threads(count)
        outputs.append(tapconv.conv1d_context(*tensors, *problem.arguments))
    assert torch.equal(outputs[0], outputs[1]) and torch.equal(outputs[0], outputs[2])


def test_transforms():
    signals, borders, weight = torch.randn(3, 2, 4, 9), torch.randn(3, 2, 4, 2), torch.randn(6, 4, 3)

    def ours(signal, border, weight):
        return tapconv.conv1d_context(signal, weight, left=border, padding="causal")

    def theirs(signal, border, weight):
        return torch.conv1d(torch.cat([border, signal], -1), weight)

    for mapped in ((0, 0, None), (0, None, None), (None, 0, None)):
        arguments = [t if m == 0 else t[0] for t, m in zip((signals, borders), mapped, strict=False)]
        results = [torch.vmap(function, mapped)(*arguments, weight) for function in (ours, theirs)]
        torch.testing.assert_close(*results)
    arguments = (signals[0], borders[0], weight)
    gradients = [
        torch.func.grad(lambda *tensors, f=function: f(*tensors).square().sum(), (0, 1, 2))(*arguments)
        for function in (ours, theirs)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(*(torch.func.jvp(function, arguments, arguments) for function in (ours, theirs)))


def test_autocast(device):
    input, left, weight = torch.randn(2, 4, 9), torch.randn(2, 4, 2), torch.randn(6, 4, 3, requires_grad=True)
    with torch.autocast(device, torch.bfloat16):
        output = tapconv.conv1d_context(input, weight, left=left, padding="causal")
    assert output.dtype == torch.bfloat16
    output.sum().backward()
    assert weight.grad.dtype == torch.float32


@pytest.mark.slow
def test_one_compiled_graph_serves_all_lengths():
    weight = torch.randn(6, 4, 3, requires_grad=True)

    def function(input, left):
        return tapconv.conv1d_context(input, weight, left=left, padding="causal")

    compiled = torch.compile(function, dynamic=True, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for length in (9, 20, 3000):
            tensors = [torch.randn(2, 4, samples, requires_grad=True) for samples in (length, 2)]
            outputs = [f(*tensors) for f in (compiled, function)]
            torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
            gradients = [torch.autograd.grad(output.square().sum(), [*tensors, weight]) for output in outputs]
            torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_compiled_autograd():
    left, weight = torch.randn(2, 4, 2, requires_grad=True), torch.randn(6, 4, 3, requires_grad=True)
    for length in (30, 40):
        input = torch.randn(2, 4, length, requires_grad=True)
        tensors = [input, left, weight]

        def loss(tensors=tensors):
            return tapconv.conv1d_context(tensors[0], tensors[2], left=tensors[1], padding="causal").square().sum()

        expected = torch.autograd.grad(loss(), tensors)
        left.grad = weight.grad = None
        compiler = torch.compile(backend="aot_eager", fullgraph=True)
        with torch._dynamo.compiled_autograd._enable(compiler):
            loss().backward()
        torch.testing.assert_close([tensor.grad for tensor in tensors], list(expected), rtol=1e-4, atol=1e-3)


def test_torchscript():
    def function(input: torch.Tensor, weight: torch.Tensor, left: torch.Tensor):
        return tapconv.conv1d_context(input, weight, None, left, None, [1], [2, 0])

    tensors = torch.randn(2, 4, 9), torch.randn(6, 4, 3), torch.randn(2, 4, 2)
    assert torch.equal(torch.jit.script(function)(*tensors), function(*tensors))


WRONG_BORDERS = {
    "batch": (lambda left: left[:1], r"expected left of the size of input, \[2, 4, 9\], but for its length, got \[1,"),
    "channels": (lambda left: left[:, :3], r"but for its length, got \[2, 3, 2\]"),
    "dimensions": (lambda left: left[0], r"but for its length, got \[4, 2\]"),
    "type": (lambda left: left.double(), r"expected left of the type of input, Float, got Double"),
    "device": (lambda left: left.to("meta"), r"expected left on .*, got meta"),
}


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("wrong", WRONG_BORDERS)
def test_borders_that_do_not_fit(wrong, requires_grad):
    change, message = WRONG_BORDERS[wrong]
    input, weight = torch.randn(2, 4, 9), torch.randn(6, 4, 3, requires_grad=requires_grad)
    with pytest.raises(RuntimeError, match=message):
        tapconv.conv1d_context(input, weight, left=change(torch.randn(2, 4, 2)), padding="causal")


def test_errors_of_the_convolution_are_torchs():
    input, left, weight = torch.randn(2, 4, 9), torch.randn(2, 4, 2), torch.randn(6, 4, 3)
    with pytest.raises(RuntimeError, match="to have 3 channels, but got 4 channels"):
        tapconv.conv1d_context(input, weight[:, :3], left=left, padding="causal")
    with pytest.raises(RuntimeError, match="negative padding"):
        tapconv.conv1d_context(input, weight, left=left, padding=-1)
    with pytest.raises(TypeError, match=r"argument 'left' \(position 4\) must be Tensor or None, not int"):
        tapconv.conv1d_context(input, weight, None, 5)
    with pytest.raises(ValueError, match="algorithm"):
        tapconv.conv1d_context(input, weight, left=left, padding="causal", algorithm="fast")


def test_freed_borders_raise():
    input, left, weight = torch.randn(2, 4, 9), torch.randn(2, 4, 2), torch.randn(6, 4, 3)
    left.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="expected left to have the memory"):
        tapconv.conv1d_context(input, weight, left=left, padding="causal")
