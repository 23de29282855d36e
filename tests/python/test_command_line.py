"""`python -m tapconv`."""

import os
import subprocess
import sys

import pytest
import torch

import tapconv
from tapconv.__main__ import main


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for expected in (tapconv.__version__, torch.__version__, tapconv.isa(), str(torch.get_num_threads())):
        assert expected in text


def test_info_as_a_module():
    result = subprocess.run([sys.executable, "-m", "tapconv", "info"], capture_output=True, text=True, check=True)
    assert "instruction sets" in result.stdout


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
