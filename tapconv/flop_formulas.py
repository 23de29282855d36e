"""What `torch.utils.flop_counter` counts for tapconv's operators: two operations for each product of a plain sum, as
for torch's own convolutions, however many the algorithm in use takes."""

from __future__ import annotations

import math

import torch
from torch.utils.flop_counter import register_flop_formula

from tapconv import _library

_library.load()

Shape = tuple[int, ...]


@register_flop_formula(torch.ops.tapconv.conv1d)
def _conv1d(input: Shape, weight: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


@register_flop_formula(torch.ops.tapconv.conv1d_context)
def _conv1d_context(input: Shape, weight: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


@register_flop_formula(torch.ops.tapconv.conv1d_packed)
def _conv1d_packed(input: Shape, packed: Shape, weight: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


@register_flop_formula(torch.ops.tapconv.conv_transpose1d)
def _conv_transpose1d(input: Shape, weight: Shape, *_: object, **__: object) -> int:
    return 2 * math.prod(input) * math.prod(weight[1:])


@register_flop_formula(torch.ops.tapconv.conv1d_grad_input)
def _conv1d_grad_input(grad_output: Shape, weight: Shape, *_: object, **__: object) -> int:
    return 2 * math.prod(grad_output) * math.prod(weight[1:])


@register_flop_formula(torch.ops.tapconv.conv1d_grad_weight)
def _conv1d_grad_weight(grad_output: Shape, input: Shape, *_: object, out_shape: Shape, **__: object) -> int:
    return 2 * math.prod(grad_output) * math.prod(out_shape[1:])


@register_flop_formula(torch.ops.tapconv.conv1d_grad_weight_bias)
def _conv1d_grad_weight_bias(
    grad_output: Shape, input: Shape, *_: object, out_shape: tuple[Shape, Shape], **__: object
) -> int:
    weight, _bias = out_shape
    return 2 * math.prod(grad_output) * math.prod(weight[1:])
