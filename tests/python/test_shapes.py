"""The list of layers, and the functions around it."""

import pytest
import torch

from tapconv.demo.layers import largest_difference, shortened
from tapconv.shapes import load_layers, parse_padding

LAYERS = load_layers()


def test_the_list():
    assert len(LAYERS) == 47
    assert len({layer.name for layer in LAYERS}) == 47
    assert all(layer.source and layer.model for layer in LAYERS)
    assert {layer.padding_mode for layer in LAYERS} == {"zeros", "reflect", "circular"}


def test_a_row():
    layer = next(layer for layer in LAYERS if layer.name == "w2vbert_dw31_causal")
    assert (layer.input_shape, layer.weight_shape) == ((1, 1024, 500), (1024, 1, 31))
    assert layer.padding == (30, 0) and not layer.has_symmetric_padding and not layer.bias
    assert layer.output_shape == (1, 1024, 500)
    assert layer.flops == 2 * 1024 * 500 * 31
    assert layer.bytes_moved(4) == 4 * (2 * 1024 * 500 + 1024 * 31)
    assert layer.describe() == "(1,1024,500) -> 1024, k=31, pad=30:0, g=1024"


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_shapes_fit(layer):
    module = torch.nn.Conv1d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        0,
        layer.dilation,
        layer.groups,
        device="meta",
    )
    assert tuple(module.weight.shape) == layer.weight_shape
    padded = torch.empty(layer.batch, layer.in_channels, layer.length + sum(layer.padding), device="meta")
    assert tuple(module(padded).shape) == layer.output_shape


def test_tensors_are_repeatable_and_outputs_near_one():
    layer = next(layer for layer in LAYERS if layer.name == "jasper_k11")
    first, second = layer.make_tensors(), layer.make_tensors()
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert (first[2] is not None) == layer.bias
    assert layer.make_tensors(torch.bfloat16)[0].dtype == torch.bfloat16
    assert 0.8 < torch.conv1d(*first, padding=5).std() < 2


def test_filters():
    assert [layer.name for layer in load_layers(names=["JASPER"])] == ["jasper_k11"]
    assert len(load_layers(names=["hifigan", "melgan"])) == 6
    with pytest.raises(ValueError, match="nothing-like-it"):
        load_layers(names=["nothing-like-it"])


def test_another_file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "name,N,C_in,L,C_out,kernel,stride,padding,dilation,groups,bias,padding_mode\nmine,1,2,30,4,3,1,2:0,1,1,1,zeros\n"
    )
    (layer,) = load_layers(path)
    assert layer.output_shape == (1, 4, 30)
    path.write_text(path.read_text() + "bad,1,2,x,4,3,1,2:0,1,1,1,zeros\n")
    with pytest.raises(ValueError, match="line 3"):
        load_layers(path)


def test_padding_cells():
    assert parse_padding("3") == (3, 3)
    assert parse_padding("3:0") == (3, 0)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_shortened_keeps_what_is_hard(layer):
    small = shortened(layer, 1e7)
    assert small.flops <= layer.flops
    assert small.output_length >= min(16, layer.output_length)
    assert small.weight_shape[1:] == layer.weight_shape[1:]
    assert (small.stride, small.padding, small.dilation) == (layer.stride, layer.padding, layer.dilation)
    assert small.out_channels // small.groups == layer.out_channels // layer.groups


def test_largest_difference():
    assert largest_difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])) == 0.5
    assert largest_difference(torch.zeros(2), torch.zeros(3)) == float("inf")
    assert largest_difference(torch.tensor([float("nan")]), torch.zeros(1)) == float("inf")
