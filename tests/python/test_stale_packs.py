"""A packed module never computes with what its weight was: not after writes that PyTorch does not count, not with
attributes that were changed, not while other threads change them."""

import ctypes
import io
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import jvp, linearize, vmap
from torch.utils.flop_counter import FlopCounterMode

import tapconv

SHAPES = {"small": (4, 6, 5), "large": (64, 64, 11)}  # compared whole; compared in pieces


def packed_module(shape=SHAPES["small"], **named):
    return tapconv.Conv1d(*shape, padding=2, **named).eval().pack()


def operators_of(function):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        function()
    return {event.key for event in profile.key_averages() if event.key.startswith("tapconv::conv1d")}


def plain(module, input):
    """By the module's own attributes and torch."""
    return torch.conv1d(
        input, module.weight, module.bias, module.stride, module.padding, module.dilation, module.groups
    )


def assert_follows(module, input):
    """Right at once, and by the packed weight again from the next call on."""
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(module(input), plain(module, input), rtol=1e-4, atol=1e-4)
    assert operators_of(lambda: module(input)) == {"tapconv::conv1d_packed"}


def by_data(module):
    module.weight.data += 1


def by_storage(module):
    module.weight.untyped_storage().copy_((2 * module.weight.detach()).untyped_storage())


def by_numpy(module):
    module.weight.detach().numpy()[:] *= 3


def by_dlpack(module):
    np.from_dlpack(module.weight.detach()).__array_interface__  # noqa: B018 (shares the memory)
    torch.from_dlpack(module.weight.detach()).mul_(2)


def by_address(module):
    numbers = torch.randn_like(module.weight)
    ctypes.memmove(module.weight.data_ptr(), numbers.data_ptr(), numbers.nbytes)


def by_another_parameter(module):
    other = nn.Parameter(torch.empty(0))
    other.data = module.weight.detach()
    torch.optim.SGD([other], lr=0.5).zero_grad()
    other.grad = torch.ones_like(other)
    torch.optim.SGD([other], lr=0.5, fused=True).step()


def by_merged_adapter(module):
    """What PEFT's LoRA does to a base layer."""
    out_channels, in_channels, taps = module.weight.shape
    delta = torch.randn(out_channels, 2) @ torch.randn(2, in_channels * taps)
    module.weight.data = module.weight.data + delta.view_as(module.weight)


def by_fused(optimizer):
    def change(module):
        module(torch.randn(1, module.in_channels, 50)).square().sum().backward()
        optimizer(module.parameters(), lr=0.1, fused=True).step()

    return change


CHANGES = {
    **{change.__name__: change for change in (by_data, by_storage, by_numpy, by_dlpack, by_address)},
    **{change.__name__: change for change in (by_another_parameter, by_merged_adapter)},
    **{
        f"fused {optimizer.__name__}": by_fused(optimizer)
        for optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)
    },
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", SHAPES)
def test_changes_that_pytorch_does_not_count(change, size):
    module = packed_module(SHAPES[size])
    input = torch.randn(2, module.in_channels, 100)
    with torch.no_grad():
        module(input)
    before = module.weight.detach().clone()
    CHANGES[change](module)
    assert not torch.equal(module.weight, before)
    assert_follows(module, input)


def test_any_weight_of_a_small_module():
    module = packed_module()
    input = torch.randn(2, 4, 100)
    for index in np.ndindex(*module.weight.shape):
        module.weight.detach().numpy()[index] += 1
        assert_follows(module, input)


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_one_output_channel_of_a_large_module(layout):
    module = packed_module(SHAPES["large"])
    if layout == "channels last":
        module.weight.data = module.weight.data.transpose(1, 2).contiguous().transpose(1, 2)
    input = torch.randn(1, 64, 50)
    for channel in range(64):
        module.weight.detach().numpy()[channel] *= -1
        assert_follows(module, input)
    for index in ((0, 0, 0), (63, 63, 10)):
        module.weight.detach().numpy()[index] += 1
        assert_follows(module, input)


def test_a_stale_module_makes_no_other_pack_again():
    module, other = packed_module(), packed_module()
    input = torch.randn(2, 4, 100)
    packed = other._packed_weight
    by_data(module)
    assert_follows(module, input)
    assert_follows(other, input)
    assert other._packed_weight is packed


@pytest.mark.parametrize("way", ["script", "trace", "save", "export"])
def test_programs_fall_back_to_the_plain_weight(way):
    module = packed_module()
    input = torch.randn(2, 4, 100)
    with torch.no_grad():
        if way == "export":
            program = torch.export.export(module, (input,)).module()
        else:
            program = torch.jit.trace(module, input) if way == "trace" else torch.jit.script(module)
        if way == "save":
            buffer = io.BytesIO()
            torch.jit.save(program, buffer)
            buffer.seek(0)
            program = torch.jit.load(buffer)
        torch.testing.assert_close(program(input), module(input))
        assert operators_of(lambda: program(input)) == {"tapconv::conv1d_packed"}
        for parameter in program.parameters():
            parameter.data *= -2
        weight, bias = (dict(program.named_parameters())[name] for name in ("weight", "bias"))
        torch.testing.assert_close(program(input), torch.conv1d(input, weight, bias, padding=2))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compiled_modules_fall_back_to_the_plain_weight(backend):
    torch._dynamo.reset()
    module = packed_module()
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    input = torch.randn(2, 4, 100)
    with torch.no_grad():
        torch.testing.assert_close(compiled(input), plain(module, input))
        by_data(module)
        torch.testing.assert_close(compiled(input), plain(module, input))
        module.stride, module.padding, module.dilation = (2,), (0,), (2,)
        torch.testing.assert_close(compiled(input), plain(module, input))
        module.pack()
        assert "tapconv::conv1d" not in operators_of(lambda: compiled(input))


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("stride", (3,)), ("dilation", (2,)), ("padding", (4,)), ("padding", "same"), ("padding", (0,)), ("groups", 2)],
)
def test_attributes_that_were_changed_are_honoured(name, value, padding_mode):
    module = packed_module(padding_mode=padding_mode)
    input = torch.randn(2, 4, 100)
    if name == "groups":
        module.weight = nn.Parameter(torch.randn(6, 2, 5))
    setattr(module, name, value)
    theirs = nn.Conv1d(4, 6, 5, padding=2, groups=module.groups, padding_mode=padding_mode)
    theirs.load_state_dict(module.state_dict())
    setattr(theirs, name, value)
    with torch.no_grad():
        torch.testing.assert_close(module(input), theirs(input))
        assert operators_of(lambda: module(input)) == {"tapconv::conv1d_packed"}


def test_a_new_parameter_is_packed():
    module = packed_module()
    module.weight = nn.Parameter(torch.randn(6, 4, 5))
    assert_follows(module, torch.randn(2, 4, 100))


@pytest.fixture
def hasty_threads():
    """Has Python change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.serial
def test_weights_swapped_while_other_threads_serve(hasty_threads):
    """Every output is that of one of the weights, whichever way they are swapped; nothing raises."""
    module = packed_module((8, 8, 5), bias=False)
    input = torch.randn(1, 8, 60)
    weights = [torch.full((8, 8, 5), float(number)) for number in range(1, 4)]
    answers = [torch.conv1d(input, weight, padding=2) for weight in weights]
    with torch.no_grad():
        module.weight.copy_(weights[0])
    faults, done = [], threading.Event()

    def serve():
        with torch.inference_mode():
            while not done.is_set():
                try:
                    output = module(input)
                except Exception as error:
                    faults.append(error)
                    return
                if not any(torch.allclose(output, answer, rtol=1e-3, atol=1e-2) for answer in answers):
                    faults.append(output)

    servers = [threading.Thread(target=serve) for _ in range(8)]
    for server in servers:
        server.start()
    for turn in range(400):
        weight = weights[turn % 3]
        way = turn // 3 % 4
        if way == 0:
            module.weight = nn.Parameter(weight.clone())
        elif way == 1:
            module.weight.data = weight.clone()
        elif way == 2:
            module.load_state_dict({"weight": weight.clone()}, assign=True)
        else:
            module.unpack().pack()
        module(input)
    done.set()
    for server in servers:
        server.join()
    assert not faults, faults[0]


def frozen():
    module = packed_module()
    return module.requires_grad_(False), nn.Conv1d(4, 6, 5, padding=2).requires_grad_(False)


def dual_numbers(function, input, tangent):
    with torch.autograd.forward_ad.dual_level():
        output = function(torch.autograd.forward_ad.make_dual(input, tangent))
        return tuple(torch.autograd.forward_ad.unpack_dual(output))


def backward(function, input, _):
    input = input.clone().requires_grad_()
    return torch.autograd.grad(function(input).square().sum(), input)


TRANSFORMS = {
    "jvp": lambda f, x, t: jvp(f, (x,), (t,)),
    "linearize": lambda f, x, t: (lambda output, tangent: (output, tangent(t)))(*linearize(f, x)),
    "dual numbers": dual_numbers,
    "grad": lambda f, x, t: torch.func.grad(lambda y: f(y).square().sum())(x),
    "vmap": lambda f, x, t: vmap(f)(torch.stack([x, t])),
    "backward": backward,
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_a_frozen_packed_module(transform):
    module, theirs = frozen()
    theirs.load_state_dict(module.state_dict())
    input, tangent = torch.randn(2, 2, 4, 30)
    ours = TRANSFORMS[transform](module, input, tangent)
    torch.testing.assert_close(ours, TRANSFORMS[transform](theirs, input, tangent), rtol=1e-4, atol=1e-4)
    assert operators_of(lambda: module(input)) == {"tapconv::conv1d_packed"}


def test_the_flop_counter_counts_packed_calls():
    module = packed_module(stride=2, groups=2)
    input = torch.randn(3, 4, 100)
    packed = tapconv.pack_weight(module.weight, stride=2, groups=2)
    calls = [
        lambda: torch.conv1d(input, module.weight, module.bias, 2, 2, 1, 2),
        lambda: module(input),
        lambda: tapconv.conv1d_packed(input, packed, module.weight.shape, stride=2, padding=2, groups=2),
        lambda: tapconv.conv1d_packed(
            input, packed, module.weight.shape, stride=2, padding=2, groups=2, out=torch.empty(0)
        ),
    ]
    counts = []
    for call in calls:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            call()
        counts.append(counter.get_total_flops())
    assert counts[0] > 0 and len(set(counts)) == 1


def test_a_pack_of_another_machine_is_not_used():
    module = packed_module()
    with torch.no_grad():
        scripted = torch.jit.script(module)
        scripted._packed_weight[:64] = 0  # as if another instruction set stood there
        input = torch.randn(2, 4, 100)
        torch.testing.assert_close(scripted(input), plain(module, input))


def test_a_lazy_module_is_called_before_it_is_packed():
    with pytest.raises(RuntimeError, match="call the module once, then pack it"):
        tapconv.LazyConv1d(6, 5).eval().pack()
