"""torch's tools see tapconv's operators as they see torch's own: the profiler, the FLOP counter, autocast anywhere."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import tapconv

MODELS = {
    "plain": (lambda: nn.Conv1d(4, 6, 5, padding=2), (2, 4, 20)),
    "stride and dilation": (lambda: nn.Conv1d(4, 6, 3, stride=2, dilation=2), (2, 4, 20)),
    "without bias": (lambda: nn.Conv1d(4, 6, 3, padding="same", bias=False), (2, 4, 20)),
    "reflect": (lambda: nn.Conv1d(4, 6, 3, padding=1, padding_mode="reflect"), (2, 4, 20)),
    "transposed": (lambda: nn.ConvTranspose1d(4, 6, 4, stride=2), (2, 4, 20)),
}


def flops(module: nn.Module, shape: tuple[int, ...], train: bool) -> int:
    signal = torch.randn(shape, requires_grad=train)
    with FlopCounterMode(display=False) as counter:
        output = module(signal)
        if train:
            output.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_counted_like_torchs(name, train):
    make, shape = MODELS[name]
    module = make()
    expected = flops(module, shape, train)
    assert flops(tapconv.convert(module), shape, train) == expected > 0


@pytest.mark.parametrize("shape", [(3, 4, 20), (4, 20)])
def test_counted_by_groups(shape):
    module = tapconv.Conv1d(4, 8, 3, padding=1, groups=2)
    products = (3 if len(shape) == 3 else 1) * 8 * 20 * 2 * 3
    assert flops(module, shape, train=False) == 2 * products
    assert flops(module, shape, train=True) == 3 * 2 * products


def names_in_a_profile(function) -> set[str]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        function()
    return {event.key for event in profiler.key_averages()}


def test_names_in_the_profiler():
    signal = torch.randn(2, 4, 20, requires_grad=True)
    module, transposed = tapconv.Conv1d(4, 6, 3), tapconv.ConvTranspose1d(6, 2, 4)
    names = names_in_a_profile(lambda: transposed(module(signal)).sum().backward())
    assert {"tapconv::conv1d", "tapconv::conv_transpose1d"} <= names
    assert any(name.startswith("tapconv::conv1d_grad_input") for name in names)
    assert any(name.startswith("tapconv::conv1d_grad_weight") for name in names)
    backward = [name for name in names if "Backward" in name and "onv" in name]
    assert backward and all("Conv" in name for name in backward)
    assert "tapconv" in module(signal).grad_fn.name().lower() or "Conv1dBackward" in module(signal).grad_fn.name()


def test_autocast_has_a_rule_for_each_device():
    for operator in ("tapconv::conv1d", "tapconv::conv_transpose1d"):
        for key in ("AutocastCPU", "AutocastCUDA"):
            assert torch._C._dispatch_has_kernel_for_dispatch_key(operator, key)
