"""`tapconv.convert` of TorchScript modules: it takes effect at once, and on nothing but the module."""

import copy
import io

import pytest
import torch
from support import kernel_calls
from torch import Tensor, nn

import tapconv
from tapconv import converted_modules, script_graphs

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.fixture
def signal(device):
    return torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0), device="cpu").to(device)


def make(padding: int | str = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 6, 3, padding=padding), nn.ReLU(), nn.ConvTranspose1d(6, 2, 3)).eval()


def saved(module: torch.jit.ScriptModule) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue()


def loaded(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    return torch.jit.load(io.BytesIO(saved(module)))


WAYS = {
    "script": lambda signal: torch.jit.script(make()),
    "script in words": lambda signal: torch.jit.script(make("same")),
    "trace": lambda signal: torch.jit.trace(make(), signal),
    "trace in words": lambda signal: torch.jit.trace(make("same"), signal),
    "load": lambda signal: loaded(torch.jit.script(make())),
    "freeze": lambda signal: torch.jit.freeze(torch.jit.script(make())),
    "freeze in words": lambda signal: torch.jit.freeze(torch.jit.script(make("same"))),
    "freeze a trace": lambda signal: torch.jit.freeze(torch.jit.trace(make(), signal)),
    "freeze a trace in words": lambda signal: torch.jit.freeze(torch.jit.trace(make("same"), signal)),
    "freeze one after the other": lambda signal: torch.jit.freeze(torch.jit.script(nn.Sequential(*make()[::2]).eval())),
    "optimize": lambda signal: torch.jit.optimize_for_inference(torch.jit.script(make())),
}


def computed_by(module, *inputs) -> tuple[int, int]:
    """How many convolutions tapconv computes in a call, and how many torch. The report must say the same."""
    with kernel_calls() as calls, torch.no_grad():
        module(*inputs)
    report = tapconv.report(module)
    by_tapconv, by_torch = (sum(entry.count for entry in part) for part in (report.converted, report.left_alone))
    assert calls.forward == by_tapconv and (calls.by_torch > 0) == (by_torch > 0)
    return by_tapconv, by_torch


@pytest.mark.parametrize("way", WAYS)
def test_converting_takes_effect_after_calls_too(way, signal):
    module = WAYS[way](signal)
    expected = module(signal)
    for _ in range(2):
        for _ in range(3):  # the executor compiles its graph in the first, and again in the second
            assert computed_by(module, signal) == (0, 2)
        assert tapconv.convert(module) is module
        assert computed_by(module, signal) == computed_by(loaded(module), signal) == (2, 0)
        torch.testing.assert_close(module(signal), expected)
        tapconv.revert(module)
    assert torch.equal(module(signal), expected) and b"tapconv" not in saved(module)


@pytest.mark.parametrize("way", WAYS)
def test_others_are_left_alone(way, signal):
    """TorchScript gives copies, and what is scripted from like modules, one type with one graph."""
    module, other = WAYS[way](signal), WAYS[way](signal)
    others = [other, copy.deepcopy(module)]
    if not way.startswith("trace"):  # a shallow copy of which holds the same module
        others.append(copy.copy(module))
    if way == "script":
        others += [torch.jit.script(nn.Sequential(make()[0], make()[2]))]
    for run_before in (False, True):
        if run_before:
            assert all(computed_by(other, signal) == (0, 2) for other in others)
        tapconv.convert(module)
        assert computed_by(module, signal) == (2, 0)
        for other in others:
            assert computed_by(other, signal) == (0, 2) and b"tapconv" not in saved(other)
    tapconv.convert(other)
    tapconv.revert(module)
    assert computed_by(other, signal) == (2, 0) and computed_by(module, signal) == (0, 2)


def test_many_convolutions_one_after_the_other(monkeypatch):
    """Each node of one long graph is looked at a few times, not once for each of the others."""
    looks, torchs_call = [], script_graphs._torchs_call
    monkeypatch.setattr(script_graphs, "_torchs_call", lambda node: looks.append(node.kind()) or torchs_call(node))
    module = torch.jit.freeze(torch.jit.script(nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(100)))).eval())
    assert len(list(module.graph.findAllNodes("aten::conv1d"))) == 100
    tapconv.convert(module)
    assert len(list(module.graph.findAllNodes("tapconv::conv1d"))) == 100 and len(looks) < 300


class Keeps(nn.Module):
    """State of every kind."""

    seen: list[Tensor]
    maybe: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)
        self.tail = nn.Sequential(nn.Conv1d(4, 2, 1))
        self.count = 0
        self.seen = []
        self.words = {"a": 1}
        self.maybe = None
        self.register_buffer("mean", torch.zeros(4, 1))

    def forward(self, input: Tensor) -> Tensor:
        self.count += 1
        self.seen.append(input[0, 0, :1])
        self.mean += 1
        return self.tail(self.conv(input)) + self.count

    @torch.jit.export
    def calls(self) -> int:
        return self.count


def test_the_module_stays_the_same_object(signal):
    module = torch.jit.script(Keeps().to(signal.device))
    module(signal), module.calls()
    parts, tensors = list(module.modules()), list(module.state_dict(keep_vars=True).items())
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    weight = module.conv.weight.detach().clone()
    tapconv.convert(module)
    assert all(map(lambda now, before: now is before, module.modules(), parts))
    for (name, now), (name_before, before) in zip(module.state_dict(keep_vars=True).items(), tensors, strict=True):
        assert name == name_before and now is before
    assert module.calls() == module.count == 1 and len(module.seen) == 1 and module.words == {"a": 1}
    assert module.maybe is None
    module(signal).square().sum().backward()
    optimizer.step()
    assert module.calls() == 2 and module.mean.unique().item() == 2
    assert not torch.equal(module.conv.weight, weight)
    assert not any(part.training for part in module.eval().modules())
    with kernel_calls() as calls:
        module.conv(signal)
    assert calls.forward == 1


def test_what_two_names_lead_to_stays_one(signal):
    module = torch.jit.script(nn.ModuleDict({"a": Keeps(), "b": Keeps()}))
    module._c.setattr("b", module._c.getattr("a"))
    tapconv.convert(module)
    assert module._c.getattr("a") == module._c.getattr("b")


def pad_and_convolve(input: Tensor, weight: Tensor) -> Tensor:
    return torch.conv1d(nn.functional.pad(input, (2, 0)), weight)


def convolve_or_not(input: Tensor, weight: Tensor) -> Tensor:
    if input.shape[0] > 100:
        return pad_and_convolve(input, weight)
    return pad_and_convolve(input, weight) * 2


class CallsFunctions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 4, 3, padding=1)
        self.weight = nn.Parameter(torch.randn(6, 4, 3))

    def forward(self, input: Tensor) -> Tensor:
        return pad_and_convolve(self.first(input), self.weight)


def test_functions_that_convolve():
    """Their calls belong to the method; other modules that call them go on as before."""
    signal = torch.randn(2, 4, 40)
    module, other = torch.jit.script(CallsFunctions()), torch.jit.script(CallsFunctions())
    expected = module(signal)
    assert computed_by(module, signal) == (0, 2)
    tapconv.convert(module)
    assert computed_by(module, signal) == (2, 0) and computed_by(other, signal) == (0, 2)
    torch.testing.assert_close(module(signal), expected)
    assert [entry.name for entry in tapconv.report(module).entries] == ["", "first"]
    tapconv.revert(module)
    assert computed_by(module, signal) == (0, 2)


def test_a_submodule_of_a_scripted_module(signal):
    """Its parent goes on as before: the parent's type has the submodule's in it."""
    parent = torch.jit.script(make())
    tapconv.convert(parent[0])
    assert computed_by(parent[0], signal) == (1, 0) and computed_by(parent, signal) == (0, 2)
    tapconv.convert(parent)
    assert computed_by(parent, signal) == (2, 0)


def test_scripted_modules_in_a_python_module(signal):
    inner = torch.jit.script(make())
    model = nn.ModuleDict({"scripted": inner, "again": inner, "plain": nn.Conv1d(2, 2, 1), "part": inner[0]})
    assert len(tapconv.report(tapconv.convert(model)).converted) == 4
    assert {entry.name for entry in tapconv.report(model).entries} == {"scripted.0", "scripted.2", "plain", "part"}
    assert computed_by(inner, signal) == (2, 0) and computed_by(model["part"], signal) == (1, 0)


class WithHook(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3)

    def forward(self, input: Tensor) -> Tensor:
        return self.conv(input)


def doubled(module, input: tuple[Tensor]) -> tuple[Tensor]:
    return (2 * input[0],)


def test_hooks_of_torchscript_are_not_lost():
    signal, module = torch.randn(2, 4, 40), WithHook()
    module.register_forward_pre_hook(doubled)
    scripted = torch.jit.script(module)
    expected = scripted(signal)
    (entry,) = tapconv.report(tapconv.convert(scripted)).entries
    assert not entry.by_tapconv and "has hooks" in entry.remark
    assert torch.equal(scripted(signal), expected)
    scripted = torch.jit.script(tapconv.convert(module))
    assert computed_by(scripted, signal) == (1, 0)
    torch.testing.assert_close(scripted(signal), expected)


class TorchsOwn(nn.Conv1d):
    _conv_forward = converted_modules._torch_conv_forward


class TorchsOwnTransposed(nn.ConvTranspose1d):
    forward = converted_modules._torch_transposed_forward


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize("padding", [3, "same", "valid"])
def test_scripting_what_is_not_converted(padding, padding_mode):
    """Gives the code that it gives without tapconv."""
    tapconv.convert(nn.Conv1d(4, 6, 3))
    arguments = {"padding": padding, "padding_mode": padding_mode}
    codes = [
        torch.jit.script(cls(4, 6, 3, **arguments))._c._get_method("_conv_forward").code
        for cls in (nn.Conv1d, TorchsOwn)
    ]
    assert codes[0] == codes[1] and "tapconv" not in codes[0]


def test_scripting_what_is_not_converted_transposed():
    tapconv.convert(nn.ConvTranspose1d(4, 6, 3))
    plain, original = (
        torch.jit.script(cls(4, 6, 3, stride=2)).code for cls in (nn.ConvTranspose1d, TorchsOwnTransposed)
    )
    assert plain == original and "tapconv" not in plain


def test_converted_and_other_modules_have_types_of_their_own(signal):
    plain = torch.jit.script(nn.Sequential(nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 4, 3)))
    converted = torch.jit.script(tapconv.convert(nn.Sequential(nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 4, 3))))
    assert computed_by(plain, signal) == (0, 2) and computed_by(converted, signal) == (2, 0)


@pytest.mark.parametrize("padding", [3, "same", "valid"])
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize("algorithm", ["auto", "direct"])
def test_scripting_what_is_converted(padding, padding_mode, algorithm):
    module, signal = nn.Conv1d(4, 6, 3, padding=padding, padding_mode=padding_mode), torch.randn(2, 4, 40)
    expected = module(signal)
    tapconv.convert(module).algorithm = algorithm
    scripted = torch.jit.script(module)
    torch.testing.assert_close(scripted(signal), expected)
    assert torch.equal(scripted(signal), module(signal))
    assert computed_by(scripted, signal) == computed_by(loaded(scripted), signal) == (1, 0)
