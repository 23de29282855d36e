"""A pytest plugin for the test file of the package causal-conv1d, as its source distribution has it: tensors that it
makes on a GPU are made on the CPU, where `tapconv.causal_conv1d.install` has taken over.

    TAPCONV_TEST_ONE_IN=60 python -m pytest -p causal_conv1d_package test_causal_conv1d.py

in a folder with the unpacked distribution on the path. What the package needs of a GPU to be imported is stood in for.
"""

import os
import sys
from types import ModuleType

import torch

import tapconv


def _stand_in(name: str, **attributes: object) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module
    return module


def _rearrange(x: torch.Tensor, pattern: str) -> torch.Tensor:
    if pattern != "b s d -> b d s":
        raise NotImplementedError(pattern)
    return x.transpose(1, 2)


def pytest_configure() -> None:
    _stand_in("causal_conv1d_cuda")
    language = _stand_in("triton.language", constexpr=int)
    _stand_in("triton", jit=lambda function: function, language=language)
    _stand_in("einops", rearrange=_rearrange)
    torch.cuda.synchronize = lambda *_: None
    tapconv.causal_conv1d.install()


def pytest_collection_modifyitems(items: list) -> None:
    one_in = int(os.environ.get("TAPCONV_TEST_ONE_IN", "1"))
    # Neighbours differ in one argument; so many apart, every argument takes turns.
    items[:] = [item for i, item in enumerate(items) if i * 7919 % one_in == 0]
