#include "ops/causal/causal_arguments.h"

#include <ATen/MemoryOverlap.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "ops/arguments/arguments.h"
#include "ops/arguments/conditions.h"
#include "ops/arguments/memory.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

void check_type(const char* function, const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_TYPE(data_type_of(tensor.scalar_type()).has_value(), function, ": expected ", name,
                   " to be float32, float64, bfloat16 or float16, but got ", tensor.scalar_type());
}

void check_same_type(const char* function, const char* name, const at::Tensor& tensor, const char* other_name,
                     const at::Tensor& other) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == other.scalar_type(), function, ": expected ", name, " to have the type of ",
                   other_name, ", ", other.scalar_type(), ", but got ", tensor.scalar_type());
}

void check_device(const char* function, const char* name, const at::Tensor& tensor, const at::Tensor& x) {
  TORCH_CHECK(tensor.device() == x.device(), function, ": expected ", name, " to be on the device of x, ", x.device(),
              ", but got ", tensor.device());
}

void check_shape(const char* function, const char* name, const at::Tensor& tensor, const char* wanted,
                 at::ArrayRef<c10::SymInt> shape) {
  const auto sizes = tensor.sym_sizes();
  bool fits = sizes.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = holds(c10::sym_eq(sizes[i], shape[i]));
  TORCH_CHECK_VALUE(fits, function, ": expected ", name, " of shape ", wanted, " = ", shape, ", but got ", sizes);
}

// An int32 tensor of a given shape, such as lengths and indices.
void check_integers(const char* function, const char* name, const std::optional<at::Tensor>& tensor, const char* wanted,
                    at::ArrayRef<c10::SymInt> shape, const at::Tensor& x) {
  if (!is_given(tensor)) return;
  TORCH_CHECK_TYPE(tensor->scalar_type() == at::kInt, function, ": expected ", name, " to be int32, but got ",
                   tensor->scalar_type());
  check_device(function, name, *tensor, x);
  check_shape(function, name, *tensor, wanted, shape);
}

void check_weight_and_bias(const char* function, const at::Tensor& x, const c10::SymInt& channels,
                           const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  check_type(function, "x", x);
  check_type(function, "weight", weight);
  check_device(function, "weight", weight, x);
  TORCH_CHECK_VALUE(weight.dim() == 2 && holds(c10::sym_ge(weight.sym_size(1), c10::SymInt(1))), function,
                    ": expected weight of shape (channels, width) with at least one tap, but got ", weight.sym_sizes());
  check_shape(function, "weight", weight, "(channels, width)", {channels, weight.sym_size(1)});
  if (!is_given(bias)) return;
  check_same_type(function, "bias", *bias, "weight", weight);
  check_device(function, "bias", *bias, x);
  check_shape(function, "bias", *bias, "(channels)", {channels});
}

}  // namespace

bool is_silu(std::optional<std::string_view> activation) {
  TORCH_CHECK_NOT_IMPLEMENTED(!activation || *activation == "silu" || *activation == "swish",
                              "activation must be None, silu, or swish, but got '", activation.value_or(""), "'");
  return activation.has_value();
}

void check(const CausalArguments& a) {
  const char* const function = "causal_conv1d";
  is_silu(a.activation);
  TORCH_CHECK_VALUE(a.x.dim() == 3, function, ": expected x of shape (batch, channels, length), but got ",
                    a.x.sym_sizes());
  const auto sizes = a.x.sym_sizes();
  check_weight_and_bias(function, a.x, sizes[1], a.weight, a.bias);
  check_integers(function, "seq_idx", a.seq_idx, "(batch, length)", {sizes[0], sizes[2]}, a.x);
  if (!is_given(a.initial_states)) return;
  TORCH_CHECK_VALUE(!is_given(a.seq_idx), function,
                    ": initial_states must be None if seq_idx is not None: every sequence begins with zeros");
  check_same_type(function, "initial_states", *a.initial_states, "x", a.x);
  check_device(function, "initial_states", *a.initial_states, a.x);
  check_shape(function, "initial_states", *a.initial_states, "(batch, channels, width - 1)",
              {sizes[0], sizes[1], a.weight.sym_size(1) - 1});
}

void check(const UpdateArguments& a) {
  const char* const function = "causal_conv1d_update";
  is_silu(a.activation);
  TORCH_CHECK_VALUE(a.x.dim() == 2 || a.x.dim() == 3, function,
                    ": expected x of shape (batch, channels) or (batch, channels, length), but got ", a.x.sym_sizes());
  const c10::SymInt batch = a.x.sym_size(0);
  const c10::SymInt channels = a.x.sym_size(1);
  check_weight_and_bias(function, a.x, channels, a.weight, a.bias);
  const at::Tensor& state = a.conv_state;
  TORCH_CHECK_VALUE(state.dim() == 3, function, ": expected conv_state of shape (",
                    is_given(a.conv_state_indices) ? "entries" : "batch", ", channels, state_len), but got ",
                    state.sym_sizes());
  check_same_type(function, "conv_state", state, "x", a.x);
  check_device(function, "conv_state", state, a.x);
  const c10::SymInt rows = is_given(a.conv_state_indices) ? state.sym_size(0) : batch;
  check_shape(function, "conv_state", state, "(batch, channels, state_len)", {rows, channels, state.sym_size(2)});
  TORCH_CHECK_VALUE(holds(c10::sym_ge(state.sym_size(2), a.weight.sym_size(1) - 1)), function,
                    ": expected conv_state to hold at least width - 1 = ", a.weight.sym_size(1) - 1,
                    " samples of each channel, but its state_len is ", state.sym_size(2));
  check_integers(function, "cache_seqlens", a.cache_seqlens, "(batch)", {batch}, a.x);
  check_integers(function, "conv_state_indices", a.conv_state_indices, "(batch)", {batch}, a.x);
}

void check_values(const UpdateArguments& a) {
  const char* const function = "causal_conv1d_update";
  if (is_given(a.cache_seqlens)) {
    require_memory(*a.cache_seqlens, "cache_seqlens");
    const at::Tensor lengths = a.cache_seqlens->contiguous();
    const int32_t* const all = lengths.const_data_ptr<int32_t>();
    TORCH_CHECK_VALUE(a.conv_state.size(2) > 0 || lengths.numel() == 0, function,
                      ": with cache_seqlens, expected conv_state to hold at least one sample, but its state_len is 0");
    for (int64_t i = 0; i < lengths.numel(); ++i) {
      TORCH_CHECK_VALUE(all[i] >= 0, function, ": expected cache_seqlens of at least 0, but cache_seqlens[", i, "] is ",
                        all[i]);
    }
  }
  if (is_given(a.conv_state_indices)) {
    require_memory(*a.conv_state_indices, "conv_state_indices");
    const at::Tensor indices = a.conv_state_indices->contiguous();
    const int32_t* const all = indices.const_data_ptr<int32_t>();
    for (int64_t i = 0; i < indices.numel(); ++i) {
      TORCH_CHECK_INDEX(all[i] < a.conv_state.size(0), function, ": conv_state_indices[", i, "] is ", all[i],
                        ", but conv_state has ", a.conv_state.size(0), " entries");
    }
  }
  at::assert_no_internal_overlap(a.conv_state);
  for (const at::Tensor* other : {&a.x, &a.weight}) at::assert_no_overlap(a.conv_state, *other);
  if (is_given(a.bias)) at::assert_no_overlap(a.conv_state, *a.bias);
}

bool is_channels_last(const at::Tensor& x) {
  const auto is_one = [](const c10::SymInt& stride) {
    return TORCH_GUARD_OR_FALSE(c10::sym_eq(stride, c10::SymInt(1)));
  };
  return is_one(x.sym_stride(1)) && !is_one(x.sym_stride(2));
}

at::Tensor allocated_output(const at::Tensor& x) {
  if (!is_channels_last(x)) return runtime::allocate(x.sizes(), x.scalar_type());
  return runtime::allocate({x.size(0), x.size(2), x.size(1)}, x.scalar_type()).transpose(1, 2);
}

at::Tensor empty_output(const at::Tensor& x) {
  const auto sizes = x.sym_sizes();
  if (!is_channels_last(x)) return at::empty_symint(sizes, x.options());
  return at::empty_symint({sizes[0], sizes[2], sizes[1]}, x.options()).transpose(1, 2);
}

at::Tensor side_by_side(const at::Tensor& x) { return x.stride(1) == 1 || x.stride(2) == 1 ? x : x.contiguous(); }

kernels::CausalCall causal_call(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& state,
                                const at::Tensor& output) {
  kernels::CausalCall call{};
  call.data_type = data_type_of(x.scalar_type()).value();
  call.weight_type = data_type_of(weight.scalar_type()).value();
  call.batch = x.size(0);
  call.channels = x.size(1);
  call.length = x.size(2);
  call.width = weight.size(1);
  call.input_strides = activation_strides(x);
  call.output_strides = activation_strides(output);
  call.weight_channel_stride = weight.stride(0);
  call.weight_tap_stride = weight.stride(1);
  if (state.defined()) {
    call.state_length = state.size(2);
    call.state_rows = state.size(0);
    call.state_strides = activation_strides(state);
  }
  return call;
}

}  // namespace tapconv::ops
