"""`tapconv.conv1d` and `tapconv.conv_transpose1d`, the operators as Python functions. They hand their arguments on and
compute nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tapconv import _library, traced_numbers
from tapconv.arguments import Number, Size, TracedNumber, first, number, numbers, with_torchs_errors
from tapconv.reference import torch_conv1d
from tapconv.tensor_kinds import redefines_functions

_library.load()
# Naming the overload saves the microsecond that finding it by the arguments takes.
_by_samples = torch.ops.tapconv.conv1d.default
_by_name = torch.ops.tapconv.conv1d.padding
_into_out = torch.ops.tapconv.conv1d.out
_transposed = torch.ops.tapconv.conv_transpose1d.default

# Bound here, because `tapconv.enable` gives these names to tapconv.
_torch_conv1d, _torch_conv_transpose1d = torch.conv1d, torch.conv_transpose1d

ALGORITHMS = ("auto", "direct", "fft", "winograd")
NAMED_PADDINGS = ("valid", "same", "causal")


def padding_in_samples(padding: Size | str, kernel_size: Number, dilation: Number = 1) -> tuple[Number, Number]:
    """What a padding means: the samples added on the left and on the right."""
    if not isinstance(padding, str):
        samples = numbers(padding)
        return samples[0], samples[-1]
    if padding not in NAMED_PADDINGS:
        raise ValueError(f"Invalid padding string {padding!r}, should be one of {list(NAMED_PADDINGS)}")
    reach = dilation * (kernel_size - 1)
    return {"valid": (0, 0), "same": (reach // 2, reach - reach // 2), "causal": (reach, 0)}[padding]


def named_padding_in_samples(
    padding: str, kernel_size: Number, stride: Sequence[Number], dilation: Sequence[Number]
) -> tuple[Number, Number]:
    """The same for the forms of the operators that know numbers alone, with torch's error for "same"."""
    if padding == "same" and stride[0] != 1:
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    return padding_in_samples(padding, kernel_size, dilation[0])


def _as_torch_has_it(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: Number,
    padding_mode: str,
) -> Tensor:
    """By torch's functions alone, for tensors that redefine them."""
    is_torchs = padding != "causal" if isinstance(padding, str) else len(numbers(padding)) == 1
    if is_torchs and padding_mode == "zeros":
        return torch.conv1d(input, weight, bias, stride, padding, dilation, groups)
    samples = padding_in_samples(padding, weight.shape[-1], numbers(dilation)[0])
    return torch_conv1d(input, weight, bias, stride, samples, dilation, groups, padding_mode)


@with_torchs_errors(_torch_conv1d, 7, {"padding_mode": "str", "algorithm": "str", "out": "Tensor or None"})
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: Number = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    *,
    out: Tensor | None = None,
) -> Tensor:
    r"""Cross-correlates every channel of a signal with a bank of short filters and sums over the channels.

    Means exactly what :func:`torch.conv1d` means, and adds paddings that it lacks:

    .. math::
        y[n, o, t] = \text{bias}[o] + \sum_{c, k} w[o, c, k] \; x[n, c, t \cdot \text{stride}
                     + k \cdot \text{dilation} - \text{padding}_\text{left}]

    with `c` running over the channels of the group that `o` belongs to. (Dumoulin and Visin, "A guide to convolution
    arithmetic for deep learning", arXiv 1603.07285, explains stride, padding and dilation with pictures.)

    Args:
        input: the signal, shape (batch, in_channels, length) or (in_channels, length), with any strides.
        weight: the filters, shape (out_channels, in_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        stride: samples between the starts of neighbouring outputs.
        padding: samples added before the first and after the last; one number for both ends, a (left, right) pair,
            "valid" (none), "same" (as many outputs as inputs; stride 1 only) or "causal" (dilation * (kernel_size - 1)
            on the left, none on the right, so that no output sees a later input).
        dilation: samples between neighbouring taps.
        groups: output channels and input channels are split into this many groups that do not see each other;
            groups = in_channels is a depthwise convolution.
        padding_mode: what the added samples are: "zeros", "reflect", "replicate" or "circular", as in
            :class:`torch.nn.Conv1d`.
        algorithm: "auto"; "direct" to add the products up in plain order; "fft" or "winograd" for that transform. The
            gradients of a "direct" call are direct too; those of a transform use it where it can compute them.
            :func:`tapconv.default_algorithm` binds what "auto" may choose.
        out: a tensor to write into; it is resized if its shape differs. Not differentiable.

    Returns:
        The output, shape (batch, out_channels, output_length) or (out_channels, output_length), where output_length =
        (length + padding_left + padding_right - dilation * (kernel_size - 1) - 1) // stride + 1. float32 and float64
        are summed in their own type, bfloat16 and float16 in float32 with one rounding at the end.

    Raises:
        RuntimeError, TypeError, ValueError: where :func:`torch.conv1d` raises them, with the same words.
        ValueError: for an algorithm or a padding mode that does not exist, and for a transform that cannot compute this
            problem, with the reason.

    Example:
        >>> signal, filters = torch.randn(1, 2, 100), torch.randn(4, 2, 3)
        >>> tapconv.conv1d(signal, filters, padding="causal").shape
        torch.Size([1, 4, 100])
    """
    if redefines_functions(input, weight, bias) and out is None:
        return _as_torch_has_it(input, weight, bias, stride, padding, dilation, groups, padding_mode)
    strides: Sequence[Number]
    dilations: Sequence[Number]
    samples_or_name: Sequence[Number] | str
    if type(stride) is type(padding) is type(dilation) is type(groups) is int:
        strides, samples_or_name, dilations = (stride,), (padding,), (dilation,)
    else:
        try:
            samples_or_name = padding if isinstance(padding, str) else numbers(padding)
            strides, dilations, groups = numbers(stride), numbers(dilation), number(groups)
        except TracedNumber:
            if isinstance(padding, str) and out is not None:
                padding = padding_in_samples(padding, weight.shape[-1], first(dilation))
            return traced_numbers.conv1d(
                input, weight, bias, stride, padding, dilation, groups, padding_mode, algorithm, out
            )
    if out is None:
        function = _by_name if isinstance(samples_or_name, str) else _by_samples
        # An argument that is passed is an argument that is parsed: the defaults are left out.
        if padding_mode == "zeros" and algorithm == "auto":
            return function(input, weight, bias, strides, samples_or_name, dilations, groups)
        return function(
            input,
            weight,
            bias,
            strides,
            samples_or_name,
            dilations,
            groups,
            padding_mode=padding_mode,
            algorithm=algorithm,
        )
    samples = samples_or_name
    if isinstance(samples, str):
        samples = named_padding_in_samples(samples, weight.shape[-1], strides, dilations)
    if padding_mode == "zeros" and algorithm == "auto":
        return _into_out(input, weight, bias, strides, samples, dilations, groups, out=out)
    return _into_out(
        input,
        weight,
        bias,
        strides,
        samples,
        dilations,
        groups,
        padding_mode=padding_mode,
        algorithm=algorithm,
        out=out,
    )


@with_torchs_errors(_torch_conv_transpose1d, 8, {})
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: Number = 1,
    dilation: Size = 1,
) -> Tensor:
    r"""The transpose of :func:`tapconv.conv1d`: spreads every sample over a filter's taps, `stride` samples apart.

    Means exactly what :func:`torch.conv_transpose1d` means. It maps the shape of a convolution's output back to that of
    its input:

    .. math::
        y[n, o, t \cdot \text{stride} + k \cdot \text{dilation} - \text{padding}] \mathrel{+}=
            w[c, o, k] \; x[n, c, t] \quad \text{for all } c, t, k

    from `bias[o]` on, with `c` running over the channels of the group that `o` belongs to. (Dumoulin and Visin, "A
    guide to convolution arithmetic for deep learning", arXiv 1603.07285, chapter 4.)

    Args:
        input: the signal, shape (batch, in_channels, length) or (in_channels, length), with any strides.
        weight: the filters, shape (in_channels, out_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        stride: samples between the starts of what neighbouring inputs spread to.
        padding: samples cut off at both ends.
        output_padding: samples added at the end, fewer than `stride`: a convolution maps `stride` lengths to one, and
            this tells which of them is meant.
        groups: groups of channels that do not see each other.
        dilation: samples between neighbouring taps.

    Returns:
        The output, shape (batch, out_channels, output_length) or (out_channels, output_length), where output_length =
        (length - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1. Sums are made as in
        :func:`tapconv.conv1d`; the bias is added to the rounded sum.

    Raises:
        RuntimeError, TypeError, ValueError: where :func:`torch.conv_transpose1d` raises them, with the same words.

    Example:
        >>> signal, filters = torch.randn(1, 2, 50), torch.randn(2, 4, 4)
        >>> tapconv.conv_transpose1d(signal, filters, stride=2, padding=1).shape
        torch.Size([1, 4, 100])
    """
    if redefines_functions(input, weight, bias):
        return torch.conv_transpose1d(input, weight, bias, stride, padding, output_padding, groups, dilation)
    sizes = (stride, padding, output_padding)
    try:
        strides, paddings, output_paddings = map(numbers, sizes)
        return _transposed(input, weight, bias, strides, paddings, output_paddings, number(groups), numbers(dilation))
    except TracedNumber:
        return traced_numbers.conv_transpose1d(input, weight, bias, *sizes, groups, dilation)


# TorchScript compiles a call of these functions straight into the operators, conv1d's with all the overloads.
torch.jit._builtins._register_builtin(conv1d, "tapconv::conv1d")
torch.jit._builtins._register_builtin(conv_transpose1d, "tapconv::conv_transpose1d")
