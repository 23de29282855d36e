"""`tapconv.StreamingConv1d` and `tapconv.StreamingConvTranspose1d`: layers called with one chunk after the other."""

import copy
import itertools
import pickle

import pytest
import torch

import tapconv


def streamed(layer, signal, chunk):
    with torch.no_grad():
        return torch.cat([layer(part) for part in signal.split(chunk, -1)] + [layer.flush()], -1)


def assert_as_good_as_whole(output, whole):
    assert output.shape == whole.shape
    assert (output - whole).abs().max() <= 1e-6 * whole.abs().max()


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_weights_of_torchs_layers_drop_in(chunk):
    signal = torch.randn(2, 8, 61)
    for kernel_size, stride, dilation, groups, padding in itertools.product(
        [1, 4, 7], [1, 2], [1, 3], [1, 4], [0, 1, 5]
    ):
        if stride > dilation * (kernel_size - 1) + 1 or 61 + 2 * padding <= dilation * (kernel_size - 1):
            continue
        arguments = (8, 12, kernel_size, stride, padding, dilation, groups)
        whole, layer = torch.nn.Conv1d(*arguments), tapconv.StreamingConv1d(*arguments)
        layer.load_state_dict(whole.state_dict())
        expected = whole(signal).detach()
        for _ in range(2):  # flush begins anew
            assert_as_good_as_whole(streamed(layer, signal, chunk), expected)
        assert set(layer.state_dict()) == set(whole.state_dict())


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_weights_of_torchs_transposed_layers_drop_in(chunk):
    signal, refused = torch.randn(2, 8, 20), 0
    for kernel_size, stride, padding, output_padding, dilation in itertools.product(
        [1, 3, 4, 16], [1, 2, 8], [0, 1, 3], [0, 1], [1, 2]
    ):
        if output_padding >= max(stride, dilation):
            continue
        arguments = (8, 12, kernel_size, stride, padding, output_padding, 4, True, dilation)
        if padding - output_padding > dilation * (kernel_size - 1) + 1 - stride:
            refused += 1
            with pytest.raises(ValueError, match="have gone out by then"):
                tapconv.StreamingConvTranspose1d(*arguments)
            continue
        whole, layer = torch.nn.ConvTranspose1d(*arguments), tapconv.StreamingConvTranspose1d(*arguments)
        layer.load_state_dict(whole.state_dict())
        expected = whole(signal).detach()
        for _ in range(2):
            assert_as_good_as_whole(streamed(layer, signal, chunk), expected)
    assert refused > 0


def test_named_paddings_and_the_delay():
    signal = torch.randn(1, 3, 40)
    for padding, delay in {"causal": 0, "same": 4, "valid": 8, (3, 1): 5}.items():
        layer = tapconv.StreamingConv1d(3, 5, 5, dilation=2, padding=padding)
        assert layer.delay == delay
        whole = tapconv.conv1d(signal, layer.weight, layer.bias, 1, padding, 2).detach()
        assert_as_good_as_whole(streamed(layer, signal, 3), whole)
    assert tapconv.StreamingConvTranspose1d(3, 5, 4, stride=2, padding=1).delay == 1


def test_replicated_first_samples():
    layer = tapconv.StreamingConv1d(3, 5, 5, padding=(4, 0), padding_mode="replicate")
    signal = torch.randn(2, 3, 40)
    with torch.no_grad():
        assert layer(signal[..., :0]).shape == (2, 5, 0)  # an empty chunk decides nothing
        whole = tapconv.conv1d(signal, layer.weight, layer.bias, padding=(4, 0), padding_mode="replicate")
    assert_as_good_as_whole(streamed(layer, signal, 7), whole)


def test_what_cannot_be_streamed_is_refused_with_the_reason():
    for mode in ("reflect", "circular"):
        with pytest.raises(ValueError, match="have not come yet"):
            tapconv.StreamingConv1d(3, 5, 5, padding="causal", padding_mode=mode)
    with pytest.raises(ValueError, match="needs the last sample"):
        tapconv.StreamingConv1d(3, 5, 5, padding=2, padding_mode="replicate")
    with pytest.raises(ValueError, match="a stride of 6 skips samples"):
        tapconv.StreamingConv1d(3, 5, 5, stride=6)
    with pytest.raises(ValueError, match="has no output_size"):
        tapconv.StreamingConvTranspose1d(3, 5, 5)(torch.randn(1, 3, 2), [7])


@pytest.mark.parametrize(
    "layer",
    [tapconv.StreamingConv1d(3, 5, 4, padding="causal"), tapconv.StreamingConvTranspose1d(3, 5, 4, stride=2)],
    ids=["conv1d", "conv_transpose1d"],
)
def test_rows_are_reset_and_left_out(layer):
    layer.reset()
    first, second = torch.randn(2, 3, 10), torch.randn(2, 3, 6)
    begins_anew = torch.tensor([False, True])
    with torch.no_grad():
        layer(first)
        layer.reset(begins_anew)
        output = layer(second)
        layer.reset()
        fresh = layer(second)
        layer.reset()
        going_on = (layer(first), layer(second))[1]
        assert torch.equal(output[1], fresh[1]) and torch.equal(output[0], going_on[0])

        layer.reset()
        layer(first)
        left_out = layer(torch.randn(2, 3, 5), exec_mask=~begins_anew)
        assert not left_out[1].any() and left_out[0].any()
        assert torch.equal(layer(second)[1], going_on[1])


def test_a_part_of_the_batch_begins_only_in_step():
    layer = tapconv.StreamingConv1d(3, 5, 4, stride=2, padding="causal")
    mask = torch.tensor([True, False])
    with torch.no_grad():
        layer(torch.randn(2, 3, 3))
        with pytest.raises(RuntimeError, match="chunks of a multiple of the stride"):
            layer.reset(mask)
        with pytest.raises(ValueError, match="keep the length of the state"):
            layer(torch.randn(2, 3, 3), exec_mask=mask)
        layer(torch.randn(2, 3, 1))
        layer.reset(mask)
    cut = tapconv.StreamingConvTranspose1d(3, 5, 4, stride=2, padding=1)
    with torch.no_grad():
        cut(torch.randn(2, 3, 1))
    with pytest.raises(RuntimeError, match="the first 1 outputs of a signal are cut off"):
        cut.reset(mask)
    replicated = tapconv.StreamingConv1d(3, 5, 4, padding=(3, 0), padding_mode="replicate")
    replicated(torch.randn(2, 3, 1))
    with pytest.raises(RuntimeError, match="first sample is not known yet"):
        replicated.reset(mask)


def test_wrong_chunks_leave_the_state_alone():
    for layer in (tapconv.StreamingConv1d(3, 5, 4, padding="causal"), tapconv.StreamingConvTranspose1d(3, 5, 4)):
        first, second = torch.randn(2, 3, 10), torch.randn(2, 3, 6)
        with torch.no_grad():
            layer(first)
            for wrong in (torch.randn(1, 3, 6), torch.randn(2, 4, 6), torch.randn(3, 6), second.double()):
                with pytest.raises(ValueError, match="chunk"):
                    layer(wrong)
            with pytest.raises(ValueError, match="a mask of 2 booleans"):
                layer(second, exec_mask=torch.ones(3, dtype=torch.bool))
            with pytest.raises(ValueError, match="a mask of 2 booleans"):
                layer.reset(torch.ones(3, dtype=torch.bool))
            output = layer(second)
            layer.reset()
            layer(first)
            assert torch.equal(layer(second), output)


def test_nothing_to_flush():
    for layer in (tapconv.StreamingConv1d(3, 5, 4), tapconv.StreamingConvTranspose1d(3, 5, 4)):
        with pytest.raises(RuntimeError, match="no sample has come"):
            layer.flush()


def test_layers_train_chunk_by_chunk():
    """The gradients of a chunk go no further back than its state."""
    layer = tapconv.StreamingConv1d(3, 5, 4, padding="causal")
    chunks = torch.randn(2, 2, 3, 10)
    for chunk in chunks:
        layer(chunk).square().sum().backward()
    expected = sum(
        torch.autograd.grad(
            tapconv.conv1d_context(chunk, layer.weight, layer.bias, left, padding="causal").square().sum(), layer.weight
        )[0]
        for chunk, left in zip(chunks, (torch.zeros(2, 3, 3), chunks[0, :, :, -3:]), strict=True)
    )
    torch.testing.assert_close(layer.weight.grad, expected)


def test_state_moves_copies_and_pickles_with_the_layer():
    layer = tapconv.StreamingConv1d(3, 5, 4, padding="causal")
    first, second = torch.randn(2, 3, 10), torch.randn(2, 3, 6)
    with torch.no_grad():
        layer(first)
        copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
        expected = layer(second)
        for other in copies:
            assert torch.equal(other(second), expected)
        assert layer.double()(second.double()).dtype == torch.float64
