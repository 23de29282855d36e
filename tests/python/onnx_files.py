"""Writes ONNX files, says what is in them, and has ONNX Runtime compute them. Needs both packages."""

import onnx
import onnxruntime
import pytest
import torch

EXPORTERS = pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])


def export(path, model, input, dynamo, dynamic=True):
    """Writes the file, for any batch and length if `dynamic`; returns the operators in it."""
    named = {}
    if dynamic:
        axes = {0: "batch", 2: "length"} if input.ndim == 3 else {1: "length"}
        if dynamo:
            named["dynamic_shapes"] = (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),)
        else:
            named = {"dynamic_axes": {"signal": axes}, "input_names": ["signal"]}
    torch.onnx.export(model, (input,), path, dynamo=dynamo, **named)
    return operators_in(path)


def operators_in(path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {opset.domain for opset in model.opset_import} == {""}
    return [node.op_type for node in model.graph.node]


def run(path, input):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: input.numpy()})
    # TorchScript's lists become sequences, each of them one output.
    return [
        torch.from_numpy(tensor) for output in outputs for tensor in (output if isinstance(output, list) else [output])
    ]


def longer(input):
    """Another batch and length."""
    *batch, channels, length = input.shape
    return torch.randn(*(size + 1 for size in batch), channels, length + 13)


def assert_same(path, model, *inputs):
    with torch.no_grad():
        for input in inputs:
            expected = model(input)
            outputs = run(path, input)
            for output, wanted in zip(
                outputs, expected if isinstance(expected, (list, tuple)) else [expected], strict=True
            ):
                torch.testing.assert_close(output, wanted, rtol=1e-4, atol=1e-5)
