"""Published architectures before and after `tapconv.convert`: outputs, gradients, who computed. A trained network on
recorded speech."""

import contextlib
import copy
import json
import os
import wave
from pathlib import Path

import pytest
import torch
from support import kernel_calls
from torch import nn

import tapconv

transformers = pytest.importorskip("transformers")
from tapconv.models.zoo import ARCHITECTURES  # noqa: E402 (needs transformers)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")]

#: Somebody says "front center", 1.4 s at 48 kHz; Debian's alsa-utils has it.
RECORDING = Path(os.environ.get("TAPCONV_RECORDING", "/usr/share/sounds/alsa/Front_Center.wav"))


def convolutions(model: nn.Module) -> int:
    return sum(isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)) for module in model.modules())


def gradients(model: nn.Module, input: torch.Tensor) -> list[torch.Tensor]:
    """Of all parameters that a loss on the output reaches."""
    loss = model(input).square().mean()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


def assert_within_rounding(ours: torch.Tensor, exact: torch.Tensor, theirs: torch.Tensor) -> None:
    """Both are held against the same model in double precision. Rounding adds up over the layers of a network, so the
    bound is in terms of what torch's own float32 makes of it: a few times that, or of the largest value's unit."""
    unit = torch.finfo(torch.float32).eps * exact.abs().max().item()
    error, torchs_error = ((tensor.double() - exact).abs().max().item() for tensor in (ours, theirs))
    assert error <= max(4 * torchs_error, 16 * unit), f"off by {error:.2e}, torch by {torchs_error:.2e}"


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name)
def test_architecture(architecture):
    theirs, input = architecture.make(small=True)
    ours, exact = copy.deepcopy(theirs), copy.deepcopy(theirs).double()
    exact_input = input.double() if input.is_floating_point() else input
    names = list(ours.state_dict())
    tapconv.convert(ours)
    entries = tapconv.report(ours).entries
    # What is computed by a function of its model, test_state_space_models.py has.
    assert all(entry.by_tapconv or "causal_conv1d_fn" in entry.remark for entry in entries)
    assert len(entries) == convolutions(ours) > 0 and list(ours.state_dict()) == names

    with torch.no_grad(), tapconv.enabled() as rerouting, kernel_calls() as calls:
        output = theirs(input)
    assert rerouting.report().converted and not rerouting.report().left_alone
    assert calls.forward >= convolutions(ours) and not calls.by_torch
    with torch.no_grad():
        assert_within_rounding(output, exact(exact_input), theirs(input))
        with kernel_calls() as calls:
            torch.testing.assert_close(ours(input), output, rtol=0, atol=0 if architecture.calls_modules else 1e-5)
    assert (calls.by_torch == 0) == architecture.calls_modules

    with contextlib.nullcontext() if architecture.calls_modules else tapconv.enabled(), kernel_calls() as calls:
        computed = gradients(ours, input)
    assert calls.backward > 0 and not calls.by_torch
    for gradient, wanted, torchs in zip(computed, gradients(exact, exact_input), gradients(theirs, input), strict=True):
        assert_within_rounding(gradient, wanted, torchs)

    tapconv.revert(ours)
    with torch.no_grad():
        assert torch.equal(ours(input), theirs(input))


def recorded_speech() -> torch.Tensor:
    """The recording at 16 kHz."""
    if not RECORDING.is_file():
        pytest.skip(
            f"no recording of speech at {RECORDING}: install alsa-utils, or set TAPCONV_RECORDING to a WAV file"
        )
    with wave.open(str(RECORDING)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48000, 1, 2)
        samples = torch.frombuffer(bytearray(file.readframes(file.getnframes())), dtype=torch.int16)
    return nn.functional.avg_pool1d(samples[None].float() / 2**15, 3)


def probabilities(model: torch.jit.ScriptModule, speech: torch.Tensor) -> torch.Tensor:
    """That somebody speaks, for every 32 ms."""
    model.reset_states()
    with torch.no_grad():
        return model.audio_forward(speech, 16000)[0]


def test_trained_network_on_recorded_speech():
    silero_vad = pytest.importorskip("silero_vad")
    speech = recorded_speech()
    model = silero_vad.load_silero_vad()
    expected = probabilities(model, speech)  # TorchScript has compiled it then
    assert expected.max() > 0.9 and expected.min() < 0.1, "the recording has speech and silence"
    assert len(tapconv.report(model).left_alone) == 12  # for 16 and for 8 kHz: a spectrogram, four layers, the last one
    tapconv.convert(model)
    assert not tapconv.report(model).left_alone
    with kernel_calls() as calls:
        torch.testing.assert_close(probabilities(model, speech), expected, rtol=1e-4, atol=1e-5)
    assert calls.forward >= 6 and not calls.by_torch
    tapconv.revert(model)
    with kernel_calls() as calls:
        assert torch.equal(probabilities(model, speech), expected)
    assert not calls.forward


def test_command(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    from tapconv.__main__ import main

    document = tmp_path / "performance.md"
    document.write_text("# Performance\n\nBefore.\n")
    arguments = ["models", "hifi", "mamba", "--small", "--threads", "1", "--repetitions", "2", "--seconds", "0.1"]
    arguments += ["--output", str(tmp_path / "out"), "--update", str(document)]
    for _ in range(2):  # the second time replaces what the first wrote
        assert main(arguments) == 0
    text = document.read_text()
    assert text.startswith("# Performance\n\nBefore.\n") and text.count("## Whole models") == 1
    for work in ("### Forward, 1 thread", "### Forward and backward, 1 thread"):
        table = text.split(f"{work}\n")[1].strip().split("\n\n")[0]
        assert len(table.splitlines()) == 4 and "SpeechT5 HiFi-GAN" in table and "Mamba" in table
    assert (tmp_path / "images" / "models.png").stat().st_size > 1000
    rows = json.loads((tmp_path / "out" / "models.json").read_text())
    assert {(row["model"], row["train"]) for row in rows} == {
        (name, train) for name in ("SpeechT5 HiFi-GAN", "Mamba") for train in (False, True)
    }
    assert all({"torch", "tapconv", "direct"} <= set(row["seconds"]) for row in rows)


def test_command_with_no_such_model(capsys):
    from tapconv.__main__ import main

    assert main(["models", "perceptron"]) == 2
    assert "SpeechT5 HiFi-GAN" in capsys.readouterr().err
