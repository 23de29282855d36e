"""torch's own answer to what tapconv computes: what tests, demo and benchmark compare with, and what tensors get that
redefine torch's functions."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tapconv.arguments import Number, Size


def torch_conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: tuple[Number, Number] = (0, 0),
    dilation: Size = 1,
    groups: Number = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    """`tapconv.conv1d` with nothing but torch: pads with `F.pad` where `torch.conv1d` cannot, as its module does."""
    left, right = padding
    if padding_mode == "zeros" and left == right:
        return torch.conv1d(input, weight, bias, stride, left, dilation, groups)
    if left or right:
        ends: list[Any] = [left, right]  # symbolic numbers too, which the annotation of F.pad leaves out
        input = F.pad(input, ends, mode="constant" if padding_mode == "zeros" else padding_mode)
    return torch.conv1d(input, weight, bias, stride, 0, dilation, groups)
