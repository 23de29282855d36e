// conv1d_packed, and what its forms share. For inference: nothing is differentiable here.
#include "ops/packed/packed.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/new_empty.h>
#include <c10/util/DimVector.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <algorithm>
#include <utility>

#include "composed/overlap_save/overlap_save.h"
#include "ops/arguments/conditions.h"
#include "ops/arguments/memory.h"
#include "ops/dispatch/cpu.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

namespace tapconv::ops {
namespace {

// The weight as it was before it was packed. Only to be read.
at::Tensor plain_weight(const PackedCall& call, const OpenedWeight& opened) {
  return at::from_blob(const_cast<void*>(opened.weight.plain), call.weight_shape, call.input.options());
}

at::Tensor conv1d_packed(const PackedCall& call) {
  const Attributes attributes = check_packed_call(call);
  const OpenedWeight opened = open_packed(call, attributes);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) return delegate_packed(call, opened);
  at::Tensor output = runtime::allocate(shape_of(Role::output, *sizes, attributes), call.input.scalar_type());
  conv1d_packed_into(call, opened, *sizes, attributes, output);
  return output;
}

at::Tensor conv1d_packed_meta(const SymPackedCall& call) {
  const SymAttributes attributes = check_packed_call(call);
  const auto sizes = packed_sizes(call, attributes);
  if (!sizes) {
    return delegate(call.input, at::empty_symint(call.weight_shape, call.input.options()), call.bias, call.attributes);
  }
  return at::empty_symint(shape_of(Role::output, *sizes, attributes), call.input.options());
}

at::Tensor conv1d_packed_autograd(const SymPackedCall& call) {
  using torch::autograd::isFwGradDefined;
  TORCH_CHECK_NOT_IMPLEMENTED(
      !torch::autograd::compute_requires_grad(call.input, call.bias) && !isFwGradDefined(call.input) &&
          !isFwGradDefined(call.bias),
      "conv1d_packed has no derivatives, and its input or bias requires a gradient. Call it under torch.no_grad() or "
      "torch.inference_mode(), or call conv1d with the plain weight.");
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_conv1d_packed(call);
}

}  // namespace

template <typename Int>
AttributesOf<Int> check_packed_call(const PackedCallOf<Int>& call) {
  TORCH_CHECK(call.input.defined() && call.packed.defined(),
              "conv1d_packed: expected two tensors, the input and what pack_weight returned, got None");
  const auto& shape = call.weight_shape;
  TORCH_CHECK(
      shape.size() == 3 &&
          std::all_of(shape.begin(), shape.end(), [](const Int& size) { return holds(c10::sym_ge(size, Int(1))); }),
      "conv1d_packed: expected weight_shape=(out_channels, in_channels / groups, kernel_size), each at least 1, "
      "got ",
      shape);
  const at::Tensor& packed = call.packed;
  TORCH_CHECK(packed.scalar_type() == at::kByte && packed.dim() == 1 && packed.layout() == at::kStrided &&
                  packed.device() == call.input.device(),
              "conv1d_packed: expected packed to be what pack_weight returns, a uint8 tensor of one dimension, on the "
              "device of the input, ",
              call.input.device(), "; got ", packed.toString(), " of size ", packed.sym_sizes(), " on ",
              packed.device());
  const auto attributes = understand(call.attributes);
  if (!attributes) {
    const c10::SymDimVector weight_shape(shape.begin(), shape.end());
    const at::Tensor weight = call.input.new_empty({1}).expand_symint(weight_shape);
    delegate(call.input, weight, call.bias, call.attributes);  // raises: torch says what is wrong
  }
  TORCH_INTERNAL_ASSERT(attributes);
  return *attributes;
}

template Attributes check_packed_call(const PackedCall& call);
template SymAttributes check_packed_call(const SymPackedCall& call);

std::variant<OpenedWeight, std::string> try_open_packed(const at::Tensor& packed, kernels::DataType type,
                                                        at::IntArrayRef weight_shape, const Attributes& attributes) {
  require_memory(packed, "packed");
  OpenedWeight opened{packed.contiguous(), {}};
  // Memory that was mapped from a file may begin anywhere.
  constexpr uintptr_t alignment = 8;
  if (reinterpret_cast<uintptr_t>(opened.memory.const_data_ptr()) % alignment != 0) {
    opened.memory = opened.memory.clone();
  }
  kernels::Problem expected{};
  expected.data_type = type;
  expected.out_channels = weight_shape[0];
  expected.kernel_size = weight_shape[2];
  expected.stride = attributes.stride;
  expected.dilation = attributes.dilation;
  expected.groups = attributes.groups;
  const bool fits = !__builtin_mul_overflow(weight_shape[1], attributes.groups, &expected.in_channels) &&
                    expected.out_channels % attributes.groups == 0;
  if (!fits) return "no weight of this shape can be packed for " + std::to_string(attributes.groups) + " groups";
  std::string wrong = kernels::read_packed_weight(opened.memory.const_data_ptr(), opened.memory.nbytes(), expected,
                                                  kernels::current_instruction_set(), opened.weight);
  if (!wrong.empty()) return wrong;
  return opened;
}

OpenedWeight open_packed(const PackedCall& call, const Attributes& attributes) {
  const auto type = data_type_of(call.input.scalar_type());
  TORCH_CHECK(type, "conv1d_packed: expected an input of type float32, float64, bfloat16 or float16, got ",
              call.input.toString());
  auto opened = try_open_packed(call.packed, *type, call.weight_shape, attributes);
  const std::string* const wrong = std::get_if<std::string>(&opened);
  TORCH_CHECK(!wrong, "conv1d_packed: this packed weight cannot be used: ", *wrong,
              ". Pack the weight again with tapconv.pack_weight, in this process and with the arguments of this call.");
  return std::get<OpenedWeight>(std::move(opened));
}

at::Tensor delegate_packed(const PackedCall& call, const OpenedWeight& opened) {
  return delegate(call.input, plain_weight(call, opened), call.bias, call.attributes);
}

void conv1d_packed_into(const PackedCall& call, const OpenedWeight& opened, const Sizes<int64_t>& sizes,
                        const Attributes& attributes, const at::Tensor& output) {
  if (sizes.batch == 0) return;
  require_memory(call.input, "input");
  if (call.bias) require_memory(*call.bias, "bias");
  require_memory(output, "out");
  kernels::Problem problem = problem_of(sizes, attributes, output, call.input);
  if (problem.algorithm == kernels::AlgorithmRequest::automatic) problem.algorithm = opened.weight.algorithm;
  check_request(problem, call.input.scalar_type(), call.weight_shape);
  problem.weight_strides = {call.weight_shape[1] * call.weight_shape[2], call.weight_shape[2], 1};
  if (composed::overlap_save_for(problem, kernels::Direction::forward)) {
    Attributes asked = attributes;
    asked.algorithm = problem.algorithm;
    return conv1d_into(call.input, plain_weight(call, opened), call.bias, sizes, asked, output);
  }
  runtime::explain_if_asked(problem, kernels::Direction::forward, kernels::prepared_of(opened.weight));
  const at::Tensor bias = call.bias && call.bias->defined() ? call.bias->contiguous() : at::Tensor();
  runtime::launch(
      problem,
      [&](const kernels::Problem& problem, const kernels::InstructionSet& instruction_set, int slots) {
        return kernels::plan_forward_packed(problem, opened.weight, instruction_set, slots);
      },
      [&](const kernels::Plan& plan, void* workspace, const kernels::Parallel& parallel) {
        kernels::forward_packed(plan, opened.weight, call.input.const_data_ptr(),
                                bias.defined() ? bias.const_data_ptr() : nullptr, output.mutable_data_ptr(), workspace,
                                parallel);
      });
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("conv1d_packed", unboxed<&conv1d_packed>); }

TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("conv1d_packed", unboxed<&conv1d_packed_meta>); }

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_packed", unboxed<&conv1d_packed_autograd>); }

}  // namespace tapconv::ops
