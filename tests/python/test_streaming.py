"""Streaming functions: however a signal is divided into chunks, their outputs are those of the whole."""

import itertools
import random
import re
import threading
from pathlib import Path

import pytest
import torch

import tapconv

PADDINGS = ["causal", "same", "valid", (2, 5), (30, 1)]


def divisions(length, count, seed=0):
    """Random divisions into chunks, empty ones among them, and the two extremes."""
    yield [1] * length
    yield [length]
    choose = random.Random(seed)
    for _ in range(count):
        chunks, rest = [], length
        while rest > 0:
            chunks.append(min(rest, choose.choice([0, 1, 1, 2, 3, 5, 8, 13, 40])))
            rest -= chunks[-1]
        yield chunks


def samples_of(padding, reach):
    return {"causal": (reach, 0), "same": (reach // 2, reach - reach // 2), "valid": (0, 0)}.get(padding, padding)


def streamed(signal, chunks, weight, bias, stride, dilation, groups, padding, algorithm="auto"):
    state = tapconv.conv1d_stream_state(
        signal.shape[0], signal.shape[1], weight.shape[2], stride, dilation, padding, signal.dtype
    )
    outputs = []
    for chunk in signal.split(chunks, -1):
        output, state = tapconv.conv1d_stream(chunk, state, weight, bias, stride, dilation, groups, algorithm)
        outputs.append(output)
    outputs.append(tapconv.conv1d_stream_flush(state, weight, bias, stride, dilation, groups, padding, algorithm))
    return torch.cat(outputs, -1)


def assert_as_good_as_whole(output, whole):
    assert output.shape == whole.shape
    assert (output - whole).abs().max() <= 1e-6 * whole.abs().max()


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
@pytest.mark.parametrize("groups", [1, 4])
def test_chunks_make_the_whole(groups, padding):
    for kernel_size, stride, dilation in itertools.product([1, 2, 3, 7], [1, 2, 3], [1, 3]):
        reach = dilation * (kernel_size - 1)
        if stride > reach + 1:
            continue
        signal, weight, bias = torch.randn(2, 8, 61), torch.randn(12, 8 // groups, kernel_size), torch.randn(12)
        whole = tapconv.conv1d(signal, weight, bias, stride, samples_of(padding, reach), dilation, groups)
        for chunks in divisions(61, 10, seed=kernel_size):
            output = streamed(signal, chunks, weight, bias, stride, dilation, groups, padding)
            assert_as_good_as_whole(output, whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_depthwise_layers_give_the_same_bits(dtype):
    """With plain sums, filters of up to four taps, and an output channel for each input channel: docs/streaming.md."""
    for kernel_size, stride, dilation, channels in itertools.product([1, 2, 3, 4], [1, 2], [1, 2], [1, 3, 24]):
        if stride > dilation * (kernel_size - 1) + 1:
            continue
        for length, unit in ((200, 1), (3000, 15)):
            signal, weight = torch.randn(2, channels, length).to(dtype), torch.randn(channels, 1, kernel_size).to(dtype)
            bias, reach = torch.randn(channels).to(dtype), dilation * (kernel_size - 1)
            whole = tapconv.conv1d(signal, weight, bias, stride, (reach, 0), dilation, channels, algorithm="direct")
            for counts in divisions(length // unit, 3, seed=kernel_size):
                chunks = [unit * count for count in counts]
                output = streamed(signal, chunks, weight, bias, stride, dilation, channels, "causal", "direct")
                assert torch.equal(output, whole), (kernel_size, stride, dilation, channels, length, chunks)


def test_an_output_comes_with_its_last_sample():
    weight = torch.randn(4, 2, 5)
    for padding, stride in itertools.product(["causal", "same", "valid"], [1, 2]):
        left, _ = samples_of(padding, 4)
        state = tapconv.conv1d_stream_state(1, 2, 5, stride, padding=padding)
        come = 0
        for samples in range(1, 20):
            output, state = tapconv.conv1d_stream(torch.randn(1, 2, 1), state, weight, stride=stride)
            come += output.shape[-1]
            assert come == max((samples + left - 5) // stride + 1, 0)


def test_a_first_sample_that_had_always_been_there():
    signal, weight = torch.randn(1, 2, 50), torch.randn(4, 2, 5)
    state, outputs = signal[..., :1].repeat(1, 1, 4), []
    for chunk in signal.split(7, -1):
        output, state = tapconv.conv1d_stream(chunk, state, weight)
        outputs.append(output)
    whole = tapconv.conv1d(signal, weight, padding=(4, 0), padding_mode="replicate")
    assert_as_good_as_whole(torch.cat(outputs, -1), whole)


def test_gradients_flow_through_the_states():
    signal = torch.randn(2, 4, 23, dtype=torch.float64)
    weight, bias = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    tensors = [tensor.requires_grad_() for tensor in (signal, weight, bias)]
    whole = tapconv.conv1d(*tensors, 2, (4, 0), 2, 2)
    grad_output = torch.randn_like(whole)
    expected = torch.autograd.grad(whole, tensors, grad_output)
    for chunks in divisions(23, 3):
        output = streamed(signal, chunks, weight, bias, 2, 2, 2, "causal")
        torch.testing.assert_close(torch.autograd.grad(output, tensors, grad_output), expected)


def in_place(signal, chunk, weight, stride=1, dilation=1, groups=1):
    state = tapconv.conv1d_stream_state(signal.shape[0], signal.shape[1], weight.shape[2], stride, dilation)
    address = state.data_ptr()
    outputs = [
        tapconv.conv1d_stream_(part, state, weight, None, stride, dilation, groups) for part in signal.split(chunk, -1)
    ]
    assert state.data_ptr() == address
    return torch.cat(outputs, -1), state


@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation", "chunk"), [(3, 1, 1, 1), (4, 2, 1, 2), (5, 1, 3, 7), (3, 2, 2, 40)]
)
def test_in_place(kernel_size, stride, dilation, chunk):
    signal, weight = torch.randn(2, 8, 80), torch.randn(6, 8, kernel_size)
    reach = dilation * (kernel_size - 1)
    output, state = in_place(signal, chunk, weight, stride, dilation)
    assert_as_good_as_whole(output, tapconv.conv1d(signal, weight, None, stride, (reach, 0), dilation))
    assert torch.equal(state, signal[..., 80 - reach :])


def test_samples_are_pushed_behind_a_state_of_any_layout():
    for dtype, kept, samples in itertools.product(
        [torch.float64, torch.float16, torch.int64], [0, 1, 5, 50], [0, 1, 4, 90]
    ):
        chunk = torch.randn(3, samples, 4).mul(9).to(dtype).mT
        for state in (torch.randn(3, 4, kept), torch.randn(4, kept, 3).permute(2, 0, 1)):
            state = state.mul(9).to(dtype)
            expected = torch.cat([state, chunk], 2)[:, :, samples:]
            version = state._version
            torch.ops.tapconv.push_samples_(state, chunk)
            assert torch.equal(state, expected) and state._version > version
    torch.library.opcheck(torch.ops.tapconv.push_samples_.default, (torch.randn(2, 3, 4), torch.randn(2, 3, 1)))
    state = torch.randn(2, 3, 4)
    with pytest.raises(RuntimeError, match="expected a state and samples of one shape"):
        torch.ops.tapconv.push_samples_(state, torch.randn(2, 4, 1))
    with pytest.raises(RuntimeError, match="no derivatives"):
        torch.ops.tapconv.push_samples_(state, torch.randn(2, 3, 1, requires_grad=True))
    with pytest.raises(RuntimeError, match="single memory location"):
        torch.ops.tapconv.push_samples_(state, state)


def test_signals_that_are_left_out_keep_their_state():
    signal, weight = torch.randn(3, 4, 20), torch.randn(5, 4, 3)
    mask = torch.tensor([True, False, True])
    state = torch.randn(3, 4, 2)
    before = state.clone()
    output = tapconv.conv1d_stream_(signal, state, weight, exec_mask=mask)
    expected = tapconv.conv1d_context(signal, weight, left=before, padding="causal")
    assert torch.equal(output[mask], expected[mask]) and not output[~mask].any()
    assert torch.equal(state[mask], signal[mask, :, -2:]) and torch.equal(state[~mask], before[~mask])


@pytest.mark.parametrize("groups", [1, 4])
def test_transposed_chunks_make_the_whole(groups):
    for kernel_size, stride, dilation in itertools.product([1, 2, 4, 7, 16], [1, 2, 3, 8], [1, 2]):
        signal, bias = torch.randn(2, 8, 20), torch.randn(12)
        weight = torch.randn(8, 12 // groups, kernel_size)
        output_padding = max(stride - 1 - dilation * (kernel_size - 1), 0)
        whole = tapconv.conv_transpose1d(signal, weight, bias, stride, 0, output_padding, groups, dilation)
        for chunks in divisions(20, 5, seed=kernel_size):
            state, outputs = tapconv.conv_transpose1d_stream_state(2, 8, kernel_size, stride, dilation), []
            for chunk in signal.split(chunks, -1):
                output, state = tapconv.conv_transpose1d_stream(chunk, state, weight, bias, stride, dilation, groups)
                assert output.shape[-1] == chunk.shape[-1] * stride
                outputs.append(output)
            outputs.append(tapconv.conv_transpose1d_stream_flush(state, weight, bias, stride, dilation, groups))
            assert_as_good_as_whole(torch.cat(outputs, -1), whole)


def test_many_threads_share_a_weight():
    weight, failures = torch.randn(32, 32, 3), []

    def stream(seed):
        signal = torch.randn(1, 32, 300, generator=torch.Generator().manual_seed(seed))
        whole = tapconv.conv1d(signal, weight, padding="causal")
        for chunks in divisions(300, 3, seed):
            output = streamed(signal, chunks, weight, None, 1, 1, 1, "causal")
            if not (output - whole).abs().max() <= 1e-6 * whole.abs().max():
                failures.append(seed)

    workers = [threading.Thread(target=stream, args=(seed,)) for seed in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


class Step(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(6, 4, 3))
        self.transposed = torch.nn.Parameter(torch.randn(6, 4, 4))

    def forward(self, chunk: torch.Tensor, state: torch.Tensor, state_transposed: torch.Tensor):
        hidden, state = tapconv.conv1d_stream(chunk, state, self.weight)
        output, state_transposed = tapconv.conv_transpose1d_stream(hidden, state_transposed, self.transposed, None, 2)
        return output, state, state_transposed


def arguments_of_step(samples):
    return torch.randn(2, 4, samples), torch.randn(2, 4, 2), torch.randn(2, 6, 1)


@pytest.mark.slow
def test_a_step_is_exported_for_chunks_of_all_lengths():
    step = Step()
    length = torch.export.Dim("length", min=1, max=4096)
    program = torch.export.export(step, arguments_of_step(9), dynamic_shapes=({2: length}, None, None))
    for samples in (1, 2, 100):
        arguments = arguments_of_step(samples)
        torch.testing.assert_close(program.module()(*arguments), step(*arguments))


def test_a_step_is_scripted(tmp_path):
    step = Step()
    torch.jit.script(step).save(tmp_path / "step.pt")
    loaded = torch.jit.load(tmp_path / "step.pt")
    for samples in (0, 1, 100):
        arguments = arguments_of_step(samples)
        torch.testing.assert_close(loaded(*arguments), step(*arguments))


@pytest.mark.slow
def test_a_step_in_place_is_compiled():
    weight = torch.randn(6, 4, 3)

    def step(chunk, state):
        return tapconv.conv1d_stream_(chunk, state, weight)

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    states = [torch.randn(2, 4, 2) for _ in range(2)]
    states[1].copy_(states[0])
    for _ in range(3):
        chunk = torch.randn(2, 4, 1)
        assert torch.equal(step(chunk, states[0]), compiled(chunk, states[1]))
        assert torch.equal(*states)


def test_wrong_calls_leave_the_state_alone():
    weight, chunk, state = torch.randn(6, 4, 3), torch.randn(2, 4, 5), torch.randn(2, 4, 2)
    before = state.clone()
    wrong = {
        "expected a chunk of shape": (chunk[0], state, weight),
        "as the weight has 4 input channels": (chunk[:, :3], state, weight),
        "one of 2 signals and the chunk has 1": (chunk[:1], state, weight),
        "expected a state of shape": (chunk, state[:, :3], weight),
        "expected a state of the chunk's type": (chunk.double(), state, weight.double()),
        "expected a state of the chunk's type and device": (chunk.to("meta"), state, weight.to("meta")),
        "expected a weight of three dimensions": (chunk, state, weight[0]),
    }
    for function in (tapconv.conv1d_stream, tapconv.conv1d_stream_):
        for message, arguments in wrong.items():
            with pytest.raises(ValueError, match=message):
                function(*arguments)
        with pytest.raises(ValueError, match="a stride of 4 skips samples between filters that span 3"):
            function(chunk, state, weight, None, 4)
        with pytest.raises(ValueError, match="at least 1"):
            function(chunk, state, weight, None, 0)
    with pytest.raises(ValueError, match="chunks of a multiple of the stride"):
        tapconv.conv1d_stream_(chunk, state, weight, None, 2)
    with pytest.raises(ValueError, match="2 to 2 samples in the state"):
        tapconv.conv1d_stream_(chunk, torch.randn(2, 4, 3), weight)
    with pytest.raises(ValueError, match="exec_mask of 2 booleans"):
        tapconv.conv1d_stream_(chunk, state, weight, exec_mask=torch.tensor([1, 0]))
    with pytest.raises(RuntimeError, match="has no derivatives"):
        tapconv.conv1d_stream_(chunk, state, weight.clone().requires_grad_())
    with pytest.raises(ValueError, match=r"expected a state of shape \(batch, 4, 2\), got \[2, 4, 3\]"):
        tapconv.conv_transpose1d_stream(chunk, torch.randn(2, 4, 3), torch.randn(4, 6, 3))
    assert torch.equal(state, before)


def test_wrong_states():
    with pytest.raises(ValueError, match="no negative batch, got batch=-1"):
        tapconv.conv1d_stream_state(-1, 4, 3)
    with pytest.raises(ValueError, match="kernel_size=0"):
        tapconv.conv_transpose1d_stream_state(1, 4, 0)
    with pytest.raises(ValueError, match="skips samples"):
        tapconv.conv1d_stream_state(1, 4, 3, stride=5)
    with pytest.raises(ValueError, match="paddings of at least 0"):
        tapconv.conv1d_stream_state(1, 4, 3, padding=(-1, 0))
    with pytest.raises(ValueError, match="Invalid padding string 'reflect'"):
        tapconv.conv1d_stream_state(1, 4, 3, padding="reflect")


@pytest.mark.once
def test_the_documents_examples():
    text = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        exec(program, {})
