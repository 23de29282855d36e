"""The demo's functions, each on its own; the whole demo is a command of its own."""

import pytest
import torch

import tapconv
from tapconv.demo import by_hand, worked_examples
from tapconv.demo.worked_examples import PUBLISHED_OUTPUT, compute, published_example


@pytest.mark.parametrize("example", worked_examples.worked_examples(), ids=lambda example: example.title)
def test_worked_example(example):
    result = compute(example)
    assert result.output.shape[2] == result.formula_length
    assert result.error_against_torch < 1e-5
    assert result.error_by_hand < 1e-5
    assert result.agrees


def test_shapes_that_people_learn_from():
    by_title = {example.title: compute(example) for example in worked_examples.worked_examples()}
    assert by_title["One channel to 64"].output.shape == (10, 64, 100)
    assert by_title["A filter of five, as long as before"].example.weight.shape == (1, 1, 5)
    assert by_title["Three channels to two"].example.weight.shape == (2, 3, 5)
    assert by_title["Three channels to two"].example.bias.shape == (2,)
    assert by_title["Three channels to two"].output.shape == (128, 2, 100)
    assert by_title["Every second position"].output.shape == (20, 33, 24)
    assert by_title["A two-channel signal"].output.shape == (1, 4, 98)


def test_published_table():
    """To four decimals, which is how the table and its weights are printed, within one unit of the last."""
    result = compute(published_example())
    rounded = (result.output[0, :, :5].T.double() * 1e4).round() / 1e4
    table = torch.tensor(PUBLISHED_OUTPUT, dtype=torch.float64)
    assert table.shape == (5, 4)
    assert (rounded - table).abs().max() < 1e-4 + 1e-9
    assert worked_examples.units_from_published_table(result.output) <= 1


def test_an_output_as_a_dot_product():
    result = compute(published_example())
    text = worked_examples.dot_product_in_words(result, channel=2, position=3)
    assert text.startswith("y[2, 3] = ")
    assert float(text.rsplit("= ", 1)[1]) == pytest.approx(result.output[0, 2, 3].item(), abs=1e-4)


def test_by_hand_on_paper():
    assert by_hand.conv1d_by_hand([[1.0, 2.0, 3.0]], [[[1.0, 10.0]]]) == [[21.0, 32.0]]
    assert by_hand.conv1d_by_hand([[1.0, 2.0, 3.0]], [[[1.0, 10.0]]], [0.5], padding=(1, 0)) == [[10.5, 21.5, 32.5]]
    samples = [1.0, 2.0, 3.0]
    assert [by_hand.padded_sample(samples, i, "reflect") for i in (-2, -1, 3, 4)] == [3.0, 2.0, 2.0, 1.0]
    assert [by_hand.padded_sample(samples, i, "circular") for i in (-2, -1, 3, 4)] == [2.0, 3.0, 1.0, 2.0]
    assert [by_hand.padded_sample(samples, i, "replicate") for i in (-2, 4)] == [1.0, 3.0]
    with pytest.raises(ValueError, match="mirror"):
        by_hand.padded_sample(samples, -1, "mirror")


def test_heartbeats():
    pytest.importorskip("pywt")
    from tapconv.demo import ecg

    heartbeats = ecg.find_heartbeats()
    assert heartbeats.peaks.tolist() == [190, 518, 848]
    assert heartbeats.difference_from_scipy < 1e-5
    assert 60 < heartbeats.beats_per_minute < 72


def test_filtering_like_scipy():
    signal = pytest.importorskip("scipy.signal")
    from tapconv.demo import ecg

    samples = torch.randn(300).numpy().astype("float64")
    taps = ecg.band_pass_filter()
    expected = signal.convolve(samples, taps, mode="same")
    assert abs(ecg.filter_signal(samples, taps, padding_mode="zeros") - expected).max() < 1e-5


def test_denoiser_learns_alike_on_both_modules(threads):
    threads(1)
    pytest.importorskip("pywt")
    from tapconv.demo import denoiser, ecg

    comparison = denoiser.compare_trainings(ecg.as_tensor(ecg.load_recording()), steps=30)
    ours, theirs = comparison.runs
    assert (ours.name, theirs.name) == ("tapconv.Conv1d", "torch.nn.Conv1d")
    assert comparison.first_losses_agree
    assert sum(ours.losses[-5:]) < 0.8 * sum(ours.losses[:5])
    assert ours.losses[-1] == pytest.approx(theirs.losses[-1], rel=0.05)
    assert isinstance(denoiser.Denoiser(tapconv.Conv1d).layers[0], tapconv.Conv1d)


def test_measuring_a_layer():
    from tapconv.demo.layers import measure_layer, parity_by_dtype
    from tapconv.shapes import load_layers

    layers = load_layers(names=["silero_c1"])
    result = measure_layer(layers[0], repetitions=2, budget=0.1)
    assert result.error < 1e-5
    assert result.ratio > 0
    assert parity_by_dtype(layers, torch.float64).largest_error < 1e-13
    # Of 512 outputs, all may be rounded alike; of 100,000 some are not.
    assert 0 < parity_by_dtype(load_layers(names=["whisper_tiny_c1"]), torch.float16).largest_error < 1e-2


def test_report(tmp_path):
    pytest.importorskip("jinja2")
    from tapconv.demo.report import Code, Heading, Paragraph, Picture, Table, write_report

    (tmp_path / "dot.png").write_bytes(b"not really a picture")
    blocks = [
        Heading("Part"),
        Paragraph("a < b"),
        Code("y = x"),
        Table(["a|b", "c"], [["1", "2"]]),
        Picture("dot.png", "A dot"),
    ]
    markdown, html = write_report("Title", blocks, tmp_path)
    text = markdown.read_text()
    assert "# Title" in text and "## Part" in text and "![A dot](dot.png)" in text and "a\\|b" in text
    page = html.read_text()
    assert "a &lt; b" in page and "data:image/png;base64," in page and "<td>2</td>" in page


@pytest.mark.once
def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("pywt")
    from tapconv.demo import denoiser, ecg, layers, pictures
    from tapconv.shapes import load_layers

    pictures.draw_signal_and_outputs(compute(published_example()), tmp_path / "a.png")
    pictures.draw_heartbeats(ecg.find_heartbeats(), tmp_path / "b.png")
    comparison = denoiser.compare_trainings(ecg.as_tensor(ecg.load_recording()), steps=2)
    pictures.draw_training(comparison, tmp_path / "c.png")
    results = [layers.measure_layer(layer, 2, 0.05) for layer in load_layers(names=["silero_c1", "dp_unet_k5"])]
    pictures.draw_speed_ratios(results, 1, tmp_path / "d.png")
    assert all((tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in "abcd")
