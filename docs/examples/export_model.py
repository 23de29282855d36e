"""Writes a model in the two forms that C++ programs run without its Python source: TorchScript and AOTInductor.

    python export_model.py FOLDER     # writes model.pt and model.pt2; a C++ compiler is needed for the second

`run_torchscript.cpp` and `run_aot_inductor.cpp` run them.
"""

import sys
from pathlib import Path

import torch
from torch import nn

import tapconv


def main(folder: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 9, padding=4),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5, padding=4, dilation=2),
        nn.ReLU(),
        nn.ConvTranspose1d(16, 1, 4, stride=2),
    ).eval()
    tapconv.convert(model)
    signal = torch.linspace(-1, 1, 1000).view(1, 1, 1000)  # batch, channels, samples

    torch.jit.script(model).save(folder / "model.pt")

    length = torch.export.Dim("length", min=16, max=100_000)  # any length in this range will do
    program = torch.export.export(model, (signal,), dynamic_shapes=({2: length},))
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "model.pt2"))

    with torch.inference_mode():
        output = model(signal)
    print(f"shape {list(output.shape)}, mean {output.mean().item():.6g}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
