"""`tapconv.convert`, `tapconv.revert` and `tapconv.report`: what changes and what does not."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from support import kernel_calls
from torch import nn

import tapconv


@pytest.fixture
def signal(device):
    """What the models are called with; a test that takes it runs on every device."""
    return torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0), device="cpu").to(device)


class LeftPadded(nn.Conv1d):
    """Changes what goes in."""

    def forward(self, input):
        return super().forward(nn.functional.pad(input, (self.kernel_size[0] - 1, 0)))


class Doubled(nn.Conv1d):
    """Changes the weight, between forward and the convolution."""

    def _conv_forward(self, input, weight, bias):
        return super()._conv_forward(input, 2 * weight, bias)


class CallsTheParent(nn.Conv1d):
    def forward(self, input):
        return nn.Conv1d.forward(self, input.abs())


class Cropped(nn.ConvTranspose1d):
    def forward(self, input):
        return super().forward(input)[..., :-1]


class CallsAHelper(nn.Conv1d):
    """Hands on in a method of its own, as torch's modules for quantisation-aware training do."""

    def forward(self, input):
        return nn.functional.relu(self.compute(input))

    def compute(self, input):
        return self._conv_forward(input, self.weight * 2, self.bias)


class ComputesInAHelper(nn.Conv1d):
    def forward(self, input):
        return self.compute(input)

    def compute(self, input):
        return nn.functional.conv1d(input, self.weight.abs(), self.bias)


class ComputesItself(nn.Conv1d):
    def forward(self, input):
        return nn.functional.conv1d(input, self.weight.abs(), self.bias)


def with_old_weight_norm(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(module)


PARAMETRIZATIONS = nn.utils.parametrizations
MAKERS = {
    "plain": lambda: nn.Conv1d(4, 6, 3, padding=1),
    "reflect": lambda: nn.Conv1d(4, 6, 3, padding=2, padding_mode="reflect"),
    "same, dilated, grouped": lambda: nn.Conv1d(4, 6, 4, padding="same", dilation=2, groups=2, bias=False),
    "double": lambda: nn.Conv1d(4, 6, 3).double(),
    "transposed": lambda: nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1),
    "weight_norm as a hook": lambda: with_old_weight_norm(nn.Conv1d(4, 6, 3)),
    "weight_norm as a hook, transposed": lambda: with_old_weight_norm(nn.ConvTranspose1d(4, 6, 3)),
    "weight_norm": lambda: PARAMETRIZATIONS.weight_norm(nn.Conv1d(4, 6, 3)),
    "weight_norm, transposed": lambda: PARAMETRIZATIONS.weight_norm(nn.ConvTranspose1d(4, 6, 3)),
    "weight_norm of a subclass": lambda: PARAMETRIZATIONS.weight_norm(LeftPadded(4, 6, 3)),
    "spectral_norm": lambda: PARAMETRIZATIONS.spectral_norm(nn.Conv1d(4, 6, 3)),
    "spectral_norm as a hook": lambda: nn.utils.spectral_norm(nn.Conv1d(4, 6, 3)),
    "pads by itself": lambda: LeftPadded(4, 6, 3),
    "changes its weight": lambda: Doubled(4, 6, 3),
    "calls its parent by name": lambda: CallsTheParent(4, 6, 3),
    "calls a helper": lambda: CallsAHelper(4, 6, 3),
    "crops by itself": lambda: Cropped(4, 6, 3),
}


def results(module, signal):
    """The output and the gradients of all parameters, without leaving anything behind."""
    output = module(signal)
    return [output, *torch.autograd.grad(output.square().sum(), list(module.parameters()))]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_same_object_same_result(name, training, signal):
    module = MAKERS[name]()
    model = nn.Sequential(module).train(training)
    signal = signal.to(next(module.parameters()).dtype)
    if training:
        model(signal)  # spectral_norm's first power iteration
        model.eval()
    expected = results(model, signal)
    parameters, names = list(model.parameters()), list(model.state_dict())
    cls, text, hooks, attributes = type(module), repr(model), dict(module._forward_pre_hooks), set(vars(module))

    assert tapconv.convert(model) is model
    assert model[0] is module and type(module) is cls
    assert all(map(lambda ours, theirs: ours is theirs, model.parameters(), parameters))
    assert list(model.state_dict()) == names and repr(model) == text and module._forward_pre_hooks == hooks
    assert tapconv.report(model).converted and not tapconv.report(model).left_alone
    with kernel_calls() as calls:
        # Sums of some hundred products of numbers of unit variance, through the norms of their weights.
        torch.testing.assert_close(results(model, signal), expected, rtol=1e-4, atol=1e-4)
    assert calls.forward == 1 and calls.backward >= 1 and not calls.by_torch

    assert tapconv.revert(model) is model
    assert type(module) is cls and vars(module).keys() == attributes
    with kernel_calls() as calls:
        torch.testing.assert_close(results(model, signal), expected, rtol=0, atol=0)
    assert not calls.forward and calls.by_torch


def is_converted(module):
    (entry,) = tapconv.report(module).entries
    return entry.by_tapconv


@pytest.mark.parametrize("name", MAKERS)
def test_copies_of_converted_modules(name, signal):
    module = tapconv.convert(MAKERS[name]().eval())
    signal = signal.to(next(module.parameters()).dtype)
    with torch.no_grad():
        expected = module(signal)
        if "hook" in name:
            # torch cannot copy the weight that such a hook computed with a graph; without one it can.
            assert not module.weight.requires_grad
        copies = [copy.deepcopy(module)]
        if not nn.utils.parametrize.is_parametrized(module):  # which torch does not pickle
            buffer = io.BytesIO()
            torch.save(module, buffer)
            buffer.seek(0)
            copies += [pickle.loads(pickle.dumps(module)), torch.load(buffer, weights_only=False)]
        for other in copies:
            assert type(other) is type(module)
            with kernel_calls() as calls:
                assert torch.equal(other(signal), expected)
            assert calls.forward == 1
            tapconv.revert(other)
            torch.testing.assert_close(other(signal), expected)


def test_parametrized_modules_do_not_pickle_as_in_torch():
    with pytest.raises(RuntimeError, match="parametrized"):
        pickle.dumps(tapconv.convert(MAKERS["weight_norm"]()))


def test_norms_come_and_go_after_converting(signal):
    module = tapconv.convert(nn.Conv1d(4, 6, 3))
    expected = module(signal)
    PARAMETRIZATIONS.weight_norm(module)
    torch.testing.assert_close(module(signal), expected)
    tapconv.revert(module)
    assert not is_converted(module)
    tapconv.convert(module)
    nn.utils.parametrize.remove_parametrizations(module, "weight")
    assert is_converted(module) and not nn.utils.parametrize.is_parametrized(module)
    tapconv.revert(module)
    assert type(module) is nn.Conv1d
    torch.testing.assert_close(module(signal), expected)

    module = tapconv.convert(with_old_weight_norm(nn.Conv1d(4, 6, 3)))
    expected = module(signal)
    module.weight_g.data.mul_(2)
    torch.testing.assert_close(module(signal) - module.bias[:, None], 2 * (expected - module.bias[:, None]))
    nn.utils.remove_weight_norm(module)
    assert list(dict(module.named_parameters())) == ["bias", "weight"]
    module(signal)


def test_a_copy_is_not_converted_with_the_original():
    first = PARAMETRIZATIONS.weight_norm(nn.Conv1d(4, 6, 3))
    second = copy.deepcopy(first)  # shares the class that torch made for the first
    tapconv.convert(first)
    assert is_converted(first) and not is_converted(second)


def test_hooks_and_shared_modules(signal):
    shared, seen = nn.Conv1d(4, 4, 3, padding=1), []
    model = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)})
    shared.register_forward_hook(lambda module, args, output: seen.append("forward"))
    shared.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append("backward"))
    tapconv.convert(model)
    assert model["a"] is model["b"][0] and tapconv.report(model).converted[0].name == "a"
    model["b"](signal.clone().requires_grad_()).sum().backward()
    assert seen == ["forward", "backward"]


def test_calling_again_changes_nothing_and_own_modules_stay():
    model = nn.Sequential(nn.Conv1d(4, 4, 3), tapconv.Conv1d(4, 4, 3, padding="causal"))
    for function, converted in (tapconv.convert, [True, True]), (tapconv.revert, [False, True]):
        for _ in range(2):
            assert list(map(is_converted, function(model))) == converted
            assert list(map(type, model)) == [nn.Conv1d, tapconv.Conv1d]


def replaced_on_the_object():
    module = nn.Conv1d(4, 6, 3)
    module._conv_forward = lambda input, weight, bias: input
    return module


LEFT_ALONE = {
    "computes by itself": (lambda: ComputesItself(4, 6, 3), "ComputesItself.forward computes by itself"),
    "computes in a helper": (lambda: ComputesInAHelper(4, 6, 3), "ComputesInAHelper.forward computes by itself"),
    "replaced": (replaced_on_the_object, "_conv_forward was replaced on the object"),
    "complex": (lambda: nn.Conv1d(4, 6, 3, dtype=torch.complex64), "complex64"),
    "lazy": (lambda: nn.LazyConv1d(6, 3), "has no weights yet"),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone(name):
    make, reason = LEFT_ALONE[name]
    module = make()
    cls = type(module)
    model = tapconv.convert(nn.Sequential(module, nn.Conv2d(1, 1, 3)))
    assert type(module) is cls
    (entry,) = tapconv.report(model).entries
    assert not entry.by_tapconv and reason in entry.remark and entry.name == "0"


@pytest.mark.parametrize("function", [tapconv.convert, tapconv.revert, tapconv.report])
@pytest.mark.parametrize("model", ["model.pt", None, nn.Conv1d, [nn.ReLU()]], ids=str)
def test_what_is_no_module(function, model):
    with pytest.raises(TypeError, match=f"tapconv.{function.__name__} expects a torch.nn.Module, but got"):
        function(model)


def test_lazy_modules_after_their_first_call(signal):
    model = nn.Sequential(nn.LazyConv1d(6, 3))
    tapconv.convert(model)
    expected = model(signal)
    tapconv.convert(model)
    assert is_converted(model[0])
    torch.testing.assert_close(model(signal), expected)


def test_the_report_reads_well():
    model = nn.Sequential(nn.Conv1d(4, 6, 3, groups=2), ComputesItself(6, 6, 3))
    assert "0 of 2" in str(tapconv.report(model)) and "not converted" in str(tapconv.report(model))
    lines = str(tapconv.report(tapconv.convert(model))).splitlines()
    assert lines[0] == "1 of 2 convolutions are computed by tapconv."
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["where", "what", "number", "computed by", "remark"]
    assert "| 0     | Conv1d 4 -> 6, kernel 3, 2 groups" in lines[4]
    assert "tapconv.enabled()" in lines[5]
    assert str(tapconv.report(nn.ReLU())) == "0 of 0 convolutions are computed by tapconv."


class Model(nn.Module):
    """Convolutions by modules of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.first = PARAMETRIZATIONS.weight_norm(nn.Conv1d(4, 8, 5, padding="same"))
        self.second = LeftPadded(8, 8, 3, groups=2)
        self.last = nn.ConvTranspose1d(8, 2, 4, stride=2)

    def forward(self, input):
        return self.last(self.second(self.first(input).relu()))


def test_compile_export_and_symbolic_trace(signal):
    model = Model().eval()
    expected = model(signal)
    tapconv.convert(model)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(signal), expected)
    program = torch.export.export(model, (signal,))
    assert program.graph_module.code.count("torch.ops.tapconv.conv1d") == 2
    assert program.graph_module.code.count("torch.ops.tapconv.conv_transpose1d") == 1
    with kernel_calls() as calls:
        torch.testing.assert_close(
            torch.fx.symbolic_trace(nn.Sequential(model.last))(signal.repeat(1, 2, 1)).shape[1], 2
        )
    assert calls.forward == 1
    parameters = {name: torch.zeros_like(parameter) for name, parameter in model.last.named_parameters()}
    assert not torch.func.functional_call(model.last, parameters, signal.repeat(1, 2, 1)).any()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripting_a_converted_model(signal):
    model = nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(6, 2, 3))
    expected = model(signal)
    scripted = torch.jit.script(tapconv.convert(model))
    assert len(tapconv.report(scripted).converted) == 2
    with kernel_calls() as calls:
        torch.testing.assert_close(scripted(signal), expected)
    assert calls.forward == 2
