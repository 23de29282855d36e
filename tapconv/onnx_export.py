"""Has `torch.onnx.export` write tapconv's operators as ONNX's own: Conv, Pad and ConvTranspose.

torch has two exporters, and each needs to be told in its way. Nothing here is imported, and no package of ONNX's is
needed, until somebody imports `torch.onnx`.
"""

from __future__ import annotations

import functools
from typing import Any

from tapconv.after_import import after_import


def _teach_torchscript_exporter() -> None:
    import torch.onnx

    from tapconv import onnx_symbolics, traced_numbers

    onnx_symbolics.register()
    traced_numbers.exports_to_onnx = torch.onnx.is_in_onnx_export


def _teach_dynamo_exporter() -> None:
    """It decomposes a program into what it has translations for. Here it gets rules for that, and ahead of that plain
    weights. Translations by `custom_translation_table`, torch's own way, are for the user to pass, and cannot see a
    packed weight's data."""
    from torch.onnx._internal.exporter import _decomp, _fx_passes

    torchs_decompose, torchs_table = (
        _fx_passes.decompose_with_registry,
        _decomp.create_onnx_friendly_decomposition_table,
    )

    @functools.wraps(torchs_decompose)
    def decompose_with_registry(exported_program: Any, registry: Any) -> Any:
        from tapconv import lowering

        translated = [operator for operator in lowering.OPERATORS if registry.is_registered(operator)]
        return torchs_decompose(lowering.with_plain_weights(exported_program, keep=translated), registry)

    @functools.wraps(torchs_table)
    def create_onnx_friendly_decomposition_table(onnx_registered_ops: Any) -> Any:
        from tapconv import lowering

        rules = {op: rule for op, rule in lowering.RULES.items() if op not in onnx_registered_ops}
        return {**torchs_table(onnx_registered_ops), **rules}

    _fx_passes.decompose_with_registry = decompose_with_registry
    _decomp.create_onnx_friendly_decomposition_table = create_onnx_friendly_decomposition_table


def register() -> None:
    after_import("torch.onnx", _teach_torchscript_exporter)
    after_import("torch.onnx._internal.exporter._fx_passes", _teach_dynamo_exporter)
