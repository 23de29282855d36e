"""`python -m tapconv`."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import tapconv
from tapconv.__main__ import main
from tapconv.reporting import info


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for expected in (tapconv.__version__, torch.__version__, tapconv.isa(), str(torch.get_num_threads())):
        assert expected in text


def test_info_on_cuda_kernels(monkeypatch):
    operators = SimpleNamespace(cuda_architectures=lambda: ["80", "90+PTX"], cuda_version=lambda: "13.0.88")
    monkeypatch.setattr(info.torch.ops, "tapconv", operators)
    assert info.cuda_kernels() == "for 80, 90+PTX, by CUDA 13.0.88"
    operators.cuda_architectures = list
    assert info.cuda_kernels() == "none (built without them)"


def test_info_on_cuda(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    architectures, version = torch.ops.tapconv.cuda_architectures(), torch.ops.tapconv.cuda_version()
    assert bool(architectures) == bool(version)
    assert ", ".join(architectures) in text and version in text
    if not torch.cuda.is_available():
        assert re.search(r"^CUDA devices +none \(", text, re.MULTILINE)


def test_info_on_cuda_devices(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert info.cuda_devices() == "none (torch sees no CUDA device)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    device = SimpleNamespace(name="NVIDIA A100", major=8, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: device)
    assert info.cuda_devices() == "NVIDIA A100 (80), NVIDIA A100 (80)"


def test_info_as_a_module():
    result = subprocess.run([sys.executable, "-m", "tapconv", "info"], capture_output=True, text=True, check=True)
    assert "instruction sets" in result.stdout


@pytest.mark.once
def test_info_with_an_impossible_instruction_set():
    environment = {**os.environ, "TAPCONV_ISA": "avx1024"}
    result = subprocess.run([sys.executable, "-m", "tapconv", "info"], capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    assert "avx1024" in result.stderr and "Traceback" not in result.stderr


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "COMMAND" in capsys.readouterr().err


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tapconv.demo.command", None)
    assert main(["demo"]) == 1
    assert "tapconv[demo]" in capsys.readouterr().err
