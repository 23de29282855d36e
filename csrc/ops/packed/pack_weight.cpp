// pack_weight: a weight packed once for many calls.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "kernels/packed/packed_weight.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/memory.h"
#include "ops/dispatch/cpu.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

// Outputs of the problem that is taken for typical where the caller names no length.
constexpr int64_t typical_outputs = 4096;
// Far above any layer, and low enough that no size computed from it overflows.
constexpr int64_t max_elements = int64_t(1) << 40;
constexpr int64_t max_typical = int64_t(1) << 31;

// The problem that a weight is packed for.
kernels::Problem typical_problem(const at::Tensor& weight, const Attributes& a, std::optional<int64_t> input_length,
                                 int64_t batch) {
  const auto type = data_type_of(weight.scalar_type());
  TORCH_CHECK(type && weight.layout() == at::kStrided && (weight.device().is_cpu() || weight.device().is_meta()),
              "pack_weight: expected a weight of type float32, float64, bfloat16 or float16 on the CPU, got ",
              weight.toString(), " on ", weight.device());
  TORCH_CHECK(
      weight.dim() == 3 && weight.numel() > 0 && weight.numel() <= max_elements && weight.size(0) % a.groups == 0,
      "pack_weight: expected a weight of size (out_channels, in_channels / groups, kernel_size) without zeros, "
      "whose out_channels ",
      a.groups, " groups divide, got ", weight.sizes());
  TORCH_CHECK_VALUE(
      !input_length || (*input_length >= 1 && *input_length <= max_typical),
      "pack_weight: expected an input_length from 1 to 2**31, or None, got input_length=", input_length.value_or(0));
  TORCH_CHECK_VALUE(batch >= 1 && batch <= max_typical,
                    "pack_weight: expected a batch from 1 to 2**31, got batch=", batch);
  const int64_t in_channels = weight.size(1) * a.groups;
  const int64_t outputs = input_length ? (*input_length - 1) / a.stride + 1 : typical_outputs;
  const int64_t length = input_length.value_or(typical_outputs);
  return {.data_type = *type,
          .padding_mode = kernels::PaddingMode::zeros,
          .algorithm = a.algorithm,
          .batch = batch,
          .in_channels = in_channels,
          .input_length = length,
          .out_channels = weight.size(0),
          .kernel_size = weight.size(2),
          .stride = a.stride,
          .padding_left = 0,
          .padding_right = 0,
          .dilation = a.dilation,
          .groups = a.groups,
          .output_length = outputs,
          .input_strides = {.batch = in_channels * length, .channel = length, .time = 1},
          .weight_strides = {},
          .output_strides = {.batch = weight.size(0) * outputs, .channel = outputs, .time = 1}};
}

at::Tensor pack_weight(const at::Tensor& weight, const PackingAttributes& a) {
  const Attributes attributes = understand_or_raise(
      RawAttributes{a.stride, /*padding=*/0, a.dilation, a.groups, "zeros", a.algorithm}, "pack_weight");
  const kernels::Problem typical = typical_problem(weight, attributes, a.input_length, a.batch);
  check_request(typical, weight.scalar_type(), weight.sizes());
  const int slots = weight.is_meta() ? 1 : runtime::slots_for(typical);
  const kernels::WeightPacking packing =
      kernels::plan_weight_packing(typical, kernels::current_instruction_set(), slots);
  if (weight.is_meta()) return at::empty({packing.header.bytes}, weight.options().dtype(at::kByte));
  require_memory(weight, "weight");
  const at::Tensor dense = weight.contiguous();
  at::Tensor packed = runtime::allocate({packing.header.bytes}, at::kByte);
  const at::Tensor workspace = runtime::allocate({static_cast<int64_t>(packing.workspace_bytes)}, at::kByte);
  kernels::pack_weight(packing, dense.const_data_ptr(), packed.mutable_data_ptr(), workspace.mutable_data_ptr(),
                       runtime::parallel(slots));
  return packed;
}

at::Tensor under_autograd(const at::Tensor& weight, const PackingAttributes& attributes) {
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_pack_weight(weight, attributes);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("pack_weight", unboxed<&pack_weight>); }
TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("pack_weight", unboxed<&pack_weight>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("pack_weight", unboxed<&under_autograd>); }

}  // namespace tapconv::ops
