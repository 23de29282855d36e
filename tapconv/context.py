"""`tapconv.conv1d_context`, a convolution whose padding is samples of other tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from tapconv import _library
from tapconv.arguments import Number, Size, TracedNumber, number, numbers, with_named_kinds
from tapconv.functional import named_padding_in_samples
from tapconv.reference import torch_conv1d
from tapconv.tensor_kinds import redefines_functions

_library.load()
_conv1d_context = torch.ops.tapconv.conv1d_context.default

_KINDS = {
    "input": "Tensor",
    "weight": "Tensor",
    "bias": "Tensor or None",
    "left": "Tensor or None",
    "right": "Tensor or None",
    "stride": "tuple of ints",
    "padding": "tuple of ints or str",
    "dilation": "tuple of ints",
    "groups": "int",
    "algorithm": "str",
}


def _as_torch_has_it(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    borders: tuple[Tensor | None, Tensor | None],
    padding: tuple[Number, Number],
    strides: tuple[Size, Size, Number],
) -> Tensor:
    """By torch's functions alone, for tensors that redefine them."""
    left, right = borders
    read = (
        0 if left is None else min(left.shape[-1], padding[0]),
        0 if right is None else min(right.shape[-1], padding[1]),
    )
    before = [] if left is None else [left[..., left.shape[-1] - read[0] :]]
    after = [] if right is None else [right[..., : read[1]]]
    zeros = (padding[0] - read[0], padding[1] - read[1])
    stride, dilation, groups = strides
    return torch_conv1d(torch.cat([*before, input, *after], -1), weight, bias, stride, zeros, dilation, groups)


@with_named_kinds(_KINDS)
def conv1d_context(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    left: Tensor | None = None,
    right: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
) -> Tensor:
    """:func:`tapconv.conv1d` of a signal that goes on beside the input: samples of `left` and `right` take the place of
    padding.

    The output is that of `conv1d(torch.cat([left, input, right], -1), ...)` at the same positions, without the copy:
    only what outputs at the ends read is put together. This is what the next chunk of a stream needs of the last one,
    and one part of a divided signal of its neighbours.

    Args:
        input: the signal, shape (batch, in_channels, length) or (in_channels, length), of one sample at least.
        weight: the filters, shape (out_channels, in_channels / groups, kernel_size).
        bias: one number per output channel, shape (out_channels,), or None.
        left: samples before the first one, of the input's shape but for the length; the last `padding_left` of them are
            read. What it lacks against that is zeros, as are all of them where it is None.
        right: samples after the last one; the first `padding_right` of them are read.
        stride, dilation, groups, algorithm: as for :func:`tapconv.conv1d`.
        padding: how many samples beside the input are read, on both ends or as a (left, right) pair, or "valid", "same"
            or "causal".

    Returns:
        The output, of the shape that :func:`tapconv.conv1d` gives it for the same input and padding. Differentiable by
        all five tensors.

    Raises:
        RuntimeError: for a border of another shape, type or device than the input needs, and where
            :func:`torch.conv1d` raises it.
        TypeError, ValueError: as :func:`tapconv.conv1d`.

    Example:
        >>> signal, filters = torch.randn(1, 2, 100), torch.randn(4, 2, 3)
        >>> first, second = signal[..., :60], signal[..., 60:]
        >>> tapconv.conv1d_context(second, filters, left=first, padding="causal").shape
        torch.Size([1, 4, 40])
    """
    try:
        strides, dilations, groups = numbers(stride), numbers(dilation), number(groups)
        samples = (
            named_padding_in_samples(padding, weight.shape[-1], strides, dilations)
            if isinstance(padding, str)
            else numbers(padding)
        )
    except TracedNumber as error:
        raise RuntimeError(
            "conv1d_context: torch.jit.trace cannot follow a stride, padding, dilation or groups that is computed in a "
            "tensor here. Pass plain numbers, or script the function instead."
        ) from error
    if redefines_functions(input, weight, bias, left, right):
        return _as_torch_has_it(
            input, weight, bias, (left, right), (samples[0], samples[-1]), (strides, dilations, groups)
        )
    return _conv1d_context(input, weight, bias, left, right, strides, samples, dilations, groups, algorithm=algorithm)


torch.jit._builtins._register_builtin(conv1d_context, "tapconv::conv1d_context")
