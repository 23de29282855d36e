"""Causal depthwise convolutions with a state: values, gradients, layouts, errors, and what makes programs find them."""

import threading

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

import tapconv
from tapconv import causal_conv1d_fn, causal_conv1d_update, causal_conv1d_varlen_states

TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
forward = torch.ops.tapconv.causal_conv1d.default
update = torch.ops.tapconv.causal_conv1d_update.default


def expected(x, weight, bias=None, seq_idx=None, initial_states=None, activation=None):
    """By sums over taps, in float64."""
    batch, channels, length = x.shape
    width = weight.shape[1]
    before = torch.zeros(batch, channels, width - 1) if initial_states is None else initial_states
    signal = torch.cat([before.double(), x.double()], 2)
    output = torch.zeros(batch, channels, length, dtype=torch.float64)
    for k in range(width):
        seen = signal[:, :, k : k + length]
        if seq_idx is not None:
            past = torch.cat([seq_idx.new_full((batch, width - 1 - k), -5), seq_idx], 1)[:, :length]
            seen = torch.where((past == seq_idx)[:, None], seen, 0.0)
        output += weight.double()[None, :, k, None] * seen
    if bias is not None:
        output += bias.double()[None, :, None]
    if activation is not None:
        output = torch.nn.functional.silu(output)
    return output if seq_idx is None else torch.where((seq_idx < 0)[:, None], 0.0, output)


def tolerance(dtype):
    return {torch.float32: 2e-6, torch.float64: 1e-13, torch.bfloat16: 1e-2, torch.float16: 2e-3}[dtype]


def signal(batch, channels, length, dtype, layout):
    if layout == "channels last":
        return torch.randn(batch, length, channels).to(dtype).transpose(1, 2)
    if layout == "every second":
        return torch.randn(batch, channels, 2 * length).to(dtype)[..., ::2]
    return torch.randn(batch, channels, length).to(dtype)


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "every second"])
@pytest.mark.parametrize("dtype", TYPES)
def test_values(dtype, layout):
    for trial in range(60):
        batch, channels, width, length = (int(torch.randint(a, b, ())) for a, b in ((1, 3), (1, 40), (1, 6), (1, 60)))
        width = 40 if trial % 20 == 19 else width
        x = signal(batch, channels, length, dtype, layout)
        weight = torch.randn(channels, width).to(TYPES[trial % 4])
        bias = torch.randn(channels).to(weight.dtype) if trial % 2 else None
        kind = trial % 5
        seq_idx = torch.randint(-1, 3, (batch, length), dtype=torch.int32) if kind < 2 else None
        seq_idx = seq_idx.sort(1).values if kind == 0 else seq_idx
        states = torch.randn(batch, channels, width - 1).to(dtype) if kind == 2 else None
        activation = [None, "silu", "swish"][trial % 3]
        output = forward(x, weight, bias, seq_idx, states, activation)
        right = expected(x, weight, bias, seq_idx, states, activation)
        assert output.dtype == dtype and output.shape == x.shape
        assert (output.double() - right).abs().max() <= tolerance(dtype) * max(1, right.abs().max())
        on_meta = [t if t is None else t.to("meta") for t in (x, weight, bias, seq_idx, states)]
        assert forward(*on_meta, activation).stride() == output.stride()


@pytest.mark.parametrize("width", [1, 2, 4, 33])
@pytest.mark.parametrize("activation", [None, "silu"])
@pytest.mark.parametrize("kind", ["plain", "sequences", "states"])
def test_gradients(kind, activation, width):
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3, 7), (3, width), (3,))
    )
    seq_idx = states = None
    if kind == "sequences":
        seq_idx = torch.tensor([[0, 0, 1, 1, 1, 2, -1], [0, 1, 0, 1, 1, -1, -1]], dtype=torch.int32)
    if kind == "states" and width > 1:
        states = torch.randn(2, 3, width - 1, dtype=torch.float64, requires_grad=True)

    def function(x, weight, bias, states):
        return forward(x, weight, bias, seq_idx, states, activation)

    assert gradcheck(function, (x, weight, bias, states), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(function, (x, weight, bias, states))


def test_gradients_through_final_states():
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    states = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)

    def function(x, weight, states):
        return causal_conv1d_fn(x, weight, initial_states=states, return_final_states=True)

    assert gradcheck(function, (x, weight, states))
    out = torch.empty(2, 3, 3, dtype=torch.float64)
    _, final = causal_conv1d_fn(x, weight, initial_states=states, return_final_states=True, final_states_out=out)
    assert final is out
    assert torch.equal(final, torch.cat([states, x], 2)[..., -3:])
    _, final = causal_conv1d_fn(x, weight, return_final_states=True)
    assert torch.equal(final, torch.cat([torch.zeros(2, 3, 1, dtype=torch.float64), x], 2))


def test_operators_keep_the_rules_of_operators():
    x = torch.randn(2, 6, 9, requires_grad=True)
    weight = torch.randn(6, 4, requires_grad=True)
    channels_last = x.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    opcheck(forward, (x, weight, None, None, None, "silu"))
    opcheck(forward, (x, weight, None, torch.zeros(2, 9, dtype=torch.int32), None, "silu"))
    opcheck(forward, (channels_last, weight, torch.randn(6), None, torch.randn(2, 6, 3, requires_grad=True), None))
    opcheck(update, (torch.randn(2, 6), torch.randn(2, 6, 4), weight.detach(), None, "silu", None, None))
    lengths, indices = (torch.tensor(t, dtype=torch.int32) for t in ([3, 9], [3, -1]))
    opcheck(update, (torch.randn(2, 6, 3), torch.randn(5, 6, 8), weight.detach(), None, "silu", lengths, indices))


def test_transforms():
    x, weight = torch.randn(3, 2, 6, 9), torch.randn(6, 4)

    def loss(weight, x):
        return causal_conv1d_fn(x, weight, activation="silu").sum()

    mapped = torch.func.vmap(lambda x: causal_conv1d_fn(x, weight, activation="silu"))(x)
    assert torch.allclose(mapped, torch.stack([causal_conv1d_fn(one, weight, activation="silu") for one in x]))
    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0))(weight, x)
    assert torch.allclose(gradients, torch.stack([torch.func.grad(loss)(weight, one) for one in x]), atol=1e-5)


@pytest.mark.slow
def test_compile_and_export():
    x, weight = torch.randn(2, 6, 9, requires_grad=True), torch.randn(6, 4)

    @torch.compile(fullgraph=True, dynamic=True)
    def function(x, weight):
        return causal_conv1d_fn(x, weight, activation="silu") * 2

    assert torch.equal(function(x, weight), causal_conv1d_fn(x, weight, activation="silu") * 2)
    function(x, weight).sum().backward()
    assert x.grad is not None

    step = torch.compile(lambda x, state: causal_conv1d_update(x, state, weight, None, "silu"), fullgraph=True)
    state = torch.randn(2, 6, 4)
    states = state.clone(), state.clone()
    one = torch.randn(2, 6)
    assert torch.equal(step(one, states[0]), causal_conv1d_update(one, states[1], weight, None, "silu"))
    assert torch.equal(*states)

    class Model(torch.nn.Module):
        def forward(self, x, states):
            return causal_conv1d_fn(x, weight, initial_states=states, return_final_states=True, activation="silu")

    arguments = (torch.randn(2, 6, 9), torch.randn(2, 6, 3))
    program = torch.export.export(Model(), arguments, dynamic_shapes={"x": {2: torch.export.Dim("t")}, "states": None})
    longer = (torch.randn(2, 6, 17), torch.randn(2, 6, 3))
    for ours, theirs in zip(program.module()(*longer), Model()(*longer), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_a_signal_in_pieces_is_the_signal(layout):
    """Bit for bit: by states from call to call, by steps, and in one."""
    x, weight, bias = signal(2, 37, 50, torch.float32, layout), torch.randn(37, 4), torch.randn(37)
    whole = causal_conv1d_fn(x, weight, bias, activation="silu")
    for division in ([50], [1] * 50, [7, 1, 20, 22], [3, 3, 44]):
        state, pieces = torch.zeros(2, 37, 3), []
        for piece in x.split(division, 2):
            output, state = causal_conv1d_fn(
                piece, weight, bias, initial_states=state, return_final_states=True, activation="silu"
            )
            pieces.append(output)
        assert torch.equal(torch.cat(pieces, 2), whole)
    for state_length in (3, 4, 9):
        state = torch.zeros(2, 37, state_length)
        steps = [causal_conv1d_update(x[..., t], state, weight, bias, "silu") for t in range(50)]
        assert torch.equal(torch.stack(steps, 2), whole)
        assert torch.equal(state, x[..., -state_length:])
        ring, seen, pieces = torch.zeros(2, 37, state_length), 0, []
        for piece in x.split([3, 2, 1, 9, 35], 2):
            lengths = torch.full((2,), seen, dtype=torch.int32)
            pieces.append(causal_conv1d_update(piece, ring, weight, bias, "silu", lengths))
            seen += piece.shape[2]
        assert torch.equal(torch.cat(pieces, 2), whole)


def test_rows_of_the_state():
    x, state, weight = torch.randn(4, 5), torch.randn(6, 5, 3), torch.randn(5, 4)
    before = state.clone()
    indices = torch.tensor([4, -1, 0, -7], dtype=torch.int32)
    output = causal_conv1d_update(x, state, weight, conv_state_indices=indices)
    assert torch.all(output[[1, 3]] == 0)
    for row, entry in ((0, 4), (2, 0)):
        one = before[entry : entry + 1].clone()
        assert torch.equal(causal_conv1d_update(x[row : row + 1], one, weight)[0], output[row])
        assert torch.equal(one[0], state[entry])
    untouched = [1, 2, 3, 5]
    assert torch.equal(state[untouched], before[untouched])
    # Two rows that share an entry are two steps.
    twice, once = before.clone(), before.clone()
    shared = causal_conv1d_update(x[:2], twice, weight, conv_state_indices=torch.tensor([3, 3], dtype=torch.int32))
    for row in range(2):
        alone = causal_conv1d_update(
            x[row : row + 1], once, weight, conv_state_indices=torch.tensor([3], dtype=torch.int32)
        )
        assert torch.equal(alone[0], shared[row])
    assert torch.equal(twice, once)


def test_another_sequence_is_not_even_multiplied():
    """Infinities and NaN stay in their sequence, forward and backward."""
    x = torch.randn(1, 3, 8)
    x[..., :4] = float("inf")
    x.requires_grad_()
    weight = torch.randn(3, 4, requires_grad=True)
    seq_idx = torch.tensor([[0] * 4 + [1] * 4], dtype=torch.int32)
    output = causal_conv1d_fn(x, weight, seq_idx=seq_idx)
    assert output[..., 4:].isfinite().all()
    output[..., 4:].sum().backward()
    assert x.grad[..., 4:].isfinite().all() and torch.all(x.grad[..., :4] == 0)


def test_states_of_sequences_of_several_lengths():
    x, bounds = torch.randn(30, 4), torch.tensor([0, 3, 3, 17, 30])
    for count in (0, 1, 5, 20):
        states = causal_conv1d_varlen_states(x, bounds, count)
        right = torch.zeros(4, 4, count)
        for i in range(4):
            newest = x[max(int(bounds[i]), int(bounds[i + 1]) - count) : int(bounds[i + 1])]
            right[i, :, count - len(newest) :] = newest.T
        assert torch.equal(states, right)
    assert torch.equal(causal_conv1d_varlen_states(torch.randn(0, 4), torch.tensor([0, 0]), 3), torch.zeros(1, 4, 3))


def test_empty():
    weight = torch.randn(4, 3, requires_grad=True)
    for shape in ((0, 4, 5), (2, 4, 0)):
        output = causal_conv1d_fn(torch.randn(shape, requires_grad=True), weight, activation="silu")
        assert output.shape == shape
        output.sum().backward()
    state = torch.randn(2, 4, 3)
    assert causal_conv1d_update(torch.randn(2, 4, 0), state, weight).shape == (2, 4, 0)


INT = torch.int32


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (NotImplementedError, "activation must be None, silu, or swish, but got 'gelu'", {"activation": "gelu"}),
        (ValueError, r"expected x of shape \(batch, channels, length\)", {"x": torch.zeros(3, 4)}),
        (ValueError, r"expected weight of shape \(channels, width\)", {"weight": torch.zeros(5, 3)}),
        (ValueError, "at least one tap", {"weight": torch.zeros(4, 0)}),
        (ValueError, r"expected bias of shape \(channels\) = \[4\]", {"bias": torch.zeros(3)}),
        (TypeError, "bias to have the type of weight", {"bias": torch.zeros(4, dtype=torch.float64)}),
        (TypeError, "expected x to be float32", {"x": torch.zeros(2, 4, 9, dtype=torch.int64)}),
        (ValueError, r"expected seq_idx of shape \(batch, length\)", {"seq_idx": torch.zeros(2, 8, dtype=INT)}),
        (TypeError, "expected seq_idx to be int32", {"seq_idx": torch.zeros(2, 9, dtype=torch.int64)}),
        (ValueError, r"\(batch, channels, width - 1\)", {"initial_states": torch.zeros(2, 4, 3)}),
        (TypeError, "initial_states to have the type of x", {"initial_states": torch.zeros(2, 4, 2).half()}),
        (
            ValueError,
            "initial_states must be None if seq_idx is not None",
            {"initial_states": torch.zeros(2, 4, 2), "seq_idx": torch.zeros(2, 9, dtype=INT)},
        ),
        (ValueError, "final_states_out", {"return_final_states": True, "final_states_out": torch.zeros(2, 4, 5)}),
        (ValueError, "must be False", {"return_final_states": True, "seq_idx": torch.zeros(2, 9, dtype=INT)}),
    ],
)
def test_errors(error, message, change):
    arguments = {"x": torch.zeros(2, 4, 9), "weight": torch.zeros(4, 3)} | change
    with pytest.raises(error, match=message):
        causal_conv1d_fn(**arguments)


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (NotImplementedError, "silu", {"activation": "relu"}),
        (ValueError, "expected x of shape", {"x": torch.zeros(4)}),
        (ValueError, r"conv_state of shape \(batch, channels, state_len\)", {"conv_state": torch.zeros(3, 4, 5)}),
        (ValueError, "at least width - 1 = 2", {"conv_state": torch.zeros(2, 4, 1)}),
        (TypeError, "conv_state to have the type of x", {"conv_state": torch.zeros(2, 4, 5).half()}),
        (TypeError, "cache_seqlens to be int32", {"cache_seqlens": torch.zeros(2, dtype=torch.int64)}),
        (ValueError, r"cache_seqlens\[1\] is -3", {"cache_seqlens": torch.tensor([0, -3], dtype=INT)}),
        (ValueError, r"conv_state_indices of shape \(batch\)", {"conv_state_indices": torch.zeros(3, dtype=INT)}),
        (IndexError, r"conv_state_indices\[0\] is 2", {"conv_state_indices": torch.tensor([2, 0], dtype=INT)}),
        (RuntimeError, "single memory location", {"conv_state": torch.zeros(1, 4, 5).expand(2, 4, 5)}),
    ],
)
def test_errors_of_a_step_leave_the_state(error, message, change):
    arguments = {"x": torch.ones(2, 4), "conv_state": torch.zeros(2, 4, 5), "weight": torch.zeros(4, 3)} | change
    with pytest.raises(error, match=message):
        causal_conv1d_update(**arguments)
    assert torch.all(arguments["conv_state"] == 0)


def test_a_state_that_shares_memory_with_the_input():
    state, weight = torch.randn(2, 4, 5), torch.randn(4, 3)
    with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor"):
        causal_conv1d_update(state, state, weight)
    alone = state.clone()
    right = causal_conv1d_update(alone[..., 0].clone(), alone, weight)
    assert torch.equal(causal_conv1d_update(state[..., 0], state, weight), right)
    assert torch.equal(state, alone)


def test_missing_memory_is_an_error():
    state = torch.zeros(2, 4, 5)
    state.untyped_storage().resize_(8)
    with pytest.raises(RuntimeError, match="expected conv_state to have the memory"):
        causal_conv1d_update(torch.zeros(2, 4), state, torch.zeros(4, 3))


def test_a_state_that_is_differentiated_is_refused():
    with pytest.raises(RuntimeError, match="in-place"):
        causal_conv1d_update(torch.zeros(2, 4), torch.zeros(2, 4, 5, requires_grad=True), torch.zeros(4, 3))
    used = torch.randn(2, 4, 5)
    product = (used * torch.ones(2, 4, 5, requires_grad=True)).sum()
    causal_conv1d_update(torch.ones(2, 4), used, torch.ones(4, 3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


@pytest.mark.serial
def test_threads_share_weights(threads):
    threads(2)
    weight, x = torch.randn(64, 4), torch.randn(8, 64, 300)
    right = [causal_conv1d_fn(one[None], weight, activation="silu") for one in x]
    found = [None] * 8

    def stream(i):
        state = torch.zeros(1, 64, 3)
        steps = [causal_conv1d_update(x[i : i + 1, :, t], state, weight, None, "silu") for t in range(300)]
        found[i] = torch.stack(steps, 2)

    workers = [threading.Thread(target=stream, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(torch.equal(a, b) for a, b in zip(found, right, strict=True))


def test_enable_installs():
    tapconv.enable()
    try:
        assert tapconv.causal_conv1d.is_installed()
    finally:
        tapconv.disable()
    assert not tapconv.causal_conv1d.is_installed()
