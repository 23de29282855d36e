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
