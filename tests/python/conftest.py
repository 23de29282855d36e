"""What all Python tests share: markers, a fixed seed, and caches kept out of the way."""

import os

# The compiler's cache knows nothing of a library's schemas: stale code would pass for fresh.
os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")

import pytest
import torch

import tapconv  # noqa: F401 (loads the operators)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes many seconds (compilers, long loops); deselect with -m 'not slow'")
    config.addinivalue_line("markers", "once: the same under every TAPCONV_ISA, which it sets or ignores")
    config.addinivalue_line("markers", "serial: about threads, memory or time; runs while no other test does")


WHAT_CUDA_LACKS = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.skipif(not torch.ops.tapconv.cuda_architectures(), reason="tapconv was built without CUDA kernels"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=WHAT_CUDA_LACKS)]


@pytest.fixture(params=DEVICES)
def device(request):
    """Runs a test on each kind of device there is: tensors that name no other are made there. On CUDA, float32 is not
    rounded to TF32, which torch otherwise allows convolutions, so that the bounds of the CPU hold, and torch's own
    results are the same every time."""
    if request.param == "cpu":
        yield request.param
        return
    # Not by assignment, which torch.testing._internal forbids for the rest of the process.
    settings = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with settings, torch.device(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def threads():
    """Sets torch's number of threads, and puts it back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
