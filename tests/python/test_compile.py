"""torch.compile, torch.export and AOTInductor: the operator stays one node, with gradients and changing lengths."""

import shutil

import pytest
import torch
from support import cpu_only
from torch import nn

import tapconv

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("device")]
needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")), reason="no C++ compiler"
)
BACKENDS = ["aot_eager", pytest.param("inductor", marks=needs_compiler)]


@pytest.fixture(autouse=True)
def forget_compiled_code():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = tapconv.Conv1d(3, 8, 5, padding="same", padding_mode="reflect")
        self.second = tapconv.Conv1d(8, 8, 3, padding="causal", dilation=2, groups=2)
        self.weight = nn.Parameter(torch.randn(4, 8, 3))

    def forward(self, input):
        hidden = self.second(self.first(input).relu())
        return tapconv.conv1d(hidden, self.weight, None, 2, (2, 1), algorithm="direct").sigmoid()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dynamic", [None, True])
def test_training(backend, dynamic):
    model = Model()
    compiled = torch.compile(model, backend=backend, fullgraph=True, dynamic=dynamic)
    for length in (30, 41, 64):
        input = torch.randn(2, 3, length, requires_grad=True)
        results = []
        for function in (compiled, model):
            output = function(input)
            results.append((output, *torch.autograd.grad(output.square().sum(), [input, *model.parameters()])))
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_inference(backend):
    model = Model().eval()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch.no_grad():
        for shape in ((2, 3, 30), (3, 30), (5, 3, 47)):
            input = torch.randn(shape)
            torch.testing.assert_close(compiled(input), model(input))


def test_the_graph_holds_the_operator():
    targets = []

    def backend(graph_module, example_inputs):
        targets.extend(str(node.target) for node in graph_module.graph.nodes if node.op == "call_function")
        return graph_module

    torch.compile(Model(), backend=backend, fullgraph=True)(torch.randn(2, 3, 30))
    assert sum("tapconv.conv1d" in target for target in targets) == 3
    assert not any("aten" in target and "conv" in target for target in targets)


@pytest.mark.parametrize("backend", BACKENDS)
def test_transforms_inside(backend):
    weight = torch.randn(4, 3, 5)

    def gradients(inputs):
        def loss(sample, weight):
            return tapconv.conv1d(sample, weight, padding=2).square().sum()

        return torch.func.vmap(torch.func.grad(loss, 1), (0, None))(inputs, weight)

    inputs = torch.randn(6, 3, 20)
    torch.testing.assert_close(torch.compile(gradients, backend=backend, fullgraph=True)(inputs), gradients(inputs))


def test_out_inside():
    def function(input, weight, out):
        tapconv.conv1d(input, weight, padding=1, out=out)
        return out * 2

    input, weight, out = torch.randn(2, 3, 20), torch.randn(4, 3, 3), torch.zeros(2, 4, 20)
    expected = torch.conv1d(input, weight, padding=1)
    output = torch.compile(function, backend="aot_eager", fullgraph=True)(input, weight, out)
    torch.testing.assert_close(output, expected * 2)
    torch.testing.assert_close(out, expected)


def exported(model):
    batch, length = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("length", min=8, max=4096)
    return torch.export.export(model, (torch.randn(2, 3, 30),), dynamic_shapes={"input": {0: batch, 2: length}})


def test_export_with_any_batch_and_length(tmp_path):
    model = Model().eval()
    torch.export.save(exported(model), tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2")
    assert "torch.ops.tapconv.conv1d" in program.graph_module.code
    for shape in ((1, 3, 8), (5, 3, 77), (3, 3, 1000)):
        input = torch.randn(shape)
        torch.testing.assert_close(program.module()(input), model(input))


@cpu_only
@needs_compiler
def test_aot_inductor_package(tmp_path):
    model = Model().eval()
    with torch.no_grad():
        path = torch._inductor.aoti_compile_and_package(exported(model), package_path=str(tmp_path / "model.pt2"))
        loaded = torch._inductor.aoti_load_package(path)
        for shape in ((1, 3, 30), (7, 3, 123)):
            input = torch.randn(shape)
            torch.testing.assert_close(loaded(input), model(input))


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_autograd(backend):
    model, input = Model(), torch.randn(2, 3, 30)
    model(input).square().sum().backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    with torch._dynamo.utils.maybe_enable_compiled_autograd(True, fullgraph=True):
        torch.compile(lambda x: model(x).square().sum().backward(), backend=backend)(input)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@needs_compiler
def test_inductor_that_calls_only_what_was_named_to_it():
    model, transposed = Model(), nn.Parameter(torch.randn(4, 3, 4))
    packed = tapconv.pack_weight(torch.ones(3, 3, 5))

    def function(input):
        return tapconv.conv_transpose1d(model(input), transposed, stride=2)

    def without_gradients(input):
        return tapconv.conv1d_packed(function(input), packed, (3, 3, 5)).relu()

    input = torch.randn(2, 3, 30, requires_grad=True)
    wanted = [input, transposed, *model.parameters()]
    expected = torch.autograd.grad(function(input).square().sum(), wanted)
    with torch._inductor.config.patch(implicit_fallbacks=False):
        output = torch.compile(function, fullgraph=True)(input)
        torch.testing.assert_close(torch.autograd.grad(output.square().sum(), wanted), expected)
        with torch.no_grad():
            output = torch.compile(without_gradients, fullgraph=True)(input)
            torch.testing.assert_close(output, without_gradients(input))


def test_fx_tracing():
    model = Model()
    graph_module = torch.fx.symbolic_trace(model)
    assert "tapconv.conv1d" in graph_module.code
    input = torch.randn(2, 3, 30)
    torch.testing.assert_close(graph_module(input), model(input))


def test_autocast_inside(device):
    model, input = Model().eval(), torch.randn(2, 3, 30)

    def function(input):
        with torch.autocast(device, dtype=torch.bfloat16):
            return model(input)

    with torch.no_grad():
        output = torch.compile(function, backend="aot_eager", fullgraph=True)(input)
        assert output.dtype == torch.bfloat16
        torch.testing.assert_close(output, function(input), rtol=0.05, atol=0.05)
