"""`tapconv.ConvTranspose1d` against torch's: weights, printed form, copies, output sizes, errors."""

import copy
import pickle

import pytest
import torch
from torch import nn
from transposed_problems import outcome

import tapconv

pytestmark = pytest.mark.usefixtures("device")


MODULES = [
    ((3, 4, 5), {}),
    ((4, 8, 4), {"stride": 2, "padding": 1}),
    ((4, 8, (3,)), {"stride": (2,), "padding": (1,), "output_padding": (1,), "dilation": (2,)}),
    ((4, 8, 3), {"groups": 4, "bias": False}),
    ((4, 8, 3), {"dtype": torch.float64}),
]


@pytest.mark.parametrize(("positional", "named"), MODULES)
def test_module(positional, named):
    torch.manual_seed(3)
    theirs = nn.ConvTranspose1d(*positional, **named)
    torch.manual_seed(3)
    ours = tapconv.ConvTranspose1d(*positional, **named)
    assert isinstance(ours, nn.ConvTranspose1d)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, parameter in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], parameter), f"initial {name} differs"
    input = torch.randn(2, positional[0], 11, dtype=named.get("dtype"))
    torch.testing.assert_close(ours(input), theirs(input))
    torch.testing.assert_close(ours(input[0]), theirs(input[0]))
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(other) is tapconv.ConvTranspose1d
        assert torch.equal(other(input), ours(input))


def test_checkpoints_go_both_ways():
    input = torch.randn(2, 3, 20)
    for source, target in ((nn, tapconv), (tapconv, nn)):
        module, other = source.ConvTranspose1d(3, 4, 5, 2), target.ConvTranspose1d(3, 4, 5, 2)
        other.load_state_dict(module.state_dict())
        torch.testing.assert_close(other(input), module(input))


@pytest.mark.parametrize("output_size", [[22], [23], [24], [2, 8, 23], (23,), [21], [25], [], [8, 23], [1, 2, 8, 23]])
def test_output_size(output_size):
    """The three lengths that stride 3 maps to 8, and what is not a length of them."""
    arguments = {"stride": 3, "padding": 1, "dilation": 1}
    ours, theirs = tapconv.ConvTranspose1d(4, 8, 3, **arguments), nn.ConvTranspose1d(4, 8, 3, **arguments)
    ours.load_state_dict(theirs.state_dict())
    for input in (torch.randn(2, 4, 8), torch.randn(4, 8)):
        expected = outcome(theirs, input, output_size)
        assert outcome(ours, input, output_size) == expected
        if not isinstance(expected[0], type):
            torch.testing.assert_close(ours(input, output_size), theirs(input, output_size))


def test_module_errors_are_torchs():
    for arguments, named in [((3, 4, 5), {"groups": 2}), ((4, 4, 5), {"padding_mode": "reflect"})]:
        expected = outcome(lambda *a, n=named: nn.ConvTranspose1d(*a, **n), *arguments)
        assert isinstance(expected[0], type)
        assert outcome(lambda *a, n=named: tapconv.ConvTranspose1d(*a, **n), *arguments) == expected
    changed = tapconv.ConvTranspose1d(3, 4, 5)
    changed.padding_mode = "reflect"
    with pytest.raises(ValueError, match="Only `zeros` padding mode"):
        changed(torch.randn(2, 3, 9))
