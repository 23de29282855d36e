"""TorchScript modules have no Python class to compute by: their convolutions are nodes of graphs, which are rewritten.

Two facts of TorchScript stand in the way. The graphs belong to types, and modules share types: copies do, and whatever
was scripted from like modules. And it keeps what it compiled when a graph first ran. So a module gets types of its own
first, whose graphs have not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from tapconv import script_types

_OURS = ("tapconv::conv1d", "tapconv::conv_transpose1d")
# Tracing records torch.conv1d as the last two, for any number of dimensions.
_TORCHS = ("aten::conv1d", "aten::conv_transpose1d", "aten::_convolution_mode", "aten::_convolution")

Call = tuple[str, list]  # the function that a node calls, and the function's arguments


def methods_with_convolutions(module: torch.jit.ScriptModule) -> Iterator[tuple[str, str, int, int]]:
    """For each method of this module and its submodules that has any: the submodule's path, class and method, and the
    convolutions by torch and by tapconv, those in functions that the method calls among them."""
    for path, submodule in script_types.submodules(module._c):
        for method in submodule._method_names():
            graph = _with_functions(submodule._get_method(method).graph)
            by_torch = sum(_torchs_call(node) is not None for node in _nodes(graph, _TORCHS))
            by_tapconv = len(_nodes(graph, _OURS))
            if by_torch or by_tapconv:
                yield path, f"{submodule._type().name()}.{method}", by_torch, by_tapconv


def obstacle(module: torch.jit.ScriptModule) -> str | None:
    """Why this module has to be left alone; None if it can be converted."""
    if script_types.has_hooks(module._c):
        return "has hooks, which TorchScript does not copy: convert the Python module, then script it"
    return None


def convert(module: torch.jit.ScriptModule) -> None:
    """Has this module and its submodules call tapconv."""
    _rewrite(module, _TORCHS, _torchs_call, _to_tapconv)


def revert(module: torch.jit.ScriptModule) -> None:
    """Has this module and its submodules call torch wherever torch can compute the same."""
    _rewrite(module, _OURS, _call_that_torch_takes, _to_torch)


def _rewrite(
    module: torch.jit.ScriptModule,
    kinds: Iterable[str],
    call_of: Callable[[torch.Node], Call | None],
    replace: Callable[[torch.Graph, torch.Node, str, list], None],
) -> None:
    def wants_it(graph: torch.Graph) -> bool:
        graph = _with_functions(graph)  # which its nodes need, and do not keep
        return any(call_of(node) for node in _nodes(graph, kinds))

    if obstacle(module) or not any(map(wants_it, _graphs(module))):
        return
    script_types.give_own_types(module)
    for graph in filter(wants_it, _graphs(module)):
        _inline_functions(graph)
        for node in _nodes(graph, kinds):
            # Asked when its turn has come: what was the output of another call is none once that one is replaced.
            if call := call_of(node):
                replace(graph, node, *call)


def _nodes(graph: torch.Graph, kinds: Iterable[str]) -> list[torch.Node]:
    return [node for kind in kinds for node in graph.findAllNodes(kind)]


def _graphs(module: torch.jit.ScriptModule) -> list[torch.Graph]:
    return [
        submodule._get_method(method).graph
        for _, submodule in script_types.submodules(module._c)
        for method in submodule._method_names()
    ]


def _to_tapconv(graph: torch.Graph, node: torch.Node, function: str, inputs: list) -> None:
    graph.setInsertPoint(node)
    if function == "conv1d":
        inputs = [*inputs, graph.insertConstant("zeros"), graph.insertConstant("auto")]
    _replace(graph, node, f"tapconv::{function}", inputs)


def _to_torch(graph: torch.Graph, node: torch.Node, function: str, inputs: list) -> None:
    _replace(graph, node, f"aten::{function}", inputs)


def _call_that_torch_takes(node: torch.Node) -> Call | None:
    """The call of torch that can stand for this one of tapconv, if any."""
    function, inputs = node.kind().removeprefix("tapconv::"), list(node.inputs())
    if function == "conv1d":
        *inputs, padding_mode, _ = inputs
        if padding_mode.toIValue() != "zeros" or not _torch_takes(inputs[4]):
            return None
    return function, inputs


def _torch_takes(padding: torch._C.Value) -> bool:
    value = padding.toIValue()
    return value != "causal" and not (isinstance(value, list) and len(value) > 1) and _length_of(padding) in (None, 1)


def _length_of(value: torch._C.Value) -> int | None:
    """The length of a list that is written out in the graph, or a constant of it, as in frozen modules."""
    node = value.node()
    if node.kind() == "prim::ListConstruct":
        return len(list(node.inputs()))
    constant = value.toIValue()
    return len(constant) if isinstance(constant, list) else None


def _torchs_call(node: torch.Node) -> Call | None:
    """What a node of torch's calls, if that is a convolution that tapconv has."""
    inputs = list(node.inputs())
    if node.kind() == "aten::_convolution_mode":
        return ("conv1d", inputs) if _length_of(inputs[3]) == 1 else None
    if node.kind() != "aten::_convolution":
        return node.kind().removeprefix("aten::"), inputs
    input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, *_ = inputs
    if _length_of(stride) != 1:
        return None
    if transposed.toIValue():
        return "conv_transpose1d", [input, weight, bias, stride, padding, output_padding, groups, dilation]
    return "conv1d", [input, weight, bias, stride, padding, dilation, groups]


def _with_functions(graph: torch.Graph) -> torch.Graph:
    """The graph, or a copy in which the bodies of the functions that it calls stand in place of the calls."""
    if not graph.findAllNodes("prim::CallFunction"):
        return graph
    copy = graph.copy()
    _inline_functions(copy)
    return copy


def _inline_functions(graph: torch.Graph) -> None:
    # The pass would put in the bodies of methods, too, which have graphs of their own; so it must not see those calls.
    methods = [(node, node.s("name")) for node in graph.findAllNodes("prim::CallMethod")]
    hidden = [(_replace(graph, node, "tapconv::hidden", list(node.inputs())), name) for node, name in methods]
    torch._C._jit_pass_inline(graph)
    for node, name in hidden:
        _replace(graph, node, "prim::CallMethod", list(node.inputs())).s_("name", name)


def _replace(graph: torch.Graph, node: torch.Node, kind: str, inputs: list) -> torch.Node:
    new = graph.create(kind, inputs, 1)
    new.insertBefore(node)
    new.output().setType(node.output().type())
    node.output().replaceAllUsesWith(new.output())
    node.destroy()
    return new
