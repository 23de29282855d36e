"""A real recording: the electrocardiogram that PyWavelets ships, filtered by conv1d, its heartbeats found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pywt.data
import scipy.signal
import torch
from torch import Tensor

import tapconv

# PyWavelets does not say how the recording was sampled. 360 Hz is the rate of the MIT-BIH Arrhythmia Database, the
# usual source of such test signals, and gives a plausible heart rate.
SAMPLING_RATE = 360.0


@dataclass(frozen=True)
class Heartbeats:
    """The recording, what the filters made of it, and the R-peaks. All in samples of the recording."""

    recording: np.ndarray
    band_passed: np.ndarray
    energy: np.ndarray
    threshold: float
    peaks: np.ndarray
    filter_taps: np.ndarray
    difference_from_scipy: float  # of the band-passed signal, relative to its largest value

    @property
    def beats_per_minute(self) -> float:
        return 60 * SAMPLING_RATE / float(np.diff(self.peaks).mean())


def load_recording() -> np.ndarray:
    """1024 samples, in the recorder's units."""
    return pywt.data.ecg().astype(np.float64)


def band_pass_filter(low: float = 5.0, high: float = 15.0, taps: int = 181) -> np.ndarray:
    """A linear-phase FIR band-pass for the QRS complex, whose energy lies at 5 to 15 Hz (Pan and Tompkins, "A real-time
    QRS detection algorithm", IEEE Trans. Biomed. Eng. 32(3), 1985)."""
    return scipy.signal.firwin(taps, [low, high], fs=SAMPLING_RATE, pass_zero=False)


def filter_signal(signal: np.ndarray, taps: np.ndarray, padding_mode: str = "reflect") -> np.ndarray:
    """The signal filtered by tapconv, as long as before. conv1d correlates, so the taps are turned round."""
    weight = torch.from_numpy(np.ascontiguousarray(taps[::-1]))[None, None].float()
    row = torch.from_numpy(signal)[None, None].float()
    return tapconv.conv1d(row, weight, padding="same", padding_mode=padding_mode)[0, 0].double().numpy()


def find_heartbeats(recording: np.ndarray | None = None) -> Heartbeats:
    """Band-pass, square, average over 0.12 s, threshold: each burst of energy is a beat, its R-peak the largest sample
    of the recording in it."""
    recording = load_recording() if recording is None else recording
    taps = band_pass_filter()
    band_passed = filter_signal(recording - recording.mean(), taps)
    window = int(0.12 * SAMPLING_RATE) | 1
    energy = filter_signal(band_passed**2, np.full(window, 1 / window))
    threshold = 0.3 * float(energy.max())
    bursts, _ = scipy.signal.find_peaks(energy, height=threshold, distance=int(0.25 * SAMPLING_RATE))
    reach = int(0.1 * SAMPLING_RATE)
    starts = np.maximum(bursts - reach, 0)
    peaks = np.array(
        [start + recording[start : burst + reach + 1].argmax() for start, burst in zip(starts, bursts, strict=True)]
    )

    padded = np.pad(recording - recording.mean(), len(taps) // 2, mode="reflect")
    by_scipy = scipy.signal.convolve(padded, taps, mode="valid")
    difference = float(np.abs(by_scipy - band_passed).max() / np.abs(by_scipy).max())
    return Heartbeats(recording, band_passed, energy, threshold, peaks, taps, difference)


def as_tensor(recording: np.ndarray) -> Tensor:
    """The recording with zero mean and unit variance, float32, shape (samples,)."""
    signal = torch.from_numpy(recording).float()
    return (signal - signal.mean()) / signal.std()
