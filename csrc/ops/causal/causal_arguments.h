// The one check of the arguments of causal depthwise convolutions, and what the kernels are asked for them.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>
#include <tuple>

#include "kernels/causal/causal.h"

namespace tapconv::ops {

// The arguments of tapconv::causal_conv1d, in the schema's order.
struct CausalArguments {
  const at::Tensor& x;
  const at::Tensor& weight;
  const std::optional<at::Tensor>& bias;
  const std::optional<at::Tensor>& seq_idx;
  const std::optional<at::Tensor>& initial_states;
  std::optional<std::string_view> activation;

  static CausalArguments from_arguments(const at::Tensor& x, const at::Tensor& weight,
                                        const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& seq_idx,
                                        const std::optional<at::Tensor>& initial_states,
                                        std::optional<std::string_view> activation) {
    return {x, weight, bias, seq_idx, initial_states, activation};
  }
  auto arguments() const { return std::tie(x, weight, bias, seq_idx, initial_states, activation); }
};

// The arguments of tapconv::causal_conv1d_update, in the schema's order.
struct UpdateArguments {
  const at::Tensor& x;
  const at::Tensor& conv_state;
  const at::Tensor& weight;
  const std::optional<at::Tensor>& bias;
  std::optional<std::string_view> activation;
  const std::optional<at::Tensor>& cache_seqlens;
  const std::optional<at::Tensor>& conv_state_indices;

  static UpdateArguments from_arguments(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight,
                                        const std::optional<at::Tensor>& bias,
                                        std::optional<std::string_view> activation,
                                        const std::optional<at::Tensor>& cache_seqlens,
                                        const std::optional<at::Tensor>& conv_state_indices) {
    return {x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices};
  }
  auto arguments() const {
    return std::tie(x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices);
  }
};

inline bool is_given(const std::optional<at::Tensor>& tensor) { return tensor && tensor->defined(); }

// Whether an activation is silu. Raises NotImplementedError unless it is that, by either name, or none.
bool is_silu(std::optional<std::string_view> activation);

// Raise unless numbers of dimensions, sizes, types and devices fit. Work with symbolic sizes too.
void check(const CausalArguments& arguments);
void check(const UpdateArguments& arguments);

// What depends on the numbers' values and on memory: lengths and rows of the state in range, and a state that shares
// memory with nothing else.
void check_values(const UpdateArguments& arguments);

// Do the channels of each time lie side by side, and not the times? Outputs are laid out as x is.
bool is_channels_last(const at::Tensor& x);

// An output for x: on the CPU, and of any tensor, data or not.
at::Tensor allocated_output(const at::Tensor& x);
at::Tensor empty_output(const at::Tensor& x);

// A signal with channels or times side by side: itself if it is one, else a copy with times side by side.
at::Tensor side_by_side(const at::Tensor& x);

// What the kernels are asked: x (batch, channels, length) and an output of the same shape, a weight, and a state
// (rows, channels, length), which may be undefined. x and weight have types that the kernels compute together.
kernels::CausalCall causal_call(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& state,
                                const at::Tensor& output);

}  // namespace tapconv::ops
