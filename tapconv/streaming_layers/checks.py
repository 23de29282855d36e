"""What a chunk, a state and a weight have to have in common, asked before anything is computed or changed. TorchScript
compiles these functions, so that they keep to what it knows."""

from __future__ import annotations

from torch import Tensor


def check_chunk(function: str, x: Tensor, state: Tensor, channels: int) -> None:
    """Raises ValueError unless the chunk has `channels` channels and the state is one of such chunks."""
    if x.dim() != 3 or x.shape[1] != channels:
        raise ValueError(
            f"{function}: expected a chunk of shape (batch, {channels}, samples), as the weight has {channels} input "
            f"channels, got {list(x.shape)}"
        )
    check_state(function, state, channels)
    if state.shape[0] != x.shape[0]:
        raise ValueError(
            f"{function}: the state is one of {state.shape[0]} signals and the chunk has {x.shape[0]}. Each batch "
            "needs a state of its own."
        )
    if state.dtype != x.dtype or state.device != x.device:
        raise ValueError(
            f"{function}: expected a state of the chunk's type and device, {x.dtype} on {x.device}, got {state.dtype} "
            f"on {state.device}"
        )


def check_state(function: str, state: Tensor, channels: int) -> None:
    if state.dim() != 3 or state.shape[1] != channels:
        raise ValueError(
            f"{function}: expected a state of shape (batch, {channels}, samples), got {list(state.shape)}. The "
            "function whose name ends in _state makes the first one."
        )


def check_weight(function: str, weight: Tensor, stride: int, dilation: int, groups: int) -> None:
    if weight.dim() != 3 or weight.shape[2] < 1:
        raise ValueError(
            f"{function}: expected a weight of three dimensions, none of them empty, got {list(weight.shape)}"
        )
    if stride < 1 or dilation < 1 or groups < 1:
        raise ValueError(
            f"{function}: expected a stride, a dilation and groups of at least 1, got stride={stride}, "
            f"dilation={dilation}, groups={groups}"
        )


def check_reach(function: str, stride: int, kernel_size: int, dilation: int) -> None:
    """Raises ValueError where samples between outputs are read by none: they would have to be skipped across chunks,
    and a state is samples."""
    span = dilation * (kernel_size - 1) + 1
    if stride > span:
        raise ValueError(
            f"{function}: a stride of {stride} skips samples between filters that span {span}, which a state cannot "
            "count across chunks. Drop the samples that no filter reads first, and pass a shorter stride."
        )
