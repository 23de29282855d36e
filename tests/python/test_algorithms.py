"""`algorithm=` and `tapconv.default_algorithm`: what is asked for is what runs, everywhere the attribute travels."""

import copy
import io
import os
import subprocess
import sys
import threading

import pytest
import torch
from support import DTYPES, Problem, assert_within_bound

import tapconv
from tapconv.functional import ALGORITHMS

# A layer that "auto" computes by tiles: its result differs from the direct one in the last bits.
GENERATOR = torch.Generator().manual_seed(0)
X, W = torch.randn(2, 32, 400, generator=GENERATOR), torch.randn(64, 32, 11, generator=GENERATOR)
FORMS = {"default": {}, "auto": {"algorithm": "auto"}}


def same_bits(a, b):
    return torch.equal(a, b)


DIRECT = tapconv.conv1d(X, W, algorithm="direct")
AUTO = tapconv.conv1d(X, W)


def test_the_layer_tells_the_algorithms_apart():
    assert not same_bits(DIRECT, AUTO)
    assert same_bits(tapconv.conv1d(X, W, algorithm="fft"), AUTO)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "direct", "fft"])
@pytest.mark.parametrize(
    "problem",
    [
        Problem((2, 3, 60), 4, 5, padding=2),
        Problem((2, 4, 100), 6, 7, 3, (4, 1), 2, 2, "reflect"),
        Problem((None, 2, 5), 3, 4, padding="causal"),
        Problem((1, 8, 33), 8, 9, padding="same", groups=8, padding_mode="circular"),
        Problem((1, 1, 4), 1, 2),
    ],
)
def test_every_algorithm_within_the_bound(problem, algorithm, dtype):
    tensors = problem.tensors(dtype)
    output = tapconv.conv1d(*tensors, **problem.arguments, algorithm=algorithm)
    assert_within_bound(output, *problem.oracle(*tensors), algorithm)


@pytest.mark.parametrize("function", [tapconv.conv1d, torch.ops.tapconv.conv1d], ids=["tapconv", "torch.ops"])
def test_an_impossible_request_says_what_why_and_what_to_do(function):
    with pytest.raises(ValueError) as error:
        function(torch.randn(1, 2, 20), torch.randn(2, 2, 9), stride=2, algorithm="winograd")
    message = str(error.value)
    for part in ("algorithm='winograd'", "[2, 2, 9]", "stride 2", "Winograd", "Pass algorithm='auto'"):
        assert part in message


@pytest.mark.parametrize("algorithm", ["fft", "winograd"])
def test_a_transform_of_what_torch_computes_is_refused(algorithm):
    for dtype in (torch.int64, torch.complex64):
        input, weight = torch.ones(1, 2, 9, dtype=dtype), torch.ones(2, 2, 3, dtype=dtype)
        with pytest.raises(ValueError, match=f"algorithm='{algorithm}' cannot be met.*Pass algorithm='auto'"):
            tapconv.conv1d(input, weight, algorithm=algorithm)
        torch.testing.assert_close(tapconv.conv1d(input, weight, algorithm="direct"), torch.conv1d(input, weight))


def test_a_wrong_call_is_torchs_error_whatever_the_algorithm():
    for algorithm in ALGORITHMS:
        with pytest.raises(RuntimeError, match="expected input"):
            tapconv.conv1d(torch.ones(1, 3, 9), torch.ones(2, 2, 3), algorithm=algorithm)


def test_unknown_algorithms():
    for call in (
        lambda: tapconv.conv1d(X, W, algorithm="fastest"),
        lambda: tapconv.Conv1d(2, 2, 3, algorithm="fastest"),
        lambda: tapconv.LazyConv1d(2, 3, algorithm="fastest"),
        lambda: tapconv.conv1d(X.to("meta"), W.to("meta"), algorithm="fastest"),
    ):
        with pytest.raises(ValueError, match=r"algorithm must be one of .*winograd.* but got algorithm='fastest'"):
            call()


def test_out_and_named_paddings():
    out = torch.empty(0)
    assert same_bits(tapconv.conv1d(X, W, algorithm="direct", out=out), DIRECT)
    padded = [tapconv.conv1d(X, W, padding="same", algorithm=algorithm) for algorithm in ("direct", "fft")]
    assert not same_bits(*padded)


def test_module():
    module = tapconv.Conv1d(32, 64, 11, bias=False, algorithm="direct")
    assert "algorithm=direct" in repr(module) and "algorithm" not in repr(tapconv.Conv1d(1, 1, 1))
    lazy = tapconv.LazyConv1d(64, 11, bias=False, algorithm="direct")
    lazy(X)
    for each in (module, lazy, copy.deepcopy(module), torch.jit.script(module)):
        with torch.no_grad():
            each.weight.copy_(W)
            assert same_bits(each(X), DIRECT)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    buffer.seek(0)
    assert same_bits(torch.jit.load(buffer)(X), DIRECT)


def gradients(algorithm, grad_output=None):
    input, weight = X.clone().requires_grad_(), W.clone().requires_grad_()
    output = tapconv.conv1d(input, weight, algorithm=algorithm)
    return torch.autograd.grad(output, (input, weight), torch.ones_like(output) if grad_output is None else grad_output)


def test_gradients_follow_the_forward_call():
    grad_output = torch.randn_like(DIRECT)
    direct = (
        torch.ops.tapconv.conv1d_grad_input(grad_output, W, 400, algorithm="direct"),
        torch.ops.tapconv.conv1d_grad_weight(grad_output, X, 11, algorithm="direct"),
    )
    for ours, expected in zip(gradients("direct", grad_output), direct, strict=True):
        assert same_bits(ours, expected)
    transformed = gradients("fft", grad_output)
    assert not same_bits(transformed[0], direct[0])
    for ours, expected in zip(transformed, direct, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("step", [2, 3])
def test_gradients_where_stride_and_dilation_are_equal(step):
    input, weight = torch.randn(2, 32, 1000, requires_grad=True), torch.randn(32, 32, 9)
    output = tapconv.conv1d(input, weight, stride=step, dilation=step)
    expected = torch.conv1d(input, weight, stride=step, dilation=step)
    grad_output = torch.randn_like(output)
    ours, theirs = (torch.autograd.grad(y, input, grad_output)[0] for y in (output, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_a_gradient_that_a_transform_cannot_compute_is_computed_as_auto():
    grad_output, weight = torch.randn(1, 4, 9), torch.randn(4, 3, 1)
    expected = torch.ops.tapconv.conv1d_grad_input(grad_output, weight, 9)
    assert same_bits(torch.ops.tapconv.conv1d_grad_input(grad_output, weight, 9, algorithm="winograd"), expected)


def test_vmap_and_functional_derivatives_keep_the_algorithm():
    samples = torch.func.vmap(lambda x: tapconv.conv1d(x, W, algorithm="direct"))(X)
    assert same_bits(samples, DIRECT)
    primal, tangent = torch.func.jvp(lambda x: tapconv.conv1d(x, W, algorithm="direct"), (X,), (X,))
    assert same_bits(primal, DIRECT) and same_bits(tangent, DIRECT)


class TestDefault:
    def test_binds_auto_and_nothing_else(self):
        with tapconv.default_algorithm("direct"):
            assert tapconv.get_default_algorithm() == "direct"
            for arguments in FORMS.values():
                assert same_bits(tapconv.conv1d(X, W, **arguments), DIRECT)
            assert same_bits(torch.ops.tapconv.conv1d(X, W), DIRECT)
            assert same_bits(tapconv.conv1d(X, W, algorithm="fft"), AUTO)
            with tapconv.default_algorithm("auto"):
                assert same_bits(tapconv.conv1d(X, W), AUTO)
            assert same_bits(tapconv.conv1d(X, W), DIRECT)
        assert tapconv.get_default_algorithm() == "auto"
        assert same_bits(tapconv.conv1d(X, W), AUTO)

    def test_restored_after_an_exception_and_as_a_decorator(self):
        @tapconv.default_algorithm("direct")
        def function():
            return tapconv.conv1d(X, W)

        assert same_bits(function(), DIRECT) and same_bits(function(), DIRECT)
        with pytest.raises(KeyError), tapconv.default_algorithm("direct"):
            raise KeyError
        assert tapconv.get_default_algorithm() == "auto"

    def test_transposed(self):
        input, weight = torch.randn(1, 64, 300), torch.randn(64, 32, 11)
        expected = torch.ops.tapconv.conv1d_grad_input(input, weight, 310, algorithm="direct")
        with tapconv.default_algorithm("direct"):
            assert same_bits(tapconv.conv_transpose1d(input, weight), expected)
        assert not same_bits(tapconv.conv_transpose1d(input, weight), expected)

    def test_unknown_names(self):
        for name in ("fft", "winograd", "fastest", ""):
            with (
                pytest.raises(ValueError, match=f"must be 'auto' or 'direct', but got '{name}'"),
                tapconv.default_algorithm(name),
            ):
                pass

    def test_holds_for_its_thread_alone(self):
        seen = {}

        def look():
            seen["other"] = tapconv.get_default_algorithm()
            with tapconv.default_algorithm("direct"):
                seen["inside"] = tapconv.get_default_algorithm()

        with tapconv.default_algorithm("direct"):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert seen == {"other": "auto", "inside": "direct"}
        assert tapconv.get_default_algorithm() == "auto"

    @pytest.mark.parametrize("in_thread", [False, True])
    @pytest.mark.parametrize("forward, backward", [("direct", "auto"), ("auto", "direct")])
    def test_backward_does_as_forward_did(self, forward, backward, in_thread):
        expected = gradients(forward)
        input, weight = X.clone().requires_grad_(), W.clone().requires_grad_()
        with tapconv.default_algorithm(forward):
            output = tapconv.conv1d(input, weight)

        def go_back():
            with tapconv.default_algorithm(backward):
                output.sum().backward()

        if in_thread:
            thread = threading.Thread(target=go_back)
            thread.start()
            thread.join()
        else:
            go_back()
        assert same_bits(input.grad, expected[0]) and same_bits(weight.grad, expected[1])

    @pytest.mark.once
    def test_environment(self):
        def run(value, code):
            return subprocess.run(
                [sys.executable, "-c", f"import torch, tapconv; {code}"],
                env=os.environ | {"TAPCONV_ALGORITHM": value},
                capture_output=True,
                text=True,
            )

        shows = "print(tapconv.get_default_algorithm())"
        assert run("direct", shows).stdout == "direct\n"
        assert run("", shows).stdout == "auto\n"
        inner = "\nwith tapconv.default_algorithm('auto'): " + shows
        assert run("direct", inner).stdout == "auto\n"
        refused = run("fft", "tapconv.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))")
        assert refused.returncode != 0
        assert "TAPCONV_ALGORITHM must be 'auto' or 'direct', but is 'fft'" in refused.stderr


class TestCompiled:
    @pytest.fixture(autouse=True)
    def forget_compiled_code(self):
        torch._dynamo.reset()
        yield
        torch._dynamo.reset()

    @pytest.mark.slow
    def test_reads_the_default_when_it_runs(self):
        compiled = torch.compile(lambda x, w: tapconv.conv1d(x, w), backend="aot_eager", fullgraph=True)
        with torch.no_grad():
            assert same_bits(compiled(X, W), AUTO)
            with tapconv.default_algorithm("direct"):
                assert same_bits(compiled(X, W), DIRECT)

    @pytest.mark.slow
    def test_a_backward_pass_traced_under_direct_stays_direct(self):
        expected = gradients("direct")
        compiled = torch.compile(lambda x, w: tapconv.conv1d(x, w), backend="aot_eager", fullgraph=True)
        input, weight = X.clone().requires_grad_(), W.clone().requires_grad_()
        with tapconv.default_algorithm("direct"):
            output = compiled(input, weight)
        output.sum().backward()
        assert same_bits(output, DIRECT)
        assert same_bits(input.grad, expected[0]) and same_bits(weight.grad, expected[1])

    @pytest.mark.slow
    def test_entered_inside(self):
        def function(x, w):
            with tapconv.default_algorithm("direct"):
                inside = tapconv.conv1d(x * 1, w) * 1
            return inside, tapconv.conv1d(x * 1, w) * 1

        with torch.no_grad():
            compiled = torch.compile(function, backend="aot_eager")
            assert all(map(same_bits, compiled(X, W), (DIRECT, AUTO)))
        assert tapconv.get_default_algorithm() == "auto"

    @pytest.mark.slow
    def test_exported(self):
        class Model(torch.nn.Module):
            def forward(self, x, w):
                return tapconv.conv1d(x, w), tapconv.conv1d(x, w, algorithm="direct")

        exported = torch.export.export(Model(), (X, W)).module()
        assert all(map(same_bits, exported(X, W), (AUTO, DIRECT)))
        with tapconv.default_algorithm("direct"):
            assert all(map(same_bits, exported(X, W), (DIRECT, DIRECT)))
