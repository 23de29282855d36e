"""Whatever PyTorch does with a convolution, tapconv's kernels compute it: the profiler sees none of torch's own on
any path, forward or backward, and the result is torch's."""

import contextlib
import io
import itertools
import shutil

import pytest
import torch
from support import cpu_only, kernel_calls, on_device
from torch import nn
from torch.autograd import forward_ad
from torch.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from torch.utils.checkpoint import checkpoint

import tapconv

X, W, B = (
    torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(i))
    for i, shape in enumerate([(2, 4, 11), (6, 2, 3), (6,)])
)
ARGUMENTS = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
BATCH = 7


@pytest.fixture(autouse=True)
def tensors_on_device(device, monkeypatch):
    for name, tensor in zip("XWB", on_device((X, W, B)), strict=True):
        monkeypatch.setitem(globals(), name, tensor)


def loss(f, *tensors):
    return f(*tensors).sin().sum()


def wanted():
    return [tensor.clone().requires_grad_() for tensor in (X, W, B)]


def derivatives(f, order):
    tensors = wanted()
    value = loss(f, *tensors)
    for _ in range(order):
        gradients = torch.autograd.grad(value, tensors, create_graph=True)
        value = sum(gradient.sin().sum() for gradient in gradients)
    return gradients


def forward_mode(f, argument):
    with forward_ad.dual_level():
        tensors = [X, W, B]
        tensors[argument] = forward_ad.make_dual(tensors[argument], tensors[argument].cos())
        return tuple(forward_ad.unpack_dual(f(*tensors)))


def of_one_argument(transform, argument):
    """A transform of the function of one of the three arguments."""

    def run(f):
        def alone(tensor):
            return f(*(tensor if i == argument else other for i, other in enumerate((X, W, B)))).sin()

        return transform(alone)((X, W, B)[argument])

    return run


def mapped(in_dims, transform=lambda f: f):
    def run(f):
        tensors = [
            t if dim is None else torch.stack([t * (i + 1) for i in range(BATCH)])
            for t, dim in zip((X, W, B), in_dims, strict=True)
        ]
        return vmap(transform(f), in_dims)(*tensors)

    return run


def with_hooks(f):
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        return derivatives(f, 1)


def with_checkpoints(f):
    return derivatives(lambda *tensors: checkpoint(f, *tensors, use_reentrant=False), 1)


def in_bfloat16(f):
    tensors = [tensor.float().requires_grad_() for tensor in (X, W, B)]
    with torch.autocast(X.device.type, dtype=torch.bfloat16):
        output = f(*tensors)
    return output.float(), *torch.autograd.grad(output.float().sin().sum(), tensors)


TRANSFORMS = {
    "grad": lambda f: grad(lambda t: f(t).sum()),
    "grad of grad": lambda f: grad(lambda t: grad(lambda u: f(u).sum())(t).square().sum()),
    "vjp": lambda f: lambda t: vjp(f, t)[1](torch.ones_like(f(t))),
    "jvp": lambda f: lambda t: jvp(f, (t,), (t.cos(),)),
    "jvp of grad": lambda f: lambda t: jvp(grad(lambda u: f(u).sum()), (t,), (t.cos(),)),
    "linearize": lambda f: lambda t: linearize(f, t)[1](t.cos()),
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "hessian": lambda f: hessian(lambda t: f(t).sum()),
    "functionalize": functionalize,
}
DIMS = [dims for dims in itertools.product((0, None), repeat=3) if 0 in dims]
FORWARD_ONLY = {
    "call": lambda f: f(X, W, B),
    "call in inference mode": torch.inference_mode()(lambda f: f(X, W, B)),
    "functionalize": of_one_argument(functionalize, 0),
    "vmap twice": lambda f: vmap(vmap(f, (0, None, None)), (None, 0, None))(
        torch.stack([X] * 3), torch.stack([W, W * 2]), B
    ),
    **{f"forward mode, argument {i}": lambda f, i=i: forward_mode(f, i) for i in range(3)},
    **{
        f"{name}, argument {i}": of_one_argument(TRANSFORMS[name], i)
        for name in ("jvp", "jacfwd", "linearize")
        for i in range(3)
    },
    **{f"vmap over {dims}": mapped(dims) for dims in DIMS},
    **{f"vmap of jvp over {dims}": mapped(dims, lambda f: lambda *t: jvp(f, t, t)) for dims in DIMS},
}
WITH_BACKWARD = {
    **{f"derivatives of order {order}": lambda f, order=order: derivatives(f, order) for order in (1, 2, 3)},
    "saved-tensor hooks": with_hooks,
    "checkpoints": with_checkpoints,
    "autocast": in_bfloat16,
    **{
        f"{name}, argument {i}": of_one_argument(transform, i)
        for name, transform in TRANSFORMS.items()
        if name not in ("jvp", "jacfwd", "linearize", "functionalize")
        # The bias has a derivative that is a sum, and no other.
        for i in range(2)
    },
    **{f"vmap of grad over {dims}": mapped(dims, lambda f: grad(lambda *t: loss(f, *t), (0, 1, 2))) for dims in DIMS},
    "grad of vmap": lambda f: grad(lambda w: vmap(lambda x: f(x, w, B))(torch.stack([X, 2 * X])).sin().sum())(W),
}


def ours(input, weight, bias):
    return tapconv.conv1d(input, weight, bias, **ARGUMENTS)


def theirs(input, weight, bias):
    return torch.conv1d(input, weight, bias, **ARGUMENTS)


def assert_ours(run, expected, backward, tolerance=None):
    with kernel_calls() as calls:
        result = run()
    assert calls.by_torch == 0, "torch computed a convolution"
    assert calls.forward > 0 and (calls.backward > 0 or not backward)
    torch.testing.assert_close(result, expected, rtol=tolerance, atol=tolerance)
    return calls


def test_the_counter_sees_torchs_convolutions():
    with kernel_calls() as calls:
        derivatives(theirs, 2)
    assert calls.by_torch > 3 and not calls.forward and not calls.backward


@pytest.mark.parametrize("path", FORWARD_ONLY)
def test_forward(path):
    calls = assert_ours(lambda: FORWARD_ONLY[path](ours), FORWARD_ONLY[path](theirs), backward=False)
    if path.startswith("vmap over"):
        assert calls.forward < BATCH, "vmap calls the kernel for each element"


@pytest.mark.parametrize("path", WITH_BACKWARD)
def test_backward(path):
    tolerance = 0.05 if path == "autocast" else None
    assert_ours(lambda: WITH_BACKWARD[path](ours), WITH_BACKWARD[path](theirs), backward=True, tolerance=tolerance)


class Model(nn.Module):
    """Of torch's modules; tapconv.convert makes it ours."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(3, 8, 5, padding="same", padding_mode="reflect")
        self.second = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.last = nn.ConvTranspose1d(8, 4, 4, stride=2)

    def forward(self, input):
        return self.last(self.second(self.first(input).relu())).sigmoid()


@pytest.fixture
def models():
    """One with torch's convolutions, one with tapconv's, and an input."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = Model()
    converted = Model()
    converted.load_state_dict(model.state_dict())
    yield model, tapconv.convert(converted), torch.randn(2, 3, 30)
    torch._dynamo.reset()


def trained(model, input, function=None):
    output = (model if function is None else function)(input)
    return output, *torch.autograd.grad(output.square().sum(), list(model.parameters()))


needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler")
BACKENDS = ["aot_eager", pytest.param("inductor", marks=needs_compiler)]


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled(models, backend, dynamic):
    model, converted, input = models
    compiled = torch.compile(converted, backend=backend, fullgraph=True, dynamic=dynamic)
    trained(converted, input, compiled)
    assert_ours(lambda: trained(converted, input, compiled), trained(model, input), backward=True)
    with torch.no_grad():
        compiled(input)
        assert_ours(lambda: compiled(input), model(input), backward=False)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_transforms(models, backend):
    """The model's own weights through functional_call, a gradient for each sample."""
    model, converted, input = models

    def gradients(module):
        parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}

        def of_sample(parameters, sample):
            return torch.func.functional_call(module, parameters, sample[None]).square().sum()

        return lambda: vmap(grad(of_sample), (None, 0))(parameters, input)

    compiled = torch.compile(gradients(converted), backend=backend, fullgraph=True)
    compiled()
    assert_ours(compiled, gradients(model)(), backward=True)


@pytest.mark.slow
def test_compiled_autograd(models):
    model, converted, input = models

    def step(module):
        module.zero_grad()
        module(input).square().sum().backward()
        return [parameter.grad.clone() for parameter in module.parameters()]

    with torch._dynamo.utils.maybe_enable_compiled_autograd(True, fullgraph=True):
        compiled = torch.compile(lambda x: converted(x).square().sum().backward(), backend="aot_eager")
        converted.zero_grad()
        compiled(input)
        converted.zero_grad()
        with kernel_calls() as calls:
            compiled(input)
    assert calls.forward and calls.backward and not calls.by_torch
    torch.testing.assert_close([parameter.grad for parameter in converted.parameters()], step(model))


@cpu_only
@pytest.mark.slow
@needs_compiler
def test_exported_and_packaged(models, tmp_path):
    model, converted, input = models
    with torch.no_grad():
        exported = torch.export.export(converted.eval(), (input,))
        assert_ours(lambda: exported.module()(input), model(input), backward=False)
        path = torch._inductor.aoti_compile_and_package(exported, package_path=str(tmp_path / "model.pt2"))
        package = torch._inductor.aoti_load_package(path)
        assert_ours(lambda: package(input), model(input), backward=False)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("way", ["script", "trace", "freeze", "load"])
def test_torchscript(models, way):
    model, converted, input = models
    scripted = torch.jit.trace(converted, input) if way == "trace" else torch.jit.script(converted)
    if way == "freeze":
        scripted = torch.jit.optimize_for_inference(torch.jit.freeze(scripted.eval()))
    if way == "load":
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
        buffer.seek(0)
        scripted = torch.jit.load(buffer)
    if way == "freeze":
        for _ in range(3):  # the executor specialises its graph after a first run
            assert_ours(lambda: scripted(input), model(input), backward=False)
        return
    for _ in range(3):
        assert_ours(lambda: trained(scripted, input), trained(model, input), backward=True)


@pytest.mark.parametrize("way", ["fx", "functional_call", "rerouted"])
def test_other_ways_to_call_a_module(models, way):
    model, converted, input = models
    expected = trained(model, input)
    with contextlib.nullcontext() if way != "rerouted" else tapconv.enabled():
        if way == "fx":
            traced = torch.fx.symbolic_trace(converted)
            assert_ours(lambda: trained(traced, input), expected, backward=True)
        elif way == "functional_call":
            parameters = dict(converted.named_parameters())
            call = lambda x: torch.func.functional_call(converted, parameters, x)  # noqa: E731
            assert_ours(lambda: trained(converted, input, call), expected, backward=True)
        else:
            assert_ours(lambda: trained(model, input), expected, backward=True)
