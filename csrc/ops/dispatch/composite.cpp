// Kernels made of other operators: padding given in words, and devices without a kernel of ours.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv1d.h>
#include <c10/util/DimVector.h>
#include <torch/library.h>

#include <array>
#include <string>

#include "ops/arguments/conditions.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

// The distance from the first tap to the last: "same" and "causal" add so many samples that as many come out as go in.
// Nothing where the weight or the dilation is not one that torch takes.
std::optional<c10::SymInt> reach_of(const at::Tensor& weight, c10::SymIntArrayRef dilation) {
  const c10::SymInt one(1);
  if (weight.dim() != 3 || dilation.size() != 1 || !holds(c10::sym_ge(dilation[0], one))) return std::nullopt;
  const c10::SymInt steps = weight.sym_size(2) - one;
  if (!holds(c10::sym_ge(steps, c10::SymInt(0)))) return std::nullopt;
  const auto plain_steps = steps.maybe_as_int();
  const auto plain_dilation = dilation[0].maybe_as_int();
  int64_t reach = 0;
  if (plain_steps && plain_dilation && __builtin_mul_overflow(*plain_steps, *plain_dilation, &reach)) {
    return std::nullopt;
  }
  return steps * dilation[0];
}

// A padding given as a word, in samples; nothing where torch is to have the call, for its words.
std::optional<c10::SymDimVector> in_samples(const at::Tensor& input, const at::Tensor& weight,
                                            const std::optional<at::Tensor>& bias, const WordedAttributes& a) {
  const auto reach = reach_of(weight, a.dilation);
  const c10::SymInt zero(0);
  if (a.padding == "causal") return reach ? c10::SymDimVector{*reach, zero} : c10::SymDimVector{zero};
  // Where padding is a word, torch finds the errors of a call in another order: it has calls with any of these.
  const bool is_usual = (input.dim() == 2 || input.dim() == 3) && weight.dim() == 3 &&
                        (!bias || !bias->defined() || bias->scalar_type() == input.scalar_type());
  if (a.padding == "valid" && is_usual) return c10::SymDimVector{zero};
  const bool can_be_same = is_usual && reach && a.stride.size() == 1 && holds(c10::sym_eq(a.stride[0], c10::SymInt(1)));
  if (a.padding == "same" && can_be_same) return c10::SymDimVector{*reach / 2, *reach - *reach / 2};
  return std::nullopt;
}

at::Tensor conv1d_padding(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                          const WordedAttributes& a) {
  if (const auto samples = in_samples(input, weight, bias, a)) {
    return call_conv1d(input, weight, bias, a.padded_by(*samples));
  }
  check_groups_under_transforms(a.groups);
  // Raises: torch says what is wrong.
  return at::conv1d_symint(input, weight, bias, a.stride, a.padding, a.dilation, a.groups);
}

at::Tensor conv1d_packed_weight_padding(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                                        const std::optional<at::Tensor>& bias, const WordedAttributes& a) {
  if (const auto samples = in_samples(input, weight, bias, a)) {
    return call_conv1d_packed_weight(input, packed, weight, bias, a.padded_by(*samples));
  }
  return call_conv1d_padding(input, weight, bias, a);
}

at::Tensor conv1d_elsewhere(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const SymRawAttributes& raw) {
  understand(raw);  // raises where torch would not
  return delegate(input, weight, bias, raw);
}

// Packed weights are laid out for the kernels of the CPU.
void refuse_packed(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const at::Tensor& first = torch::jit::peek(*stack, 0, op.schema().arguments().size()).toTensor();
  TORCH_CHECK(first.defined(), op.schema().name(), ": expected a tensor, got None");
  TORCH_CHECK_NOT_IMPLEMENTED(false, op.schema().name(), " is for the CPU alone, and this tensor is on ",
                              first.device(), ". Call tapconv.conv1d with the plain weight there.");
}

// Overloads for plain numbers, of the name with "ints" at its end: the operator itself, whose numbers may be symbolic.
void with_plain_numbers(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& arguments = op.schema().arguments();
  const auto groups = static_cast<size_t>(op.schema().argumentIndexWithName("groups").value());
  TORCH_CHECK_TYPE(!torch::jit::peek(*stack, groups, arguments.size()).isNone(), op.schema().name(),
                   ": argument 'groups' must be an int, not None");
  std::string overload = op.schema().overload_name();
  overload.resize(overload.size() - std::string_view("ints").size());
  if (!overload.empty()) overload.pop_back();  // "_"
  c10::Dispatcher::singleton().findSchemaOrThrow(op.schema().name().c_str(), overload.c_str()).callBoxed(stack);
}

void implement_words_and_plain_numbers(torch::Library& m) {
  m.impl("conv1d.padding", unboxed<&conv1d_padding>);
  m.impl("conv1d_packed.weight_padding", unboxed<&conv1d_packed_weight_padding>);
  for (const char* const name : operators_for_plain_numbers) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&with_plain_numbers>());
  }
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CompositeImplicitAutograd, m) { implement_words_and_plain_numbers(m); }

// Without this, vmap calls a composite operator once per sample, and warns.
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatchedDecomposition, m) { implement_words_and_plain_numbers(m); }

TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) {
  m.impl("conv1d", unboxed<&conv1d_elsewhere>);
  for (const char* const name : {"pack_weight", "conv1d_packed", "conv1d_packed.out"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse_packed>());
  }
}

}  // namespace tapconv::ops
