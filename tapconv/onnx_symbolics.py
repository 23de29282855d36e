"""What torch's TorchScript exporter, `torch.onnx.export(..., dynamo=False)`, writes for tapconv's operators: ONNX's own
Conv, Pad and ConvTranspose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.onnx import JitScalarType, errors, register_custom_op_symbolic, symbolic_helper
from torch.onnx._internal.torchscript_exporter.registration import registry

from tapconv.arguments import Number
from tapconv.functional import NAMED_PADDINGS, padding_in_samples

if TYPE_CHECKING:
    from torch._C import Value
    from torch.onnx._internal.torchscript_exporter.jit_utils import GraphContext

#: The oldest set of operators that torch still writes; the symbolics hold for all later ones.
OLDEST_OPSET = 9


@symbolic_helper.parse_args("v", "v", "v", "is", "v", "is", "v", "s", "s")
def conv1d(
    g: GraphContext,
    input: Value,
    weight: Value,
    bias: Value,
    stride: Sequence[int],
    padding: Value,
    dilation: Sequence[int],
    groups: Value,
    padding_mode: str,
    algorithm: str,
) -> Value:
    samples = _samples(padding, _kernel_size(weight), dilation[0], input)
    number = _groups(groups, _size(input, -2), _size(weight, 1), "conv1d")
    return _convolution(g, input, weight, bias, stride, samples, dilation, number, padding_mode)


@symbolic_helper.parse_args("v", "v", "v", "v", "is", "v", "is", "v", "s", "s")
def conv1d_packed(
    g: GraphContext,
    input: Value,
    packed: Value,
    weight: Value,  # of the overloads for modules, which have an algorithm too; of the others the shape that it had
    bias: Value,
    stride: Sequence[int],
    padding: Value,
    dilation: Sequence[int],
    groups: Value,
    padding_mode: str,
    algorithm: str | None = None,
) -> Value:
    shape = symbolic_helper._parse_arg(weight, "is") if algorithm is None else None
    number = _groups(groups, _size(input, -2), shape[1] if shape else _size(weight, 1), "conv1d_packed")
    if shape is not None:
        plain = torch.ops.tapconv.unpack_weight(
            _constant(packed),
            shape,
            JitScalarType.from_value(input).dtype(),
            stride=stride,
            dilation=dilation,
            groups=number,
        )
        weight = g.op("Constant", value_t=plain)
    samples = _samples(padding, _kernel_size(weight), dilation[0], input)
    return _convolution(g, input, weight, bias, stride, samples, dilation, number, padding_mode)


@symbolic_helper.parse_args("v", "v", "v", "is", "is", "is", "v", "is")
def conv_transpose1d(
    g: GraphContext,
    input: Value,
    weight: Value,
    bias: Value,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    groups: Value,
    dilation: Sequence[int],
) -> Value:
    attributes = {
        "strides_i": stride,
        "pads_i": [padding[0], padding[0]],
        "dilations_i": dilation,
        # The weight has all the input's channels, whatever the groups; the bias has the output's.
        "group_i": _groups(groups, _size(bias, 0), _size(weight, 1), "conv_transpose1d"),
        "output_padding_i": output_padding,
    }
    return _batched(g, "ConvTranspose", input, weight, bias, attributes)


def _convolution(
    g: GraphContext,
    input: Value,
    weight: Value,
    bias: Value,
    stride: Sequence[int],
    samples: tuple[Number, Number],
    dilation: Sequence[int],
    groups: int,
    padding_mode: str,
) -> Value:
    if padding_mode != "zeros":
        input, samples = _pad(g, input, samples, padding_mode), (0, 0)
    attributes = {"strides_i": stride, "pads_i": samples, "dilations_i": dilation, "group_i": groups}
    return _batched(g, "Conv", input, weight, bias, attributes)


def _pad(g: GraphContext, input: Value, samples: tuple[Number, Number], padding_mode: str) -> Value:
    """As torch's own operator is written for this opset."""
    pad: Any = registry.get_function_group("aten::pad")
    numbers = g.op("Constant", value_t=torch.tensor(samples))
    return pad.get(g.opset)(g, input, numbers, padding_mode, None)


def _batched(g: GraphContext, operator: str, input: Value, weight: Value, bias: Value, attributes: dict) -> Value:
    """ONNX's convolutions take no input without a batch."""
    lacks_batch = symbolic_helper._get_tensor_rank(input) == 2
    if lacks_batch:
        input = symbolic_helper._unsqueeze_helper(g, input, [0])
    if (kernel_size := _kernel_size(weight)) is not None:
        attributes = {"kernel_shape_i": [kernel_size], **attributes}
    tensors = (input, weight) if symbolic_helper._is_none(bias) else (input, weight, bias)
    output = g.op(operator, *tensors, **attributes)
    return symbolic_helper._squeeze_helper(g, output, [0]) if lacks_batch else output


def _kernel_size(weight: Value) -> int | None:
    """None where the exporter does not know the shape of the weight."""
    sizes = symbolic_helper._get_tensor_sizes(weight)
    return None if sizes is None or len(sizes) != 3 else sizes[2]


def _size(tensor: Value, dimension: int) -> int | None:
    """None where the exporter does not know it, or there is no tensor."""
    sizes = symbolic_helper._get_tensor_sizes(tensor)
    return sizes[dimension] if sizes else None


def _groups(groups: Value, channels: int | None, channels_of_each: int | None, function: str) -> int:
    """ONNX has it as an attribute. A traced program may compute it, as from a number of channels; then it is what the
    shapes say, where the exporter knows them."""
    if not symbolic_helper._is_constant(groups) and channels and channels_of_each:
        return channels // channels_of_each
    return symbolic_helper._parse_arg(groups, "i", "groups", function)


def _samples(padding: Value, kernel_size: int | None, dilation: int, input: Value) -> tuple[Number, Number]:
    word = symbolic_helper._parse_arg(padding, "s") if symbolic_helper._is_constant(padding) else None
    if word not in NAMED_PADDINGS:
        numbers = symbolic_helper._parse_arg(padding, "is")
        return numbers[0], numbers[-1]
    if kernel_size is None and word != "valid":
        raise errors.SymbolicValueError(
            f"padding={word!r} depends on the kernel size, which is not known here: state the padding in samples, or "
            "export with dynamo=True.",
            input,
        )
    return padding_in_samples(word, kernel_size or 1, dilation)


def _constant(packed: Value) -> Tensor:
    if symbolic_helper._is_constant(packed):
        return symbolic_helper._parse_arg(packed, "t")
    raise errors.SymbolicValueError(
        "The packed weight is no constant of the graph, and this exporter does not show what it holds: export with the "
        "plain weight, after unpack() on modules or by tapconv.conv1d; buffers can be exported with dynamo=True, too.",
        packed,
    )


def is_grad_enabled(g: GraphContext) -> Value:
    """A scripted module with a packed weight asks this ahead of using it."""
    return g.op("Constant", value_t=torch.tensor(False))


def register() -> None:
    for function in (conv1d, conv1d_packed, conv_transpose1d):
        register_custom_op_symbolic(f"tapconv::{function.__name__}", function, OLDEST_OPSET)
    if not registry.is_registered_op("aten::is_grad_enabled", OLDEST_OPSET):
        register_custom_op_symbolic("aten::is_grad_enabled", is_grad_enabled, OLDEST_OPSET)
