"""conv1d in plain Python: the definition, as worked out on paper. Lists of floats in, lists of floats out."""

from __future__ import annotations

Signal = list[list[float]]  # [channel][sample]
Filters = list[list[list[float]]]  # [out_channel][in_channel of the group][tap]


def padded_sample(samples: list[float], position: int, padding_mode: str) -> float:
    """The sample at `position`, which may lie before the first sample or after the last."""
    length = len(samples)
    if 0 <= position < length:
        return samples[position]
    if padding_mode == "zeros":
        return 0.0
    if padding_mode == "replicate":
        return samples[0] if position < 0 else samples[-1]
    if padding_mode == "reflect":
        return samples[-position] if position < 0 else samples[2 * (length - 1) - position]
    if padding_mode == "circular":
        return samples[position % length]
    raise ValueError(f"padding_mode must be zeros, reflect, replicate or circular, but got {padding_mode!r}")


def conv1d_by_hand(
    signal: Signal,
    filters: Filters,
    bias: list[float] | None = None,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Signal:
    """One output at a time: the bias, plus every tap of every channel of the group times the sample below it."""
    channels_per_group = len(signal) // groups
    filters_per_group = len(filters) // groups
    taps = len(filters[0][0])
    length = output_length(len(signal[0]), taps, stride, padding, dilation)
    output = []
    for o, filter_bank in enumerate(filters):
        first_channel = o // filters_per_group * channels_per_group
        row = []
        for t in range(length):
            total = bias[o] if bias else 0.0
            for c in range(channels_per_group):
                for k in range(taps):
                    position = t * stride + k * dilation - padding[0]
                    total += filter_bank[c][k] * padded_sample(signal[first_channel + c], position, padding_mode)
            row.append(total)
        output.append(row)
    return output


def output_length(length: int, kernel_size: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """L_out = floor((L + padding_left + padding_right - dilation * (kernel_size - 1) - 1) / stride) + 1."""
    return (length + sum(padding) - dilation * (kernel_size - 1) - 1) // stride + 1
