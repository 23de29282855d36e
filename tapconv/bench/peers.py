"""The implementations that the benchmark compares: each makes a call that computes one layer again and again."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import tapconv
from tapconv.bench import runtimes
from tapconv.reference import torch_conv1d
from tapconv.shapes import Layer

Call = Callable[[], Tensor]  # returns the output, and keeps alive whatever it reads and writes
Tensors = tuple[Tensor, Tensor, Tensor | None]


def layer_arguments(layer: Layer) -> tuple:
    """The layer's positional arguments for `tapconv.conv1d` after input, weight and bias. A symmetric padding is one
    number, and zero padding is not spelled out, as a user would write it."""
    padding = layer.padding[0] if layer.has_symmetric_padding else layer.padding
    arguments = (layer.stride, padding, layer.dilation, layer.groups)
    return arguments if layer.padding_mode == "zeros" else (*arguments, layer.padding_mode)


def torch_layer(layer: Layer, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's output, by torch."""
    return torch_conv1d(
        input, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode
    )


def torch_call(layer: Layer, tensors: Tensors) -> Call:
    return lambda: torch_layer(layer, *tensors)


def tapconv_call(layer: Layer, tensors: Tensors) -> Call:
    """A new output at every call, as torch makes one."""
    arguments = layer_arguments(layer)
    return lambda: tapconv.conv1d(*tensors, *arguments)


def tapconv_out_call(layer: Layer, tensors: Tensors) -> Call:
    """Into an output given in advance, as ONNX Runtime and OpenVINO write."""
    out = tensors[0].new_empty(layer.output_shape)
    arguments = layer_arguments(layer)

    def call() -> Tensor:
        return tapconv.conv1d(*tensors, *arguments, out=out)

    return call


def tapconv_packed_calls(layer: Layer, tensors: Tensors) -> tuple[Call, Call]:
    """The same with the weight packed ahead of time for this input, as ONNX Runtime and OpenVINO do; and with a new
    output at every call."""
    input, weight, bias = tensors
    packed = tapconv.pack_weight(
        weight,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        input_length=input.shape[-1],
        batch=input.shape[0],
    )
    out = torch.empty(layer.output_shape, dtype=input.dtype)
    shape = tuple(weight.shape)
    arguments = layer_arguments(layer)

    def into_output() -> Tensor:
        return tapconv.conv1d_packed(input, packed, shape, bias, *arguments, out=out)

    def with_new_output() -> Tensor:
        return tapconv.conv1d_packed(input, packed, shape, bias, *arguments)

    return into_output, with_new_output


def training_call(forward: Call, layer: Layer, tensors: Tensors) -> Callable[[], object]:
    """Forward and backward: gradients for input, weight and bias from a fixed gradient of the output."""
    wanted = [tensor.requires_grad_() for tensor in tensors if tensor is not None]
    grad_output = torch.randn(layer.output_shape).to(tensors[0])

    def call() -> object:
        with torch.enable_grad():
            return torch.autograd.grad(forward(), wanted, grad_output)

    return call


def onnx_model(layer: Layer, tensors: Tensors) -> bytes:
    """The layer as an ONNX model: one Conv node, after one Pad node where the padding mode needs it. Weight and bias
    are constants, so that a runtime may pack them ahead of time."""
    from onnx import TensorProto, helper, numpy_helper

    input, weight, bias = tensors
    constants = [numpy_helper.from_array(weight.numpy(), "weight")]
    conv_inputs = ["input", "weight"]
    if bias is not None:
        constants.append(numpy_helper.from_array(bias.numpy(), "bias"))
        conv_inputs.append("bias")
    nodes, conv_padding = [], list(layer.padding)
    if layer.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.padding_mode]
        left, right = layer.padding
        constants.append(numpy_helper.from_array(np.array([0, 0, left, 0, 0, right], dtype=np.int64), "pads"))
        nodes.append(helper.make_node("Pad", ["input", "pads"], ["padded"], mode=mode))
        conv_inputs[0], conv_padding = "padded", [0, 0]
    nodes.append(
        helper.make_node(
            "Conv",
            conv_inputs,
            ["output"],
            kernel_shape=[layer.kernel_size],
            strides=[layer.stride],
            dilations=[layer.dilation],
            group=layer.groups,
            pads=conv_padding,
        )
    )
    graph = helper.make_graph(
        nodes,
        layer.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, input.shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, layer.output_shape)],
        constants,
    )
    opset = helper.make_opsetid("", 19)  # the first with Pad's "wrap"
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


def onnxruntime_call(layer: Layer, tensors: Tensors, threads: int) -> Call:
    return runtimes.onnxruntime_call(onnx_model(layer, tensors), tensors[0], layer.output_shape, threads)


def openvino_call(layer: Layer, tensors: Tensors, threads: int) -> Call:
    return runtimes.openvino_call(onnx_model(layer, tensors), tensors[0], layer.output_shape, threads)


def installed_version(peer: str) -> str | None:
    """The version of a peer, or None if it, or the onnx package that describes layers to it, is not installed."""
    try:
        if peer != "torch":
            importlib.import_module("onnx")
        return importlib.import_module(peer).__version__
    except ModuleNotFoundError:
        return None
