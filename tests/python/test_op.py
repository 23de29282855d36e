"""The operator's results: against an oracle in double precision, against torch, and exactly on small integers."""

import pytest
import torch
from support import DTYPES, PADDING_MODES, Problem, assert_within_bound, edges, grid, mode_grid

import tapconv
from tapconv.bench.peers import torch_layer
from tapconv.demo.layers import shortened
from tapconv.shapes import load_layers

pytestmark = pytest.mark.usefixtures("device")

ALL_PROBLEMS = [*grid(), *mode_grid(), *edges()]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_small_integers_are_exact(dtype):
    """Sums in plain order, which "direct" promises, are exact where every partial sum is."""
    for problem in ALL_PROBLEMS:
        tensors = problem.tensors(dtype, integers=True)
        expected, magnitude = problem.oracle(*tensors)
        assert magnitude.numel() == 0 or magnitude.max() < 2048, "the sums must be exact in float16"
        output = tapconv.conv1d(*tensors, **problem.arguments, algorithm="direct")
        assert output.dtype == dtype
        assert torch.equal(output, expected.to(dtype)), problem


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_random_numbers_within_the_error_bound(dtype):
    for problem in ALL_PROBLEMS:
        tensors = problem.tensors(dtype)
        oracle = problem.oracle(*tensors)
        for algorithm in ("auto", "direct"):
            output = tapconv.conv1d(*tensors, **problem.arguments, algorithm=algorithm)
            assert_within_bound(output, *oracle, algorithm)


@pytest.mark.parametrize("layer", load_layers(), ids=lambda layer: layer.name)
def test_layers_of_published_models(layer, device):
    layer = shortened(layer, 3e7)
    tensors = layer.make_tensors(device=device)
    wide = [None if tensor is None else tensor.double() for tensor in tensors]
    expected = torch_layer(layer, *wide)
    magnitude = torch_layer(layer, *(None if tensor is None else tensor.abs() for tensor in wide))
    arguments = (layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode)
    for algorithm in ("auto", "direct"):
        output = tapconv.conv1d(*tensors, *arguments, algorithm)
        assert output.shape == layer.output_shape
        assert_within_bound(output, expected, magnitude, algorithm)


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "batch last": lambda x: x.permute(1, 2, 0).contiguous().permute(2, 0, 1),
    "every second sample": lambda x: x.repeat_interleave(2, 2)[:, :, ::2],
    "part of a longer signal": lambda x: torch.cat([x, x, x], 2)[:, :, x.shape[2] : 2 * x.shape[2]],
    "odd offset": lambda x: torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape),
    "part of more channels": lambda x: torch.cat([x, x, x], 1)[:, x.shape[1] : 2 * x.shape[1]],
    "expanded over the batch": lambda x: x[:1].expand(x.shape),
    "expanded over the channels": lambda x: x[:, :1].expand(x.shape),
    "expanded over time": lambda x: x[:, :, :1].expand(x.shape),
    "turned round": lambda x: x.flip(2),
}


@pytest.mark.parametrize("input_layout", LAYOUTS)
@pytest.mark.parametrize("weight_layout", ["contiguous", "channels last", "batch last", "expanded over time"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_layouts(input_layout, weight_layout, dtype):
    for problem in (
        Problem((3, 4, 37), 6, 3, padding=1),
        Problem((2, 6, 37), 6, 5, padding=(4, 0), groups=6),
        Problem((2, 4, 37), 6, 4, stride=3, padding=2, groups=2, padding_mode="reflect"),
        Problem((4, 4, 8), 5, 3, padding=2, padding_mode="circular", dilation=2),
    ):
        input, weight, bias = problem.tensors(dtype, integers=True)
        input, weight = LAYOUTS[input_layout](input), LAYOUTS[weight_layout](weight)
        expected, _ = problem.oracle(input, weight, bias)
        output = tapconv.conv1d(input, weight, bias, **problem.arguments, algorithm="direct")
        assert torch.equal(output, expected.to(dtype))
        assert output.is_contiguous()
        by_default = tapconv.conv1d(input, weight, bias, **problem.arguments)
        torch.testing.assert_close(by_default, expected.to(dtype), rtol=1e-3, atol=1e-4)


def test_strided_bias():
    input, weight, _ = Problem((2, 3, 20), 4, 3).tensors(integers=True)
    bias = torch.arange(8.0)[::2]
    assert torch.equal(tapconv.conv1d(input, weight, bias), torch.conv1d(input, weight, bias))


@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_unbatched(padding_mode):
    problem = Problem((None, 4, 25), 6, 3, 2, (2, 1), 2, 2, padding_mode)
    input, weight, bias = problem.tensors(integers=True)
    output = tapconv.conv1d(input, weight, bias, **problem.arguments)
    assert output.shape == (6, 12)
    assert torch.equal(output, tapconv.conv1d(input[None], weight, bias, **problem.arguments)[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(torch.randn(0, 3, 10), torch.randn(4, 3, 3)),
        lambda f: f(torch.randn(0, 3, 10), torch.randn(4, 3, 3), torch.randn(4), 2, 1, 1, 1),
        lambda f: f(torch.randn(2, 0, 10), torch.randn(4, 0, 3)),
        lambda f: f(torch.randn(2, 3, 10), torch.randn(0, 3, 3)),
        lambda f: f(torch.randn(0, 3), torch.randn(4, 3, 1)),
        lambda f: f(torch.randn(2, 3, 0), torch.randn(4, 3, 1)),
        lambda f: f(torch.randn(2, 3, 0), torch.randn(4, 3, 1), None, 1, 1),
        lambda f: f(torch.randn(0, 0, 0), torch.randn(0, 0, 1)),
    ],
)
def test_empty_tensors_as_in_torch(call):
    def outcome(function):
        torch.manual_seed(0)
        try:
            return call(function)
        except Exception as error:
            return type(error), str(error)

    ours, theirs = outcome(tapconv.conv1d), outcome(torch.conv1d)
    if isinstance(theirs, torch.Tensor):
        assert ours.shape == theirs.shape and torch.equal(ours, theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.int64, torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("padding", [1, (2, 1), "causal"])
def test_other_dtypes_are_torchs(dtype, padding, device):
    if device == "cuda" and not dtype.is_complex:
        pytest.skip("torch has no convolution of integers on CUDA devices")
    problem = Problem((2, 3, 10), 4, 3, padding=padding)
    input, weight, bias = (tensor.round().to(dtype) for tensor in problem.tensors())
    torch.testing.assert_close(
        tapconv.conv1d(input, weight, bias, padding=padding), problem.reference(input, weight, bias)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_a_number_and_infinity_reach_the_outputs_that_see_them(value):
    problem = Problem((1, 4, 50), 8, 5, padding=2)
    input, weight, bias = problem.tensors()
    input[0, 1, 20] = value
    output = tapconv.conv1d(input, weight, bias, **problem.arguments)
    touched = torch.zeros(50, dtype=torch.bool)
    touched[18:23] = True
    assert output[0, :, ~touched].isfinite().all()
    assert not output[0, :, touched].isfinite().any()
    expected = torch.conv1d(input, weight, bias, padding=2)
    assert torch.equal(output.isnan(), expected.isnan())


@pytest.mark.parametrize("padding", [1, (2, 1), "same", "causal", "valid"])
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_out(padding, padding_mode):
    problem = Problem((2, 3, 20), 4, 3, padding=padding, padding_mode=padding_mode)
    tensors = problem.tensors()
    expected = tapconv.conv1d(*tensors, **problem.arguments)
    out = torch.full_like(expected, float("nan"))
    assert tapconv.conv1d(*tensors, **problem.arguments, out=out) is out
    assert torch.equal(out, expected)


def test_out_follows_torchs_rules():
    input, weight = torch.randn(2, 3, 20), torch.randn(4, 3, 3)
    expected = tapconv.conv1d(input, weight)
    empty = torch.empty(0)
    tapconv.conv1d(input, weight, out=empty)
    assert torch.equal(empty, expected)
    strided = torch.empty(2, 18, 4).transpose(1, 2)
    tapconv.conv1d(input, weight, out=strided)
    assert torch.equal(strided, expected)
    with pytest.raises(RuntimeError, match=r"dtype|Float|Double"):
        tapconv.conv1d(input, weight, out=torch.empty(0, dtype=torch.float64))
    with pytest.raises(RuntimeError, match=r"requires grad|automatic differentiation"):
        tapconv.conv1d(input.requires_grad_(), weight, out=torch.empty(0))
    with pytest.raises(RuntimeError, match="single memory location"):
        tapconv.conv1d(input.detach(), weight, out=torch.empty(1).expand(2, 4, 18))
    with pytest.raises(RuntimeError, match="strided convolutions"):
        tapconv.conv1d(input.detach(), weight, stride=2, padding="same", out=torch.empty(0))
    with pytest.raises(ValueError, match="Invalid padding string 'all'"):
        tapconv.conv1d(input.detach(), weight, padding="all", out=torch.empty(0))


def test_positional_calls_of_torch_are_calls_of_the_operator():
    input, weight, bias = torch.randn(2, 6, 30), torch.randn(4, 3, 3), torch.randn(4)
    for arguments in ((2, 1, 2, 2), ([2], [1], [2], 2), ((1,), "same", (2,), 2), (1, "valid", 1, 2)):
        expected = torch.conv1d(input, weight, bias, *arguments)
        for function in (tapconv.conv1d, torch.ops.tapconv.conv1d):
            torch.testing.assert_close(function(input, weight, bias, *arguments), expected)


def test_inputs_are_left_alone():
    tensors = Problem((2, 3, 40), 4, 5, padding=2).tensors()
    copies = [tensor.clone() for tensor in tensors]
    tapconv.conv1d(*tensors, padding=2)
    assert all(map(torch.equal, tensors, copies))


def test_input_may_be_the_weight():
    tensor = torch.randn(3, 3, 5)
    torch.testing.assert_close(tapconv.conv1d(tensor, tensor, padding=2), torch.conv1d(tensor, tensor, padding=2))
