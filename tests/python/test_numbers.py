"""Stride, padding, dilation and groups in every form that torch takes: integers of other kinds, numbers in tensors,
symbolic ones; and those that it does not take, in its words."""

import collections
import contextlib
import copy
import enum
import math
import shutil

import numpy as np
import pytest
import torch
from torch import nn

import tapconv

X, W, T = (
    torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in ((2, 4, 20), (4, 2, 3), (4, 2, 4))
)


class Two(enum.IntEnum):
    two = 2


NUMBERS = {
    "int": 2,
    "numpy": np.int64(2),
    "numpy int32": np.int32(2),
    "numpy uint8": np.uint8(2),
    "tensor": torch.tensor(2),
    "tensor int32": torch.tensor(2, dtype=torch.int32),
    "tensor of one element": torch.tensor([2]),
    "matrix of one element": torch.tensor([[2]]),
    "enumeration": Two.two,
    "True": True,
    "False": False,
    "float": 2.0,
    "None": None,
    "string": "2",
    "numpy bool": np.bool_(True),
    "numpy float": np.float64(2),
    "numpy array": np.array([2]),
    "tensor of a float": torch.tensor(2.0),
    "tensor with a gradient": torch.tensor(2.0, requires_grad=True),
    "range": range(2, 3),
}
SEQUENCES = {
    "list": [2],
    "tuple": (2,),
    "size": torch.Size([2]),
    "list of numpy": [np.int64(2)],
    "tuple of a tensor": (torch.tensor(2),),
    "list of True": [True],
    "list of a float": [2.0],
    "empty": [],
    "two": [1, np.int64(2)],
}
NAMES = {"conv1d": ("stride", "padding", "dilation", "groups")}
NAMES["conv_transpose1d"] = (*NAMES["conv1d"], "output_padding")


def call(module, function, name, value):
    arguments = {"groups": 2, "stride": 3, name: value}
    tensors = (X, W) if function == "conv1d" else (X, T)
    return getattr(module, function)(*tensors, **arguments)


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), str(error)


def assert_same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, torch.Tensor), ours
        torch.testing.assert_close(ours, theirs)
    else:
        assert ours == theirs


CASES = [
    (function, name, form)
    for function, names in NAMES.items()
    for name in names
    for form in [*NUMBERS, *SEQUENCES]
    # Two paddings are left and right here.
    if (name, form) != ("padding", "two") or function != "conv1d"
]


@pytest.mark.parametrize(("function", "name", "form"), CASES)
def test_functions_take_what_torchs_take(function, name, form):
    value = {**NUMBERS, **SEQUENCES}[form]
    theirs = outcome(call, torch, function, name, value)
    assert_same(outcome(call, tapconv, function, name, value), theirs)
    with tapconv.enabled():
        assert_same(outcome(call, torch, function, name, value), theirs)


@pytest.mark.parametrize("form", [*NUMBERS, *SEQUENCES])
@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding", "dilation", "groups"])
@pytest.mark.parametrize("kind", ["Conv1d", "ConvTranspose1d"])
def test_modules_take_what_torchs_take(kind, name, form):
    value = {**NUMBERS, **SEQUENCES}[form]

    def run(modules):
        torch.manual_seed(0)
        return getattr(modules, kind)(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, name: value})(X)

    if kind == "Conv1d" and name == "padding" and form in ("two", "empty", "string"):
        return  # a padding of tapconv's, or an error in its words
    theirs = outcome(run, nn)
    ours = outcome(run, tapconv)
    assert_same(ours, theirs)


def test_modules_whose_attributes_are_changed():
    for value in (np.int64(2), torch.tensor(2), (np.int64(2),)):
        for name in ("stride", "padding", "dilation"):
            module = tapconv.Conv1d(4, 4, 3)
            setattr(module, name, value)
            torch.testing.assert_close(module(X), torch.conv1d(X, module.weight, module.bias, **{name: value}))


def test_pairs_of_paddings():
    expected = torch.conv1d(nn.functional.pad(X, (2, 1)), W, groups=2)
    for left, right in ((np.int64(2), np.int64(1)), (torch.tensor(2), 1), (2, Two.two - 1)):
        torch.testing.assert_close(tapconv.conv1d(X, W, padding=(left, right), groups=2), expected)
    packed = tapconv.pack_weight(W, groups=np.int64(2), stride=torch.tensor(1), input_length=np.int64(20))
    output = tapconv.conv1d_packed(X, packed, W.shape, padding=[torch.tensor(2), np.int64(1)], groups=np.int64(2))
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("overload", ["conv1d", "conv_transpose1d", "conv1d_packed"])
def test_torch_ops_takes_bare_ints_and_lists(overload):
    packed = tapconv.pack_weight(W, groups=2)
    first = {"conv1d": (X, W, None), "conv_transpose1d": (X, T, None), "conv1d_packed": (X, packed, W.shape, None)}
    theirs = torch.conv_transpose1d if overload == "conv_transpose1d" else torch.conv1d
    weight = T if overload == "conv_transpose1d" else W
    operator = getattr(torch.ops.tapconv, overload)
    expected = theirs(X, weight, None, 1, 1, groups=2)
    for one, pad in ((1, 1), ([1], [1]), (1, [1]), ((1,), 1)):
        torch.testing.assert_close(operator(*first[overload], one, pad, groups=2), expected)
    torch.testing.assert_close(operator(*first[overload], padding=1, groups=2), expected)
    torch.testing.assert_close(operator.ints(*first[overload], 1, 1, groups=2), expected)
    with pytest.raises((TypeError, RuntimeError)):
        operator(*first[overload], 1, 1, groups=None)


class DynamicPadding(nn.Module):
    def __init__(self, modules):
        super().__init__()
        self.function, self.weight = modules.conv1d, nn.Parameter(W.repeat(1, 2, 1))

    def forward(self, input):
        return self.function(input, self.weight, None, padding=input.shape[-1] - 1)


class DynamicStrides(DynamicPadding):
    def forward(self, input):
        length = input.shape[-1]
        return self.function(input, self.weight, None, length // 10, (length // 7,), length // 9)


class DynamicKernel(DynamicPadding):
    def forward(self, input):
        return self.function(input, self.weight[..., : input.shape[-1] // 10], padding="same")


class AGroupForEachSample(nn.Module):
    """Filters that depend on the sample, for a whole batch in one call."""

    def __init__(self, modules):
        super().__init__()
        self.function, self.filters = modules.conv1d, nn.Linear(4, 2 * 4 * 3)

    def forward(self, input):
        batch, channels, length = input.shape
        weight = self.filters(input.mean(-1)).view(batch * 2, channels, 3)
        return self.function(input.reshape(1, batch * channels, length), weight, None, 1, 1, 1, batch)


class DynamicTransposed(nn.Module):
    def __init__(self, modules):
        super().__init__()
        self.function, self.weight = modules.conv_transpose1d, nn.Parameter(T.clone())

    def forward(self, input):
        return self.function(input, self.weight, None, 2, input.shape[-1] // 8, groups=2)


class Resized(nn.Module):
    def __init__(self, modules):
        super().__init__()
        self.module = (nn if modules is torch else tapconv).ConvTranspose1d(4, 3, 4, stride=3)

    def forward(self, input):
        return self.module(input, output_size=[3 * input.shape[-1] + 1])


MODELS = [DynamicPadding, DynamicStrides, DynamicKernel, AGroupForEachSample, DynamicTransposed, Resized]
needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler")


def inputs_of(kind):
    sizes = (
        ((2, 30), (3, 31), (4, 50), (5, 33)) if kind is AGroupForEachSample else ((2, 30), (2, 31), (2, 37), (2, 33))
    )
    return [torch.randn(batch, 4, length) for batch, length in sizes]


def twins(kind):
    torch._dynamo.reset()
    ours, theirs = kind(tapconv), kind(torch)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("kind", MODELS)
def test_traced_numbers(kind):
    ours, theirs = twins(kind)
    first, *others = inputs_of(kind)
    traced = torch.jit.trace(ours, (first,))
    for input in others:
        torch.testing.assert_close(traced(input), theirs(input), rtol=1e-4, atol=1e-4)


class CompileCounter:
    """A backend that counts, keeps what the graphs call, and compiles by another."""

    def __init__(self, backend):
        self.count, self.targets, self.backend = 0, set(), torch._dynamo.lookup_backend(backend)

    def __call__(self, graph_module, example_inputs):
        self.count += 1
        self.targets |= {str(node.target) for node in graph_module.graph.nodes if node.op == "call_function"}
        return self.backend(graph_module, example_inputs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=needs_compiler)])
def test_compiled_numbers(kind, backend):
    """The same results and gradients as torch's, from no more compilations."""
    ours, theirs = twins(kind)
    counts, results = [], collections.defaultdict(list)
    for model in (ours, theirs):
        torch._dynamo.reset()
        # Torch's graphs are compiled once for each size, by Inductor for seconds each.
        counter = CompileCounter(backend if model is ours else "aot_eager")
        compiled = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
        torch.manual_seed(1)
        for input in inputs_of(kind):
            output = compiled(input)
            results[model].append((output, *torch.autograd.grad(output.square().sum(), list(model.parameters()))))
        counts.append(counter.count)
    torch.testing.assert_close(results[ours], results[theirs], rtol=1e-3, atol=1e-2)
    assert counts[0] <= counts[1]


class AntiAliased(nn.Module):
    """As in BigVGAN: the signal is doubled, bent and halved again, each time by one filter for all channels, of which
    there may be any number."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Parameter(torch.hann_window(12)[None, None] / 6)

    def forward(self, signal):
        channels = signal.shape[1]
        filters = self.filter.expand(channels, -1, -1)
        spread = nn.functional.conv_transpose1d(
            nn.functional.pad(signal, (5, 5), mode="replicate"), filters, stride=2, groups=channels
        )
        bent = torch.sin(2 * spread[..., 15:-15])
        padded = nn.functional.pad(bent, (5, 6), mode="replicate")
        return nn.functional.conv1d(padded, filters, stride=2, groups=channels)


class SameAsInTensorFlow(nn.Module):
    """Pads so that there is one output for each stride, however long the signal is."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(4, 6, 5, stride=3, dilation=2)

    def forward(self, signal):
        length, (kernel_size,) = signal.shape[-1], self.convolution.kernel_size
        (stride,), (dilation,) = self.convolution.stride, self.convolution.dilation
        outputs = math.ceil(length / stride)
        samples = max((outputs - 1) * stride + (kernel_size - 1) * dilation + 1 - length, 0)
        return self.convolution(nn.functional.pad(signal, (samples // 2, samples - samples // 2)))


WAYS = {
    "enabled": lambda model: (model, tapconv.enabled()),
    "converted": lambda model: (tapconv.convert(model), contextlib.nullcontext()),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "way", "backend"),
    [
        (AntiAliased, "enabled", "aot_eager"),
        (SameAsInTensorFlow, "enabled", "aot_eager"),
        (SameAsInTensorFlow, "converted", "aot_eager"),
        pytest.param(AntiAliased, "enabled", "inductor", marks=needs_compiler),
        pytest.param(SameAsInTensorFlow, "converted", "inductor", marks=needs_compiler),
    ],
)
def test_models_that_compute_their_numbers(kind, way, backend):
    """Models of others as they are: torch's results and gradients at every length, from no more compilations."""
    channels = (4, 4, 6, 5) if kind is AntiAliased else (4, 4, 4, 4)
    inputs = [torch.randn(2, *size, requires_grad=True) for size in zip(channels, (30, 31, 47, 64), strict=True)]
    theirs = kind()
    ours, rerouting = WAYS[way](copy.deepcopy(theirs))
    counts, results = [], []
    for model, context in ((ours, rerouting), (theirs, contextlib.nullcontext())):
        torch._dynamo.reset()
        # Torch's graphs are compiled once for each size, by Inductor for seconds each.
        counter = CompileCounter(backend if model is ours else "aot_eager")
        compiled = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
        with context:
            outputs = [compiled(input) for input in inputs]
        loss = sum(output.square().sum() for output in outputs)
        results.append((outputs, torch.autograd.grad(loss, [*inputs, *model.parameters()])))
        counts.append(counter.count)
        assert any("tapconv" in target for target in counter.targets) == (model is ours)
        assert any("conv1d" in target and "tapconv" not in target for target in counter.targets) == (model is theirs)
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
    assert counts[0] <= counts[1]


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", [DynamicPadding, AGroupForEachSample, Resized])
def test_exported_numbers(kind, strict):
    ours, theirs = twins(kind)
    first, *others = inputs_of(kind)
    dimension = 0 if kind is AGroupForEachSample else 2
    shapes = {"input": {dimension: torch.export.Dim("size", min=2 if dimension == 0 else 20, max=200)}}
    program = torch.export.export(ours.eval(), (first,), dynamic_shapes=shapes, strict=strict)
    for exported in (program, program.run_decompositions()):
        for input in others:
            input = input[..., :30] if dimension == 0 else input[:2]
            torch.testing.assert_close(exported.module()(input), theirs(input), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["bare", "list"])
def test_symbolic_tracing_by_make_fx(padding):
    def function(input, weight):
        length = input.shape[-1] - 1
        return tapconv.conv1d(input, weight, padding=length if padding == "bare" else [length])

    weight = W.repeat(1, 2, 1)
    traced = torch.fx.experimental.proxy_tensor.make_fx(function, tracing_mode="symbolic")(X, weight)
    for length in (20, 33):
        input = torch.randn(3, 4, length)
        torch.testing.assert_close(traced(input, weight), function(input, weight))


def test_fx_traces_computed_numbers():
    traced = torch.fx.symbolic_trace(DynamicPadding(tapconv))
    torch.testing.assert_close(traced(X), DynamicPadding(torch)(X))
