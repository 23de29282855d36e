"""What all Python tests share: markers, a fixed seed, and caches kept out of the way."""

import os

# The compiler's cache knows nothing of a library's schemas: stale code would pass for fresh.
os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")

import pytest
import torch


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes many seconds (compilers, long loops); deselect with -m 'not slow'")
    config.addinivalue_line("markers", "serial: about threads, memory or time; runs while no other test does")


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def threads():
    """Sets torch's number of threads, and puts it back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
