"""The benchmark: its statistics, its peers, and a small run of the whole."""

import json

import pytest
import torch

import tapconv
from tapconv.__main__ import main
from tapconv.bench import peers
from tapconv.bench.compare import Row, compare
from tapconv.bench.measure import MachineLimits, Timing, interleave, measure_limits
from tapconv.bench.peers import torch_layer
from tapconv.bench.steps import STEPS
from tapconv.demo.layers import shortened
from tapconv.shapes import load_layers

SMALL_LAYERS = [shortened(layer, 2e6) for layer in load_layers()]


def test_timing_statistics():
    timing = Timing((4.0, 1.0, 2.0, 3.0, 5.0))
    assert (timing.best, timing.median) == (1.0, 3.0)
    assert timing.spread == pytest.approx(1 / 3)
    assert Timing((2.0,)).spread == 0.0


def test_interleaving_calls_everyone_equally_often():
    counts = {"a": 0, "b": 0}

    def count(name):
        counts[name] += 1

    calls = {name: lambda name=name: count(name) for name in counts}
    timings = interleave(calls, repetitions=4, shortest_sample=1e-9)
    assert {name: len(timing.samples) for name, timing in timings.items()} == {"a": 4, "b": 4}
    assert counts == {"a": 5, "b": 5}
    assert len(interleave(calls, repetitions=50, budget=0.0)["a"].samples) == 2


def test_limits():
    limits = MachineLimits(100e9, {2**20: 50e9, 2**30: 10e9})
    assert limits.seconds_at_least(100e9, 2**20) == (1.0, "arithmetic")
    seconds, bound = limits.seconds_at_least(1.0, 2**30)
    assert bound == "memory" and seconds == pytest.approx(2**30 / 10e9)


def test_the_better_of_two_measurements():
    limits = MachineLimits(100e9, {1: 5.0, 2: 7.0}).best_of(MachineLimits(90e9, {1: 6.0, 2: 3.0}))
    assert limits == MachineLimits(100e9, {1: 6.0, 2: 7.0})


@pytest.mark.once
def test_measuring_the_machine():
    limits = measure_limits(torch.float32, budget=0.0)
    assert limits.flops_per_second > 1e8
    assert len(limits.bytes_per_second) == 6 and min(limits.bytes_per_second.values()) > 1e6


def test_ratios_are_paired():
    layer = load_layers(names=["jasper"])[0]
    times = {"tapconv": 2.0, "tapconv out=": 1.0, "torch": 6.0, "onnxruntime": 2.0}
    row = Row(layer, torch.float32, False, {name: Timing((value,)) for name, value in times.items()}, {})
    assert row.ratio("torch") == 3.0
    assert row.ratio("onnxruntime") == 2.0
    assert row.ratio("openvino") is None
    assert row.ratio_to_best_peer() == (2.0, "onnxruntime")
    assert not row.has_packed
    times |= {"tapconv packed": 0.5, "tapconv packed, new output": 1.5}
    row = Row(layer, torch.float32, False, {name: Timing((value,)) for name, value in times.items()}, {})
    assert row.has_packed
    assert row.ratio("torch", packed=True) == 4.0
    assert row.ratio("onnxruntime", packed=True) == 4.0
    assert row.ratio_to_best_peer(packed=True) == (4.0, "onnxruntime")


@pytest.mark.once  # it is the peers that are looked at
@pytest.mark.parametrize("layer", SMALL_LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("peer", ["onnxruntime", "openvino"])
def test_peers_compute_the_same_layer(peer, layer):
    if peers.installed_version(peer) is None:
        pytest.skip(f"{peer} is not installed")
    if peer == "openvino" and layer.padding_mode == "circular":
        pytest.skip("OpenVINO does not read Pad's wrap mode")
    tensors = layer.make_tensors()
    call = {"onnxruntime": peers.onnxruntime_call, "openvino": peers.openvino_call}[peer](layer, tensors, 1)
    torch.testing.assert_close(call(), torch_layer(layer, *tensors), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", SMALL_LAYERS[::6], ids=lambda layer: layer.name)
def test_own_calls_compute_the_layer(layer):
    tensors = layer.make_tensors()
    expected = torch_layer(layer, *tensors)
    for make in (peers.tapconv_call, peers.tapconv_out_call, peers.torch_call):
        torch.testing.assert_close(make(layer, tensors)(), expected, rtol=1e-4, atol=1e-4)


def test_training_computes_all_gradients():
    layer = load_layers(names=["silero_c1"])[0]
    tensors = layer.make_tensors()
    call = peers.training_call(peers.tapconv_call(layer, tensors), layer, tensors)
    assert [gradient.shape for gradient in call()] == [tensor.shape for tensor in tensors]
    row = compare(layer, torch.float32, ["torch"], train=True, repetitions=2, seconds=0.1)
    assert set(row.timings) == {"tapconv", "torch"}
    assert row.flops == 3 * layer.flops


def test_a_wrong_peer_is_noticed(monkeypatch):
    layer = load_layers(names=["silero_c1"])[0]
    monkeypatch.setattr(peers, "torch_call", lambda layer, tensors: lambda: torch_layer(layer, *tensors) + 1)
    with pytest.raises(RuntimeError, match="torch and tapconv disagree"):
        compare(layer, torch.float32, ["torch"], train=False, repetitions=2, seconds=0.1)


@pytest.mark.once
@pytest.mark.parametrize("extra", [[], ["--train"], ["--dtype", "float64", "bfloat16"]])
def test_command(tmp_path, capsys, monkeypatch, threads, extra):
    pytest.importorskip("matplotlib")
    limits = MachineLimits(200e9, {2**20: 100e9, 2**30: 20e9})
    monkeypatch.setattr("tapconv.bench.command.measure_limits", lambda dtype, budget, device: limits)
    before = torch.get_num_threads()
    arguments = ["bench", "silero_c1", "--seconds", "0.05", "--repetitions", "2", "--output", str(tmp_path), *extra]
    assert main(arguments) == 0
    assert torch.get_num_threads() == before
    results = json.loads((tmp_path / "bench.json").read_text())
    assert results["tapconv"] == tapconv.__version__
    for run in results["runs"]:
        (row,) = run["rows"]
        assert row["layer"] == "silero_c1"
        assert {"tapconv", "torch"} <= set(row["seconds"])
        assert run["flops_per_second"] == 200e9
    assert "silero_c1" in (tmp_path / "bench.md").read_text()
    assert list(tmp_path.glob("*.png"))
    assert "geometric mean" in capsys.readouterr().out


def test_command_without_a_cuda_device(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "silero_c1", "--device", "cuda"]) == 2
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_command_on_cuda(tmp_path, capsys):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    pytest.importorskip("matplotlib")
    arguments = ["bench", "silero_c1", "--device", "cuda", "--seconds", "0.05", "--repetitions", "2"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    (run,) = json.loads((tmp_path / "bench.json").read_text())["runs"]
    assert run["device"] == torch.cuda.get_device_name()
    assert set(run["rows"][0]["seconds"]) == {"tapconv", "tapconv out=", "torch"}
    assert "CUDA" in capsys.readouterr().out


def test_command_with_nothing_to_time(capsys):
    pytest.importorskip("matplotlib")
    assert main(["bench", "no-such-layer"]) == 2
    assert "no-such-layer" in capsys.readouterr().err


@pytest.mark.once
def test_steps_of_streams(tmp_path, capsys):
    """Every step computes the same by every candidate, and the table has them all."""
    for step in STEPS:
        torch.manual_seed(1)
        outputs = {name: call() for name, call in step.candidates().items()}
        for name, output in outputs.items():
            assert torch.allclose(outputs["tapconv"], output, atol=1e-3, rtol=1e-4), f"{step}: {name}"
    assert main(["bench", "--stream", "SEANet", "LFM2", "--repetitions", "2", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "SEANet: 64 -> 32 k=3, 1 samples" in printed and "torch / tapconv" in printed
    steps = [row["step"] for row in json.loads((tmp_path / "stream.json").read_text())]
    assert len(steps) == sum("SEANet" in str(step) or "LFM2" in str(step) for step in STEPS)
    assert main(["bench", "--stream", "no such step", "--output", str(tmp_path)]) == 2
