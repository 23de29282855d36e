"""Which instruction set runs, and forcing one with TAPCONV_ISA."""

import os
import subprocess
import sys

import pytest
import torch

import tapconv

pytestmark = pytest.mark.once

X86_64 = ["avx512_amx", "avx512_bf16", "avx512", "avx2"]
AARCH64 = ["neon"]
ALL = [*X86_64, *AARCH64, "portable"]

PARITY = """
import tapconv, torch
torch.manual_seed(0)
for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12), (torch.bfloat16, 0.1), (torch.float16, 0.02)):
    for groups, stride in ((1, 1), (1, 2), (4, 1), (2, 3)):
        x, w, b = (torch.randn(size).to(dtype) for size in ((2, 4, 77), (8, 4 // groups, 5), (8,)))
        ours = tapconv.conv1d(x, w, b, stride, 2, 1, groups).double()
        theirs = torch.conv1d(x.double(), w.double(), b.double(), stride, 2, 1, groups)
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
print(tapconv.isa())
"""


def run(isa, program):
    environment = {**os.environ, "TAPCONV_ISA": isa}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


def test_names():
    assert tapconv.isa() in tapconv.isa_available()
    assert set(tapconv.isa_available()) <= set(tapconv.isa_compiled()) <= set(ALL)
    assert tapconv.isa_available()[-1] == "portable"


def test_best_first():
    # Which of avx512_bf16 and avx512 comes first depends on the processor's maker.
    ranks = [ALL.index(isa.replace("_bf16", "")) for isa in tapconv.isa_compiled()]
    assert ranks == sorted(ranks)
    assert tapconv.isa_available() == [isa for isa in tapconv.isa_compiled() if isa in tapconv.isa_available()]


def test_the_best_is_used_unless_one_is_forced():
    forced = os.environ.get("TAPCONV_ISA")
    assert tapconv.isa() == (forced or tapconv.isa_available()[0])


@pytest.mark.parametrize("isa", ALL)
def test_forced(isa):
    result = run(isa, PARITY)
    if isa in tapconv.isa_available():
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == isa
    else:
        assert result.returncode != 0
        assert isa in result.stderr and "TAPCONV_ISA" in result.stderr


def test_an_unknown_name_is_an_error_that_lists_the_known():
    result = run("avx1024", PARITY)
    assert result.returncode != 0
    assert "avx1024" in result.stderr and "portable" in result.stderr
    result = run("avx1024", "import tapconv; tapconv.isa()")
    assert "RuntimeError" in result.stderr and "TAPCONV_ISA" in result.stderr


def test_instruction_sets_agree_on_integers():
    program = """
import tapconv, torch
torch.manual_seed(0)
x, w = torch.randint(-3, 4, (3, 5, 101)).float(), torch.randint(-3, 4, (7, 5, 6)).float()
y = tapconv.conv1d(x, w, padding=(4, 1), dilation=2, padding_mode="reflect")
print(hash(tuple(y.flatten().tolist())))
"""
    results = [run(isa, program) for isa in tapconv.isa_available()]
    assert all(result.returncode == 0 for result in results), results[0].stderr
    assert len({result.stdout for result in results}) == 1


def test_torch_is_what_the_library_was_built_for():
    built_for = tapconv._library.build_info().get("torch_version")
    if built_for is None:
        pytest.skip("the library carries no build_info.json")
    assert tapconv._library.minor_version(built_for) == tapconv._library.minor_version(torch.__version__)
