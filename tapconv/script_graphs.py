"""TorchScript modules have no Python class to change: their convolutions are nodes of graphs, which are rewritten."""

from __future__ import annotations

from collections.abc import Iterator

import torch

_FUNCTIONS = ("conv1d", "conv_transpose1d")


def methods_with_convolutions(module: torch.jit.ScriptModule) -> dict[str, tuple[int, int]]:
    """For each method of this module, not of its submodules, that has any: the convolutions by torch and by tapconv."""
    counts = {}
    for name, graph in _graphs(module):
        by_torch, by_tapconv = len(list(_torchs_calls(graph))), len(list(_our_calls(graph)))
        if by_torch or by_tapconv:
            counts[name] = (by_torch, by_tapconv)
    return counts


def convert(module: torch.jit.ScriptModule) -> None:
    """Has this module's methods, not those of its submodules, call tapconv.

    TorchScript compiles a graph when it is first called and keeps what it compiled: a module that has run already goes
    on as before, and only a copy of it, saved and loaded, runs what is written here.
    """
    for _, graph in _graphs(module):
        for node, function, inputs in _torchs_calls(graph):
            graph.setInsertPoint(node)
            if function == "conv1d":
                inputs = [*inputs, graph.insertConstant("zeros"), graph.insertConstant("auto")]
            _replace(graph, node, f"tapconv::{function}", inputs)


def revert(module: torch.jit.ScriptModule) -> None:
    """Has this module's methods call torch wherever torch can compute the same."""
    for _, graph in _graphs(module):
        for node, function, inputs in _our_calls(graph):
            if function == "conv1d":
                *inputs, padding_mode, _ = inputs
                if padding_mode.toIValue() != "zeros" or not _torch_takes(inputs[4]):
                    continue
            _replace(graph, node, f"aten::{function}", inputs)


def _torch_takes(padding: torch._C.Value) -> bool:
    value = padding.toIValue()
    return value != "causal" and not (isinstance(value, list) and len(value) > 1) and _length_of(padding) in (None, 1)


def _length_of(value: torch._C.Value) -> int | None:
    """The length of a list that is written out in the graph."""
    node = value.node()
    return len(list(node.inputs())) if node.kind() == "prim::ListConstruct" else None


def _graphs(module: torch.jit.ScriptModule) -> Iterator[tuple[str, torch.Graph]]:
    for name in module._c._method_names():
        yield name, module._c._get_method(name).graph


def _our_calls(graph: torch.Graph) -> Iterator[tuple[torch.Node, str, list]]:
    for function in _FUNCTIONS:
        for node in graph.findAllNodes(f"tapconv::{function}"):
            yield node, function, list(node.inputs())


def _torchs_calls(graph: torch.Graph) -> Iterator[tuple[torch.Node, str, list]]:
    """The nodes, the function that each calls, and the function's arguments."""
    for function in _FUNCTIONS:
        for node in graph.findAllNodes(f"aten::{function}"):
            yield node, function, list(node.inputs())
    # Tracing records torch.conv1d as this, for any number of dimensions.
    for node in graph.findAllNodes("aten::_convolution"):
        input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, *_ = node.inputs()
        if _length_of(stride) != 1:
            continue
        if transposed.toIValue():
            yield node, "conv_transpose1d", [input, weight, bias, stride, padding, output_padding, groups, dilation]
        else:
            yield node, "conv1d", [input, weight, bias, stride, padding, dilation, groups]


def _replace(graph: torch.Graph, node: torch.Node, kind: str, inputs: list) -> None:
    new = graph.create(kind, inputs, 1)
    new.insertBefore(node)
    new.output().setType(node.output().type())
    node.output().replaceAllUsesWith(new.output())
    node.destroy()
