"""Finding and loading the library, and what is said when that fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tapconv
from tapconv import _library

pytestmark = pytest.mark.once


def test_a_missing_library_is_explained(tmp_path):
    with pytest.raises(ImportError, match=re.escape(str(tmp_path))) as raised:
        _library.load(tmp_path / "libtapconv.so")
    assert "pip install --no-build-isolation" in str(raised.value)


def test_another_torch_is_explained(monkeypatch, tmp_path):
    info = tmp_path / "build_info.json"
    info.write_text(json.dumps({"torch_version": "1.2.3", "version": "0.0.0"}))
    monkeypatch.setattr(_library, "BUILD_INFO_PATH", info)
    with pytest.raises(ImportError, match=r"built for torch 1\.2\.3 and needs torch 1\.2\.x") as raised:
        _library.load()
    assert torch.__version__ in str(raised.value)
    assert "pip install --no-build-isolation" in str(raised.value)


def test_a_broken_library_is_explained(tmp_path):
    library = tmp_path / "libtapconv.so"
    library.write_bytes(b"\x7fELF but no more")
    with pytest.raises(ImportError, match="could not be loaded"):
        _library.load(library)


@pytest.mark.parametrize(
    ("version", "minor"), [("2.13.0+cpu", "2.13"), ("2.11.1", "2.11"), ("2.14.0a0+git1234", "2.14")]
)
def test_minor_version(version, minor):
    assert _library.minor_version(version) == minor


def test_loading_nothing_but_the_library():
    """A bare load_library gives the complete operator: results, shapes without data, and derivatives."""
    program = f"""
import torch
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
torch.ops.load_library({str(_library.LIBRARY_PATH)!r})
x, w = torch.randint(-4, 5, (2, 3, 20)).float(), torch.randint(-4, 5, (4, 3, 5)).float().requires_grad_()
y = torch.ops.tapconv.conv1d(x, w, None, 1, 2)
assert torch.equal(y, torch.conv1d(x, w, None, 1, 2))
assert torch.ops.tapconv.conv1d(x.to("meta"), w.to("meta"), None, 1, "causal").shape == (2, 4, 20)
assert torch.equal(*(torch.autograd.grad(f.square().sum(), w)[0] for f in (y, torch.conv1d(x, w, None, 1, 2))))
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_versions_agree():
    assert re.fullmatch(r"\d+\.\d+\.\d+", tapconv.__version__)
    recorded = _library.build_info().get("version")
    assert recorded in (None, tapconv.__version__)


def test_cmake_prefix_path_holds_the_package():
    folder = Path(tapconv.cmake_prefix_path)
    if not folder.is_dir():
        pytest.skip("only the library was installed")
    assert list(folder.rglob("tapconvConfig.cmake"))
