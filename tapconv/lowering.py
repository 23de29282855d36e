"""Exported programs written with torch's own operators, for tools that know no others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from tapconv.arguments import Number
from tapconv.functional import padding_in_samples

_ours, _theirs = torch.ops.tapconv, torch.ops.aten


def _conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[Number] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    left, right = padding[0], padding[-1]
    if padding_mode == "zeros" and left != right:
        input = _theirs.constant_pad_nd.default(input, [left, right])
        left = 0
    elif padding_mode != "zeros":
        input = _theirs.pad.default(input, [left, right], padding_mode)
        left = 0
    return _theirs.conv1d.default(input, weight, bias, stride, [left], dilation, groups)


def _conv1d_padding(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: str = "valid",
    dilation: Sequence[int] = (1,),
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    samples = padding_in_samples(padding, weight.shape[-1], dilation[0])
    return _conv1d(input, weight, bias, stride, samples, dilation, groups, padding_mode=padding_mode)


def _conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[Number] = (0,),
    output_padding: Sequence[Number] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Tensor:
    return _theirs.conv_transpose1d.default(input, weight, bias, stride, padding, output_padding, groups, dilation)


def _conv1d_grad_input(
    grad_output: Tensor,
    weight: Tensor,
    input_length: int,
    stride: Sequence[int] = (1,),
    padding: Sequence[Number] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    """What a transposed convolution has become in programs that were decomposed before."""
    if padding_mode != "zeros" or padding[0] != padding[-1]:
        return NotImplemented
    reach = dilation[0] * (weight.shape[-1] - 1)
    shortest = (grad_output.shape[-1] - 1) * stride[0] - 2 * padding[0] + reach + 1
    output_padding = [input_length - shortest]
    return _conv_transpose1d(grad_output, weight, None, stride, padding[:1], output_padding, groups, dilation)


def _conv1d_packed(input: Tensor, packed: Tensor, weight: Tensor, *arguments: Any, **named: Any) -> Tensor:
    """Of a module, which hands on its plain weight too."""
    return _conv1d(input, weight, *arguments, **named)


def _conv1d_packed_padding(input: Tensor, packed: Tensor, weight: Tensor, *arguments: Any, **named: Any) -> Tensor:
    return _conv1d_padding(input, weight, *arguments, **named)


#: How each operator is written with torch's, as decompositions have it.
RULES: dict[torch._ops.OpOverload, Callable] = {
    _ours.conv1d.default: _conv1d,
    _ours.conv1d.ints: _conv1d,
    _ours.conv1d.padding: _conv1d_padding,
    _ours.conv1d.padding_ints: _conv1d_padding,
    _ours.conv1d_packed.weight: _conv1d_packed,
    _ours.conv1d_packed.weight_padding: _conv1d_packed_padding,
    _ours.conv_transpose1d.default: _conv_transpose1d,
    _ours.conv_transpose1d.ints: _conv_transpose1d,
    _ours.conv1d_grad_input.default: _conv1d_grad_input,
    _ours.conv1d_grad_input.ints: _conv1d_grad_input,
}
#: These have nothing but the packed weight.
_PACKED = (_ours.conv1d_packed.default, _ours.conv1d_packed.ints)
_PACKED_INTO_OUT = (_ours.conv1d_packed.out, _ours.conv1d_packed.out_ints)
OPERATORS = (*RULES, *_PACKED)


def with_plain_weights(program: ExportedProgram, keep: Collection[torch._ops.OpOverload] = ()) -> ExportedProgram:
    """The program with plain weights in place of packed ones, which no rule can see the values of.

    Args:
        program: stays as it is.
        keep: operators to leave in place.

    Returns:
        A new program, or the same one if it has no packed weights.

    Raises:
        RuntimeError: if a packed weight is not among the program's own constants, or does not fit this machine.
    """

    def has(*operators: torch._ops.OpOverload) -> bool:
        return any(node.target in operators and node.target not in keep for node in _calls(program))

    if has(*_PACKED, *_PACKED_INTO_OUT):
        program = program.run_decompositions({op: rule for op, rule in RULES.items() if op not in keep})
        if has(*_PACKED):
            program = _with_plain_weights(program)
    return program


def _calls(program: ExportedProgram) -> Iterator[fx.Node]:
    """The nodes that call an operator, those in the branches of conditions and the bodies of loops too."""
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            yield from (node for node in module.graph.nodes if node.op == "call_function")


def _with_plain_weights(program: ExportedProgram) -> ExportedProgram:
    """The program with each packed weight replaced, under its name, by the plain one that it contains."""
    graph_module, signature = copy.deepcopy(program.graph_module), program.graph_signature
    for node, original in zip(graph_module.graph.nodes, program.graph.nodes, strict=True):
        node.name = original.name  # by which the signature knows it; copying changes names that Python has, as "input"
    state_dict, constants = dict(program.state_dict), dict(program.constants)
    names = {**signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    for placeholder in graph_module.graph.find_nodes(op="placeholder"):
        calls = [node for node in placeholder.users if node.target in _PACKED and node.args[1] is placeholder]
        name = names.get(placeholder.name)
        if name is None or not calls:
            continue
        tensors = state_dict if name in state_dict else constants
        weight = _plain_weight(tensors[name], calls[0])
        tensors[name] = weight
        placeholder.meta["val"] = placeholder.meta["val"].fake_mode.from_tensor(weight, static_shapes=True)
        for node in calls:
            input, packed, _, *rest = node.args
            node.target, node.args = _ours.conv1d.default, (input, packed, *rest)
    graph_module.recompile()
    plain = ExportedProgram(
        root=graph_module,
        graph=graph_module.graph,
        graph_signature=copy.deepcopy(signature),
        state_dict=state_dict,
        range_constraints=copy.deepcopy(program.range_constraints),
        module_call_graph=copy.deepcopy(program.module_call_graph),
        example_inputs=program.example_inputs,
        constants=constants,
        verifiers=program.verifiers,
    )
    if any(node.target in _PACKED for node in _calls(plain)):
        raise RuntimeError(
            "A packed weight is no constant or buffer of this program, and what it holds is not known: export with the "
            "plain weight, after unpack() on modules or by tapconv.conv1d."
        )
    return plain


def _plain_weight(packed: Tensor, call: fx.Node) -> Tensor:
    operator: Any = call.target
    arguments = operator._schema.arguments
    named = {argument.name: argument.default_value for argument in arguments if argument.has_default_value()}
    named |= dict(zip((argument.name for argument in arguments), call.args, strict=False)) | call.kwargs
    attributes = {name: named[name] for name in ("stride", "dilation", "groups")}
    return _ours.unpack_weight(packed, named["weight_shape"], named["input"].meta["val"].dtype, **attributes)
