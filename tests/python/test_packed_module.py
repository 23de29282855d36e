"""Modules with packed weights: packed calls give the same outputs, and follow the weight wherever it changes."""

import copy
import io
import pickle

import pytest
import torch
from support import PADDING_MODES
from torch import nn

import tapconv


def eval_module(*positional, **named):
    return tapconv.Conv1d(*positional, **named).eval()


def uses_packed(module, input):
    """Did the call go to conv1d_packed?"""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        module(input)
    return any(event.key == "tapconv::conv1d_packed" for event in profile.key_averages())


@pytest.mark.parametrize("padding", [2, (4, 1), "valid", "same", "causal"])
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_module(padding, padding_mode):
    module = eval_module(4, 6, 5, padding=padding, dilation=2, groups=2, padding_mode=padding_mode)
    input = torch.randn(3, 4, 200)
    expected = module(input).detach()
    assert module.pack(input_length=200) is module and module.is_packed
    with torch.inference_mode():
        torch.testing.assert_close(module(input), expected)
    assert uses_packed(module, input)
    assert list(module.state_dict()) == ["weight", "bias"] and not list(module.buffers())
    assert module.unpack() is module and not module.is_packed and not uses_packed(module, input)


def test_pack_is_for_inference():
    module = tapconv.Conv1d(4, 6, 5)
    with pytest.raises(RuntimeError, match="training mode"):
        module.pack()
    module.eval().pack()
    assert not module.train().is_packed
    module.eval().pack()
    input = torch.randn(1, 4, 50)
    output = module(input)  # records a gradient, and so takes the plain weight
    output.sum().backward()
    assert module.weight.grad is not None and module.is_packed
    parametrized = nn.utils.parametrizations.weight_norm(eval_module(4, 6, 5))
    with pytest.raises(RuntimeError, match="parametrization"):
        parametrized.pack()
    with torch.inference_mode():
        hidden = eval_module(4, 6, 5)
    with pytest.raises(RuntimeError, match="inference_mode"):
        hidden.pack()


def in_place(module):
    with torch.no_grad():
        module.weight.mul_(-2)


def by_optimizer(module):
    module(torch.randn(1, 4, 50)).sum().backward()
    torch.optim.SGD(module.parameters(), 1.0).step()


def by_checkpoint(module):
    module.load_state_dict(nn.Conv1d(4, 6, 5).state_dict())


def by_assigned_checkpoint(module):
    module.load_state_dict(nn.Conv1d(4, 6, 5).state_dict(), assign=True)


def new_parameter(module):
    module.weight = nn.Parameter(torch.randn(6, 4, 5))


def new_data(module):
    module.weight.data = torch.randn(6, 4, 5)


def by_double(module):
    module.double()


def by_bfloat16(module):
    module.to(torch.bfloat16)


def new_algorithm(module):
    module.algorithm = "direct"


def new_padding(module):
    module.padding = (7,)


CHANGES = [in_place, by_optimizer, by_checkpoint, by_assigned_checkpoint, new_parameter, new_data, new_padding]
CHANGES += [new_algorithm, by_double, by_bfloat16]


@pytest.mark.parametrize("change", CHANGES)
def test_a_packed_module_follows_its_weight(change):
    module = eval_module(4, 6, 5, padding=2).pack()
    input = torch.randn(2, 4, 300)
    with torch.no_grad():
        module(input)
    change(module)
    plain = nn.Conv1d(4, 6, 5, padding=module.padding).to(module.weight.dtype)
    plain.load_state_dict(module.state_dict())
    input = input.to(module.weight.dtype)
    with torch.no_grad():
        torch.testing.assert_close(module(input), plain(input))


def test_other_weights_for_one_call():
    module = eval_module(4, 6, 5).pack()
    input = torch.randn(2, 4, 60)
    other = {name: torch.randn_like(parameter) for name, parameter in module.named_parameters()}
    with torch.no_grad():
        torch.testing.assert_close(
            torch.func.functional_call(module, other, input), torch.conv1d(input, other["weight"], other["bias"])
        )
        torch.testing.assert_close(module(input), torch.conv1d(input, module.weight, module.bias))


def test_errors_of_a_packed_module_are_torchs():
    module, theirs = eval_module(4, 6, 5).pack(), nn.Conv1d(4, 6, 5)
    for input in (torch.randn(2, 3, 50), torch.randn(2, 4, 50).double(), torch.randn(2, 4, 2)):
        with torch.no_grad():
            with pytest.raises(RuntimeError) as torchs:
                theirs(input)
            with pytest.raises(RuntimeError) as ours:
                module(input)
        assert str(ours.value) == str(torchs.value)


def test_autocast_leaves_packed_weights_aside():
    module = eval_module(4, 6, 5).pack()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert module(torch.randn(2, 4, 50)).dtype == torch.bfloat16


def test_copies_of_a_packed_module():
    module = eval_module(4, 6, 5).pack(input_length=100)
    input = torch.randn(2, 4, 60)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    with torch.no_grad():
        loaded = torch.load(buffer, weights_only=False)
        for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), loaded):
            assert other.is_packed and uses_packed(other, input)
            assert torch.equal(other(input), module(input))
            other.weight.zero_()
            assert not torch.equal(other(input), module(input))


def test_script_of_a_packed_module(tmp_path):
    module = eval_module(4, 6, 5, padding="causal").pack()
    input = torch.randn(2, 4, 60)
    scripted = torch.jit.script(module)
    scripted.save(tmp_path / "module.pt")
    with torch.no_grad():
        expected = module(input)
        for other in (scripted, torch.jit.load(tmp_path / "module.pt"), torch.jit.trace(module, input)):
            assert torch.equal(other(input), expected)
            assert uses_packed(other, input)
    scripted(input).sum().backward()
    torch.jit.script(module.unpack())


def test_export_of_a_packed_module():
    module = eval_module(4, 6, 5, padding=2).pack()
    input = torch.randn(2, 4, 60)
    length = torch.export.Dim("length", min=10, max=1000)
    with torch.no_grad():
        program = torch.export.export(module, (input,), dynamic_shapes=({2: length},))
        assert "conv1d_packed" in program.graph_module.code
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        buffer.seek(0)
        loaded = torch.export.load(buffer).module()
        for other_length in (60, 11, 500):
            input = torch.randn(2, 4, other_length)
            torch.testing.assert_close(loaded(input), module(input))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile_of_a_packed_module(backend):
    module = nn.Sequential(eval_module(4, 6, 5, padding=2), nn.ReLU()).eval()
    compiled = torch.compile(module, backend=backend, fullgraph=True, dynamic=True)
    with torch.no_grad():
        for length in (60, 200):
            torch.testing.assert_close(compiled(torch.ones(2, 4, length)), module(torch.ones(2, 4, length)))
        module[0].pack()
        for length in (60, 200):
            input = torch.randn(2, 4, length)
            torch.testing.assert_close(compiled(input), module(input))
        assert uses_packed(compiled, torch.randn(2, 4, 60))


def test_fx_of_a_packed_module():
    module = nn.Sequential(eval_module(4, 6, 5).pack())
    with torch.no_grad():
        traced = torch.fx.symbolic_trace(module)
        input = torch.randn(2, 4, 60)
        torch.testing.assert_close(traced(input), module(input))
