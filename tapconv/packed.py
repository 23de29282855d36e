"""`tapconv.pack_weight` and `tapconv.conv1d_packed`: weights laid out and transformed once, for many calls."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tapconv import traced_numbers
from tapconv.arguments import Number, Size, TracedNumber, first, number, numbers, with_named_kinds
from tapconv.functional import named_padding_in_samples, padding_in_samples

_pack = torch.ops.tapconv.pack_weight.default
_packed = torch.ops.tapconv.conv1d_packed.default
_packed_into_out = torch.ops.tapconv.conv1d_packed.out
_of_weight = torch.ops.tapconv.conv1d_packed.weight
_of_weight_by_name = torch.ops.tapconv.conv1d_packed.weight_padding


@with_named_kinds(
    {
        "weight": "Tensor",
        "stride": "tuple of ints",
        "dilation": "tuple of ints",
        "groups": "int",
        "input_length": "int or None",
        "batch": "int",
        "algorithm": "str",
    }
)
def pack_weight(
    weight: Tensor,
    *,
    stride: Size = 1,
    dilation: Size = 1,
    groups: int = 1,
    input_length: int | None = None,
    batch: int = 1,
    algorithm: str = "auto",
) -> Tensor:
    """Packs the weight of a convolution for :func:`tapconv.conv1d_packed`, for inference.

    Every call of :func:`tapconv.conv1d` lays its weights out for the kernels and, for some algorithms, transforms them.
    A packed weight holds the result, and a copy of the plain weights for lengths that neither serves.

    Args:
        weight: the filters, shape (out_channels, in_channels / groups, kernel_size); float32, float64, bfloat16 or
            float16, on the CPU.
        stride: of the calls, as in :func:`tapconv.conv1d`; and so `dilation` and `groups`.
        dilation: samples between neighbouring taps.
        groups: groups of channels that do not see each other.
        input_length: samples of a typical input. Calls may have any length; this one decides which transform is worth
            its memory. None stands for a few thousand outputs.
        batch: inputs of a typical call.
        algorithm: what calls may use, as in :func:`tapconv.conv1d`; "direct" takes the least memory.

    Returns:
        An opaque, flat uint8 tensor, which no change of a module's dtype touches. It can be stored, exported and
        registered as a buffer like any other, and serves this library on machines that use the same instruction set
        (:func:`tapconv.isa`). Two to seven times the size of the weight, more for the longest transforms.

    Raises:
        RuntimeError, ValueError: for a weight of another type, device or shape, and for arguments that no convolution
            has.

    Example:
        >>> weight, signal = torch.randn(32, 16, 11), torch.randn(4, 16, 2000)
        >>> packed = tapconv.pack_weight(weight, input_length=2000)
        >>> tapconv.conv1d_packed(signal, packed, weight.shape, padding=5).shape
        torch.Size([4, 32, 2000])
    """
    return _pack(
        weight,
        stride=numbers(stride),
        dilation=numbers(dilation),
        groups=number(groups),
        input_length=None if input_length is None else number(input_length),
        batch=number(batch),
        algorithm=algorithm,
    )


@with_named_kinds(
    {
        "input": "Tensor",
        "packed": "Tensor",
        "weight_shape": "tuple of ints",
        "bias": "Tensor or None",
        "stride": "tuple of ints",
        "padding": "tuple of ints or str",
        "dilation": "tuple of ints",
        "groups": "int",
        "padding_mode": "str",
        "out": "Tensor or None",
    }
)
def conv1d_packed(
    input: Tensor,
    packed: Tensor,
    weight_shape: Sequence[Number],
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`tapconv.conv1d` with a weight that was packed ahead. Not differentiable.

    Args:
        input: the signal, shape (batch, in_channels, length) or (in_channels, length); any batch and length, of the
            type that the weight was packed in.
        packed: what :func:`tapconv.pack_weight` returned for this stride, dilation and groups. The header is checked at
            every call, so that a tensor that was cut off, mixed up or made for another instruction set is refused; the
            weights themselves carry no checksum, which would cost as much as packing.
        weight_shape: of the weight that was packed: (out_channels, in_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        stride: as in :func:`tapconv.conv1d`, like `padding`, `dilation`, `groups`, `padding_mode` and `out`.
        padding: a number, a (left, right) pair, "valid", "same" or "causal".
        dilation: samples between neighbouring taps.
        groups: groups of channels that do not see each other.
        padding_mode: what the added samples are.
        out: a tensor to write into.

    Returns:
        What :func:`tapconv.conv1d` returns for the plain weight, to rounding: the sum may be made by another algorithm.

    Raises:
        RuntimeError: if `packed` does not fit the call, the input or the machine, or a gradient is required.
        RuntimeError, TypeError, ValueError: where :func:`torch.conv1d` raises them, with the same words.
    """
    try:
        if torch.jit.is_tracing():
            weight_shape = numbers(weight_shape)  # the tracer follows the sizes of a tensor
        strides, dilations, group_count = numbers(stride), numbers(dilation), number(groups)
        if isinstance(padding, str):
            samples: Sequence[Number] = named_padding_in_samples(padding, weight_shape[-1], strides, dilations)
        else:
            samples = numbers(padding)
    except TracedNumber:
        if isinstance(padding, str):
            padding = padding_in_samples(padding, weight_shape[-1], first(dilation))
        return traced_numbers.conv1d_packed(
            input, packed, weight_shape, bias, stride, padding, dilation, groups, padding_mode, out
        )
    arguments = (input, packed, weight_shape, bias, strides, samples, dilations, group_count)
    # An argument that is passed is an argument that is parsed: the default is left out.
    if padding_mode == "zeros":
        return _packed(*arguments) if out is None else _packed_into_out(*arguments, out=out)
    if out is None:
        return _packed(*arguments, padding_mode=padding_mode)
    return _packed_into_out(*arguments, padding_mode=padding_mode, out=out)


def conv1d_packed_or_plain(
    input: Tensor,
    packed: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    padding_mode: str,
    algorithm: str,
) -> Tensor:
    """:func:`tapconv.conv1d` of `weight`, with its derivatives and its errors, which uses `packed` where nothing is
    recorded and as long as that is the weight's: it compares a part of the two."""
    function = _of_weight_by_name if isinstance(padding, str) else _of_weight
    return function(
        input,
        packed,
        weight,
        bias,
        numbers(stride),
        padding if isinstance(padding, str) else numbers(padding),
        numbers(dilation),
        number(groups),
        padding_mode=padding_mode,
        algorithm=algorithm,
    )


# TorchScript compiles a call of these functions straight into the operators.
torch.jit._builtins._register_builtin(pack_weight, "tapconv::pack_weight")
torch.jit._builtins._register_builtin(conv1d_packed, "tapconv::conv1d_packed")
torch.jit._builtins._register_builtin(conv1d_packed_or_plain, "tapconv::conv1d_packed")
