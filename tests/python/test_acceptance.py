"""PyTorch's own tests of conv1d, which ship in the torch wheel: OpInfo, ModuleInfo and the cases of common_nn."""

import itertools

import pytest
import torch
from support import cpu_only, on_device

import tapconv

pytest.importorskip("expecttest", reason="torch.testing._internal needs the expecttest package")
from torch.testing._internal import common_modules, common_nn
from torch.testing._internal.common_methods_invocations import op_db

pytestmark = pytest.mark.usefixtures("device")

OP_INFO = next(info for info in op_db if info.name == "nn.functional.conv1d")
MODULE_INFO = next(info for info in common_modules.module_db if info.module_cls is torch.nn.Conv1d)
DTYPES = sorted(OP_INFO.supported_dtypes("cpu"), key=str)
NEW_MODULE_CASES = [
    case
    for case in common_nn.get_new_module_tests()
    if case.get("module_name") == "Conv1d" or case.get("fullname", "").startswith("Conv1d_")
]


@cpu_only
def test_there_is_something_to_accept():
    assert len(DTYPES) >= 7
    assert len(NEW_MODULE_CASES) >= 17


@pytest.mark.parametrize("variant", ["contiguous", "noncontiguous"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_op_info(dtype, variant, device):
    if dtype not in OP_INFO.supported_dtypes(device):
        pytest.skip(f"torch has no convolution of {dtype} on this device")
    requires_grad = dtype.is_floating_point or dtype.is_complex
    for sample in OP_INFO.sample_inputs(device, dtype, requires_grad=requires_grad):
        if variant == "noncontiguous":
            sample = sample.noncontiguous()
        # torch's own float16 is several units off, so that 16-bit types are held against its float64.
        reference = sample.transform(_widened) if dtype.itemsize == 2 else sample
        results = []
        for function, case in ((tapconv.conv1d, sample), (OP_INFO.op, reference)):
            output = function(case.input, *case.args, **case.kwargs)
            leaves = [tensor for tensor in (case.input, *case.args) if tensor is not None]
            grads = torch.autograd.grad(output, leaves, torch.ones_like(output)) if requires_grad else ()
            results.append((output, *grads))
        for ours, theirs in zip(*results, strict=True):
            assert ours.dtype == dtype
            torch.testing.assert_close(ours, theirs.to(dtype))


def _widened(argument):
    if not isinstance(argument, torch.Tensor):
        return argument
    return argument.detach().double().requires_grad_(argument.requires_grad)


@pytest.mark.parametrize("error_input", list(OP_INFO.error_inputs("cpu")), ids=lambda error: error.error_regex)
def test_op_info_errors(error_input):
    sample = error_input.sample_input
    with pytest.raises(error_input.error_type, match=error_input.error_regex):
        tapconv.conv1d(*on_device((sample.input, *sample.args)), **sample.kwargs)


@pytest.mark.parametrize(("dtype", "training"), list(itertools.product([torch.float32, torch.float64], [False, True])))
def test_module_info(dtype, training, device):
    inputs = MODULE_INFO.module_inputs_func(MODULE_INFO, device, dtype, requires_grad=True, training=training)
    assert inputs
    for case in inputs:
        constructor, forward = case.constructor_input, case.forward_input
        ours = tapconv.Conv1d(*constructor.args, **constructor.kwargs).to(dtype).train(training)
        theirs = torch.nn.Conv1d(*constructor.args, **constructor.kwargs).to(dtype).train(training)
        theirs.load_state_dict(ours.state_dict())
        output = ours(*forward.args, **forward.kwargs)
        torch.testing.assert_close(output, theirs(*forward.args, **forward.kwargs))
        if case.reference_fn is not None:
            reference = case.reference_fn(ours, *forward.args, **forward.kwargs)
            torch.testing.assert_close(output, reference)


@pytest.mark.parametrize("case", NEW_MODULE_CASES, ids=lambda case: case.get("fullname") or case.get("desc") or "plain")
def test_common_nn(case, monkeypatch):
    def build():
        torch.manual_seed(0)
        if "constructor" in case:
            return case["constructor"]()
        return torch.nn.Conv1d(*case["constructor_args"])

    theirs = build()
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn, "Conv1d", tapconv.Conv1d)
        ours = build()
    assert type(ours) is tapconv.Conv1d
    input = case["input_fn"]() if "input_fn" in case else torch.randn(case["input_size"])
    output = ours(input)
    torch.testing.assert_close(output, theirs(input))
    grad_output = torch.randn_like(output)
    ours_grads = torch.autograd.grad(output, list(ours.parameters()), grad_output)
    theirs_grads = torch.autograd.grad(theirs(input), list(theirs.parameters()), grad_output)
    for mine, torchs in zip(ours_grads, theirs_grads, strict=True):
        torch.testing.assert_close(mine, torchs)
