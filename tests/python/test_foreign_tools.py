"""The rows of docs/tools.md: what other tools do with a converted model, and tapconv with what they made."""

import copy
import importlib
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from support import kernel_calls
from torch import nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx
from torch.fx.experimental import optimization
from torch.nn.utils import prune

import tapconv

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:.*(torch.ao|torch.jit|quant|observer|reduce_range).*"),
]

SIGNAL = torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(0))


def package(name: str):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[test]'")


def make(training: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 4, 3))
    nn.init.normal_(model[1].running_mean)
    nn.init.uniform_(model[1].running_var, 0.5, 2)
    return model.train(training)


def both() -> tuple[nn.Sequential, nn.Sequential]:
    """A model, and the same one converted."""
    return make(), tapconv.convert(make())


def computed_by(model, input=SIGNAL, backward=False) -> tuple[int, int]:
    """How many convolutions tapconv computes in a call, and how many torch."""
    with kernel_calls() as calls:
        output = model(input)
        if backward:
            output.sum().backward()
    return calls.forward, calls.by_torch


FUSERS = {
    "fuse_modules": lambda model: quantization.fuse_modules(model, [["0", "1", "2"]]),
    "fuse_fx": quantize_fx.fuse_fx,
    "torch.fx": optimization.fuse,
    "fuse_conv_bn_eval": lambda model: nn.Sequential(nn.utils.fuse_conv_bn_eval(model[0], model[1]), *model[2:]),
}


@pytest.mark.parametrize("name", FUSERS)
def test_folding_of_batch_norm(name):
    theirs, ours = map(FUSERS[name], both())
    assert list(map(type, ours.children())) == list(map(type, theirs.children()))
    assert not any(isinstance(module, nn.BatchNorm1d) for module in ours.modules())
    torch.testing.assert_close(ours(SIGNAL), theirs(SIGNAL))
    assert computed_by(ours) == (2, 0)


@pytest.mark.parametrize("optimize", [torch.jit.freeze, torch.jit.optimize_for_inference])
def test_folding_of_batch_norm_by_freezing(optimize):
    """Knows torch's operator alone: convert last."""
    frozen = optimize(torch.jit.script(make()))
    assert "batch_norm" not in str(frozen.graph)
    expected = frozen(SIGNAL)
    frozen(SIGNAL)
    assert computed_by(tapconv.convert(frozen)) == (2, 0)
    torch.testing.assert_close(frozen(SIGNAL), expected)
    scripted = torch.jit.script(tapconv.convert(make()))
    assert computed_by(optimize(scripted)) == (2, 0)


def quantized_eager(model):
    model = nn.Sequential(quantization.QuantStub(), *model, quantization.DeQuantStub()).eval()
    model = quantization.fuse_modules(model, [["1", "2", "3"]])
    model.qconfig = quantization.get_default_qconfig("fbgemm")
    model = quantization.prepare(model)
    model(SIGNAL)
    return quantization.convert(model)


def quantized_fx(model):
    model = quantize_fx.prepare_fx(model, quantization.get_default_qconfig_mapping("fbgemm"), (SIGNAL,))
    model(SIGNAL)
    return quantize_fx.convert_fx(model)


@pytest.mark.parametrize("quantize", [quantized_eager, quantized_fx])
def test_static_quantisation(quantize):
    theirs, ours = map(quantize, both())
    kinds = list(map(type, ours.children()))
    assert kinds == list(map(type, theirs.children())) and nn.Conv1d not in kinds
    # One step of the eight bits: what the observers saw differs by rounding.
    torch.testing.assert_close(ours(SIGNAL), theirs(SIGNAL), rtol=0, atol=0.05)
    assert computed_by(ours)[0] == 0


@pytest.mark.parametrize("way", ["eager", "fx"])
def test_quantisation_aware_training(way):
    """Puts new modules in place of convolutions: convert again."""
    model = tapconv.convert(make(training=True))
    if way == "eager":
        model = nn.Sequential(quantization.QuantStub(), *model, quantization.DeQuantStub()).train()
        model = quantization.fuse_modules_qat(model, [["1", "2", "3"]])
        model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
        prepared = quantization.prepare_qat(model)
    else:
        mapping = quantization.get_default_qat_qconfig_mapping("fbgemm")
        prepared = quantize_fx.prepare_qat_fx(model, mapping, (SIGNAL,))
    expected = copy.deepcopy(prepared)(SIGNAL)
    assert not tapconv.report(tapconv.convert(prepared)).left_alone
    torch.testing.assert_close(copy.deepcopy(prepared)(SIGNAL), expected, rtol=0, atol=0.05)
    assert computed_by(prepared, backward=True) == (2, 0)
    quantized = (quantization.convert if way == "eager" else quantize_fx.convert_fx)(prepared.eval())
    assert not any(isinstance(module, nn.Conv1d) for module in quantized.modules())
    assert quantized(SIGNAL).shape == (2, 4, 38)


FUNCTIONS_BY_FX = """
import torch
import tapconv

tapconv.enable()
import torch.nn.functional as F
from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4, 4, 3))

    def forward(self, input):
        hidden = F.relu(F.conv1d(input, self.weight, None, [1], [1], [1], 1))
        return F.conv_transpose1d(hidden, self.weight, None, [1], [0], [0], 1, [1])


signal = torch.randn(2, 4, 20)
model = quantize_fx.prepare_fx(Model().eval(), get_default_qconfig_mapping("fbgemm"), (signal,))
model(signal)
code = quantize_fx.convert_fx(model).code
assert "quantized.conv1d_relu" in code and "quantized.conv_transpose1d" in code, code
"""


def test_quantisation_of_functions_that_are_rerouted():
    """The quantiser's tables are made after tapconv.enable()."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FUNCTIONS_BY_FX], check=True)


@pytest.mark.slow
def test_quantisation_by_export():
    """Knows torch's operators alone: export what is not converted."""
    package("torchao")
    pt2e = importlib.import_module("torchao.quantization.pt2e.quantize_pt2e")
    x86 = importlib.import_module("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")

    def prepared(model):
        quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
        return pt2e.prepare_pt2e(torch.export.export(model, (SIGNAL,)).module(), quantizer)

    # What is observed becomes quantised, which takes seconds for each model.
    theirs, ours = both()
    expected = prepared(theirs)
    assert "activation_post_process" in expected.code and "activation_post_process" not in prepared(ours).code
    assert prepared(tapconv.revert(ours)).code == expected.code
    expected(SIGNAL)
    assert "quantized_decomposed" in pt2e.convert_pt2e(expected).code


def test_initialisers_by_class():
    model = tapconv.convert(nn.Sequential(nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 4, 3)))

    def initialise(module):
        if type(module) is nn.Conv1d or type(module) is nn.ConvTranspose1d:
            nn.init.ones_(module.weight)

    assert all((module.weight == 1).all() for module in model.apply(initialise))


NORMS = [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm]
NORMS += [nn.utils.parametrizations.orthogonal]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("order", ["before", "after"])
def test_norms(norm, order):
    module = nn.Conv1d(4, 6, 3)
    module = norm(tapconv.convert(module)) if order == "before" else tapconv.convert(norm(module))
    assert computed_by(module, backward=True) == (1, 0)


def test_pruning():
    module = tapconv.convert(nn.Conv1d(4, 6, 3))
    prune.l1_unstructured(module, "weight", 0.5)
    expected = torch.conv1d(SIGNAL, module.weight, module.bias)
    torch.testing.assert_close(module(SIGNAL), expected)
    prune.remove(module, "weight")
    torch.testing.assert_close(module(SIGNAL), expected)
    assert computed_by(module, backward=True) == (1, 0)


def test_moving_averages():
    model = tapconv.convert(make())
    average = torch.optim.swa_utils.AveragedModel(model)
    with torch.no_grad():
        model[0].weight += 1
    average.update_parameters(model)
    assert computed_by(average) == (2, 0) and len(tapconv.report(average).converted) == 2


@pytest.fixture
def process_group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.ConvTranspose1d])
def test_fully_shard(kind, order, process_group):
    """Has a class of its own for each class: converting and reverting leave it alone."""
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = dist.device_mesh.init_device_mesh("cpu", (1,))
    module = kind(4, 6, 3)
    expected = module(SIGNAL).detach()
    if order == "before":
        fully_shard(tapconv.convert(module), mesh=mesh)
    else:
        tapconv.convert(fully_shard(module, mesh=mesh))
    cls = type(module)
    assert issubclass(cls, FSDPModule)
    torch.testing.assert_close(module(SIGNAL), expected)
    assert computed_by(module, backward=True) == (1, 0)
    tapconv.revert(module)
    assert type(module) is cls
    torch.testing.assert_close(module(SIGNAL), expected, rtol=0, atol=0)
    assert computed_by(module)[0] == 0


@pytest.mark.parametrize("order", ["before", "after"])
def test_data_parallel(order, process_group):
    model = make()
    if order == "before":
        tapconv.convert(model)
    parallel = nn.parallel.DistributedDataParallel(model)
    assert computed_by(tapconv.convert(parallel), backward=True) == (2, 0)


@pytest.fixture
def two_ranks():
    from torch.testing._internal.distributed.fake_pg import FakeStore  # nothing is sent, which takes one process

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield dist.device_mesh.init_device_mesh("cpu", (2,))
    dist.destroy_process_group()


@pytest.mark.parametrize("name", ["conv1d", "conv_transpose1d"])
def test_distributed_tensors(name, two_ranks):
    """Are refused in one sentence, whose advice works."""
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_module, distribute_tensor

    input = distribute_tensor(torch.randn(4, 6, 20), two_ranks, [Shard(0)])
    weight = distribute_tensor(torch.randn(6, 6, 3), two_ranks, [Replicate()])
    module = nn.Conv1d(6, 6, 3) if name == "conv1d" else nn.ConvTranspose1d(6, 6, 3)
    distribute_module(tapconv.convert(module), two_ranks)
    for call in (lambda: getattr(tapconv, name)(input, weight), lambda: module(input)):
        with pytest.raises(NotImplementedError, match=f"tapconv.{name} has no rule for .*DTensor.*call torch.{name}"):
            call()
    tapconv.revert(module)
    with tapconv.enabled():
        for output in (getattr(torch, name)(input, weight), module(input)):
            assert isinstance(output, DTensor)


def gradients_of_samples(wrapped, model):
    wrapped(SIGNAL).square().sum().backward()
    return [parameter.grad_sample for parameter in model.parameters()]


OPACUS = {
    "hooks": lambda opacus, model: opacus.GradSampleModule(model),
    "functorch": lambda opacus, model: opacus.GradSampleModule(model, force_functorch=True),
    "expanded weights": lambda opacus, model: opacus.GradSampleModuleExpandedWeights(model),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", OPACUS)
@pytest.mark.parametrize("order", ["before", "after"])
def test_opacus(order, mode):
    package("opacus")
    opacus = importlib.import_module("opacus.grad_sample")
    theirs, ours = (nn.Sequential(*list(make(training=True).children())[::3]) for _ in range(2))
    expected = gradients_of_samples(OPACUS[mode](opacus, theirs), theirs)
    wrapped = OPACUS[mode](opacus, tapconv.convert(ours) if order == "before" else ours)
    tapconv.convert(wrapped)
    with kernel_calls() as calls:
        torch.testing.assert_close(gradients_of_samples(wrapped, ours), expected, rtol=1e-4, atol=1e-4)
    assert calls.forward > 0 or mode == "expanded weights"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", ["before", "after"])
def test_peft(order):
    peft = package("peft")
    ours = tapconv.convert(make()) if order == "before" else make()
    wrapped = peft.get_peft_model(ours, peft.LoraConfig(target_modules=["0", "3"], r=2, init_lora_weights=False)).eval()
    expected = wrapped(SIGNAL)
    assert computed_by(tapconv.convert(wrapped)) == (6, 0)  # each with two of its adapter
    torch.testing.assert_close(wrapped(SIGNAL), expected)
    merged = wrapped.merge_and_unload()
    torch.testing.assert_close(merged(SIGNAL), expected)
    assert computed_by(merged) == (2, 0)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["before", "after"])
def test_accelerate(order):
    package("accelerate")
    hooks = importlib.import_module("accelerate.hooks")
    model = nn.Sequential(nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(6, 4, 3))
    expected = model(SIGNAL)
    if order == "before":
        tapconv.convert(model)
    for module in model:
        hooks.add_hook_to_module(module, hooks.ModelHook())
    tapconv.convert(model)
    left_alone = tapconv.report(model).left_alone
    assert [entry.remark for entry in left_alone] == (["its forward was replaced on the object"] * (order == "after"))
    torch.testing.assert_close(model(SIGNAL), expected)
    assert computed_by(model)[0] == 2 - len(left_alone)


@pytest.mark.slow
def test_thop():
    thop = package("thop")
    theirs, ours = (thop.profile(model, (SIGNAL,), verbose=False) for model in both())
    assert ours == theirs and ours[0] > 1000


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pytorch", "aten"])
def test_ptflops(backend):
    """Knows torch's operators alone in its second way: count what is not converted."""
    ptflops = package("ptflops")

    def count(model):
        arguments = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
        return ptflops.get_model_complexity_info(model, (4, 40), backend=backend, **arguments)

    theirs, ours = both()
    if backend == "aten":
        assert count(ours) != count(theirs)
        tapconv.revert(ours)
    assert count(ours) == count(theirs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_fvcore():
    """Knows torch's operators alone: count what is not converted."""
    package("fvcore")
    FlopCountAnalysis = importlib.import_module("fvcore.nn").FlopCountAnalysis
    theirs, ours = both()
    analysis = FlopCountAnalysis(ours, SIGNAL)
    analysis.total()
    assert analysis.unsupported_ops()["tapconv::conv1d"] == 2
    assert FlopCountAnalysis(tapconv.revert(ours), SIGNAL).total() == FlopCountAnalysis(theirs, SIGNAL).total()
