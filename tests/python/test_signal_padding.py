"""`torch.nn.functional.pad` under `tapconv.enable` and `tapconv.enabled`: torch's numbers to the bit, whoever asks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tapconv
from tapconv import signal_padding

SIGNAL = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))
PADS = ((0, 0), (3, 0), (0, 5), (4, 2), (11, 11))


@pytest.fixture(params=["mode", "process"])
def rerouted(request):
    if request.param == "mode":
        with tapconv.enabled() as rerouting:
            yield rerouting
    else:
        tapconv.enable()
        yield None
        tapconv.disable()


@pytest.fixture
def decisions(monkeypatch):
    """For each call: the samples to add, or None where the call was torch's."""
    made = []
    original = signal_padding._samples
    monkeypatch.setattr(signal_padding, "_samples", lambda *args: made.append(original(*args)) or made[-1])
    return made


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_equals_torchs(mode, dtype, rerouted, decisions):
    signals = (SIGNAL, SIGNAL[0], SIGNAL.transpose(0, 1), SIGNAL[..., ::2], SIGNAL[:, :1].expand(2, 4, 12))
    for signal in (signal.to(dtype) for signal in signals):
        for pads in PADS:
            pads = tuple(min(pad, signal.shape[-1] - 1) for pad in pads)
            output = F.pad(signal, pads, mode)
            assert decisions.pop() == pads
            expected = torch._C._nn.pad(signal, pads, mode)
            assert torch.equal(output, expected) and output.dtype == dtype and output.stride() == expected.stride()
            assert output.untyped_storage().data_ptr() != signal.untyped_storage().data_ptr()


def test_forms_of_the_arguments(rerouted, decisions):
    expected = torch._C._nn.pad(SIGNAL, (2, 1), "reflect")
    for output in (
        F.pad(SIGNAL, [2, 1], mode="reflect", value=0.0),
        F.pad(input=SIGNAL, pad=(torch.tensor(2), torch.tensor(1)), mode="reflect"),
        nn.ReflectionPad1d((2, 1))(SIGNAL),
    ):
        assert torch.equal(output, expected)
    beyond = torch._C._nn.pad(SIGNAL, (20, 1), "replicate")
    assert torch.equal(F.pad(SIGNAL, (20, 1), "replicate"), beyond)
    assert decisions == [(2, 1)] * 3 + [(20, 1)]


def test_numbers_that_are_none(rerouted):
    signal = torch.tensor([[1.0, float("nan"), -0.0, float("inf"), 0.0]])
    for mode in ("reflect", "replicate"):
        output, expected = F.pad(signal, (3, 3), mode), torch._C._nn.pad(signal, (3, 3), mode)
        assert torch.equal(output.view(torch.int32), expected.view(torch.int32))


def test_left_to_torch(rerouted):
    image = SIGNAL.unsqueeze(0)
    for arguments in (
        (SIGNAL, (2, 1)),
        (SIGNAL, (-2, 1), "reflect"),
        (SIGNAL, (2, 1), "circular"),
        (SIGNAL, (1, 1, 1, 1), "constant", 3.0),
        (image, (1, 1, 2, 2), "reflect"),
        (SIGNAL.to(torch.complex64), (2, 1), "reflect"),
        (SIGNAL[:0], (2, 1), "reflect"),
    ):
        assert torch.equal(F.pad(*arguments), torch._C._nn.pad(*arguments))


def test_errors_are_torchs(rerouted):
    for arguments in (
        (SIGNAL, (12, 0), "reflect"),
        (SIGNAL, (2, 1), "reflect", 1.0),
        (SIGNAL, (1.5, 1), "reflect"),
        (SIGNAL, (2,), "reflect"),
        (SIGNAL[0, 0], (2, 1), "reflect"),
        (SIGNAL, (2, 1), "mirror"),
        (None, (2, 1), "reflect"),
    ):
        with pytest.raises((RuntimeError, TypeError, NotImplementedError)) as ours:
            F.pad(*arguments)
        with pytest.raises(ours.type) as theirs:
            signal_padding._torch_pad(*arguments)
        assert str(ours.value) == str(theirs.value)


def test_gradients_are_torchs(rerouted, decisions):
    signal = SIGNAL.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.pad(signal, (2, 1), "reflect").square().sum(), signal)
    (expected,) = torch.autograd.grad(torch._C._nn.pad(signal, (2, 1), "reflect").square().sum(), signal)
    assert torch.equal(gradient, expected) and decisions == [None]


def test_transforms(rerouted):
    def padded(signal):
        return F.pad(signal, (2, 1), "reflect")

    expected = torch._C._nn.pad(SIGNAL, (2, 1), "reflect")
    assert torch.equal(torch.func.vmap(padded)(SIGNAL), expected)
    output, tangent = torch.func.jvp(padded, (SIGNAL,), (SIGNAL,))
    assert torch.equal(output, expected) and torch.equal(tangent, expected)
    assert torch.equal(torch.compile(padded, backend="eager", fullgraph=True)(SIGNAL), expected)
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted_and_traced(rerouted):
    def padded(signal: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(signal, (2, 1), "reflect")

    expected = torch._C._nn.pad(SIGNAL, (2, 1), "reflect")
    assert torch.equal(torch.jit.script(padded)(SIGNAL), expected)
    traced = torch.jit.trace(padded, SIGNAL)
    assert torch.equal(traced(SIGNAL), expected) and "aten::cat" not in str(traced.graph)


def test_not_counted_as_a_convolution():
    with tapconv.enabled() as rerouting:
        F.conv1d(F.pad(SIGNAL, (2, 1), "reflect"), torch.ones(1, 3, 2))
    assert str(rerouting.report()).startswith("1 of 1 convolutions")
