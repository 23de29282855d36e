"""Packed weights: the same outputs as conv1d, and nothing but a packed weight for this very call is taken for one."""

import io
import itertools
import os
import subprocess
import sys

import pytest
import torch
from support import DTYPES, Problem, assert_within_bound
from torch import nn

import tapconv

PROBLEMS = [
    Problem((2, 3, 40), 5, 3, padding=1),
    Problem((None, 4, 30), 6, 5, padding=(4, 1), groups=2, bias=False),
    Problem((1, 8, 33), 8, 7, padding="causal", groups=8, dilation=2),
    Problem((3, 16, 500), 24, 11, padding="same", dilation=3),
    Problem((2, 16, 301), 12, 8, stride=2, padding=3),
    Problem((2, 6, 64), 10, 4, padding=(2, 3), padding_mode="reflect"),
    Problem((1, 64, 3), 64, 4, padding="causal"),
    Problem((5, 7, 20), 9, 1),
    Problem((24, 32, 5), 12, 3, padding=1),  # short outputs, folded into one row
    Problem((1, 2, 3000), 3, 2000, padding="causal"),  # large transforms, of the plain weight
    Problem((0, 4, 20), 4, 3),
]


def pack(problem, weight, **arguments):
    return tapconv.pack_weight(
        weight, stride=problem.stride, dilation=problem.dilation, groups=problem.groups, **arguments
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: str(problem.shape))
def test_outputs(problem, dtype):
    input, weight, bias = problem.tensors(dtype)
    expected, magnitude = problem.oracle(input, weight, bias)
    for input_length, algorithm in itertools.product((None, 1, 5000), ("auto", "direct")):
        packed = pack(problem, weight, input_length=input_length, algorithm=algorithm)
        assert packed.dtype == torch.uint8 and packed.dim() == 1
        output = tapconv.conv1d_packed(input, packed, weight.shape, bias, **problem.arguments)
        assert_within_bound(output, expected, magnitude, algorithm)
        out = torch.full_like(output, torch.nan)
        again = tapconv.conv1d_packed(input, packed, weight.shape, bias, **problem.arguments, out=out)
        assert again is out and torch.equal(out, output)
        if algorithm == "direct" and weight.is_contiguous():
            plain = tapconv.conv1d(input, weight, bias, **problem.arguments, algorithm="direct")
            assert torch.equal(output, plain)


def test_requests_and_defaults():
    problem = Problem((2, 16, 500), 24, 11, padding=5)
    input, weight, bias = problem.tensors()
    direct = tapconv.conv1d(input, weight, bias, padding=5, algorithm="direct")
    by_fft = tapconv.conv1d_packed(input, pack(problem, weight, algorithm="fft"), weight.shape, bias, padding=5)
    torch.testing.assert_close(by_fft, direct, rtol=1e-4, atol=1e-4)
    assert not torch.equal(by_fft, direct)
    packed = pack(problem, weight, input_length=500)
    with tapconv.default_algorithm("direct"):
        assert torch.equal(tapconv.conv1d_packed(input, packed, weight.shape, bias, padding=5), direct)
        assert torch.equal(pack(problem, weight)[256:], pack(problem, weight, algorithm="direct")[256:])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_winograd(stride, dtype):
    problem = Problem((2, 16, 500), 24, 3 * stride, stride=stride, padding=2)
    input, weight, bias = problem.tensors(dtype)
    packed = pack(problem, weight, algorithm="winograd")
    for length in (500, 50, 7):
        signal = input[..., :length]
        # Not the same bits: one may have output channels in the lanes and the other tiles, and then adds the bias last.
        output = tapconv.conv1d_packed(signal, packed, weight.shape, bias, **problem.arguments)
        plain = tapconv.conv1d(signal, weight, bias, **problem.arguments, algorithm="winograd")
        assert_within_bound(output, *problem.oracle(signal, weight, bias), "winograd")
        assert_within_bound(plain, *problem.oracle(signal, weight, bias), "winograd")
    with tapconv.default_algorithm("direct"):
        output = tapconv.conv1d_packed(input, packed, weight.shape, bias, **problem.arguments)
    assert torch.equal(output, tapconv.conv1d(input, weight, bias, **problem.arguments, algorithm="direct"))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kernel_size", [1, 900])
def test_overlap_save(kernel_size, dtype):
    problem = Problem((2, 4, 4000), 6, kernel_size, groups=2, padding=kernel_size // 2)
    input, weight, bias = problem.tensors(dtype)
    packed = pack(problem, weight, algorithm="fft")
    output = tapconv.conv1d_packed(input, packed, weight.shape, bias, **problem.arguments)
    assert torch.equal(output, tapconv.conv1d(input, weight, bias, **problem.arguments, algorithm="fft"))
    assert_within_bound(output, *problem.oracle(input, weight, bias), "fft")


def test_any_memory_layout():
    problem = Problem((2, 3, 40), 5, 3, padding=1)
    input, weight, bias = problem.tensors()
    expected = tapconv.conv1d(input, weight, bias, padding=1, algorithm="direct")
    for same_weight in (weight.transpose(0, 1).contiguous().transpose(0, 1), weight[:, :, [2, 1, 0]].flip(2)):
        packed = tapconv.pack_weight(same_weight, algorithm="direct")
        for same_packed in (packed, torch.stack([packed, packed], 1)[:, 0], torch.cat([packed[:3], packed])[3:]):
            output = tapconv.conv1d_packed(
                input.mT.contiguous().mT, same_packed, weight.shape, bias.flip(0).flip(0), padding=1
            )
            torch.testing.assert_close(output, expected)


def test_packing_does_not_depend_on_threads(threads):
    weight = torch.randn(64, 48, 9)
    packed = []
    for count in (1, 2, 5):
        threads(count)
        packed.append(tapconv.pack_weight(weight, input_length=4000))
    assert torch.equal(packed[0], packed[1]) and torch.equal(packed[0], packed[2])


def test_wrong_calls_raise_what_conv1d_raises():
    weight, bias = torch.randn(6, 4, 5), torch.randn(6)
    packed = tapconv.pack_weight(weight)
    for input, arguments in [
        (torch.randn(2, 3, 40), {}),
        (torch.randn(2, 4, 3), {}),
        (torch.randn(4), {}),
        (torch.randn(2, 4, 40), {"bias": torch.randn(5)}),
        (torch.randn(2, 4, 40), {"bias": bias.double()}),
        (torch.randn(2, 4, 4), {"padding": 4, "padding_mode": "reflect"}),
        (torch.randn(2, 4, 40), {"padding_mode": "mirror"}),
    ]:
        with pytest.raises((RuntimeError, ValueError)) as plain:
            tapconv.conv1d(input, weight, **arguments)
        with pytest.raises(type(plain.value)) as ours:
            tapconv.conv1d_packed(input, packed, weight.shape, **arguments)
        assert str(ours.value) == str(plain.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stride": 2}, "packed for stride 1"),
        ({"dilation": 2}, "packed for dilation 1"),
        ({"groups": 2}, "no weight of this shape|packed for"),
        ({"weight_shape": (6, 4, 4)}, r"shape \(6, 4, 5\), and this call has \(6, 4, 4\)"),
        ({"weight_shape": (6, 4)}, "expected weight_shape="),
        ({"weight_shape": (6, 0, 5)}, "expected weight_shape="),
        ({"weight_shape": (2**62, 4, 2**62)}, "shape"),
        ({"input": torch.randn(2, 4, 40).double()}, "packed for the data type float32, and this call has float64"),
        ({"input": torch.ones(2, 4, 40, dtype=torch.int64)}, "expected an input of type"),
        ({"packed": torch.randn(6, 4, 5)}, "what pack_weight returns"),
        ({"packed": torch.zeros(1000, dtype=torch.uint8)}, "not a packed weight"),
        ({"packed": torch.zeros(0, dtype=torch.uint8)}, "fewer than any"),
        ({"padding": -1}, "^negative padding is not supported$"),
        ({"stride": 0}, "^non-positive stride is not supported$"),
        ({"stride": -1}, "^non-positive stride is not supported$"),
        ({"dilation": -1}, "dilation should be greater than zero|non-positive dilation"),
        ({"groups": 0}, "^non-positive groups is not supported$"),
        ({"padding": (1, 2, 3)}, "expected padding to be a single integer value"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    weight = torch.randn(6, 4, 5)
    arguments = {"input": torch.randn(2, 4, 40), "packed": tapconv.pack_weight(weight), "weight_shape": weight.shape}
    with pytest.raises(RuntimeError, match=words):
        tapconv.conv1d_packed(**{**arguments, **change})


@pytest.mark.parametrize(
    ("weight", "arguments", "error"),
    [
        (torch.randn(4, 3), {}, RuntimeError),
        (torch.randn(4, 0, 3), {}, RuntimeError),
        (torch.ones(4, 2, 3, dtype=torch.int64), {}, RuntimeError),
        (torch.randn(4, 2, 3), {"groups": 3}, RuntimeError),
        (torch.randn(4, 2, 3), {"groups": 0}, RuntimeError),
        (torch.randn(4, 2, 3), {"stride": 0}, RuntimeError),
        (torch.randn(4, 2, 3), {"input_length": 0}, ValueError),
        (torch.randn(4, 2, 3), {"batch": -1}, ValueError),
        (torch.randn(4, 2, 3), {"batch": 2**60}, ValueError),
        (torch.randn(4, 2, 3), {"algorithm": "fastest"}, ValueError),
        (torch.randn(4, 2, 1), {"algorithm": "winograd"}, ValueError),
    ],
)
def test_what_cannot_be_packed(weight, arguments, error):
    with pytest.raises(error, match=r"pack_weight|algorithm"):
        tapconv.pack_weight(weight, **arguments)


@pytest.mark.parametrize("stride", [1, 2**62])
@pytest.mark.parametrize("dilation", [1, 2**61])
def test_huge_numbers(stride, dilation):
    weight = torch.randn(4, 2, 3)
    packed = tapconv.pack_weight(weight, stride=stride, dilation=dilation)
    input = torch.randn(1, 2, 9)
    if dilation == 1:
        output = tapconv.conv1d_packed(input, packed, weight.shape, stride=stride)
        torch.testing.assert_close(output, torch.conv1d(input, weight, stride=min(stride, 100)))
    else:
        with pytest.raises(RuntimeError):
            tapconv.conv1d_packed(input, packed, weight.shape, stride=stride, dilation=dilation)


def test_altered_bytes_never_crash():
    """Where the header is concerned they are refused; where a weight is, the output is that of another weight."""
    weight, input = torch.randn(8, 6, 5), torch.randn(1, 6, 200)
    packed = tapconv.pack_weight(weight, input_length=200)
    generator = torch.Generator().manual_seed(1)
    for at in range(256):
        damaged = packed.clone()
        damaged[at] ^= 1 << int(torch.randint(8, (1,), generator=generator))
        with pytest.raises(RuntimeError, match="cannot be used"):
            tapconv.conv1d_packed(input, damaged, weight.shape)
    for size in [*range(0, 300, 7), packed.numel() - 1, packed.numel() // 2]:
        with pytest.raises(RuntimeError, match="cannot be used"):
            tapconv.conv1d_packed(input, packed[:size], weight.shape)
    for at in torch.randint(256, packed.numel(), (100,), generator=generator).tolist():
        damaged = packed.clone()
        damaged[at] ^= 0x7F
        assert tapconv.conv1d_packed(input, damaged, weight.shape).shape == (1, 8, 196)


def test_another_instruction_set_is_refused(tmp_path):
    others = [isa for isa in tapconv.isa_available() if isa != tapconv.isa()]
    if not others:
        pytest.skip("this machine has one instruction set")
    torch.save(tapconv.pack_weight(torch.ones(4, 2, 3)), tmp_path / "packed.pt")
    program = f"""
import tapconv, torch
packed = torch.load({str(tmp_path / "packed.pt")!r})
try:
    tapconv.conv1d_packed(torch.ones(1, 2, 9), packed, (4, 2, 3))
except RuntimeError as error:
    print(error)
"""
    environment = {**os.environ, "TAPCONV_ISA": others[0]}
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert f"packed for the instruction set {tapconv.isa()}, and this process uses {others[0]}" in result.stdout, result


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: str(problem.shape))
def test_unpacking(problem, dtype):
    _, weight, _ = problem.tensors(dtype)
    attributes = {"stride": problem.stride, "dilation": problem.dilation, "groups": problem.groups}
    arguments = (pack(problem, weight), weight.shape, dtype)
    assert torch.equal(torch.ops.tapconv.unpack_weight(*arguments, **attributes), weight)
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.tapconv.unpack_weight.default, arguments, attributes, test_utils=tests)
    with pytest.raises(RuntimeError, match="packed for dilation"):
        torch.ops.tapconv.unpack_weight(*arguments, **{**attributes, "dilation": 4})


def test_nothing_is_differentiable():
    weight = torch.randn(4, 2, 3, requires_grad=True)
    packed = tapconv.pack_weight(weight)
    assert not packed.requires_grad
    input = torch.randn(1, 2, 9, requires_grad=True)
    for arguments in ({}, {"out": torch.empty(0)}):
        with pytest.raises((RuntimeError, NotImplementedError), match=r"derivatives|automatic differentiation"):
            tapconv.conv1d_packed(input, packed, (4, 2, 3), **arguments)
        with torch.no_grad():
            tapconv.conv1d_packed(input, packed, (4, 2, 3), **arguments)
    with torch.inference_mode():
        tapconv.conv1d_packed(torch.randn(1, 2, 9), tapconv.pack_weight(weight), (4, 2, 3))


def test_opcheck():
    weight, input, bias = torch.randn(8, 4, 5), torch.randn(2, 4, 40), torch.randn(8)
    packed = tapconv.pack_weight(weight, groups=2)
    tests = ("test_schema", "test_faketensor", "test_autograd_registration")
    ops = torch.ops.tapconv
    torch.library.opcheck(ops.pack_weight.default, (weight,), {"groups": 2, "input_length": 3000}, test_utils=tests)
    arguments = (torch.randn(2, 8, 40), packed, (8, 4, 5), bias, [2], [1, 2], [1], 2)
    packed = tapconv.pack_weight(weight, groups=2, stride=2)
    arguments = (arguments[0], packed, *arguments[2:])
    torch.library.opcheck(ops.conv1d_packed.default, arguments, {"padding_mode": "circular"}, test_utils=tests)
    out = torch.empty(2, 8, 20)
    torch.library.opcheck(ops.conv1d_packed.out, arguments, {"out": out}, test_utils=tests[:2])
    assert tapconv.conv1d_packed(input.to("meta"), packed.to("meta"), (8, 4, 5)).shape == (2, 8, 36)


def test_script_of_the_functions():
    @torch.jit.script
    def convolve(input: torch.Tensor, weight: torch.Tensor):
        packed = tapconv.pack_weight(weight, stride=[2])
        return tapconv.conv1d_packed(input, packed, weight.shape, stride=[2], padding=[1, 2])

    input, weight = torch.randn(1, 2, 30), torch.randn(4, 2, 3)
    torch.testing.assert_close(convolve(input, weight), tapconv.conv1d(input, weight, stride=2, padding=(1, 2)))


class Model(nn.Module):
    """Holds a packed weight as any other buffer."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("packed", tapconv.pack_weight(weight, input_length=500))
        self.shape = tuple(weight.shape)

    def forward(self, input):
        return tapconv.conv1d_packed(input, self.packed, self.shape, padding=2).relu()


def test_as_a_buffer():
    weight, input = torch.randn(8, 4, 5), torch.randn(2, 4, 500)
    model, other = Model(weight), Model(torch.zeros(8, 4, 5))
    expected = tapconv.conv1d(input, weight, padding=2).relu()
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer))
    torch.testing.assert_close(other(input), expected)
    other.double().half()  # touches no packed weight
    torch.testing.assert_close(other(input), expected)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile_into_out(backend):
    def into_out(input, packed, out):
        return tapconv.conv1d_packed(input, packed, (4, 2, 3), out=out).mul(2)

    input, packed, out = torch.randn(1, 2, 30), tapconv.pack_weight(torch.randn(4, 2, 3)), torch.empty(1, 4, 28)
    with torch.no_grad():
        doubled = torch.compile(into_out, backend=backend, fullgraph=True)(input, packed, out)
    torch.testing.assert_close(doubled, 2 * out)
