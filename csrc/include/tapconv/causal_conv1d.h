// Causal depthwise convolutions with a state, as state-space models call them: the functions of the package
// causal-conv1d (Dao-AILab, 1.6), on CPUs. docs/causal_conv1d.md says what was lifted of its limits.
#pragma once

#include <ATen/core/Tensor.h>
#include <tapconv/export.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace tapconv {

/// Filters every channel of a signal with its own few taps; no output sees a later sample:
///
///     output[n, c, t] = act(bias[c] + sum over k of weight[c, k] * x[n, c, t - (width - 1) + k])
///
/// Differentiable by x, weight, bias and initial_states.
///
/// @param x              (batch, channels, length), any strides; float32, float64, bfloat16 or float16
/// @param weight         (channels, width), of any of these types
/// @param bias           (channels), of the weight's type
/// @param seq_idx        (batch, length), int32: a sample counts for outputs of its own sequence alone, and outputs of
/// a
///        negative one are 0
/// @param initial_states (batch, channels, width - 1), of the type of x: the samples before the first, else zeros
/// @param activation     nothing, or "silu" ("swish" is the same)
/// @return the output, of the shape, type and layout of x
/// @throws c10::ValueError, c10::TypeError for what does not fit; c10::NotImplementedError for another activation
TAPCONV_API at::Tensor causal_conv1d(const at::Tensor& x, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias = std::nullopt,
                                     const std::optional<at::Tensor>& seq_idx = std::nullopt,
                                     const std::optional<at::Tensor>& initial_states = std::nullopt,
                                     std::optional<std::string_view> activation = std::nullopt);

/// One step of a decoder: filters the samples of x behind those of `conv_state`, then puts them into it. Allocates
/// nothing but the output. Not differentiable; CPU only.
///
/// @param x                  (batch, channels) or (batch, channels, length)
/// @param conv_state         (batch, channels, state_len) of the type of x, state_len >= width - 1; changed in place
/// @param cache_seqlens      (batch), int32: the samples that each state has seen; the state is a ring then
/// @param conv_state_indices (batch), int32: which entry of conv_state, then (entries, channels, state_len), belongs to
///        which row; negative: none, the output is 0
/// @throws c10::ValueError, c10::TypeError, c10::IndexError for what does not fit; the state is as it was
TAPCONV_API at::Tensor causal_conv1d_update(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight,
                                            const std::optional<at::Tensor>& bias = std::nullopt,
                                            std::optional<std::string_view> activation = std::nullopt,
                                            const std::optional<at::Tensor>& cache_seqlens = std::nullopt,
                                            const std::optional<at::Tensor>& conv_state_indices = std::nullopt);

/// The last samples of each of several sequences that lie one after the other, with zeros ahead of shorter ones.
///
/// @param x          (total, channels)
/// @param cu_seqlens (batch + 1), integers: where each sequence begins, and the total
/// @return (batch, channels, state_len)
TAPCONV_API at::Tensor causal_conv1d_varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens,
                                                   int64_t state_len);

}  // namespace tapconv
