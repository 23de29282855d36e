"""A small convolutional denoiser, trained on the recording twice from one seed: on torch.nn.Conv1d and on
tapconv.Conv1d."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import tapconv

WINDOW = 256  # samples of one training example
BATCH = 32


class Denoiser(nn.Module):
    """Five convolutions with growing dilation that estimate the noise, which is then taken away."""

    def __init__(self, conv_class: type[nn.Conv1d], channels: int = 32, kernel_size: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_class(1, channels, kernel_size, padding="same"), nn.ReLU()]
        for dilation in (2, 4, 8):
            layers += [conv_class(channels, channels, kernel_size, padding="same", dilation=dilation), nn.ReLU()]
        layers.append(conv_class(channels, 1, kernel_size, padding="same"))
        self.layers = nn.Sequential(*layers)

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.layers(noisy)


@dataclass(frozen=True)
class TrainingRun:
    """One training: the loss of each step, the wall time in seconds, and the result on the beat kept apart."""

    name: str
    losses: list[float]
    seconds: float
    denoised: Tensor


@dataclass(frozen=True)
class Comparison:
    """Both trainings, and the noisy and clean held-out signals that they are judged by."""

    clean: Tensor
    noisy: Tensor
    runs: list[TrainingRun]

    @property
    def largest_loss_difference(self) -> float:
        """Between the two loss curves, relative to the loss."""
        ours, theirs = (torch.tensor(run.losses, dtype=torch.float64) for run in self.runs)
        return ((ours - theirs).abs() / theirs).max().item()

    @property
    def first_losses_agree(self) -> bool:
        """Before rounding can have grown: the first five losses, to a relative 1e-4."""
        ours, theirs = (torch.tensor(run.losses[:5]) for run in self.runs)
        return torch.allclose(ours, theirs, rtol=1e-4)

    def signal_to_noise(self, estimate: Tensor) -> float:
        """In decibels, against the clean signal."""
        power, error = self.clean.square().mean(), (estimate - self.clean).square().mean()
        return 10 * torch.log10(power / error).item()


def add_noise(clean: Tensor, generator: torch.Generator) -> Tensor:
    """White noise and a drifting baseline, as electrodes on skin give them. Shape (batch, 1, samples)."""
    batch, _, samples = clean.shape
    white = 0.3 * torch.randn(clean.shape, generator=generator)
    phase = 2 * torch.pi * torch.rand(batch, 1, 1, generator=generator)
    cycles = 1 + torch.rand(batch, 1, 1, generator=generator)
    drift = 0.5 * torch.sin(phase + 2 * torch.pi * cycles * torch.arange(samples) / WINDOW)
    return clean + white + drift


def training_batch(signal: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random windows of the recording at random loudness, noisy and clean."""
    starts = torch.randint(len(signal) - WINDOW, (BATCH,), generator=generator)
    clean = torch.stack([signal[start : start + WINDOW] for start in starts.tolist()])[:, None]
    clean = clean * (0.7 + 0.6 * torch.rand(BATCH, 1, 1, generator=generator))
    return add_noise(clean, generator), clean


class Training:
    """One denoiser under Adam. The same seed, batches and initial weights for whatever `conv_class`."""

    def __init__(self, name: str, conv_class: type[nn.Conv1d], signal: Tensor) -> None:
        torch.manual_seed(0)
        self.name = name
        self.signal = signal
        self.model = Denoiser(conv_class)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.generator = torch.Generator().manual_seed(1)
        self.losses: list[float] = []
        self.seconds = 0.0

    def step(self) -> None:
        """One batch forward and backward, timed without the making of the batch."""
        noisy, clean = training_batch(self.signal, self.generator)
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(noisy), clean)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.seconds += time.perf_counter() - start

    def result(self, noisy_test: Tensor) -> TrainingRun:
        with torch.no_grad():
            return TrainingRun(self.name, self.losses, self.seconds, self.model(noisy_test))


def compare_trainings(signal: Tensor, steps: int, on_step: Callable[[], object] = lambda: None) -> Comparison:
    """Trains on the first two thirds of the recording and judges on the last, which holds a beat of its own. The two
    trainings take turns, step by step, so that both meet the machine in the same state."""
    split = 2 * len(signal) // 3
    clean = signal[split:][None, None]
    noisy = add_noise(clean, torch.Generator().manual_seed(2))
    trainings = [
        Training("tapconv.Conv1d", tapconv.Conv1d, signal[:split]),
        Training("torch.nn.Conv1d", nn.Conv1d, signal[:split]),
    ]
    for step in range(steps):
        for training in trainings if step % 2 else reversed(trainings):
            training.step()
        on_step()
    return Comparison(clean, noisy, [training.result(noisy) for training in trainings])
