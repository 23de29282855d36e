"""Every model family of `transformers` that has a 1-D convolution, before and after `tapconv.convert`: outputs and
gradients; with packed weights; from a file; exported to ONNX and run by ONNX Runtime."""

import contextlib
import copy
import io
import re

import pytest
import torch
from support import kernel_calls
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

import tapconv

transformers = pytest.importorskip("transformers")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
from model_families import FAMILIES, VERSION, families_with_convolutions  # noqa: E402 (needs transformers)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore"),  # of the models and the exporters
]


@pytest.mark.skipif(not transformers.__version__.startswith(VERSION), reason=f"the table is of transformers {VERSION}")
def test_no_family_is_missing():
    assert set(families_with_convolutions()) == set(FAMILIES)


def floats(output: object) -> list[Tensor]:
    """The tensors of floating point in what a model returns."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else []
    return [tensor for part in parts for tensor in floats(part)]


class Positional(nn.Module):
    """The model with its tensors as positional arguments and results, as exporters want it."""

    def __init__(self, model: nn.Module, inputs: dict) -> None:
        super().__init__()
        self.model = model
        self.names = [name for name, value in inputs.items() if isinstance(value, Tensor)]
        self.others = {name: value for name, value in inputs.items() if not isinstance(value, Tensor)}

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(floats(self.model(**dict(zip(self.names, tensors, strict=True)), **self.others)))


def run(model: nn.Module, inputs: dict) -> list[Tensor]:
    torch.manual_seed(0)  # some draw noise
    return floats(model(**inputs))


def gradients(model: nn.Module, outputs: list[Tensor]) -> list[Tensor]:
    """Of a sum of the outputs with random weights, by all parameters that it depends on."""
    torch.manual_seed(1)
    loss = sum((output * torch.randn_like(output)).sum() for output in outputs if output.requires_grad)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [gradient for gradient in torch.autograd.grad(loss, parameters, allow_unused=True) if gradient is not None]


def assert_alike(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    """Relative to the largest number of all: layers above a norm have gradients that are nothing but rounding."""
    scale = max(tensor.abs().max().item() for tensor in theirs)
    for our_tensor, their_tensor in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our_tensor, their_tensor, rtol=tolerance, atol=tolerance * scale)


def pack(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv1d) and "weight" in module._parameters and not is_parametrized(module):
            module.pack()


def reloaded(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def by_onnx_runtime(path: str, model: nn.Module, inputs: dict, dynamo: bool) -> list[Tensor]:
    wrapped = Positional(model, inputs)
    tensors = tuple(inputs[name] for name in wrapped.names)
    torch.manual_seed(0)
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(wrapped, tensors, path, dynamo=dynamo, input_names=wrapped.names)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = {input.name for input in session.get_inputs()}
    return [torch.from_numpy(o) for o in session.run(None, {n: inputs[n].numpy() for n in wrapped.names if n in taken})]


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name, tmp_path, threads):
    threads(1)
    family = FAMILIES[name]
    if family.needs:
        pytest.importorskip(family.needs)
    theirs, inputs = family.make(name)
    ours = tapconv.convert(copy.deepcopy(theirs))
    # What is computed by a function of its model, test_state_space_models.py has.
    left_alone = [entry for entry in tapconv.report(ours).left_alone if "causal_conv1d_fn" not in entry.remark]
    assert tapconv.report(ours).entries and not left_alone

    # Some take nothing but a module's weight, for a call of torch.conv1d.
    rerouting = contextlib.nullcontext if family.calls_modules else tapconv.enabled
    their_outputs = run(theirs, inputs)
    with rerouting(), kernel_calls() as calls:
        outputs = run(ours, inputs)
    assert calls.forward > 0
    assert_alike(outputs, their_outputs, 1e-4)
    assert_alike(gradients(ours, outputs), gradients(theirs, their_outputs), 1e-3)

    with torch.no_grad(), rerouting():
        if family.pickles and not any(is_parametrized(module) for module in ours.modules()):  # which torch refuses
            assert_alike(run(reloaded(ours), inputs), run(ours, inputs), 0)
        pack(ours)
        assert_alike(run(ours, inputs), their_outputs, 1e-4)
        if family.not_in_onnx is None:
            computed = by_onnx_runtime(str(tmp_path / "ours.onnx"), ours, inputs, family.dynamo)
            assert_alike(computed, their_outputs, 1e-3)
            return
    errors = []
    for model, context in ((theirs, contextlib.nullcontext), (ours, rerouting)):
        with pytest.raises(Exception) as error, context():
            by_onnx_runtime(str(tmp_path / "model.onnx"), model, inputs, family.dynamo)
        errors.append(error.value.__cause__ or error.value)
    assert type(errors[0]) is type(errors[1])
    assert all(re.search(family.not_in_onnx, str(error)) for error in errors)
