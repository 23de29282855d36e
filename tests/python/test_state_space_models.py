"""Models of `transformers` whose causal convolutions are tapconv's after `tapconv.causal_conv1d.install`: the same
tokens and logits as by their own computation, and packed sequences that do not see each other."""

import sys

import pytest
import torch

import tapconv
from tapconv import causal_conv1d

transformers = pytest.importorskip("transformers")

SMALL = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}
ATTENTION = SMALL | {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
FAMILIES = {
    "Mamba": SMALL | {"state_size": 4},
    "Mamba2": SMALL | {"state_size": 8, "num_heads": 4, "head_dim": 16, "n_groups": 2, "chunk_size": 8},
    "Jamba": ATTENTION
    | {
        "num_hidden_layers": 4,
        "mamba_d_state": 4,
        "num_experts": 2,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "use_mamba_kernels": False,
    },
    "Lfm2": ATTENTION | {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "FalconH1": ATTENTION
    | {
        "head_dim": 8,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "mamba_chunk_size": 8,
    },
    "Qwen3Next": ATTENTION
    | {
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "Zamba2": ATTENTION
    | {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "mamba_d_state": 8,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
        "mamba_ngroups": 2,
        "num_mem_blocks": 1,
        "adapter_rank": 4,
        "chunk_size": 8,
    },
}


@pytest.fixture
def installed():
    causal_conv1d.install()
    yield
    causal_conv1d.uninstall()


def model_of(family):
    torch.manual_seed(3)
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family], pad_token_id=0, eos_token_id=None)
    return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def count_calls(monkeypatch):
    """Counts what reaches the operators."""
    calls = {"causal_conv1d_fn": 0, "causal_conv1d_update": 0}
    functions = sys.modules["tapconv.causal_conv1d.functions"]
    for name, operator in (("causal_conv1d_fn", "_forward"), ("causal_conv1d_update", "_update")):
        original = getattr(functions, operator)

        def counted(*args, name=name, original=original):
            calls[name] += 1
            return original(*args)

        monkeypatch.setattr(functions, operator, counted)
    return calls


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("family", FAMILIES)
def test_same_tokens_and_logits(family, monkeypatch):
    model = model_of(family)
    tokens = torch.randint(1, 64, (2, 11))
    mask = torch.ones_like(tokens)

    def run():
        with torch.no_grad():
            generated = model.generate(tokens, attention_mask=mask, max_new_tokens=9, do_sample=False)
            return generated, model(tokens, attention_mask=mask).logits

    own_tokens, own_logits = run()
    assert not tapconv.report(model).converted
    calls = count_calls(monkeypatch)
    causal_conv1d.install()
    try:
        our_tokens, our_logits = run()
        assert tapconv.report(model).converted, "the report does not know who computes"
    finally:
        causal_conv1d.uninstall()
    assert calls["causal_conv1d_fn"] > 0 and calls["causal_conv1d_update"] > 0
    assert torch.equal(own_tokens, our_tokens)
    assert torch.allclose(own_logits, our_logits, atol=1e-5)
    before = dict(calls)
    assert torch.equal(run()[1], own_logits) and calls == before, "uninstall() left something"


@pytest.mark.slow
@pytest.mark.once
def test_packed_sequences_are_separate_runs(installed):
    """Outputs and gradients. Without the package, the model refuses packed sequences."""
    model = model_of("Lfm2")
    lengths = [5, 2, 9]
    tokens = torch.randint(1, 64, (1, sum(lengths)))
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    sequences = torch.cat([torch.full((n,), i, dtype=torch.int32) for i, n in enumerate(lengths)])[None]

    packed = model(tokens, position_ids=positions, seq_idx=sequences, use_cache=False).logits
    packed.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    separate = torch.cat([model(one, use_cache=False).logits for one in tokens.split(lengths, 1)], 1)
    separate.square().sum().backward()
    assert torch.allclose(packed, separate, atol=1e-5)
    for ours, right in zip(gradients, [parameter.grad for parameter in model.parameters()], strict=True):
        assert torch.allclose(ours, right, atol=1e-4 * right.abs().max().clamp(min=1))


def test_report_says_who_computes():
    """A convolution that its model never calls is not tapconv's for having been converted."""
    model = tapconv.convert(model_of("Mamba"))
    entries = tapconv.report(model).entries
    assert entries and not any(entry.by_tapconv for entry in entries)
    assert "tapconv.causal_conv1d.install()" in entries[0].remark
    causal_conv1d.install()
    try:
        assert all(entry.by_tapconv for entry in tapconv.report(model).entries)
    finally:
        causal_conv1d.uninstall()


def test_stand_in_looks_like_the_package(installed):
    import importlib.util

    import causal_conv1d as package
    from causal_conv1d.causal_conv1d_interface import causal_conv1d_fn, causal_conv1d_update
    from causal_conv1d.causal_conv1d_varlen import causal_conv1d_varlen_states

    assert importlib.util.find_spec("causal_conv1d") is package.__spec__
    assert package.__version__ == causal_conv1d.installation.VERSION
    x, weight = torch.randn(1, 4, 6), torch.randn(4, 3)
    assert torch.equal(causal_conv1d_fn(x, weight), tapconv.causal_conv1d_fn(x, weight))
    state = torch.zeros(1, 4, 3)
    assert causal_conv1d_update(x, state, weight).shape == x.shape
    assert causal_conv1d_varlen_states(x[0].T, torch.tensor([0, 6]), 2).shape == (1, 4, 2)
    causal_conv1d.install()  # twice is once
    causal_conv1d.uninstall()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("causal_conv1d")
