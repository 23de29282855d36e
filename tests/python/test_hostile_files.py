"""A file that was cut, stretched or changed raises an error or gives a model; it never ends the process."""

import io
import random
import subprocess
import sys
import textwrap

import pytest
import torch

import tapconv


def mutations(original: bytes, count: int, seed: int):
    """Cut short, stretched, bits turned over, stretches overwritten, swapped or zeroed."""
    generator = random.Random(seed)
    for _ in range(count):
        data = bytearray(original)
        kind = generator.randrange(6)
        place = generator.randrange(len(data))
        end = min(len(data), place + generator.choice([1, 2, 4, 8, 64, 1024]))
        if kind == 0:
            del data[place:]
        elif kind == 1:
            data[place:place] = generator.randbytes(generator.choice([1, 4, 100]))
        elif kind == 2:
            for _ in range(generator.choice([1, 8, 100])):
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        elif kind == 3:
            data[place:end] = generator.randbytes(end - place)
        elif kind == 4:
            data[place:end] = bytes(end - place)
        else:
            del data[place:end]
        yield bytes(data)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            tapconv.Conv1d(2, 4, 3, padding="causal"),
            tapconv.Conv1d(4, 4, 5, groups=4, dilation=2, padding=4, padding_mode="reflect"),
        )

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.layers(input)


# Loads the mutations of a file one after the other in one process, which must live to the end. Archives say how large
# their tensors are, and may be made to lie: memory is limited, so that they cannot take all of it.
LOADER = """
import io, os, pickle, resource, struct, sys, warnings
warnings.simplefilter("ignore")
import torch, tapconv
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
torch.set_num_threads(1)
data = sys.stdin.buffer.read()
loaded = failed = 0
at = 0
while at < len(data):
    (size,) = struct.unpack_from("<q", data, at)
    file = io.BytesIO(data[at + 8 : at + 8 + size])
    at += 8 + size
    try:
        {use}
        loaded += 1
    except Exception:
        failed += 1
print(loaded, failed)
"""


def load_all(files, use: str) -> tuple[int, int]:
    framed = b"".join(len(file).to_bytes(8, "little") + file for file in files)
    program = LOADER.replace("{use}", textwrap.indent(textwrap.dedent(use), " " * 8).strip())
    done = subprocess.run([sys.executable, "-c", program], input=framed, capture_output=True, timeout=600)
    assert done.returncode == 0, f"the process ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
    loaded, failed = map(int, done.stdout.split())
    return loaded, failed


@pytest.mark.slow
def test_scripted_models():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Model()), buffer)
    use = "torch.jit.load(file)(torch.ones(1, 2, 20))"
    assert load_all([buffer.getvalue()], use) == (1, 0)
    loaded, failed = load_all(mutations(buffer.getvalue(), 300, 1), use)
    assert loaded + failed == 300
    assert failed > 100


@pytest.mark.slow
def test_state_dicts():
    buffer = io.BytesIO()
    torch.save(Model().state_dict(), buffer)
    use = """
    module = torch.nn.Sequential(tapconv.Conv1d(2, 4, 3, padding="causal"))
    state = torch.load(file, weights_only=True)
    module.load_state_dict({name.replace("layers.0", "0"): t for name, t in state.items() if "layers.0" in name})
    module(torch.ones(1, 2, 20))
    """
    assert load_all([buffer.getvalue()], use) == (1, 0)
    loaded, failed = load_all(mutations(buffer.getvalue(), 300, 2), use)
    assert loaded + failed == 300
    assert failed > 100


RESIZED = {
    "no taps": lambda t: t[:, :, :0],
    "fewer channels": lambda t: t[:, :1],
    "more channels": lambda t: torch.cat([t, t], 1),
    "two dimensions": lambda t: t[0],
    "four dimensions": lambda t: t[None],
    "one number": lambda t: t[0, 0, 0],
    "integers": lambda t: t.long(),
    "double precision": lambda t: t.double(),
}


@pytest.mark.parametrize("name", RESIZED)
def test_weights_of_another_shape_in_a_scripted_model(name):
    """load_state_dict would refuse them; an archive's own attribute is only seen by the operator."""
    model = tapconv.Conv1d(4, 4, 5)
    model.weight = torch.nn.Parameter(RESIZED[name](model.weight.detach()), requires_grad=False)
    with pytest.raises(RuntimeError):
        model(torch.ones(1, 4, 20))
