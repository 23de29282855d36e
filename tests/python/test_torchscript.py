"""TorchScript: scripted, traced, frozen, saved and loaded, in Python and by a C++ program."""

import os
import subprocess
import sys

import pytest
import torch
from support import cpu_only
from torch import Tensor, nn

import tapconv

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.usefixtures("device"),
]


class Model(nn.Module):
    """Every way to call tapconv from TorchScript: the module with each kind of padding, the function, the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.first = tapconv.Conv1d(3, 8, 3, padding=1)
        self.second = tapconv.Conv1d(8, 8, 3, padding=(2, 1), padding_mode="reflect", bias=False)
        self.third = tapconv.Conv1d(8, 4, 3, padding="causal", groups=2)
        self.weight = nn.Parameter(torch.randn(2, 4, 5))

    def forward(self, input: Tensor) -> Tensor:
        hidden = self.third(self.second(self.first(input).relu()))
        hidden = tapconv.conv1d(hidden, self.weight, padding=[2, 2], padding_mode="circular", algorithm="direct")
        return torch.ops.tapconv.conv1d(hidden, self.weight[:, :2], None, 2, "valid")


def scripted() -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    return torch.jit.script(Model())


def traced() -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    return torch.jit.trace(Model(), torch.randn(2, 3, 30))


@pytest.mark.parametrize("make", [scripted, traced])
def test_same_result_as_eager(make):
    torch.manual_seed(0)
    model, input = Model(), torch.randn(4, 3, 41)
    module = make()
    with torch.no_grad():
        expected = model(input)
        assert torch.equal(module(input), expected)
        assert torch.equal(torch.jit.freeze(module.eval())(input), expected)
    module(input).sum().backward()
    model(input).sum().backward()
    for ours, theirs in zip(module.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_function_compiles_to_the_operator():
    @torch.jit.script
    def function(input: Tensor, weight: Tensor) -> Tensor:
        return tapconv.conv1d(input, weight, padding="same") + tapconv.conv1d(input, weight, stride=1, padding=1)

    assert str(function.graph).count("tapconv::conv1d") == 2
    input, weight = torch.randn(2, 3, 20), torch.randn(4, 3, 3)
    torch.testing.assert_close(function(input, weight), 2 * torch.conv1d(input, weight, padding=1))


@pytest.mark.parametrize("make", [scripted, traced])
def test_saved_and_loaded_by_a_process_that_only_loads_the_library(make, tmp_path):
    module, input = make().eval(), torch.randn(2, 3, 33)
    module.save(str(tmp_path / "model.pt"))
    torch.save({"input": input, "expected": module(input).detach()}, tmp_path / "tensors.pt")
    library = tapconv._library.LIBRARY_PATH
    program = f"""
import torch
torch.ops.load_library({str(library)!r})
module = torch.jit.load({str(tmp_path / "model.pt")!r})
tensors = torch.load({str(tmp_path / "tensors.pt")!r})
assert torch.equal(module(tensors["input"]), tensors["expected"])
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


@pytest.mark.parametrize("make", [scripted, traced])
def test_saved_in_python_and_loaded_in_cpp(make, tmp_path):
    runner = os.environ.get("TAPCONV_JIT_RUNNER")
    if not runner:
        pytest.skip("TAPCONV_JIT_RUNNER does not name the C++ program that loads TorchScript files")
    module, input = make().eval(), torch.randn(2, 3, 33)
    module.save(str(tmp_path / "model.pt"))
    for name, tensor in (("input", input), ("expected", module(input).detach())):
        torch.jit.script(TensorHolder(tensor)).save(str(tmp_path / f"{name}.pt"))
    result = subprocess.run([runner, *(str(tmp_path / f"{n}.pt") for n in ("model", "input", "expected"))], text=True)
    assert result.returncode == 0


class TensorHolder(nn.Module):
    """A tensor as a TorchScript file, which torch::jit::load reads."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.register_buffer("tensor", tensor)

    def forward(self) -> Tensor:
        return self.tensor


@cpu_only
@pytest.mark.parametrize("padding", [1, "same"])
@pytest.mark.parametrize("packed", [False, True])
def test_traced_numbers_into_out(packed, padding):
    signal, weight = torch.randn(2, 4, 20), torch.randn(4, 1, 3)
    packed_weight = tapconv.pack_weight(weight, groups=4)

    def call(input):
        out, named = torch.zeros_like(input), {"padding": padding, "groups": input.shape[1]}
        if packed:
            tapconv.conv1d_packed(input, packed_weight, weight.shape, **named, out=out)
        else:
            tapconv.conv1d(input, weight, **named, out=out)
        return out + 1

    traced = torch.jit.trace(call, signal)
    for input in (signal, torch.randn(3, 4, 41)):
        expected = torch.conv1d(input, weight, padding=padding, groups=4) + 1
        torch.testing.assert_close(call(input), expected)
        torch.testing.assert_close(traced(input), expected)


@cpu_only
@pytest.mark.parametrize("padding", [2, "causal", "of the length"])
def test_traced_numbers_of_packed_calls(padding):
    signal, weight = torch.randn(2, 4, 20), torch.randn(4, 1, 3)
    packed = tapconv.pack_weight(weight, groups=4)

    def call(input):
        samples = input.shape[-1] // 10 if padding == "of the length" else padding
        return tapconv.conv1d_packed(input, packed, weight.shape, padding=samples, groups=input.shape[1])

    traced = torch.jit.trace(call, signal)
    for input in (signal, torch.randn(3, 4, 41)):
        torch.testing.assert_close(traced(input), call(input))
