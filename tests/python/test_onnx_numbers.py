"""ONNX files of models that compute the numbers of a convolution, such as its groups, from the shapes of tensors."""

import contextlib

import pytest
import torch
from torch import nn

import tapconv

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

import onnx
from onnx_files import EXPORTERS, assert_same, export, longer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def convolutions_in(path):
    """Each with the number of its groups."""
    return [
        (node.op_type, attribute.i)
        for node in onnx.load(path).graph.node
        for attribute in node.attribute
        if attribute.name == "group"
    ]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "model.onnx")


class OfComputedNumbers(nn.Module):
    """As state space models do: the tracer records the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 4, 5, groups=4)
        self.transposed = nn.ConvTranspose1d(4, 6, 4)

    def forward(self, signal):
        weight, length = self.convolution.weight, signal.shape[-1]
        causal = nn.functional.conv1d(signal, weight, padding=weight.shape[-1] - 1, groups=weight.shape[0])
        same = nn.functional.conv1d(signal, weight, padding="same", dilation=weight.shape[1], groups=weight.shape[0])
        weight = self.transposed.weight
        spread = nn.functional.conv_transpose1d(signal, weight, stride=weight.shape[-1] // 2)
        return causal[..., :length], same, spread


@EXPORTERS
def test_computed_numbers_while_rerouted(dynamo, path):
    model, input = OfComputedNumbers().eval(), torch.randn(2, 4, 40)
    with tapconv.enabled():
        operators = export(path, model, input, dynamo)
    assert operators.count("Conv") == 2 and operators.count("ConvTranspose") == 1
    assert_same(path, model, input, longer(input))


class GroupsOfTheInput(nn.Module):
    """The number of groups is one that the tracer follows, of which torch's own operators record the value."""

    def __init__(self, function, bias=True):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.randn(4, 1, 3))
        self.bias = nn.Parameter(torch.randn(4)) if bias else None

    def forward(self, signal):
        return self.function(signal, self.weight, self.bias, groups=signal.shape[1])


class PackedGroupsOfTheInput(GroupsOfTheInput):
    def __init__(self):
        super().__init__(tapconv.conv1d_packed)
        self.packed = tapconv.pack_weight(self.weight.detach(), groups=4)

    def forward(self, signal):
        return self.function(signal, self.packed, (4, 1, 3), self.bias, groups=signal.shape[1])


GROUPED = {
    "conv1d": lambda: GroupsOfTheInput(torch.conv1d),
    "conv1d without bias": lambda: GroupsOfTheInput(torch.conv1d, bias=False),
    "transposed": lambda: GroupsOfTheInput(torch.conv_transpose1d),
    "transposed without bias": lambda: GroupsOfTheInput(torch.conv_transpose1d, bias=False),
    "packed": PackedGroupsOfTheInput,
}


@pytest.mark.parametrize("channels", ["known", "free"])
@pytest.mark.parametrize("kind", GROUPED)
def test_groups_from_the_number_of_channels(kind, channels, path):
    """The exporter by TorchScript writes their number, as for torch's operators: also where the file is to take any
    number of channels."""
    model, input = GROUPED[kind]().eval(), torch.randn(2, 4, 40)
    axes = {0: "batch", 2: "length"} | ({1: "channels"} if channels == "free" else {})
    written = []
    for rerouting in (tapconv.enabled(), contextlib.nullcontext()):
        with rerouting, torch.no_grad():
            named = {"input_names": ["signal"], "dynamic_axes": {"signal": axes}}
            torch.onnx.export(model, (input,), path, dynamo=False, **named)
        written.append(convolutions_in(path))
        assert_same(path, model, input, longer(input))
    assert written[0] == written[1] == [("ConvTranspose" if "transposed" in kind else "Conv", 4)]


@pytest.mark.parametrize("kind", GROUPED)
def test_groups_from_the_number_of_channels_by_dynamo(kind, path):
    model, input = GROUPED[kind]().eval(), torch.randn(2, 4, 40)
    with tapconv.enabled(), torch.no_grad():
        assert any("Conv" in operator for operator in export(path, model, input, dynamo=True))
    assert_same(path, model, input, longer(input))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("kind", GROUPED)
def test_groups_that_were_traced_before(kind, path):
    """The program computes their number whenever it runs, and the exporter has the shapes to know it from."""
    model, input = GROUPED[kind]().eval(), torch.randn(2, 4, 40)
    with torch.no_grad():
        with tapconv.enabled():
            program = torch.jit.trace(model, input)
        if kind == "transposed without bias":
            with pytest.raises(torch.onnx.errors.SymbolicValueError, match="'groups' of node 'conv_transpose1d'"):
                export(path, program, input, dynamo=False)
        else:
            export(path, program, input, dynamo=False)
            assert_same(path, model, input, longer(input))
