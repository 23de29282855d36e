"""`tapconv.conv_transpose1d` and `tapconv.ConvTranspose1d` against torch's: results, derivatives, errors, weights."""

import copy
import itertools
import pickle
import warnings
from dataclasses import dataclass

import pytest
import torch
from support import DTYPES, assert_within_bound, on_device
from torch import nn
from torch.func import functionalize, grad, jacfwd, jacrev, jvp, vmap

import tapconv

pytestmark = pytest.mark.usefixtures("device")


@dataclass(frozen=True)
class Problem:
    """One call. `channels` are in_channels, out_channels and groups; without a batch where `batch` is None."""

    channels: tuple[int, int, int]
    kernel_size: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1
    length: int = 9
    batch: int | None = 2

    @property
    def output_length(self) -> int:
        reach = self.dilation * (self.kernel_size - 1)
        return (self.length - 1) * self.stride - 2 * self.padding + reach + self.output_padding + 1

    @property
    def arguments(self) -> tuple:
        return self.stride, self.padding, self.output_padding, self.channels[2], self.dilation

    def tensors(self, dtype: torch.dtype, integers: bool = False) -> list[torch.Tensor]:
        in_channels, out_channels, groups = self.channels
        shapes = [
            (*(() if self.batch is None else (self.batch,)), in_channels, self.length),
            (in_channels, out_channels // groups, self.kernel_size),
            (out_channels,),
        ]
        if integers:
            return [torch.randint(-1, 2, shape).to(dtype) for shape in shapes]
        return [torch.randn(shape).to(dtype) for shape in shapes]


CHANNELS = [(3, 5, 1), (4, 6, 2), (3, 3, 3), (3, 6, 3), (1, 1, 1)]


def problems(channels) -> list[Problem]:
    """Strides with every output_padding, dilations, kernels shorter and longer than the stride, odd lengths."""
    grid = [
        Problem(channels, kernel_size, stride, padding, output_padding, dilation, length)
        for stride, dilation, kernel_size, padding, length in itertools.product(
            (1, 2, 3), (1, 3), (1, 2, 3, 7), (0, 1, 3), (1, 2, 9)
        )
        for output_padding in range(stride)
    ]
    return [problem for problem in grid if problem.output_length >= 1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_exact_on_small_integers(channels, dtype, threads):
    """Every sum fits into every type, so that all orders of summation give the same."""
    threads(1)  # thousands of tiny problems: waking threads for each would be most of the time
    for problem in problems(channels):
        input, weight, bias = problem.tensors(dtype, integers=True)
        expected = torch.conv_transpose1d(input.double(), weight.double(), bias.double(), *problem.arguments)
        output = tapconv.conv_transpose1d(input, weight, bias, *problem.arguments)
        assert output.dtype == dtype and output.is_contiguous()
        assert output.shape[-1] == problem.output_length
        assert torch.equal(output.double(), expected), problem


EDGES = [
    Problem((16, 8, 1), 4, 2, 1, length=1000),
    Problem((32, 16, 1), 16, 8, 4, length=301),
    Problem((1, 17, 1), 33, 5, 2, 3, length=257),
    Problem((24, 24, 24), 7, 1, 3, length=500),
    Problem((8, 8, 8), 4, 2, 1, 1, length=333, batch=None),
    Problem((5, 7, 1), 3, 2, 0, 1, 4, length=64, batch=None),
    Problem((2, 3, 1), 300, 1, 100, length=700),
    Problem((4, 4, 1), 2, 7, length=50),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", EDGES, ids=str)
def test_within_the_bound(problem, dtype):
    """Against torch in double precision. No bias, which is added to the rounded sum."""
    input, weight, _ = problem.tensors(dtype)
    arguments = (None, *problem.arguments)
    expected = torch.conv_transpose1d(input.double(), weight.double(), *arguments)
    magnitude = torch.conv_transpose1d(input.double().abs(), weight.double().abs(), *arguments)
    assert_within_bound(tapconv.conv_transpose1d(input, weight, *arguments), expected, magnitude, "auto")


def test_any_memory_layout():
    problem = Problem((4, 6, 2), 3, 2, 1, 1)
    input, weight, bias = problem.tensors(torch.float64)
    expected = torch.conv_transpose1d(input, weight, bias, *problem.arguments)
    channels_last = input.transpose(1, 2).contiguous().transpose(1, 2)
    spread = torch.zeros(2, 4, 27, dtype=torch.float64)[:, :, ::3].copy_(input)
    for layout in (channels_last, spread):
        assert not layout.is_contiguous()
        flipped = weight.transpose(0, 2).contiguous().transpose(0, 2)
        torch.testing.assert_close(tapconv.conv_transpose1d(layout, flipped, bias, *problem.arguments), expected)
    one = input[:1, :1].expand(2, 4, 9)
    torch.testing.assert_close(
        tapconv.conv_transpose1d(one, weight, bias, *problem.arguments),
        torch.conv_transpose1d(one, weight, bias, *problem.arguments),
    )


def test_arguments_are_left_alone():
    tensors = Problem((3, 5, 1), 3, 2).tensors(torch.float32)
    copies = [tensor.clone() for tensor in tensors]
    tapconv.conv_transpose1d(*tensors, stride=2)
    assert all(torch.equal(tensor, copied) for tensor, copied in zip(tensors, copies, strict=True))


# What the kernels do not take, torch computes.
@pytest.mark.parametrize(
    ("dtype", "arguments"),
    [(torch.complex64, ()), (torch.float32, (2, 0, 2, 1, 3)), (torch.float32, (1, 0, 1, 1, 2))],
    ids=["complex", "output_padding as long as the stride", "output_padding with stride 1"],
)
def test_left_to_torch(dtype, arguments):
    input, weight, bias = (torch.randn(shape, dtype=dtype) for shape in ((2, 3, 9), (3, 5, 3), (5,)))
    assert outcome(tapconv.conv_transpose1d, input, weight, bias, *arguments) == outcome(
        torch.conv_transpose1d, input, weight, bias, *arguments
    )
    if not isinstance(outcome(torch.conv_transpose1d, input, weight, bias, *arguments)[0], type):
        torch.testing.assert_close(
            tapconv.conv_transpose1d(input, weight, bias, *arguments),
            torch.conv_transpose1d(input, weight, bias, *arguments),
        )


def outcome(function, *arguments):
    try:
        return tuple(function(*on_device(arguments)).shape)
    except Exception as error:
        return type(error), str(error)


X, W, B = torch.zeros(2, 4, 9), torch.zeros(4, 3, 3), torch.zeros(3)
WRONG_CALLS = {
    "channels do not fit": (X, torch.zeros(5, 3, 3)),
    "in_channels not divisible by groups": (X, W, None, 1, 0, 0, 3),
    "groups zero": (X, W, None, 1, 0, 0, 0),
    "groups negative": (X, W, None, 1, 0, 0, -1),
    "groups near 2^63": (X, W, None, 1, 0, 0, 2**63 - 1),
    "stride zero": (X, W, None, 0),
    "stride negative": (X, W, None, -1),
    "two strides": (X, W, None, (1, 2)),
    "no stride": (X, W, None, ()),
    "padding negative": (X, W, None, 1, -1),
    "two paddings": (X, W, None, 1, (1, 1)),
    "padding cuts everything off": (X, W, None, 1, 6),
    "padding near 2^62": (X, W, None, 1, 2**62),
    "output_padding negative": (X, W, None, 2, 0, -1),
    "output_padding longer than stride and dilation": (X, W, None, 2, 0, 5),
    "two output_paddings": (X, W, None, 2, 0, (1, 1)),
    "dilation zero": (X, W, None, 1, 0, 0, 1, 0),
    "two dilations": (X, W, None, 1, 0, 0, 1, (1, 2)),
    "bias of wrong length": (X, W, torch.zeros(4)),
    "bias of two dimensions": (X, W, torch.zeros(3, 1)),
    "bias of another type": (X, W, B.double()),
    "weight of another type": (X, W.double()),
    "weight of two dimensions": (X, torch.zeros(4, 3)),
    "weight of four dimensions": (X, torch.zeros(4, 3, 3, 1)),
    "input of one dimension": (torch.zeros(9), W),
    "input of four dimensions": (torch.zeros(1, 2, 4, 9), W),
    "integer input": (X.long(), W),
    "empty kernel": (X, torch.zeros(4, 3, 0)),
}


@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize("name", WRONG_CALLS)
def test_same_error_as_torch(name, differentiable):
    input, weight, *others = WRONG_CALLS[name]
    if differentiable:
        weight = weight.clone().requires_grad_()
    theirs = outcome(torch.conv_transpose1d, input, weight, *others)
    assert isinstance(theirs[0], type), f"torch accepts this call and gives the shape {theirs}"
    for function in (tapconv.conv_transpose1d, torch.ops.tapconv.conv_transpose1d):
        assert outcome(function, input, weight, *others) == theirs


@pytest.mark.parametrize("shape", [(0, 4, 9), (2, 4, 0), (2, 0, 9)])
def test_empty_input(shape):
    input, weight = torch.zeros(shape), torch.zeros(shape[1], 3, 3)
    assert outcome(tapconv.conv_transpose1d, input, weight, B) == outcome(torch.conv_transpose1d, input, weight, B)


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


def test_meta():
    input, weight, bias = (tensor.to("meta") for tensor in Problem((4, 6, 2), 3, 2, 1, 1).tensors(torch.float32))
    output = tapconv.conv_transpose1d(input, weight, bias, 2, 1, 1, 2)
    assert output.device.type == "meta" and output.shape == (2, 6, 18)


def test_autocast(device):
    input, weight, bias = Problem((4, 6, 2), 3, 2, 1, 1).tensors(torch.float32)
    with torch.autocast(device, dtype=torch.bfloat16):
        output = tapconv.conv_transpose1d(input, weight, bias, 2, 1, 1, 2)
        expected = torch.conv_transpose1d(input, weight, bias, 2, 1, 1, 2)
    assert output.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(output, expected, rtol=0.05, atol=0.05)


def test_the_checks_of_torch_library():
    tensors = [tensor.requires_grad_() for tensor in Problem((4, 6, 2), 3, 2, 1, 1).tensors(torch.float64)]
    torch.library.opcheck(torch.ops.tapconv.conv_transpose1d.default, (*tensors, [2], [1], [1], 2))


MODULES = [
    ((3, 4, 5), {}),
    ((4, 8, 4), {"stride": 2, "padding": 1}),
    ((4, 8, (3,)), {"stride": (2,), "padding": (1,), "output_padding": (1,), "dilation": (2,)}),
    ((4, 8, 3), {"groups": 4, "bias": False}),
    ((4, 8, 3), {"dtype": torch.float64}),
]


@pytest.mark.parametrize(("positional", "named"), MODULES)
def test_module(positional, named):
    torch.manual_seed(3)
    theirs = nn.ConvTranspose1d(*positional, **named)
    torch.manual_seed(3)
    ours = tapconv.ConvTranspose1d(*positional, **named)
    assert isinstance(ours, nn.ConvTranspose1d)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, parameter in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], parameter), f"initial {name} differs"
    input = torch.randn(2, positional[0], 11, dtype=named.get("dtype"))
    torch.testing.assert_close(ours(input), theirs(input))
    torch.testing.assert_close(ours(input[0]), theirs(input[0]))
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(other) is tapconv.ConvTranspose1d
        assert torch.equal(other(input), ours(input))


def test_checkpoints_go_both_ways():
    input = torch.randn(2, 3, 20)
    for source, target in ((nn, tapconv), (tapconv, nn)):
        module, other = source.ConvTranspose1d(3, 4, 5, 2), target.ConvTranspose1d(3, 4, 5, 2)
        other.load_state_dict(module.state_dict())
        torch.testing.assert_close(other(input), module(input))


@pytest.mark.parametrize("output_size", [[22], [23], [24], [2, 8, 23], (23,), [21], [25], [], [8, 23], [1, 2, 8, 23]])
def test_output_size(output_size):
    """The three lengths that stride 3 maps to 8, and what is not a length of them."""
    arguments = {"stride": 3, "padding": 1, "dilation": 1}
    ours, theirs = tapconv.ConvTranspose1d(4, 8, 3, **arguments), nn.ConvTranspose1d(4, 8, 3, **arguments)
    ours.load_state_dict(theirs.state_dict())
    for input in (torch.randn(2, 4, 8), torch.randn(4, 8)):
        expected = outcome(theirs, input, output_size)
        assert outcome(ours, input, output_size) == expected
        if not isinstance(expected[0], type):
            torch.testing.assert_close(ours(input, output_size), theirs(input, output_size))


def test_module_errors_are_torchs():
    for arguments, named in [((3, 4, 5), {"groups": 2}), ((4, 4, 5), {"padding_mode": "reflect"})]:
        expected = outcome(lambda *a, n=named: nn.ConvTranspose1d(*a, **n), *arguments)
        assert isinstance(expected[0], type)
        assert outcome(lambda *a, n=named: tapconv.ConvTranspose1d(*a, **n), *arguments) == expected
    changed = tapconv.ConvTranspose1d(3, 4, 5)
    changed.padding_mode = "reflect"
    with pytest.raises(ValueError, match="Only `zeros` padding mode"):
        changed(torch.randn(2, 3, 9))


class Upsampler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = tapconv.ConvTranspose1d(3, 8, 4, stride=2, padding=1)
        self.second = tapconv.ConvTranspose1d(8, 8, 5, stride=3, padding=1, output_padding=2, dilation=2, groups=2)
        self.weight = nn.Parameter(torch.randn(8, 2, 3))

    def forward(self, input):
        return tapconv.conv_transpose1d(self.second(self.first(input).relu()), self.weight, None, 1, 1).sigmoid()


def test_torchscript():
    model, input = Upsampler(), torch.randn(2, 3, 13)
    for scripted in (torch.jit.script(model), torch.jit.trace(model, input)):
        assert "tapconv::conv_transpose1d" in str(scripted.inlined_graph)
        torch.testing.assert_close(scripted(input), model(input))
    module = tapconv.ConvTranspose1d(3, 4, 3, 2)
    assert torch.jit.script(module)(input, [28]).shape == (2, 4, 28)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [None, True])
def test_compiled_training(dynamic):
    torch._dynamo.reset()
    model = Upsampler()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for length in (13, 20, 31):
        input = torch.randn(2, 3, length, requires_grad=True)
        results = []
        for function in (compiled, model):
            output = function(input)
            results.append((output, *torch.autograd.grad(output.square().sum(), [input, *model.parameters()])))
        torch.testing.assert_close(*results)


@pytest.mark.slow
def test_export_with_any_batch_and_length():
    model = Upsampler().eval()
    batch, length = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("length", min=4, max=4096)
    program = torch.export.export(model, (torch.randn(2, 3, 30),), dynamic_shapes={"input": {0: batch, 2: length}})
    assert "tapconv" in program.graph_module.code and "aten.conv" not in program.graph_module.code
    for shape in ((1, 3, 4), (5, 3, 77)):
        input = torch.randn(shape)
        torch.testing.assert_close(program.module()(input), model(input))
