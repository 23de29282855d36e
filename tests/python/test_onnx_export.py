"""ONNX files of models that use tapconv hold ONNX's own operators, and ONNX Runtime computes what the model does."""

import copy
import io
import subprocess
import sys

import pytest
import torch
from torch import nn

import tapconv

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from onnx_files import EXPORTERS, assert_same, export, longer, operators_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
ANY_SIZE = torch.export.Dim.DYNAMIC

MODES = ("zeros", "reflect", "replicate", "circular")
CONVOLUTIONS = [
    {},
    {"stride": 3, "padding": 2},
    {"dilation": 3, "groups": 2, "padding": 1},
    {"groups": 4, "bias": False},
    {"padding": "valid"},
    *({"padding": 3, "dilation": 2, "padding_mode": mode} for mode in MODES),
    *({"kernel_size": 4, "padding": "same", "dilation": 3, "padding_mode": mode} for mode in MODES),
]
#: What torch's module lacks.
EXTENSIONS = [
    {"padding": (4, 1), "stride": 2},
    {"padding": 1, "algorithm": "direct"},
    *({"padding": "causal", "dilation": 2, "groups": 2, "padding_mode": mode} for mode in MODES),
    *({"padding": (0, 2), "kernel_size": 4, "padding_mode": mode} for mode in MODES),
]
TRANSPOSED = [
    {},
    {"stride": 2, "padding": 1, "output_padding": 1, "bias": False},
    {"stride": 3, "padding": 2, "output_padding": 2, "dilation": 2, "groups": 2},
]


def convolution(kind, kernel_size=5, **named):
    return kind(4, 8, kernel_size, **named)


class AtOnce(nn.Module):
    """Gives its input to each of many modules."""

    def __init__(self, modules) -> None:
        super().__init__()
        self.each = nn.ModuleList(modules)

    def forward(self, input):
        return [module(input) for module in self.each]


def torchs_model():
    convolutions = [convolution(nn.Conv1d, **case) for case in CONVOLUTIONS]
    return AtOnce(convolutions + [convolution(nn.ConvTranspose1d, **case) for case in TRANSPOSED]).eval()


def own_model():
    convolutions = [convolution(tapconv.Conv1d, **case) for case in CONVOLUTIONS + EXTENSIONS]
    return AtOnce(convolutions + [convolution(tapconv.ConvTranspose1d, **case) for case in TRANSPOSED]).eval()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "model.onnx")


@EXPORTERS
def test_own_modules(dynamo, path):
    model, input = own_model(), torch.randn(2, 4, 40)
    operators = export(path, model, input, dynamo)
    assert operators.count("Conv") == len(CONVOLUTIONS + EXTENSIONS)
    assert operators.count("ConvTranspose") == len(TRANSPOSED) and "Add" not in operators
    assert_same(path, model, input, longer(input))


@EXPORTERS
def test_converted_modules_give_the_operators_of_plain_ones(dynamo, path):
    theirs, input = torchs_model(), torch.randn(2, 4, 40)
    expected = export(path, theirs, input, dynamo)
    ours = tapconv.convert(copy.deepcopy(theirs))
    assert len(tapconv.report(ours).converted) == len(theirs.each)
    assert sorted(export(path, ours, input, dynamo)) == sorted(expected)
    assert_same(path, theirs, input, longer(input))


@EXPORTERS
@pytest.mark.parametrize("grad", [True, False])
def test_packed_modules(dynamo, grad, path):
    model, input = own_model(), torch.randn(2, 4, 40)
    for module in model.each[: -len(TRANSPOSED)]:
        module.pack()
    with torch.set_grad_enabled(grad):
        operators = export(path, model, input, dynamo)
    assert operators.count("Conv") == len(CONVOLUTIONS + EXTENSIONS)
    assert all(module.is_packed for module in model.each[: -len(TRANSPOSED)])
    assert_same(path, model, input, longer(input))


@EXPORTERS
def test_plain_models_while_rerouted(dynamo, path):
    model, input = torchs_model(), torch.randn(2, 4, 40)
    with tapconv.enabled():
        operators = export(path, model, input, dynamo)
    assert operators.count("Conv") == len(CONVOLUTIONS)
    assert_same(path, model, input, longer(input))


@EXPORTERS
def test_plain_models_while_rerouted_everywhere(dynamo, path):
    model, input = torchs_model(), torch.randn(2, 4, 40)
    tapconv.enable()
    try:
        operators = export(path, model, input, dynamo)
    finally:
        tapconv.disable()
    assert operators.count("Conv") == len(CONVOLUTIONS)
    assert_same(path, model, input, longer(input))


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 2, 3))
        self.transposed = nn.Parameter(torch.randn(6, 2, 4))
        self.bias = nn.Parameter(torch.randn(4))

    def forward(self, signal):
        hidden = tapconv.conv1d(signal, self.weight, None, 2, (2, 1), 1, 2, algorithm="direct").relu()
        hidden = tapconv.conv1d(hidden, self.weight.repeat(1, 3, 1), padding="causal", padding_mode="replicate")
        return tapconv.conv_transpose1d(hidden, self.transposed, self.bias, 3, 1, 1, 2)


@EXPORTERS
@pytest.mark.parametrize("shape", [(2, 4, 40), (4, 40)])
def test_functions(dynamo, shape, path):
    model, input = Functions(), torch.randn(shape)
    operators = export(path, model, input, dynamo)
    assert operators.count("Conv") == 2 and operators.count("ConvTranspose") == 1
    assert_same(path, model, input, longer(input))


@pytest.mark.parametrize("pack", [False, True])
def test_scripted_modules(pack, path):
    model, input = own_model(), torch.randn(2, 4, 40)
    for module in model.each[: -len(TRANSPOSED)]:
        if pack:
            module.pack()
    with torch.no_grad():
        operators = export(path, torch.jit.script(model), input, dynamo=False)
    assert operators.count("Conv") == len(CONVOLUTIONS + EXTENSIONS) and "If" not in operators
    assert_same(path, model, input, longer(input))


def traced(model):
    return torch.jit.trace(model, torch.randn(2, 4, 40), strict=False)


@pytest.mark.parametrize("make", [torch.jit.script, traced])
def test_converted_torchscript_modules(make, path):
    model, input = torchs_model(), torch.randn(2, 4, 40)
    # ONNX Runtime refuses what torch writes for "same" with a dilation.
    model.each = nn.ModuleList(module for module in model.each if module.padding != "same")
    converted = tapconv.convert(make(model))
    assert tapconv.report(converted).converted
    export(path, converted, input, dynamo=False)
    assert_same(path, model, input, longer(input))


@EXPORTERS
@pytest.mark.parametrize("pack", [False, True])
def test_double_precision(dynamo, pack, path):
    """By ONNX's reference, as ONNX Runtime has no kernel for it."""
    from onnx.reference import ReferenceEvaluator

    module, input = tapconv.Conv1d(4, 6, 5, padding="causal").double().eval(), torch.randn(2, 4, 40).double()
    if pack:
        module.pack()
    with torch.no_grad():
        export(path, module, input, dynamo)
        session = ReferenceEvaluator(path)
        (output,) = session.run(None, {session.input_names[0]: input.numpy()})
        torch.testing.assert_close(torch.from_numpy(output), module(input))


@EXPORTERS
def test_parametrized_weights(dynamo, path):
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 5, padding=2)), nn.GELU()).eval()
    tapconv.convert(model)
    input = torch.randn(2, 4, 40)
    assert "Conv" in export(path, model, input, dynamo)
    assert_same(path, model, input, longer(input))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.short = tapconv.Conv1d(4, 6, 3, padding="causal")
        self.long = tapconv.Conv1d(4, 6, 9, padding="causal", padding_mode="replicate")

    def forward(self, signal):
        return torch.cond(signal.sum() > 0, lambda x: self.short(x), lambda x: self.long(x), (signal,))


def test_branches(path):
    model, input = Branches().eval(), torch.randn(2, 4, 40).abs()
    torch.onnx.export(model, (input,), path)
    assert_same(path, model, input, -input)


def exported(model, input):
    return torch.export.export(model, (input,), dynamic_shapes=({0: ANY_SIZE, 2: ANY_SIZE},))


@pytest.mark.parametrize("kind", ["plain", "packed", "decomposed", "reloaded"])
def test_exported_programs(kind, path):
    model, input = own_model(), torch.randn(2, 4, 40)
    if kind == "packed":
        for module in model.each[: -len(TRANSPOSED)]:
            module.pack()
    with torch.no_grad():
        program = exported(model, input)
    if kind == "decomposed":
        program = program.run_decompositions()
    if kind == "reloaded":
        file = io.BytesIO()
        torch.export.save(program, file)
        program = torch.export.load(io.BytesIO(file.getvalue()))
    before = program.graph_module.code
    torch.onnx.export(program, f=path)
    assert program.graph_module.code == before and "tapconv" in before
    operators = operators_in(path)
    assert operators.count("Conv") == len(CONVOLUTIONS + EXTENSIONS)
    assert operators.count("ConvTranspose") == len(TRANSPOSED)
    assert_same(path, model, input, longer(input))
    with torch.no_grad():
        for output, wanted in zip(program.module()(input), model(input), strict=True):
            torch.testing.assert_close(output, wanted)


class PackedBuffer(nn.Module):
    def __init__(self, persistent) -> None:
        super().__init__()
        self.register_buffer("packed", tapconv.pack_weight(torch.randn(6, 2, 5), groups=2), persistent)

    def forward(self, signal):
        hidden = tapconv.conv1d_packed(signal, self.packed, (6, 2, 5), padding=(3, 1), groups=2)
        return tapconv.conv1d_packed(
            hidden[:, :4], self.packed, (6, 2, 5), padding=2, groups=2, padding_mode="circular"
        )


@pytest.mark.parametrize("persistent", [True, False])
def test_packed_weights_as_buffers(persistent, path):
    model, input = PackedBuffer(persistent), torch.randn(2, 4, 40)
    assert export(path, model, input, dynamo=True).count("Conv") == 2
    assert_same(path, model, input, longer(input))


class IntoOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(6, 4, 5)
        self.weight = nn.Parameter(weight)
        self.register_buffer("packed", tapconv.pack_weight(-weight))

    def forward(self, signal):
        plain, packed = torch.empty(2, 6, 36), torch.empty(2, 6, 36)
        tapconv.conv1d(signal, self.weight, out=plain)
        tapconv.conv1d_packed(signal, self.packed, (6, 4, 5), out=packed)
        return plain, packed


def test_out(path):
    model, input = IntoOut(), torch.randn(2, 4, 40)
    with torch.no_grad():
        assert export(path, model, input, dynamo=True, dynamic=False).count("Conv") == 2
    assert_same(path, model, input)


class PackedByTheModel(nn.Module):
    def forward(self, signal, packed):
        return tapconv.conv1d_packed(signal, packed, (6, 4, 5), padding=2)


def test_packed_buffers_by_the_older_exporter(path):
    with pytest.raises(torch.onnx.errors.SymbolicValueError, match=r"after unpack\(\).*dynamo=True"):
        export(path, PackedBuffer(True), torch.randn(2, 4, 40), dynamo=False)


@EXPORTERS
def test_packed_weights_that_are_no_constants_are_refused(dynamo, path):
    arguments = (torch.randn(2, 4, 40), tapconv.pack_weight(torch.randn(6, 4, 5)))
    with pytest.raises(Exception, match=r"with the plain weight, after unpack\(\)"):
        torch.onnx.export(PackedByTheModel(), arguments, path, dynamo=dynamo)


def test_a_translation_of_the_users_comes_first(path):
    from onnxscript import opset18

    def translation(input, weight, bias=None, stride=(1,), padding=(0,), dilation=(1,), groups=1):
        return opset18.Neg(opset18.Conv(input, weight, bias))

    module, input = tapconv.Conv1d(4, 6, 5).eval(), torch.randn(2, 4, 40)
    table = {torch.ops.tapconv.conv1d.default: translation}
    torch.onnx.export(module, (input,), path, custom_translation_table=table)
    assert operators_in(path) == ["Conv", "Neg"]
    assert_same(path, lambda input: -module(input), input)


@pytest.mark.parametrize("kind", [nn.Conv1d, tapconv.Conv1d])
def test_programs_are_decomposed_once(kind, path, monkeypatch):
    """It is what takes the exporter's time."""
    decomposed, original = [], torch.export.ExportedProgram.run_decompositions

    def run_decompositions(program, *arguments, **named):
        decomposed.append(program)
        return original(program, *arguments, **named)

    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", run_decompositions)
    assert export(path, kind(4, 6, 5).eval(), torch.randn(2, 4, 40), dynamo=True) == ["Conv"]
    assert len(decomposed) == 1


WITHOUT_ONNX = """
import sys
{imports}
watched = ("torch.onnx", "onnx", "onnxscript", "torch._dynamo", "torch._inductor")
loaded = [name for name in watched if name in sys.modules]
assert loaded == {loaded}, loaded
import torch
torch.onnx.export(tapconv.Conv1d(1, 2, 3), (torch.randn(1, 1, 9),), sys.argv[1], dynamo=False)
torch.onnx.export(tapconv.Conv1d(1, 2, 3), (torch.randn(1, 1, 9),), sys.argv[1])
"""


@pytest.mark.parametrize("imports, loaded", [("import tapconv", []), ("import torch.onnx, tapconv", ["torch.onnx"])])
def test_nothing_of_onnx_is_imported_until_it_is_asked_for(imports, loaded, path):
    program = WITHOUT_ONNX.format(imports=imports, loaded=loaded)
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, path], check=True)
