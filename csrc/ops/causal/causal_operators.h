// The operators of causal depthwise convolutions as C++ functions that go through the dispatcher.
#pragma once

#include "ops/causal/causal_arguments.h"

namespace tapconv::ops {

at::Tensor call_causal_conv1d(const CausalArguments& arguments);
at::Tensor call_causal_conv1d_update(const UpdateArguments& arguments);
at::Tensor call_causal_conv1d_varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens,
                                            const c10::SymInt& state_len);

}  // namespace tapconv::ops
