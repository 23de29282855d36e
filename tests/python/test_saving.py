"""Whole converted models in files: what torch.load and torch.package do with torch's modules, they do with converted
ones, or say what to do."""

import io

import pytest
import torch
from torch import nn
from torch.package import PackageExporter, PackageImporter

import tapconv

INPUT = torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0))
CLASSES = [nn.Sequential, nn.Conv1d, nn.ReLU, nn.ConvTranspose1d]


def model():
    return nn.Sequential(nn.Conv1d(4, 6, 5, padding="same"), nn.ReLU(), nn.ConvTranspose1d(6, 2, 4, stride=2)).eval()


def file_of(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", [torch.nn, tapconv])
def test_loading_with_weights_only(kind):
    """It asks for the classes to be allowed, and for nothing else."""
    saved = tapconv.convert(model()) if kind is torch.nn else nn.Sequential(tapconv.Conv1d(4, 6, 5), nn.ReLU()).eval()
    with pytest.raises(Exception, match="add_safe_globals"):
        torch.load(file_of(saved))
    with torch.serialization.safe_globals([*CLASSES, tapconv.Conv1d]):
        loaded = torch.load(file_of(saved))
    assert len(tapconv.report(loaded).converted) == len(tapconv.report(saved).converted) > 0
    assert torch.equal(loaded(INPUT), saved(INPUT))


def exported(saved, **patterns):
    file = io.BytesIO()
    with PackageExporter(file) as exporter:
        for action, modules in patterns.items():
            getattr(exporter, action)(modules)
        exporter.save_pickle("model", "model.pkl", saved)
    file.seek(0)
    return PackageImporter(file)


@pytest.mark.parametrize("pack", [False, True])
def test_package(pack):
    saved = tapconv.convert(model())
    if pack:
        saved[0].pack()
    loaded = exported(saved, extern="tapconv.**").load_pickle("model", "model.pkl")
    assert len(tapconv.report(loaded).converted) == 2
    with torch.no_grad():
        assert torch.equal(loaded(INPUT), saved(INPUT))


def test_packages_that_lack_the_library():
    saved = tapconv.convert(model())
    with pytest.raises(torch.package.PackagingError, match=r"Extern, mock, or intern it.\s+tapconv"):
        exported(saved)
    with pytest.raises(ImportError, match=r"extern\('tapconv\.\*\*'\)"):
        exported(saved, intern="**").load_pickle("model", "model.pkl")
