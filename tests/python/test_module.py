"""`tapconv.Conv1d` against `torch.nn.Conv1d`: construction, parameters, printing, checkpoints, copies."""

import copy
import io
import pickle

import pytest
import torch
from support import seeded
from torch import nn

import tapconv

pytestmark = pytest.mark.usefixtures("device")

ARGUMENTS = [
    ((3, 4, 5), {}),
    ((4, 8, 3), {"stride": 2, "padding": 1}),
    ((4, 8, (3,)), {"stride": (2,), "padding": (1,), "dilation": (2,)}),
    ((4, 8, 3), {"groups": 4, "bias": False}),
    ((4, 8, 4), {"padding": "same", "dilation": 2}),
    ((4, 8, 4), {"padding": "valid"}),
    ((4, 8, 3), {"padding": 2, "padding_mode": "reflect"}),
    ((4, 8, 3), {"padding": 2, "padding_mode": "replicate"}),
    ((4, 8, 3), {"padding": "same", "padding_mode": "circular"}),
    ((4, 8, 3), {"dtype": torch.float64}),
    ((4, 8, 3), {"device": "meta"}),
]


def both(positional, named):
    """The two modules with parameters from the same seed."""
    torch.manual_seed(3)
    theirs = nn.Conv1d(*positional, **named)
    torch.manual_seed(3)
    return tapconv.Conv1d(*positional, **named), theirs


@pytest.mark.parametrize(("positional", "named"), ARGUMENTS)
def test_like_torchs_module(positional, named):
    ours, theirs = both(positional, named)
    assert isinstance(ours, nn.Conv1d)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if named.get("device") == "meta":
        assert ours(torch.empty(2, positional[0], 30, device="meta")).shape == (2, 8, 28)
        return
    for name, parameter in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], parameter), f"initial {name} differs"
    input = torch.randn(2, positional[0], 30, dtype=named.get("dtype"))
    torch.testing.assert_close(ours(input), theirs(input))
    torch.testing.assert_close(ours(input[0]), theirs(input[0]))


@pytest.mark.parametrize(("padding", "length"), [((3, 1), 32), ([0, 4], 32), ("causal", 30), ((2, 2), 32)])
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
def test_paddings_that_torch_lacks(padding, length, padding_mode):
    module = tapconv.Conv1d(3, 4, 3, padding=padding, padding_mode=padding_mode)
    input = torch.randn(2, 3, 30)
    output = module(input)
    assert output.shape == (2, 4, length)
    left, right = (2, 0) if padding == "causal" else padding
    mode = "constant" if padding_mode == "zeros" else padding_mode
    padded = nn.functional.pad(input, [left, right], mode=mode)
    torch.testing.assert_close(output, torch.conv1d(padded, module.weight, module.bias))
    assert f"padding={padding if isinstance(padding, str) else tuple(padding)}" in repr(module)
    assert module._reversed_padding_repeated_twice == [left, right]


def test_a_causal_module_does_not_see_the_future():
    module = tapconv.Conv1d(2, 3, 4, padding="causal", dilation=3)
    input = torch.randn(1, 2, 50)
    changed = input.clone()
    changed[:, :, 30:] += 1
    assert torch.equal(module(input)[:, :, :30], module(changed)[:, :, :30])
    assert not torch.equal(module(input)[:, :, 30:], module(changed)[:, :, 30:])


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((3, 4, 5), {"groups": 2}),
        ((4, 3, 5), {"groups": 2}),
        ((4, 4, 5), {"groups": 0}),
        ((4, 4, 5), {"padding": "same", "stride": 2}),
        ((4, 4, 5), {"padding_mode": "mirror"}),
    ],
)
def test_constructor_errors_are_torchs(positional, named):
    with pytest.raises(ValueError) as theirs:
        nn.Conv1d(*positional, **named)
    with pytest.raises(ValueError) as ours:
        tapconv.Conv1d(*positional, **named)
    assert str(ours.value) == str(theirs.value)


def test_paddings_that_nobody_knows():
    with pytest.raises(ValueError, match="'causal'"):
        tapconv.Conv1d(4, 4, 3, padding="everything")
    with pytest.raises(ValueError, match=r"one number or a \(left, right\) pair"):
        tapconv.Conv1d(4, 4, 3, padding=(1, 2, 3))


def test_checkpoints_go_both_ways(tmp_path):
    ours, theirs = tapconv.Conv1d(3, 4, 5), nn.Conv1d(3, 4, 5)
    input = torch.randn(2, 3, 20)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    ours.load_state_dict(torch.load(tmp_path / "theirs.pt"))
    torch.testing.assert_close(ours(input), theirs(input))
    other = nn.Conv1d(3, 4, 5)
    torch.save(ours.state_dict(), tmp_path / "ours.pt")
    other.load_state_dict(torch.load(tmp_path / "ours.pt"))
    assert torch.equal(other(input), theirs(input))


@pytest.mark.parametrize("padding", [1, "causal", (2, 0)])
def test_copies(padding):
    module = tapconv.Conv1d(3, 4, 3, padding=padding)
    input = torch.randn(2, 3, 20)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(buffer, weights_only=False)):
        assert type(other) is tapconv.Conv1d
        assert torch.equal(other(input), module(input))


def test_in_a_sequential_and_moved_between_types():
    model = nn.Sequential(tapconv.Conv1d(3, 8, 3, padding=1), nn.ReLU(), tapconv.Conv1d(8, 2, 3, padding=(2, 0)))
    input = torch.randn(2, 3, 16)
    expected = model(input)
    model.double()
    torch.testing.assert_close(model(input.double()).float(), expected)
    model.to(torch.bfloat16)
    torch.testing.assert_close(model(input.bfloat16()).float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("padding", [1, "causal"])
def test_lazy_module(padding):
    module = tapconv.LazyConv1d(4, 3, padding=padding, groups=1)
    input = torch.randn(2, 6, 20)
    output = module(input)
    assert type(module) is tapconv.Conv1d
    assert module.in_channels == 6 and module.weight.shape == (4, 6, 3)
    assert output.shape == (2, 4, 20)


@pytest.mark.parametrize("parametrization", ["weight_norm", "spectral_norm"])
def test_parametrizations(parametrization):
    parametrize = getattr(nn.utils.parametrizations, parametrization)
    ours, theirs = both((3, 4, 5), {})
    torch.manual_seed(5)
    ours = parametrize(ours)
    torch.manual_seed(5)
    theirs = parametrize(theirs)
    input = torch.randn(2, 3, 20)
    torch.testing.assert_close(ours(input), theirs(input))
    ours(input).square().mean().backward()
    theirs(input).square().mean().backward()
    for ours_parameter, theirs_parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_parameter.grad, theirs_parameter.grad)


def test_functional_call():
    module = tapconv.Conv1d(3, 4, 3)
    other = {name: torch.randn_like(parameter) for name, parameter in module.named_parameters()}
    input = torch.randn(2, 3, 20)
    torch.testing.assert_close(
        torch.func.functional_call(module, other, input), torch.conv1d(input, other["weight"], other["bias"])
    )


def test_training_matches_torch():
    ours, theirs = both((3, 4, 5), {"padding": 2})
    for module in (ours, theirs):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        generator = seeded(0)
        for _ in range(5):
            optimizer.zero_grad()
            module(torch.randn(2, 3, 40, generator=generator)).square().mean().backward()
            optimizer.step()
    for ours_parameter, theirs_parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_parameter, theirs_parameter)
