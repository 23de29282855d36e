"""Loads one file after the other and counts what became of each: python hostile_loader.py state_dicts|scripted <files

The files come on standard input, each after its size in eight bytes. Counts go to standard output as JSON.
"""

import collections
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Callable, Iterator

import torch

import tapconv


def framed(files: list[bytes]) -> bytes:
    return b"".join(len(file).to_bytes(8, "little") + file for file in files)


def unframed(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 8], "little")
        yield data[at + 8 : end]
        at = end


def outcome(use: Callable[[], None]) -> str:
    try:
        use()
    except Exception:
        return "failed"
    return "worked"


def use_state_dict(file: bytes) -> str:
    """Runs in this process, so that memory which a file spoils is still in use when the next ones are read."""

    def use() -> None:
        module = torch.nn.Sequential(tapconv.Conv1d(2, 4, 3, padding="causal"))
        state = torch.load(io.BytesIO(file), weights_only=True)
        module.load_state_dict({name.replace("layers.0", "0"): t for name, t in state.items() if "layers.0" in name})
        module(torch.ones(1, 2, 20))

    return outcome(use)


OUTCOMES = ["worked", "failed"]  # a child's exit status is one of the indices


def use_scripted_model(file: bytes) -> str:
    """Runs in a child of this process, which tells by a pipe that torch has read the archive.

    Torch's reader has a fault of its own: it can end the process, where what it throws while it words an error reaches
    std::terminate. It also believes an archive which says that a record has no bytes, so that a tensor has elements and
    no memory; tapconv raises an error for such tensors.
    """
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:

        def use() -> None:
            model = torch.jit.load(io.BytesIO(file))
            os.write(writing_end, b"read")
            model(torch.ones(1, 2, 20))

        os._exit(OUTCOMES.index(outcome(use)))
    os.close(writing_end)
    with open(reading_end, "rb") as pipe:
        was_read = pipe.read() == b"read"
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if 0 <= code < len(OUTCOMES):
        return OUTCOMES[code]
    return "died while running" if was_read else "died while reading"


USES = {"state_dicts": use_state_dict, "scripted": use_scripted_model}


def main() -> None:
    warnings.simplefilter("ignore")
    # Archives say how large their tensors are, and may be made to lie: they cannot take all memory.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)
    use = USES[sys.argv[1]]
    print(json.dumps(collections.Counter(use(file) for file in unframed(sys.stdin.buffer.read()))))


if __name__ == "__main__":
    main()
