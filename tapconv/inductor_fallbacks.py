"""Has Inductor call tapconv's operators under every setting. By default it calls whatever it has no lowering of; with
`implicit_fallbacks=False` only what somebody has named to it. Nothing of it is imported until somebody compiles."""

from __future__ import annotations

import torch

from tapconv import _library
from tapconv.after_import import after_import

_library.load()

_ours = torch.ops.tapconv
# All that a graph calls; the others decompose into these.
_OPERATORS = (
    _ours.conv1d.default,
    _ours.conv1d.out,
    _ours.conv1d_context.default,
    _ours.conv1d_grad_input.default,
    _ours.conv1d_grad_weight.default,
    _ours.conv1d_grad_weight_bias.default,
    _ours.conv1d_packed.default,
    _ours.conv1d_packed.out,
    _ours.conv1d_packed.weight,
    _ours.is_packed_from.default,
    _ours.pack_weight.default,
    _ours.push_samples_.default,
    _ours.unpack_weight.default,
)


def _name_to_inductor() -> None:
    try:
        from torch._inductor.lowering import make_fallback, tag_to_layout_constraint
        from torch._library.utils import get_layout_constraint_tag
    except ImportError:
        return  # a torch that has them elsewhere, whose default serves
    for operator in _OPERATORS:
        # The layout of the inputs is what Inductor decides on by default.
        layout = tag_to_layout_constraint(get_layout_constraint_tag(operator))
        make_fallback(operator, layout, warn=False, override_decomp=True)


def register() -> None:
    after_import("torch._inductor.lowering", _name_to_inductor)
