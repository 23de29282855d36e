"""Threads change the time and nothing else; memory stays flat however the lengths vary."""

import concurrent.futures
import random
import resource
import subprocess
import sys
import textwrap

import pytest
import torch
from support import PADDING_MODES, Problem

import tapconv
from tapconv.demo.layers import shortened, tapconv_layer
from tapconv.shapes import load_layers

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_same_bits_for_any_number_of_threads(threads, dtype):
    cases = [(layer, shortened(layer, 3e7).make_tensors(dtype)) for layer in load_layers()]
    cases = [(shortened(layer, 3e7), tensors) for layer, tensors in cases]
    threads(1)
    expected = [tapconv_layer(layer, *tensors) for layer, tensors in cases]
    for count in (2, 3, 5):
        threads(count)
        for (layer, tensors), single in zip(cases, expected, strict=True):
            assert torch.equal(tapconv_layer(layer, *tensors), single), f"{layer.name}, {count} threads"


def test_same_bits_from_run_to_run():
    tensors = Problem((4, 32, 500), 32, 9, padding=4).tensors()
    expected = tapconv.conv1d(*tensors, padding=4)
    assert all(torch.equal(tapconv.conv1d(*tensors, padding=4), expected) for _ in range(20))


def test_gradients_have_the_same_bits_for_any_number_of_threads(threads):
    tensors = [tensor.requires_grad_() for tensor in Problem((4, 16, 300), 24, 7, padding=3).tensors()]
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(torch.autograd.grad(tapconv.conv1d(*tensors, padding=3).square().sum(), tensors))
    for other in results[1:]:
        for ours, single in zip(other[:1], results[0][:1], strict=True):
            torch.testing.assert_close(ours, single)


def test_calls_from_many_python_threads():
    problems = [Problem((2, 8, 50 + i), 8, 3, padding=1, padding_mode=PADDING_MODES[i % 4]) for i in range(32)]
    calls = [(problem, problem.tensors()) for problem in problems]
    expected = [tapconv.conv1d(*tensors, **problem.arguments) for problem, tensors in calls]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda call: tapconv.conv1d(*call[1], **call[0].arguments), calls * 4))
    for output, single in zip(outputs, expected * 4, strict=True):
        assert torch.equal(output, single)


def test_use_after_fork():
    program = """
        import os, tapconv, torch
        input, weight = torch.randn(1, 64, 4000), torch.randn(64, 64, 5)
        expected = tapconv.conv1d(input, weight)
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            os._exit(0 if torch.equal(tapconv.conv1d(input, weight), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=120)


@pytest.mark.slow
def test_memory_stays_flat_over_random_lengths():
    generator = random.Random(0)
    weight, bias = torch.randn(16, 16, 9), torch.randn(16)

    def call():
        batch, length = generator.randint(1, 4), generator.randint(9, 20_000)
        tapconv.conv1d(torch.empty(batch, 16, length).zero_(), weight, bias, padding=4)

    for _ in range(1000):
        call()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        call()
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 16, f"the largest resident size grew by {grown_mib:.1f} MiB"


# Beyond weights as a plan packs or transforms them: tiles hold 12 numbers for each weight at the most.
WORKSPACE_PER_THREAD = 4 * 2**20
PACKED_PER_WEIGHT = 12


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the resident size is read and reset in /proc")
@pytest.mark.parametrize("thread_count", [1, 2])
def test_a_call_needs_little_memory_beside_its_tensors(thread_count):
    program = f"""
        import ctypes
        from pathlib import Path

        import torch

        import tapconv
        from tapconv.bench.peers import layer_arguments
        from tapconv.shapes import load_layers

        def resident(name):
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

        torch.set_num_threads({thread_count})
        torch.inference_mode().__enter__()
        for layer in load_layers():
            input, weight, bias = layer.make_tensors(torch.float32)
            out = torch.zeros(layer.output_shape)
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = resident("VmRSS")
            tapconv.conv1d(input, weight, bias, *layer_arguments(layer), out=out)
            extra = resident("VmHWM") - before
            # One MiB for what Python itself may touch meanwhile.
            bound = {WORKSPACE_PER_THREAD} * {thread_count} + {PACKED_PER_WEIGHT} * weight.nbytes + 2**20
            assert extra <= bound, f"{{layer.name}}: {{extra / 2**20:.1f}} MiB, at most {{bound / 2**20:.1f}} expected"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=300)
