"""The three functions. They hand their arguments on to the operators."""

from __future__ import annotations

import torch
from torch import Tensor

from tapconv import _library

_library.load()
_forward = torch.ops.tapconv.causal_conv1d.default
_update = torch.ops.tapconv.causal_conv1d_update.default
_varlen_states = torch.ops.tapconv.causal_conv1d_varlen_states.default


def _final_states(x: Tensor, initial_states: Tensor | None, count: int) -> Tensor:
    """The newest `count` samples of the states followed by x; channels lie side by side."""
    length = x.shape[2]
    if torch.compiler.is_compiling():
        # Without a question about the length, which may be unknown. Compilers leave out what is sliced away.
        states = x.new_zeros(*x.shape[:2], count) if initial_states is None else initial_states
        newest = torch.cat([states, x], dim=2).narrow(2, length, count)
    elif length >= count:
        newest = x[:, :, length - count :]
    elif initial_states is None:
        newest = torch.nn.functional.pad(x, (count - length, 0))
    else:
        newest = torch.cat([initial_states[:, :, length:], x], dim=2)
    return newest.transpose(1, 2).clone(memory_format=torch.contiguous_format).transpose(1, 2)


def causal_conv1d_fn(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    seq_idx: Tensor | None = None,
    initial_states: Tensor | None = None,
    return_final_states: bool = False,
    final_states_out: Tensor | None = None,
    activation: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    r"""Filters every channel of a signal with its own few taps; no output sees a later sample.

    .. math::
        y[n, c, t] = \text{act}\Big(\text{bias}[c] + \sum_k w[c, k] \; x[n, c, t - (\text{width} - 1) + k]\Big)

    Signature and meaning are those of `causal_conv1d_fn` of the package causal-conv1d (Dao-AILab, 1.6.1). Beyond it:
    any width, any number of channels, any strides, float64, and states and sequences in every layout. Differentiable
    by x, weight, bias and initial_states, and through the final states, any number of times.

    Args:
        x: the signal, shape (batch, channels, length): float32, float64, bfloat16 or float16.
        weight: the taps, shape (channels, width); of any of these types, whatever x has.
        bias: one number for each channel, of the weight's type, or None.
        seq_idx: int32, shape (batch, length), or None: which sequence each sample belongs to. A sample counts only for
            outputs of its own sequence, so that packed sequences do not see each other; outputs of a negative sequence
            are 0, and their samples are padding.
        initial_states: the width - 1 samples before the first, shape (batch, channels, width - 1) and of the type of x,
            or None: zeros.
        return_final_states: whether to return the newest width - 1 samples too: the initial states of a call that goes
            on with the signal.
        final_states_out: where to put them, or None: a new tensor whose channels lie side by side.
        activation: None, or "silu" or "swish", which are one.

    Returns:
        The output, of the shape, the type and the layout of x, or it and the final states. Sums are kept in float32
        (float64 if x or weight is), and rounded once.

    Raises:
        NotImplementedError: for another activation.
        ValueError: if shapes do not fit, or seq_idx is given with states.
        TypeError: for other types.
    """
    if seq_idx is not None and return_final_states:
        raise ValueError("causal_conv1d: return_final_states must be False if seq_idx is not None")
    output = _forward(x, weight, bias, seq_idx, initial_states, activation)
    if not return_final_states:
        return output
    final_states = _final_states(x, initial_states, weight.shape[1] - 1)
    if final_states_out is not None:
        if final_states_out.shape != final_states.shape:
            raise ValueError(
                f"causal_conv1d: expected final_states_out of shape (batch, channels, width - 1) = "
                f"{tuple(final_states.shape)}, but got {tuple(final_states_out.shape)}"
            )
        final_states = final_states_out.copy_(final_states)
    return output, final_states


def causal_conv1d_update(
    x: Tensor,
    conv_state: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    activation: str | None = None,
    cache_seqlens: Tensor | None = None,
    conv_state_indices: Tensor | None = None,
) -> Tensor:
    """One step of a decoder: filters the samples of x behind those of a state, then puts them into the state.

    Signature and meaning are those of `causal_conv1d_update` of the package causal-conv1d (Dao-AILab, 1.6.1), with the
    limits of :func:`causal_conv1d_fn` lifted. Nothing is allocated but the output. Not differentiable.

    Args:
        x: the new samples, shape (batch, channels) or (batch, channels, length).
        conv_state: the last samples, of the type of x, shape (batch, channels, state_len) with state_len at least
            width - 1. It is changed in place: the oldest samples are pushed out at its beginning.
        weight: the taps, shape (channels, width).
        bias: one number for each channel, of the weight's type, or None.
        activation: None, or "silu" or "swish", which are one.
        cache_seqlens: int32, shape (batch,), or None: how many samples each state has seen. The state is a ring then,
            whose next sample goes to the place cache_seqlens % state_len, the one after it to the next place.
        conv_state_indices: int32, shape (batch,), or None: which entry of conv_state, then of shape (entries, channels,
            state_len), belongs to which row of x. A negative one is padding: the output is 0, and no state changes.
            Rows that share an entry take turns in the order of the batch.

    Returns:
        The output, of the shape and type of x.

    Raises:
        NotImplementedError: for another activation, or a device that is not the CPU.
        ValueError, TypeError, IndexError: for shapes and types that do not fit, a negative length or an index without
            an entry. The state is as it was.
        RuntimeError: for a state that shares memory with another argument.
    """
    return _update(x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices)


def causal_conv1d_varlen_states(x: Tensor, cu_seqlens: Tensor, state_len: int) -> Tensor:
    """The last samples of each of several sequences that lie one after the other: the states that go on with them.

    Args:
        x: the samples of all sequences, shape (total, channels).
        cu_seqlens: shape (batch + 1,), integers: where each sequence begins, and the total; sorted, beginning with 0.
        state_len: how many samples of each; those that a shorter sequence lacks are zeros ahead of it.

    Returns:
        The states, shape (batch, channels, state_len), whose channels lie side by side. Differentiable by x.
    """
    return _varlen_states(x, cu_seqlens, state_len)
