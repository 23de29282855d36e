"""`tapconv.enabled` and `tapconv.enable`: torch's functions computed by tapconv in code that nobody changed."""

import copy
import pickle
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F
from support import cpu_only, kernel_calls, on_device
from torch import nn

import tapconv

SIGNAL = torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0))
FILTERS = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def process_wide():
    tapconv.enable()
    yield
    tapconv.disable()


def everything(signal):
    """Every way to reach torch's convolutions, with positions and with names."""
    return [
        torch.conv1d(signal, FILTERS, None, 2, 1),
        F.conv1d(signal, weight=FILTERS, padding="same", dilation=2),
        F.conv1d(input=signal, weight=FILTERS[:, :2], groups=2),
        torch.conv_transpose1d(signal, FILTERS.transpose(0, 1), stride=2, output_padding=1),
        F.conv_transpose1d(signal, FILTERS.transpose(0, 1)),
        nn.functional.linear(signal, signal.new_ones(3, 40)),
    ]


EXPECTED = everything(SIGNAL)


@pytest.fixture(autouse=True)
def tensors_on_device(device, monkeypatch):
    for name, tensor in zip(("SIGNAL", "FILTERS"), on_device((SIGNAL, FILTERS)), strict=True):
        monkeypatch.setitem(globals(), name, tensor)
    monkeypatch.setitem(globals(), "EXPECTED", everything(SIGNAL))


def test_enabled():
    with kernel_calls() as calls, tapconv.enabled() as rerouting:
        outputs = everything(SIGNAL)
    torch.testing.assert_close(outputs, EXPECTED)
    assert calls.forward == 5 and not calls.by_torch
    assert str(rerouting.report()).startswith("5 of 5 convolutions are computed by tapconv.")
    with kernel_calls() as calls:
        torch.conv1d(SIGNAL, FILTERS)
    assert not calls.forward


@cpu_only
def test_enabled_where_tensors_have_a_default_device():
    """That is a mode of torch's too."""
    with torch.device("cpu"), kernel_calls() as calls, tapconv.enabled() as rerouting:
        everything(SIGNAL)
        F.conv1d(nn.Parameter(SIGNAL), FILTERS)
    assert calls.forward == 6 and not calls.by_torch and not rerouting.report().left_alone


def test_modules_and_gradients():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 3)), nn.ConvTranspose1d(6, 2, 4, 2))
    expected = torch.autograd.grad(model(SIGNAL).square().sum(), list(model.parameters()))
    with kernel_calls() as calls, tapconv.enabled():
        output = model(SIGNAL)
        torch.testing.assert_close(
            torch.autograd.grad(output.square().sum(), list(model.parameters())), expected, rtol=1e-4, atol=1e-4
        )
    assert calls.forward >= 2 and calls.backward >= 3 and not calls.by_torch


class Marked(torch.Tensor):
    """A subclass with rules of its own for torch's functions."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return super().__torch_function__(func, types, args, kwargs or {})


@cpu_only
@pytest.mark.parametrize("way", ["mode", "process"])
def test_left_to_torch(way, request):
    if way == "process":
        request.getfixturevalue("process_wide")
    rerouting = tapconv.enabled() if way == "mode" else None
    with kernel_calls() as calls:
        for signal, filters in (
            (SIGNAL.to(torch.complex64), FILTERS.to(torch.complex64)),
            (SIGNAL.long(), FILTERS.long()),
            (SIGNAL.as_subclass(Marked), FILTERS),
        ):
            if rerouting is None:
                output = F.conv1d(signal, filters)
            else:
                with rerouting:
                    output = F.conv1d(signal, filters)
            assert output.dtype == signal.dtype and type(output) is type(signal)
        with pytest.raises(TypeError), rerouting or tapconv.enabled():
            F.conv1d(None, FILTERS)
    assert not calls.forward
    if rerouting:
        text = str(rerouting.report())
        assert text.startswith("0 of 3") and all(word in text for word in ("complex64", "int64", "Marked"))


def test_errors_are_torchs(process_wide):
    for arguments in ((SIGNAL, FILTERS[:, :3]), (SIGNAL, FILTERS, None, 0), (SIGNAL, FILTERS, None, 1.5), ()):
        outcomes = []
        for enabled in (True, False):
            (tapconv.enable if enabled else tapconv.disable)()
            with pytest.raises((RuntimeError, TypeError)) as raised:
                F.conv1d(*arguments)
            outcomes.append((raised.type, str(raised.value) if arguments else None))
        assert outcomes[0] == outcomes[1]


def test_process_wide_in_other_threads(process_wide):
    outputs = []
    with kernel_calls() as calls:
        outputs += everything(SIGNAL)
    assert calls.forward == 5
    thread = threading.Thread(target=lambda: outputs.extend(everything(SIGNAL)))
    with kernel_calls() as calls:
        thread.start()
        thread.join()
    torch.testing.assert_close(outputs, EXPECTED * 2)
    assert F.conv1d is torch.conv1d
    tapconv.disable()
    assert F.conv1d is torch.conv1d and F.conv1d.__name__ == "conv1d"
    with kernel_calls() as calls:
        everything(SIGNAL)
    assert not calls.forward


@pytest.mark.parametrize("way", ["mode", "process"])
def test_compiled(way, request):
    torch._dynamo.reset()
    targets = []

    def backend(graph_module, example_inputs):
        targets.extend(str(node.target) for node in graph_module.graph.nodes if node.op == "call_function")
        return graph_module

    function = torch.compile(
        lambda signal: F.conv1d(signal, FILTERS, None, 2, 1).relu(), backend=backend, fullgraph=True
    )
    if way == "process":
        request.getfixturevalue("process_wide")
        output = function(SIGNAL)
    else:
        with tapconv.enabled():
            output = function(SIGNAL)
    torch.testing.assert_close(output, EXPECTED[0].relu())
    assert any("tapconv.conv1d" in target for target in targets)
    torch._dynamo.reset()


def test_transforms_inside():
    def loss(filters, sample):
        return F.conv1d(sample, filters).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))
    expected = per_sample(FILTERS, SIGNAL)
    with kernel_calls() as calls, tapconv.enabled():
        torch.testing.assert_close(per_sample(FILTERS, SIGNAL), expected)
    assert calls.forward and calls.backward and not calls.by_torch


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted(process_wide):
    @torch.jit.script
    def function(signal: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv1d(signal, filters, None, 2, 1)

    assert "tapconv::conv1d" in str(function.graph)
    torch.testing.assert_close(function(SIGNAL, FILTERS), EXPECTED[0])


class HoldsFunctions(nn.Module):
    def __init__(self):
        super().__init__()
        self.functions = [torch.conv1d, F.conv_transpose1d, F.pad]


@cpu_only
def test_functions_are_pickled_by_torchs_names(process_wide, tmp_path):
    model = HoldsFunctions()
    for function in model.functions:
        assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function)
    torch.save(model, tmp_path / "model.pt")
    assert torch.load(tmp_path / "model.pt", weights_only=False).functions == model.functions
    tapconv.disable()
    torchs = [torch.conv1d, torch.conv_transpose1d, F.pad]
    assert torch.load(tmp_path / "model.pt", weights_only=False).functions == torchs
    for function, theirs in zip(model.functions[:2], torchs, strict=False):
        assert pickle.loads(pickle.dumps(function)) is theirs and copy.deepcopy(function) is function


@pytest.mark.once
@cpu_only
def test_pickled_functions_load_without_tapconv(process_wide, tmp_path):
    with open(tmp_path / "functions.pt", "wb") as file:
        pickle.dump([torch.conv1d, F.conv_transpose1d, F.pad], file)
    program = f"""
import pickle, sys, torch
with open({str(tmp_path / "functions.pt")!r}, "rb") as file:
    functions = pickle.load(file)
assert functions == [torch.conv1d, torch.conv_transpose1d, torch.nn.functional.pad], functions
assert "tapconv" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
