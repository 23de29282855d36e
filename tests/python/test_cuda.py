"""CUDA: what is asked of the library without a device, and, where there is one, what only a device has: streams,
graphs, several devices, precision switches and deterministic gradients. Results and derivatives are tested with the
CPU's, by the `device` fixture."""

import pytest
import torch
from support import Problem
from torch._subclasses.fake_tensor import FakeTensorMode

import tapconv
from tapconv.reference import torch_conv1d
from tapconv.shapes import load_layers

OPERATORS = ["conv1d", "conv1d.out", "conv1d_grad_input", "conv1d_grad_weight", "conv1d_grad_weight_bias"]

needs_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
needs_two_devices = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices")
needs_kernels = pytest.mark.skipif(
    not torch.ops.tapconv.cuda_architectures(), reason="tapconv was built without CUDA kernels"
)

PROBLEMS = [
    Problem((2, 8, 200), 8, 7, padding=3, groups=8),
    Problem((2, 3, 200), 5, 3, padding=1, stride=2),
    Problem((2, 8, 300), 8, 5, padding="causal", dilation=3, padding_mode="replicate"),
]


@needs_kernels
@pytest.mark.parametrize("operator", OPERATORS)
def test_kernels_are_registered(operator):
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"tapconv::{operator}", "CUDA")


@pytest.mark.skipif(bool(torch.ops.tapconv.cuda_architectures()), reason="tapconv was built with CUDA kernels")
@pytest.mark.parametrize("operator", OPERATORS)
def test_without_kernels_torch_has_the_call(operator):
    assert not torch._C._dispatch_has_kernel_for_dispatch_key(f"tapconv::{operator}", "CUDA")


def test_shapes_on_a_device_that_is_not_there():
    """Fake tensors need none: what a graph for CUDA is traced with on another machine."""
    with FakeTensorMode(), torch.no_grad():
        input, weight = torch.empty(2, 4, 30, device="cuda"), torch.empty(6, 2, 3, device="cuda")
        output = tapconv.conv1d(input, weight, stride=2, padding=(2, 0), groups=2)
        assert output.device.type == "cuda" and output.shape == (2, 6, 15)


@needs_kernels
def test_shapes_of_gradients_on_a_device_that_is_not_there():
    with FakeTensorMode(), torch.no_grad():
        input, weight = torch.empty(2, 4, 30, device="cuda"), torch.empty(6, 4, 3, device="cuda")
        grad_output = torch.empty(2, 6, 28, device="cuda")
        grad_input = torch.ops.tapconv.conv1d_grad_input(grad_output, weight, 30)
        grad_weight, grad_bias = torch.ops.tapconv.conv1d_grad_weight_bias(grad_output, input, 3)
        assert (grad_input.shape, grad_weight.shape, grad_bias.shape) == (input.shape, weight.shape, (6,))
        assert {tensor.device.type for tensor in (grad_input, grad_weight, grad_bias)} == {"cuda"}


def on_cuda(problem, dtype=torch.float32, device="cuda"):
    return [tensor if tensor is None else tensor.to(device) for tensor in problem.tensors(dtype)]


@needs_device
def test_packed_weights_are_for_the_cpu():
    with pytest.raises(NotImplementedError, match=r"for the CPU alone.*conv1d with the plain weight"):
        torch.ops.tapconv.pack_weight(torch.zeros(4, 4, 3, device="cuda"))


@needs_device
@needs_kernels
def test_winograd_is_refused():
    with pytest.raises(ValueError, match="algorithm='winograd' cannot be met"):
        tapconv.conv1d(*on_cuda(PROBLEMS[0]), **PROBLEMS[0].arguments, algorithm="winograd")


@needs_device
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_by_transforms(problem):
    tensors = on_cuda(problem, torch.float64)
    if not torch.ops.tapconv.cuda_architectures():
        pytest.skip("tapconv was built without CUDA kernels")
    output = tapconv.conv1d(*tensors, **problem.arguments, algorithm="fft")
    torch.testing.assert_close(output, problem.reference(*tensors))


@needs_device
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_on_another_stream(problem):
    """The work is on the current stream: it sees what that stream wrote, without waiting for the device."""
    tensors = on_cuda(problem)
    expected = tapconv.conv1d(*tensors, **problem.arguments)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        late = torch.zeros_like(tensors[0])
        torch.cuda._sleep(20_000_000)
        late.copy_(tensors[0])
        output = tapconv.conv1d(late, *tensors[1:], **problem.arguments)
    torch.cuda.current_stream().wait_stream(stream)
    assert torch.equal(output, expected)


@needs_device
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_in_a_captured_graph(problem):
    """Forward and backward, replayed on new numbers."""
    tensors = [tensor.requires_grad_() for tensor in on_cuda(problem)]

    def step():
        output = tapconv.conv1d(*tensors, **problem.arguments)
        return output, *torch.autograd.grad(output, tensors, torch.ones_like(output))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        for tensor in tensors:
            tensor.normal_()
    graph.replay()
    for replayed, expected in zip(captured, step(), strict=True):
        assert torch.equal(replayed, expected)


@needs_two_devices
def test_on_a_device_that_is_not_current():
    problem = PROBLEMS[0]
    first = [tensor.requires_grad_() for tensor in on_cuda(problem, device="cuda:0")]
    second = [tensor.detach().to("cuda:1").requires_grad_() for tensor in first]
    outputs = [tapconv.conv1d(*tensors, **problem.arguments) for tensors in (first, second)]
    assert torch.cuda.current_device() == 0 and outputs[1].device.index == 1
    torch.testing.assert_close(outputs[0].cpu(), outputs[1].cpu())
    outputs[1].sum().backward()
    assert second[0].grad.device.index == 1
    with pytest.raises(RuntimeError, match="same device"):
        tapconv.conv1d(first[0], second[1])


@needs_device
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_gradients_are_the_same_every_time(problem):
    tensors = [tensor.requires_grad_() for tensor in on_cuda(problem)]
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(5):
            output = tapconv.conv1d(*tensors, **problem.arguments)
            results.append(torch.autograd.grad(output.square().sum(), tensors))
    finally:
        torch.use_deterministic_algorithms(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@needs_device
def test_tf32_is_torchs_to_allow():
    """Integers that TF32's ten bits cannot hold are exact without it."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        input = torch.randint(2**11, 2**12, (4, 128, 256), device="cuda").float()
        weight = torch.randint(-2, 3, (128, 128, 3), device="cuda").float()
        output = tapconv.conv1d(input, weight, algorithm="direct")
        assert torch.equal(output.double(), torch.conv1d(input.double(), weight.double()))


@needs_device
@pytest.mark.slow
@pytest.mark.parametrize("layer", load_layers(), ids=lambda layer: layer.name)
def test_layers_train_like_torchs(layer):
    tensors = [t for t in layer.make_tensors(torch.float64, device="cuda") if t is not None]
    arguments = (layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode)
    results = []
    for function in (tapconv.conv1d, torch_conv1d):
        leaves = [tensor.clone().requires_grad_() for tensor in tensors]
        bias = leaves[2] if layer.bias else None
        output = function(leaves[0], leaves[1], bias, *arguments)
        results.append((output, *torch.autograd.grad(output.square().mean(), leaves)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@needs_device
@pytest.mark.slow
def test_more_elements_than_32_bits_count():
    if torch.cuda.get_device_properties(0).total_memory < 20 * 2**30:
        pytest.skip("needs a device with 20 GiB of memory")
    length = 2**31 + 64
    input = torch.zeros(1, 1, length, device="cuda", dtype=torch.float16)
    input[..., -3:] = 1
    output = tapconv.conv1d(input, torch.ones(1, 1, 3, device="cuda", dtype=torch.float16))
    assert output[0, 0, -1].item() == 3 and output[0, 0, -4].item() == 0
