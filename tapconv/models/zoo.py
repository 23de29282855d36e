"""Published architectures, built by `transformers` from their configurations with random weights; none is downloaded.

Each comes in the size that its configuration states, for timing, and in a small one of the same structure, for testing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn


class TensorOutput(nn.Module):
    """A model that returns one tensor of those that `model` returns."""

    def __init__(self, model: nn.Module, pick: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.pick = pick

    def forward(self, input: Tensor) -> Tensor:
        return self.pick(self.model(input))


@dataclass(frozen=True)
class Architecture:
    """A network and an input for it."""

    name: str
    input: str  # in words, of the published size
    build: Callable[[bool], tuple[nn.Module, Tensor]]  # takes whether to build the small one
    trains: bool = True  # whether gradients reach its weights
    calls_modules: bool = True  # and not torch.conv1d with a module's weight, where `enabled` reaches and `convert` not
    pads_by_function: bool = False  # torch's, ahead of its convolutions, where `enabled` reaches too

    def make(self, small: bool = False) -> tuple[nn.Module, Tensor]:
        """The model, in evaluation mode so that runs can be compared, and an input. The same weights at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, input = self.build(small)
        return model.eval(), input


def _hifigan(small: bool) -> tuple[nn.Module, Tensor]:
    config = transformers.SpeechT5HifiGanConfig(**({"upsample_initial_channel": 32} if small else {}))
    return transformers.SpeechT5HifiGan(config), torch.randn(12 if small else 200, config.model_in_dim)


def _dac_encoder(small: bool) -> tuple[nn.Module, Tensor]:
    config = transformers.DacConfig(**({"encoder_hidden_size": 8, "hidden_size": 32} if small else {}))
    return transformers.DacModel(config).encoder, torch.randn(1, 1, 2048 if small else 16000)


def _encodec(small: bool) -> tuple[nn.Module, Tensor]:
    config = transformers.EncodecConfig(**({"num_filters": 4, "hidden_size": 16, "codebook_dim": 16} if small else {}))
    signal = torch.randn(1, 1, 3200 if small else 24000)
    return TensorOutput(transformers.EncodecModel(config), lambda output: output.audio_values), signal


_SMALL_TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def _wav2vec2(small: bool) -> tuple[nn.Module, Tensor]:
    narrow = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    config = transformers.Wav2Vec2Config(**({**_SMALL_TRANSFORMER, **narrow} if small else {}))
    signal = torch.randn(1, 4000 if small else 160000)
    return TensorOutput(transformers.Wav2Vec2Model(config), lambda output: output.last_hidden_state), signal


def _hubert(small: bool) -> tuple[nn.Module, Tensor]:
    narrow = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    config = transformers.HubertConfig(**({**_SMALL_TRANSFORMER, **narrow} if small else {}))
    signal = torch.randn(1, 4000 if small else 48000)
    return TensorOutput(transformers.HubertModel(config), lambda output: output.last_hidden_state), signal


def _whisper_encoder(small: bool) -> tuple[nn.Module, Tensor]:
    sizes = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}
    narrow = {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in sizes.items()}
    # The default configuration is that of the tiny model.
    config = transformers.WhisperConfig(**({**narrow, "d_model": 32, "max_source_positions": 50} if small else {}))
    encoder = transformers.WhisperModel(config).encoder
    spectrogram = torch.randn(1, config.num_mel_bins, 2 * config.max_source_positions)
    return TensorOutput(encoder, lambda output: output.last_hidden_state), spectrogram


def _mamba(small: bool) -> tuple[nn.Module, Tensor]:
    shape = {"hidden_size": 32, "num_hidden_layers": 2} if small else {"num_hidden_layers": 4}
    config = transformers.MambaConfig(vocab_size=256, use_cache=False, **shape)
    tokens = torch.randint(256, (1, 20 if small else 64))
    return TensorOutput(transformers.MambaModel(config), lambda output: output.last_hidden_state), tokens


ARCHITECTURES = (
    Architecture("SpeechT5 HiFi-GAN", "200 frames", _hifigan),
    Architecture("DAC encoder", "1 s at 16 kHz", _dac_encoder),
    Architecture("EnCodec", "1 s at 24 kHz", _encodec, trains=False, pads_by_function=True),  # codes have no gradient
    Architecture("wav2vec 2.0", "10 s at 16 kHz", _wav2vec2),
    Architecture("HuBERT", "3 s at 16 kHz", _hubert),
    Architecture("Whisper encoder", "30 s, as a spectrogram", _whisper_encoder),
    Architecture("Mamba", "4 of 32 layers, 64 tokens", _mamba, calls_modules=False),
)
