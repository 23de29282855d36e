"""Every model family of `transformers` that has a 1-D convolution, tiny and with random weights."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn

#: The version that the table is made for.
VERSION = "5.24"


def families_with_convolutions() -> list[str]:
    """By the sources of the installed `transformers`."""
    folder = Path(transformers.__file__).parent / "models"
    files = folder.glob("*/modeling_*.py")
    makes_one = re.compile(r"nn\.Conv(Transpose)?1d\(|class \w+\(nn\.Conv(Transpose)?1d\)")
    return sorted({file.parent.name for file in files if makes_one.search(file.read_text())})


#: What fields of a configuration are made, by the ends of their names. What is smaller already stays.
SIZES = {
    r"num_experts_per_tok|num_hidden_layers|num_layers|encoder_layers|decoder_layers|n_layers?|num_key_value_heads": 2,
    r"num_attention_heads|num_heads|attention_heads|n_head|num_(local_)?experts|n_routed_experts": 4,
    r"(?<!index_)head_dim|d_head|state_size|d_state|mamba_n_heads": 8,
    r"conv_channels|predictor_channels|postnet_units|upsample_initial_channel|filter_channels|codebook_dim": 32,
    r"hidden_size|d_model|hidden_dim|embed_dim|embedding_dim|embedding_size|n_embd|lru_width|conv_dim|flow_size": 32,
    r"intermediate_size|ffn_dim|ffn_size|mlp_dim|linear_units": 48,
    r"codebook_size": 64,
    r"max_source_positions|token_id": 98,
    r"vocab_size|num_codes": 99,
}
#: Fields that have an entry for each layer, and follow from the number of layers where they are missing.
OF_LAYERS = ("layer_types", "mlp_layer_types", "layers_block_type", "indexer_types", "hybrid_layer_ids")


def shrunk(configuration: dict) -> dict:
    """The fields of a default configuration, made small."""
    small = {}
    for name, value in configuration.items():
        bound = next((size for ends, size in SIZES.items() if re.fullmatch(rf"(.*_)?({ends})", str(name))), 2**62)
        if isinstance(value, dict) and "rope" not in str(name):
            small[name] = shrunk(value)
        elif isinstance(value, (list, tuple)) and str(name).endswith("conv_dim"):
            small[name] = [min(size, bound) for size in value]
        elif isinstance(value, int) and not isinstance(value, bool):
            small[name] = min(value, bound)
        elif name not in OF_LAYERS or "num_hidden_layers" not in configuration:
            small[name] = value
    return small


def changed(fields: dict, changes: dict) -> dict:
    """With the changes, where those of a nested configuration are made in it."""
    nested = {name: changed(fields[name], change) for name, change in changes.items() if isinstance(change, dict)}
    return {**fields, **changes, **nested}


def tokens() -> dict[str, Tensor]:
    shape = (2, 8)
    mask = torch.ones(shape, dtype=torch.long)
    return {"input_ids": torch.randint(5, 38, shape), "attention_mask": mask, "use_cache": False}


def words() -> dict[str, Tensor]:
    """For encoders, which have no cache."""
    return {"input_ids": torch.randint(5, 38, (2, 8))}


def tensors(**shapes: tuple[int, ...]) -> Callable[[], dict[str, Tensor]]:
    """Random numbers of these shapes, or of True where a mask is asked for."""
    return lambda: {
        name: torch.ones(shape, dtype=torch.bool) if "mask" in name else torch.randn(shape)
        for name, shape in shapes.items()
    }


AUDIO = tensors(input_values=(2, 1600))
MONO = tensors(input_values=(2, 1, 1600))


def mel(frames: int, bands: int) -> Callable[[], dict[str, Tensor]]:
    return tensors(input_features=(2, frames, bands))


@dataclass(frozen=True)
class Family:
    """One module of a family that has convolutions, and what it is given."""

    name: str  # of the class
    inputs: Callable[[], dict[str, Tensor]] = tokens
    changes: dict = field(default_factory=dict)  # of the small configuration
    configuration: str = ""  # where the class does not say which it takes
    file: str = ""
    arguments: dict = field(default_factory=dict)  # of the class, after the configuration
    attention: str = "eager"  # which exporters know best; not all take its masks
    pickles: bool = True  # the plain model
    calls_modules: bool = True  # or only uses the weights of its convolutions, in calls of functions
    needs: str = ""  # another package
    dynamo: bool = False  # exported to ONNX by torch.export, where the quicker TorchScript exporter cannot
    not_in_onnx: str | None = None  # what that one says where the other cannot either, or takes minutes

    def make(self, folder: str) -> tuple[nn.Module, dict[str, Tensor]]:
        torch.manual_seed(0)
        module = importlib.import_module(f"transformers.models.{folder}.{self.file or f'modeling_{folder}'}")
        kind = getattr(module, self.name)
        configuration = getattr(transformers, self.configuration) if self.configuration else kind.config_class
        fields = changed(shrunk(configuration().to_dict()), self.changes)
        made = configuration.from_dict(fields)
        made._attn_implementation, made._experts_implementation = self.attention, "eager"
        model = kind(made, **self.arguments).eval()
        for name, buffer in model.named_buffers():
            if name.endswith("embed"):
                nn.init.normal_(buffer)  # code books, whose zeros would leave the nearest to rounding
        return model, self.inputs()


FORECAST = {
    "prediction_length": 12,
    "context_length": 24,
    "num_time_features": 1,
    "lags_sequence": [1, 2],
    "feature_size": 5,
}
SERIES = tensors(
    past_values=(2, 26),
    past_time_features=(2, 26, 1),
    past_observed_mask=(2, 26),
    future_values=(2, 12),
    future_time_features=(2, 12, 1),
)
ZAMBA = {"attention_head_dim": 16, "attention_hidden_size": 64, "num_key_value_heads": 4}
FAMILIES = {
    "audioflamingo3": Family(
        "AudioFlamingo3Encoder", tensors(input_features=(2, 128, 196), input_features_mask=(2, 196))
    ),
    "autoformer": Family("AutoformerModel", SERIES, FORECAST, not_in_onnx="fft_rfft"),
    "bailing_hybrid": Family(
        "BailingHybridModel",
        changes={"num_expert_group": 1, "topk_group": 1, "num_experts_per_token": 2, "kv_lora_rank": 16},
        calls_modules=False,
    ),
    "bamba": Family("BambaModel", calls_modules=False, dynamo=True),
    "canine": Family("CanineModel", words, {"num_hash_buckets": 64, "max_position_embeddings": 64}, dynamo=True),
    "clvp": Family(
        "ClvpConditioningEncoder",
        lambda: {**words(), "input_features": torch.randn(2, 80, 40)},
        configuration="ClvpConfig",
    ),
    "convbert": Family("ConvBertModel", words),
    "dac": Family("DacModel", MONO, {"encoder_hidden_size": 8}),
    "data2vec": Family("Data2VecAudioModel", AUDIO, file="modeling_data2vec_audio"),
    "deberta_v2": Family("DebertaV2Model", words, {"conv_kernel_size": 3}),
    "encodec": Family("EncodecModel", MONO, {"num_filters": 4, "codebook_dim": 32}),
    "falcon_h1": Family("FalconH1Model", changes={"mamba_d_ssm": 64}, calls_modules=False, dynamo=True),
    "falcon_mamba": Family("FalconMambaModel", calls_modules=False),
    "fastspeech2_conformer": Family("FastSpeech2ConformerModel", words),
    "fun_asr_nano": Family("FunAsrNanoEncoder", tensors(input_features=(2, 50, 560), input_features_mask=(2, 50))),
    "gemma3n": Family("Gemma3nAudioEncoder", tensors(audio_mel=(2, 48, 128), audio_mel_mask=(2, 48)), dynamo=True),
    "glm5_next": Family(
        "Glm5NextTextModel",
        changes={"num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 16},
        calls_modules=False,
    ),
    "glmasr": Family("GlmAsrEncoder", mel(128, 100)),
    "granite_speech": Family("GraniteSpeechCTCEncoder", tensors(hidden_states=(2, 20, 160)), {"dim_head": 8}),
    "granite_speech5": Family("GraniteSpeech5Encoder", mel(64, 320), {"num_key_value_heads": 4}, dynamo=True),
    "granite_speech_plus": Family("GraniteSpeechPlusCTCEncoder", tensors(hidden_states=(2, 20, 160)), {"dim_head": 8}),
    "granitemoehybrid": Family("GraniteMoeHybridModel", calls_modules=False, not_in_onnx="Load model"),
    "higgs_audio_v2_tokenizer": Family("HiggsAudioV2TokenizerModel", MONO, {"codebook_dim": 64}, needs="torchaudio"),
    "hubert": Family("HubertModel", AUDIO),
    "informer": Family("InformerModel", SERIES, FORECAST, not_in_onnx="INTERNAL ASSERT"),
    "inkling": Family("InklingTextModel", calls_modules=False),
    "inkling2": Family("Inkling2TextModel", calls_modules=False),
    "inkling2_loop": Family("Inkling2LoopTextModel", calls_modules=False),
    "jamba": Family("JambaModel", calls_modules=False),
    "kimi_linear": Family(
        "KimiLinearModel", changes={"num_experts_per_token": 2, "kv_lora_rank": 16}, calls_modules=False
    ),
    "lara_mini": Family("LaraMiniModel", calls_modules=False, not_in_onnx="linalg_solve_triangular"),
    "lasr": Family("LasrEncoder", mel(64, 128)),
    "lfm2": Family("Lfm2Model", changes={"layer_types": ["conv", "full_attention"]}, calls_modules=False),
    "lfm2_moe": Family("Lfm2MoeModel", changes={"layer_types": ["conv", "full_attention"]}, calls_modules=False),
    "lfm3": Family("Lfm3Model", calls_modules=False),
    "mamba": Family("MambaModel", calls_modules=False),
    "mamba2": Family("Mamba2Model", changes={"num_heads": 8}, calls_modules=False, dynamo=True),
    "mimi": Family(
        "MimiModel",
        MONO,
        {"num_filters": 4, "upsample_groups": 32, "vector_quantization_hidden_dimension": 32, "num_quantizers": 2},
        not_in_onnx="diff",
    ),
    "moonshine": Family("MoonshineEncoder", AUDIO, {"encoder_num_key_value_heads": 4}, dynamo=True),
    "moss_transcribe_diarize": Family("MossTranscribeDiarizeAudioModel", mel(80, 196)),
    "nemotron3_5_transcribe": Family(
        "Nemotron3_5TranscribeWordTimestampModel", tensors(inputs_embeds=(2, 12, 32)), {"num_key_value_heads": 4}
    ),
    "nemotron3_diarization": Family(
        "Nemotron3DiarizationModel", mel(64, 128), {"audio_config": {"num_key_value_heads": 4}}
    ),
    "nemotron_asr_streaming": Family("NemotronAsrStreamingEncoder", mel(64, 80), attention="sdpa"),
    "nemotron_h": Family(
        "NemotronHModel", changes={"n_groups": 2, "mamba_num_heads": 8}, calls_modules=False, not_in_onnx="Load model"
    ),
    "neucodec": Family(
        "NeuCodecModel",
        tensors(input_values=(2, 1, 1600), input_features=(2, 5, 160)),
        {"quantization_dim": 64, "num_key_value_heads": 4},
        not_in_onnx="kernel of unknown shape",
    ),
    "olmo_hybrid": Family(
        "OlmoHybridModel",
        changes={"linear_num_key_heads": 4, "linear_num_value_heads": 4},
        calls_modules=False,
        not_in_onnx="linalg_solve_triangular",
    ),
    "omniasr": Family("OmniASRAudioModel", MONO),
    "parakeet": Family("ParakeetEncoder", mel(64, 80)),
    "pe_audio": Family("PeAudioEncoder", tensors(input_values=(2, 1, 3840))),
    "pe_audio_video": Family(
        "PeAudioVideoConvBlock1d", tensors(x=(2, 32, 20)), configuration="PeAudioVideoEncoderConfig"
    ),
    "pe_video": Family("PeVideoConvBlock1d", tensors(x=(2, 32, 20)), configuration="PeVideoEncoderConfig"),
    "phi4_multimodal": Family(
        "Phi4MultimodalAudioModel",
        tensors(hidden_states=(2, 64, 80), mask=(2, 64)),
        {"num_blocks": 2, "ext_pw_out_channel": 32, "depthwise_separable_out_channel": 32, "nemo_conv_channels": 32},
    ),
    "pocket_tts_audio_tokenizer": Family(
        "PocketTTSAudioTokenizerModel",
        tensors(input_values=(2, 1, 3840)),
        {"num_filters": 4, "upsample_groups": 32},
        not_in_onnx="diff",
    ),
    "pp_ocrv6_tiny_rec": Family(
        "PPOCRV6TinyRecForTextRecognition", tensors(pixel_values=(2, 3, 48, 64)), pickles=False
    ),
    "qwen2_5_omni": Family(
        "Qwen2_5OmniToken2WavBigVGANModel",
        tensors(mel_spectrogram=(1, 80, 12)),
        {"upsample_rates": [3, 2], "upsample_kernel_sizes": [7, 4], "resblock_kernel_sizes": [3, 7]},
        dynamo=True,
    ),
    "qwen2_audio": Family("Qwen2AudioEncoder", mel(128, 196)),
    "qwen3_5": Family("Qwen3_5TextModel", calls_modules=False, not_in_onnx="linalg_solve_triangular"),
    "qwen3_5_moe": Family("Qwen3_5MoeTextModel", calls_modules=False, not_in_onnx="linalg_solve_triangular"),
    "qwen3_next": Family("Qwen3NextModel", calls_modules=False, not_in_onnx="linalg_solve_triangular"),
    "qwen3_omni_moe": Family(
        "Qwen3OmniMoeCode2Wav",
        lambda: {"codes": torch.randint(60, (2, 16, 5))},
        {"decoder_dim": 64, "upsample_rates": [4, 3]},
        dynamo=True,
    ),
    "qwen4_exp": Family("Qwen4ExpTextModel", calls_modules=False, not_in_onnx="linalg_solve_triangular"),
    "recurrent_gemma": Family("RecurrentGemmaModel"),
    "seamless_m4t": Family("SeamlessM4TSpeechEncoder", mel(64, 160)),
    "seamless_m4t_v2": Family("SeamlessM4Tv2SpeechEncoder", mel(64, 160)),
    "sew": Family("SEWModel", AUDIO),
    "sew_d": Family("SEWDModel", AUDIO),
    "speech_to_text": Family("Speech2TextEncoder", mel(64, 80)),
    "speecht5": Family("SpeechT5EncoderWithSpeechPrenet", AUDIO),
    "squeezebert": Family("SqueezeBertModel", words),
    "unispeech": Family("UniSpeechModel", AUDIO),
    "unispeech_sat": Family("UniSpeechSatModel", AUDIO),
    "univnet": Family("UnivNetModel", tensors(input_features=(2, 10, 100), noise_sequence=(2, 10, 64)), dynamo=True),
    "vibevoice_acoustic_tokenizer": Family(
        "VibeVoiceAcousticTokenizerModel",
        lambda: {"input_values": torch.randn(2, 1, 6400), "sample": False},
        {"num_filters": 4, "depths": [1] * 7},
    ),
    "vibevoice_asr": Family(
        "VibeVoiceAsrConvNext1dLayer",
        tensors(hidden_states=(2, 32, 40)),
        configuration="VibeVoiceAcousticTokenizerEncoderConfig",
        arguments={"hidden_size": 32},
    ),
    "vits": Family(
        "VitsModel",
        words,
        changes={
            "posterior_encoder_num_wavenet_layers": 2,
            "prior_encoder_num_flows": 2,
            "prior_encoder_num_wavenet_layers": 2,
            "upsample_rates": [4, 2],
            "upsample_kernel_sizes": [8, 4],
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 3]],
            "duration_predictor_num_flows": 2,
            "spectrogram_bins": 33,
            "noise_scale": 0.0,  # what a file draws is not what torch draws
            "noise_scale_duration": 0.0,
        },
    ),
    "voxtral": Family("VoxtralEncoder", mel(128, 196)),
    "wav2vec2": Family("Wav2Vec2Model", AUDIO),
    "wav2vec2_bert": Family("Wav2Vec2BertModel", mel(64, 160)),
    "wav2vec2_conformer": Family("Wav2Vec2ConformerModel", AUDIO),
    "wavlm": Family("WavLMModel", AUDIO),
    "wavtokenizer": Family("WavTokenizerModel", MONO, {"num_filters": 4}, not_in_onnx="polar"),
    "whisper": Family("WhisperEncoder", mel(80, 196)),
    "xcodec": Family("XcodecModel", MONO, {"codebook_dim": 64}),
    "xcodec2": Family(
        "Xcodec2Model",
        tensors(input_values=(2, 1, 1600), input_features=(2, 5, 160)),
        {"quantization_dim": 64, "num_key_value_heads": 4},
        not_in_onnx="kernel of unknown shape",
    ),
    "zamba": Family(
        "ZambaModel",
        changes={"num_hidden_layers": 4, "layer_types": ["mamba", "hybrid"] * 2, **ZAMBA},
        calls_modules=False,
    ),
    "zamba2": Family(
        "Zamba2Model",
        changes={
            "num_hidden_layers": 4,
            "layer_types": ["mamba", "hybrid"] * 2,
            "hybrid_layer_ids": [1, 3],
            "mamba_headdim": 8,
            **ZAMBA,
        },
        calls_modules=False,
        dynamo=True,
    ),
    "zaya": Family("ZayaModel"),
    "gemma4": Family("Gemma4AudioModel", mel(64, 128), not_in_onnx="Unfold"),
    "moonshine_streaming": Family("MoonshineStreamingEncoder", AUDIO, dynamo=True),
    "muse_spark": Family(
        "MuseSparkAudioModel",
        tensors(input_values=(2, 1920)),
        {"patch_sizes": [16, 6], "hidden_sizes": [16, 32], "depths": [1, 1]},
    ),
    "voxtral_realtime": Family("VoxtralRealtimeEncoder", mel(128, 64)),
}
