"""`tapconv.explain` and TAPCONV_EXPLAIN=1: every way with its cost or its reason, and what was chosen."""

import subprocess
import sys

import pytest
import torch

import tapconv

WAYS = ("channel_lanes", "dot", "direct", "tiles", "depthwise_tiles", "out_lanes")


def test_every_way_and_the_choice():
    text = tapconv.explain((2, 64, 4000), (64, 64, 3), padding=1)
    assert text.startswith("forward of input (2, 64, 4000), weight (64, 64, 3), stride 1, padding 1,")
    for way in WAYS:
        assert f"\n  {way} " in text
    assert "declined: the filters are not depthwise" in text
    assert text.count("chosen: ") == 1
    assert tapconv.isa() in text


def test_it_follows_the_request():
    assert "chosen: direct:" in tapconv.explain((2, 64, 4000), (64, 64, 3), algorithm="direct")
    assert "Fourier" in tapconv.explain((2, 64, 4000), (64, 64, 9), algorithm="fft").partition("chosen: ")[2]
    assert "Winograd" in tapconv.explain((2, 64, 4000), (64, 64, 3), algorithm="winograd").partition("chosen: ")[2]
    with tapconv.default_algorithm("direct"):
        assert "chosen: direct:" in tapconv.explain((2, 64, 4000), (64, 64, 3))
    assert "cannot be had: Winograd" in tapconv.explain((2, 64, 4000), (64, 64, 9), algorithm="winograd")


def test_it_names_what_large_transforms_take_over():
    assert "by large transforms of" in tapconv.explain((1, 1, 200000), (1, 1, 40000))


@pytest.mark.parametrize("direction", ["forward", "grad_input", "grad_weight"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_directions_and_types(direction, dtype):
    text = tapconv.explain((4, 16, 300), (32, 8, 5), 2, (1, 3), 2, 2, "reflect", dtype=dtype, direction=direction)
    assert text.startswith(f"{direction} of ")
    assert f", padding 1 and 3 by reflect, dilation 2, groups 2, {str(dtype).removeprefix('torch.')}," in text
    assert "chosen: " in text


def test_padding_by_name_and_threads():
    assert "padding 4 and 0," in tapconv.explain((1, 2, 100), (2, 2, 3), padding="causal", dilation=2)
    assert "at most 3 threads" in tapconv.explain((1, 2, 100), (2, 2, 3), threads=3)


def test_unbatched_input():
    assert "input (1, 2, 100)" in tapconv.explain((2, 100), (2, 2, 3))


def test_what_the_kernels_do_not_take():
    assert tapconv.explain((1, 2, 100), (2, 2, 3), dtype=torch.int64).startswith("torch computes this call")
    assert tapconv.explain((1, 3, 100), (2, 2, 3)).startswith("torch computes this call")
    assert tapconv.explain((0, 2, 100), (2, 2, 3)).startswith("there is nothing to compute")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"direction": "backward"},
            "direction should be one of 'forward', 'grad_input' or 'grad_weight', got 'backward'",
        ),
        ({"threads": -1}, "threads should be a number of threads"),
        ({"algorithm": "fastest"}, "algorithm"),
        ({"padding_mode": "mirror"}, "padding_mode"),
        ({"padding": "full"}, "Invalid padding string"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        tapconv.explain((1, 2, 100), (2, 2, 3), **arguments)


CALLS = """
import torch, tapconv
signal = torch.randn(1, 8, 500, requires_grad=True)
filters = torch.randn(8, 8, 3, requires_grad=True)
for _ in range(3):
    tapconv.conv1d(signal, filters).sum().backward()
packed = tapconv.pack_weight(filters.detach())
tapconv.conv1d_packed(signal.detach(), packed, filters.shape)
"""


@pytest.mark.parametrize(
    ("value", "directions"), [("1", ["forward", "grad_input", "grad_weight"]), ("0", []), ("", [])]
)
def test_the_environment_variable(monkeypatch, value, directions):
    monkeypatch.setenv("TAPCONV_EXPLAIN", value)
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
    for direction in ("forward", "grad_input", "grad_weight"):
        count = done.stderr.count(f"tapconv: {direction} of input (1, 8, 500), weight (8, 8, 3), ")
        # A packed call may be explained by the same words as the plain one, or by others.
        assert (1 <= count <= 2) if direction in directions else count == 0, done.stderr
