#include <tapconv/causal_conv1d.h>

#include "ops/causal/causal_operators.h"

namespace tapconv {

at::Tensor causal_conv1d(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                         const std::optional<at::Tensor>& seq_idx, const std::optional<at::Tensor>& initial_states,
                         std::optional<std::string_view> activation) {
  return ops::call_causal_conv1d({x, weight, bias, seq_idx, initial_states, activation});
}

at::Tensor causal_conv1d_update(const at::Tensor& x, const at::Tensor& conv_state, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, std::optional<std::string_view> activation,
                                const std::optional<at::Tensor>& cache_seqlens,
                                const std::optional<at::Tensor>& conv_state_indices) {
  return ops::call_causal_conv1d_update({x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices});
}

at::Tensor causal_conv1d_varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens, int64_t state_len) {
  return ops::call_causal_conv1d_varlen_states(x, cu_seqlens, state_len);
}

}  // namespace tapconv
