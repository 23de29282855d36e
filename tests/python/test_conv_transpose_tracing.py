"""`tapconv.conv_transpose1d` under what traces or redirects calls: meta tensors, autocast, TorchScript, torch.compile,
torch.export."""

import pytest
import torch
from torch import nn
from transposed_problems import Problem

import tapconv

pytestmark = pytest.mark.usefixtures("device")


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
