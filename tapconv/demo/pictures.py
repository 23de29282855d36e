"""The demo's pictures. Each function draws one and writes it to a PNG file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from tapconv.demo.denoiser import Comparison
from tapconv.demo.ecg import SAMPLING_RATE, Heartbeats
from tapconv.demo.layers import LayerResult
from tapconv.demo.worked_examples import ExampleResult
from tapconv.reporting.plots import BLUE, DARK_GREY, GREEN, GREY, ORANGE, RED, STYLE, draw_ratio_bars, new_figure


def draw_signal_and_outputs(result: ExampleResult, path: Path) -> None:
    """The two-channel signal and the four output channels, torch's as dots on tapconv's lines."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9, 5.6)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.4])
        for row, name, color in zip(result.example.input[0], ("sin", "cos"), (BLUE, ORANGE), strict=True):
            top.plot(row, color=color, label=name)
        top.set(title="Input: two channels, 100 samples", ylabel="amplitude", ylim=(-1.25, 1.25))
        top.legend(loc="upper right", ncols=2)
        for o, color in enumerate((BLUE, ORANGE, GREEN, RED)):
            bottom.plot(result.output[0, o], color=color, label=f"channel {o}")
            positions = np.arange(o * 2, result.output.shape[2], 8)
            bottom.plot(positions, result.torch_output[0, o, positions], "o", color=color, markersize=3.5)
        bottom.set(
            title=f"Output of {result.example.code}: lines by tapconv, dots by torch",
            xlabel="position",
            ylabel="amplitude",
        )
        bottom.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4)
        figure.savefig(path)


def draw_heartbeats(heartbeats: Heartbeats, path: Path) -> None:
    """The recording with its R-peaks, the band-passed signal, and the energy that the peaks were found by."""
    seconds = np.arange(len(heartbeats.recording)) / SAMPLING_RATE
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9, 6.4)
        recording, band_passed, energy = figure.subplots(3, 1, sharex=True, height_ratios=[1.5, 1, 1])
        recording.plot(seconds, heartbeats.recording, color=BLUE, linewidth=1.3)
        peaks = heartbeats.peaks
        recording.plot(seconds[peaks], heartbeats.recording[peaks], "v", color=RED, markersize=9, label="R-peak")
        top = float(heartbeats.recording.max())
        for first, second in itertools.pairwise(peaks):
            middle, height = (seconds[first] + seconds[second]) / 2, 0.62 * top
            recording.annotate(
                "",
                (seconds[first], height),
                (seconds[second], height),
                arrowprops={"arrowstyle": "<->", "color": GREY, "shrinkA": 6, "shrinkB": 6},
            )
            recording.text(
                middle, height + 8, f"{(second - first) / SAMPLING_RATE:.3f} s", ha="center", color=DARK_GREY
            )
        recording.set(
            title=f"Electrocardiogram: {len(peaks)} beats, {heartbeats.beats_per_minute:.0f} per minute",
            ylabel="recorder's units",
            ylim=(None, 1.25 * top),
        )
        recording.legend(loc="upper right")
        band_passed.plot(seconds, heartbeats.band_passed, color=GREEN, linewidth=1.3)
        taps = len(heartbeats.filter_taps)
        band_passed.set(
            title=f"Band-passed at 5 to 15 Hz: conv1d with {taps} taps, padding same, reflect", ylabel="units"
        )
        energy.plot(seconds, heartbeats.energy, color=ORANGE)
        energy.axhline(heartbeats.threshold, color=GREY, linestyle="--", linewidth=1.2, label="threshold")
        energy.set(
            title="Energy: squared, averaged over 0.12 s by conv1d", xlabel="time in s (at 360 Hz)", ylabel="units²"
        )
        energy.legend(loc="upper right")
        figure.savefig(path)


def draw_training(comparison: Comparison, path: Path) -> None:
    """Both loss curves, and the held-out beat noisy, denoised and clean."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(11, 4.2)
        losses, signal = figure.subplots(1, 2, width_ratios=[1, 1.5])
        for run, color, style, width in zip(comparison.runs, (ORANGE, BLUE), ("-", "--"), (3.2, 1.3), strict=True):
            label = f"{run.name}: {run.seconds:.1f} s"
            losses.semilogy(run.losses, color=color, linestyle=style, linewidth=width, label=label)
        losses.set(title="Training loss, same seed", xlabel="step", ylabel="mean squared error")
        losses.yaxis.set_major_formatter("{x:g}")
        losses.yaxis.set_minor_formatter("{x:g}")
        losses.tick_params(axis="y", which="minor", labelsize=8)
        losses.legend(loc="upper right")
        seconds = np.arange(comparison.clean.shape[2]) / SAMPLING_RATE
        denoised = comparison.runs[0].denoised
        for estimate, color, width, name in (
            (comparison.noisy, "#c3c8d0", 1.0, f"noisy, {comparison.signal_to_noise(comparison.noisy):.1f} dB"),
            (denoised, ORANGE, 2.2, f"denoised, {comparison.signal_to_noise(denoised):.1f} dB"),
            (comparison.clean, BLUE, 1.2, "clean"),
        ):
            signal.plot(seconds, estimate[0, 0], color=color, linewidth=width, label=name)
        signal.set(title="The last beat, which training never saw", xlabel="time in s", ylabel="standardised signal")
        signal.legend(loc="upper right")
        figure.savefig(path)


def draw_speed_ratios(results: Sequence[LayerResult], threads: int, path: Path) -> None:
    """One bar per layer: how many times faster than torch."""
    draw_ratio_bars(
        [result.layer.name for result in results],
        [result.ratio for result in results],
        f"Speed relative to torch.conv1d, float32, {threads} thread{'s' if threads > 1 else ''}",
        path,
    )
