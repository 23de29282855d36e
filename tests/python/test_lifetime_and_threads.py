"""Who owns which memory and for how long, many threads at once, and failures that leave nothing behind."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from support import Problem

import tapconv

pytestmark = pytest.mark.serial


def in_a_fresh_process(program: str):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stderr[-3000:]}"


def results(problem: Problem, algorithm: str, tensors):
    tensors = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    output = tapconv.conv1d(*tensors, **problem.arguments, algorithm=algorithm)
    generator = torch.Generator().manual_seed(7)
    grad_output = torch.randn(output.shape, generator=generator).to(output.dtype)
    return [output.detach(), *torch.autograd.grad(output, tensors, grad_output)]


PROBLEMS = {
    "dense": (Problem((4, 32, 700), 48, 5, padding=2), "auto"),
    "dense, in plain order": (Problem((4, 32, 700), 48, 5, padding=2), "direct"),
    "long dense": (Problem((2, 64, 1500), 64, 11, padding=5), "auto"),
    "depthwise": (Problem((1, 8, 9000), 8, 31, padding=15, groups=8), "auto"),
    "grouped, reflected": (Problem((3, 24, 800), 36, 4, 3, (2, 1), 2, 2, "reflect"), "auto"),
    "short": (Problem((16, 256, 3), 256, 3, padding=1), "auto"),
    "strided, dilated": (Problem((1, 16, 4000), 16, 9, 2, 4, 2), "auto"),
    "tiles": (Problem((3, 16, 900), 24, 7, 2, 3), "fft"),
    "winograd": (Problem((3, 32, 900), 40, 3, padding=1), "winograd"),
    "depthwise tiles": (Problem((2, 12, 3000), 12, 150, padding=75, groups=12), "fft"),
    "overlap-save": (Problem((2, 4, 9000), 4, 2500, padding=10, groups=2), "fft"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", PROBLEMS)
def test_same_bits_for_1_to_8_threads_and_more_than_there_are_cores(threads, name, dtype):
    """The output and all three gradients."""
    problem, algorithm = PROBLEMS[name]
    tensors = problem.tensors(dtype)
    threads(1)
    expected = results(problem, algorithm, tensors)
    for count in (2, 3, 4, 5, 6, 7, 8, 16):
        threads(count)
        for ours, single in zip(results(problem, algorithm, tensors), expected, strict=True):
            assert torch.equal(ours, single), f"{count} threads"


@pytest.mark.parametrize("length", [20, 45, 100, 333])
@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (3, 9), (19, 1), (40, 2)])
@pytest.mark.parametrize("groups", [1, 6])
def test_same_bits_of_transforms_for_short_signals(threads, length, kernel_size, dilation, groups):
    """Libraries' short transforms are not alike on one thread and on several."""
    problem = Problem((3, 6, length), 6, kernel_size, padding=kernel_size * dilation, dilation=dilation, groups=groups)
    tensors = problem.tensors(torch.float32)
    threads(1)
    expected = results(problem, "fft", tensors)
    for count in (2, 3, 8):
        threads(count)
        for ours, single in zip(results(problem, "fft", tensors), expected, strict=True):
            assert torch.equal(ours, single), f"{count} threads"


def test_first_call_of_a_process_from_many_threads():
    in_a_fresh_process("""
    import threading, torch, tapconv
    input, weight = torch.randint(-3, 4, (2, 16, 300)).float(), torch.randint(-3, 4, (8, 16, 5)).float()
    start, wrong = threading.Barrier(16), []
    def call():
        start.wait()
        output = tapconv.conv1d(input, weight, algorithm="direct")
        if not torch.equal(output, torch.conv1d(input.double(), weight.double()).float()):
            wrong.append(1)
    pool = [threading.Thread(target=call) for _ in range(16)]
    for thread in pool: thread.start()
    for thread in pool: thread.join()
    assert not wrong
    """)


def test_threads_change_their_number_while_others_call():
    in_a_fresh_process("""
    import threading, torch, tapconv
    input, weight = torch.randn(2, 32, 2000), torch.randn(32, 32, 5)
    expected, wrong = tapconv.conv1d(input, weight), []
    def call(number):
        for i in range(5):
            torch.set_num_threads(1 + (i + number) % 4)
            if not torch.equal(tapconv.conv1d(input, weight), expected):
                wrong.append(i)
    pool = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for thread in pool: thread.start()
    for thread in pool: thread.join()
    assert not wrong
    """)


def test_workers_of_a_data_loader_that_fork_after_use():
    in_a_fresh_process("""
    import torch, tapconv
    weight = torch.randint(-3, 4, (8, 4, 5)).float()
    class Filtered(torch.utils.data.Dataset):
        def __len__(self):
            return 12
        def __getitem__(self, index):
            generator = torch.Generator().manual_seed(index)
            input = torch.randint(-3, 4, (4, 400), generator=generator).float()
            return index, tapconv.conv1d(input, weight, algorithm="direct")
    torch.set_num_threads(2)
    dataset = Filtered()
    tapconv.conv1d(torch.randn(4, 64, 4000), torch.randn(64, 64, 5))  # starts torch's threads
    expected = [dataset[index][1] for index in range(len(dataset))]
    loader = torch.utils.data.DataLoader(dataset, batch_size=3, num_workers=2, multiprocessing_context="fork")
    for indices, outputs in loader:
        for index, output in zip(indices, outputs):
            assert torch.equal(output, expected[index])
    """)


def test_errors_in_many_threads_at_once():
    caught = []

    def call(number):
        try:
            tapconv.conv1d(torch.zeros(1, 2, 5), torch.zeros(3, 2, 6 + number))
        except RuntimeError as error:
            caught.append((number, f"({6 + number})" in str(error)))

    pool = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    assert sorted(caught) == [(i, True) for i in range(8)]


@pytest.mark.usefixtures("device")
def test_tensors_given_up_on_another_thread():
    """The graph alone keeps what backward needs; it may run, and end, elsewhere."""
    input, weight = torch.randn(2, 8, 300), torch.randn(8, 8, 5, requires_grad=True)
    expected = torch.autograd.grad(tapconv.conv1d(input, weight).square().sum(), weight)[0]
    outputs, gradients = [], []

    def forward():
        outputs.append(tapconv.conv1d(input.clone(), weight).square().sum())

    def backward():
        gradients.append(torch.autograd.grad(outputs.pop(), weight)[0])

    for body in (forward, backward):
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
    assert torch.equal(gradients[0], expected)


@pytest.mark.usefixtures("device")
def test_one_tensor_in_all_places():
    tensor = torch.randint(-3, 4, (3, 3, 3)).double()
    bias = tensor[0, 0]
    torch.testing.assert_close(
        tapconv.conv1d(tensor, tensor, bias, padding=2), torch.conv1d(tensor, tensor, bias, padding=2)
    )
    tensor.requires_grad_()
    ours, theirs = (
        torch.autograd.grad(f(tensor, tensor, None, 1, 2).square().sum(), tensor)[0]
        for f in (tapconv.conv1d, torch.conv1d)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("device")
def test_overlapping_views():
    """Windows of one signal that overlap, as torch.Tensor.unfold makes them."""
    signal = torch.randint(-3, 4, (400,)).float()
    input = signal.unfold(0, 50, 10)[:, None, :]
    weight = torch.randint(-3, 4, (4, 1, 7)).float()
    assert torch.equal(tapconv.conv1d(input, weight, algorithm="direct"), torch.conv1d(input.contiguous(), weight))


@pytest.mark.usefixtures("device")
def test_out_that_is_a_view_leaves_its_surroundings_alone():
    input, weight = torch.randn(2, 3, 30), torch.randn(4, 3, 3)
    whole = torch.full((2, 8, 40), 7.0)
    view = whole[:, 2:6, 5:33]
    tapconv.conv1d(input, weight, out=view)
    assert torch.equal(view, tapconv.conv1d(input, weight))
    whole[:, 2:6, 5:33] = 7.0
    assert torch.equal(whole, torch.full_like(whole, 7.0))


@pytest.mark.usefixtures("device")
def test_out_that_overlaps_an_argument_is_refused():
    memory = torch.randn(1000)
    with pytest.raises(RuntimeError, match="single memory location"):
        tapconv.conv1d(memory[:240].view(2, 4, 30), torch.randn(4, 4, 3), out=memory[100:324].view(2, 4, 28))


@pytest.mark.usefixtures("device")
def test_inference_tensors():
    with torch.inference_mode():
        input, weight = torch.randint(-3, 4, (2, 3, 40)).float(), torch.randint(-3, 4, (5, 3, 3)).float()
        output = tapconv.conv1d(input, weight, algorithm="direct")
        assert output.is_inference()
    assert torch.equal(tapconv.conv1d(input, weight, algorithm="direct"), output)
    parameter = weight.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        tapconv.conv1d(input, parameter)


@pytest.mark.parametrize("offset", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_numpy_arrays_at_odd_addresses(offset, dtype):
    """numpy allows addresses that are no multiple of an element."""
    generator = np.random.default_rng(0)

    def odd(shape):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        array = np.frombuffer(bytearray(size + offset), dtype=dtype, offset=offset, count=int(np.prod(shape)))
        array[:] = generator.integers(-3, 4, array.shape)
        return torch.from_numpy(array.reshape(shape))

    input, weight, bias = odd((2, 4, 67)), odd((5, 4, 3)), odd((5,))
    output = tapconv.conv1d(input, weight, bias, padding=1, algorithm="direct")
    expected = torch.conv1d(input.clone().double(), weight.clone().double(), bias.clone().double(), padding=1)
    assert torch.equal(output.double(), expected)
    gradient = torch.ops.tapconv.conv1d_grad_weight(output, input, 3, 1, 1)
    assert gradient.shape == weight.shape and gradient.isfinite().all()


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_files_mapped_read_only(tmp_path):
    """Up to the last byte of the last page: a write, or a read beyond, would end the process."""
    path = tmp_path / "signal"
    numbers = np.arange(4096 * 3, dtype=np.float32) % 7
    numbers.tofile(path)
    mapped = torch.from_numpy(np.memmap(path, dtype=np.float32, mode="r")).view(3, 4, 1024)
    weight = torch.randint(-3, 4, (4, 4, 5)).float()
    expected = torch.conv1d(mapped.clone(), weight, padding=2)
    assert torch.equal(tapconv.conv1d(mapped, weight, padding=2, algorithm="direct"), expected)
    as_weight = mapped.view(3, 4, 1024)[:, :, :9]
    assert tapconv.conv1d(torch.randn(1, 4, 50), as_weight).shape == (1, 3, 42)


def test_an_allocation_that_fails_leaves_nothing_behind():
    """Outputs, workspaces and gradients that memory does not hold: torch's error, and the next call works."""
    in_a_fresh_process("""
    import resource, torch, tapconv
    torch.set_num_threads(1)
    input = torch.randint(-3, 4, (1, 2, 4000)).float()
    weight = torch.randint(-3, 4, (2, 2, 3)).float().requires_grad_()
    expected = tapconv.conv1d(input, weight)
    gradient, = torch.autograd.grad(expected.sum(), weight)
    long = torch.ones(1).expand(1, 2, 200_000_000)
    many = torch.ones(1).expand(500_000, 2, 600)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
    def fails(call):
        try:
            call()
        except (RuntimeError, MemoryError) as error:
            assert "memory" in str(error), error
            return
        raise AssertionError("memory was not short")
    for _ in range(3):
        fails(lambda: tapconv.conv1d(long, weight))
        fails(lambda: tapconv.conv1d(many, weight, padding=1))
        fails(lambda: tapconv.conv1d(long, weight, algorithm="direct"))
        fails(lambda: torch.ops.tapconv.conv1d_grad_input(long, weight, 200_000_002))
        fails(lambda: tapconv.conv1d(input, torch.ones(1).expand(40_000, 2, 3), padding=2))
        again = tapconv.conv1d(input, weight)
        assert torch.equal(again, expected)
        assert torch.equal(torch.autograd.grad(again.sum(), weight)[0], gradient)
    """)
