// vmap: the mapped dimension is folded into a dimension that the convolution has anyway, and the kernel runs once.
#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/PlumbingHelper.h>
#include <torch/library.h>

#include "ops/arguments/arguments.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

// A tensor under vmap: if mapped, the mapped dimension comes first.
struct Mapped {
  at::Tensor tensor;
  bool mapped;
};

Mapped unwrap(const at::Tensor& tensor, int64_t level) {
  if (!tensor.defined()) return {tensor, false};
  const auto [inner, dim] = at::functorch::unwrapTensorAtLevel(tensor, level);
  return dim ? Mapped{inner.movedim(*dim, 0), true} : Mapped{inner, false};
}

// Where the mapped dimension of size B goes in the tensor that plays a role: dimension `dim` of size outer * inner
// becomes outer * B * inner. Negative: the tensor has no batch dimension, and the mapped one becomes it.
struct Place {
  int64_t dim;
  c10::SymInt outer;
};

// How a fold changes a call: where B goes in each role that has it, and what becomes of the groups.
enum class Index : uint8_t { batch, out_channel, in_channel, group };

Place place_of(Index index, Role role, bool batched, const c10::SymInt& groups) {
  const int64_t channel_dim = batched ? 1 : 0;
  switch (index) {
    case Index::batch:
      return {batched ? 0 : -1, 1};
    case Index::out_channel:
      return {role == Role::weight ? 0 : channel_dim, groups};
    case Index::in_channel:
      return role == Role::weight ? Place{1, 1} : Place{channel_dim, groups};
    case Index::group:
      break;
  }
  return {role == Role::weight ? 0 : channel_dim, 1};
}

at::Tensor fold(const at::Tensor& tensor, const Place& place) {
  if (place.dim < 0) return tensor;
  const int64_t dim = place.dim;
  const c10::SymInt inner = tensor.sym_size(dim + 1) / place.outer;
  return tensor.unflatten_symint(dim + 1, {place.outer, inner}).movedim(0, dim + 1).flatten(dim, dim + 2);
}

at::Tensor unfold(const at::Tensor& tensor, const Place& place, const c10::SymInt& size) {
  if (place.dim < 0) return tensor;
  const int64_t dim = place.dim;
  const c10::SymInt inner = tensor.sym_size(dim) / (place.outer * size);
  return tensor.unflatten_symint(dim, {place.outer, size, inner}).movedim(dim + 1, 0).flatten(dim + 1, dim + 2);
}

// The index that a mapped argument shares with the result but not with the other argument takes B in.
Index index_between(Role a, Role b) {
  if (a != Role::weight && b != Role::weight) return Index::batch;
  return a == Role::output || b == Role::output ? Index::out_channel : Index::in_channel;
}

// op(a, b) [+ bias], with a or b mapped over `size` slices: the result, with the mapped dimension first. A mapped bias
// needs a mapped weight, which makes the place for it.
at::Tensor call_folded(Operator op, const Mapped& a, const Mapped& b, const std::optional<Mapped>& bias,
                       const c10::SymInt& size) {
  const auto [role_a, role_b] = arguments_of(op.result);
  const c10::SymInt groups = op.attributes.groups;
  const Index index = a.mapped && b.mapped ? Index::group : index_between(op.result, a.mapped ? role_a : role_b);
  // All three activations of a call are batched, or none is.
  const bool batched = a.tensor.dim() - (a.mapped ? 1 : 0) == 3;
  const auto place = [&](Role role) { return place_of(index, role, batched, groups); };
  if (index == Index::group) op.attributes.groups = groups * size;
  const at::Tensor first = a.mapped ? fold(a.tensor, place(role_a)) : a.tensor;
  const at::Tensor second = b.mapped ? fold(b.tensor, place(role_b)) : b.tensor;
  if (!bias) return unfold(call(op, first, second), place(op.result), size);
  at::Tensor folded_bias = bias->tensor;
  if (b.mapped) {
    const at::Tensor every = bias->mapped ? bias->tensor : bias->tensor.unsqueeze(0).expand_symint({size, -1});
    folded_bias = fold(every, {0, place(Role::output).outer});
  }
  return unfold(call_conv1d(first, second, folded_bias, Spelled(op.attributes).raw()), place(op.result), size);
}

// Nothing to map over: the slice of zeros tells the shape of the result.
at::Tensor empty_result(const Operator& op, const Mapped& a, const Mapped& b) {
  const auto slice = [](const Mapped& argument) { return argument.mapped ? argument.tensor.sum(0) : argument.tensor; };
  return call(op, slice(a), slice(b)).unsqueeze(0).narrow(0, 0, 0);
}

at::Tensor map(const Operator& op, const at::Tensor& first, const at::Tensor& second,
               const std::optional<at::Tensor>& bias, const SymRawAttributes& raw) {
  const auto layer = at::functorch::maybeCurrentDynamicLayer();
  TORCH_INTERNAL_ASSERT(layer);
  const int64_t level = layer->layerId();
  c10::impl::ExcludeDispatchKeyGuard below_vmap(c10::DispatchKey::FuncTorchBatched);
  const Mapped a = unwrap(first, level);
  const Mapped b = unwrap(second, level);
  const Mapped c = unwrap(bias.value_or(at::Tensor()), level);
  if (!a.mapped && !b.mapped && !c.mapped) {
    return op.result == Role::output ? call_conv1d(first, second, bias, raw) : call(op, first, second);
  }
  const c10::SymInt size = layer->batchSize();
  // A mapped bias beside a weight that is not mapped has no place in a fold: it is added.
  const bool adds_bias = c.mapped && !b.mapped;
  const auto folded_bias = c.tensor.defined() && !adds_bias ? std::optional(c) : std::nullopt;
  at::Tensor result;
  if (size == 0) {
    result = empty_result(op, a, b);
  } else if (a.mapped || b.mapped) {
    result = call_folded(op, a, b, folded_bias, size);
  } else {
    result = call(op, a.tensor, b.tensor).unsqueeze(0);
  }
  if (adds_bias && size != 0) {
    result = result.add((first.dim() == 3 ? c.tensor.unsqueeze(1) : c.tensor).unsqueeze(-1));
  }
  return at::functorch::makeBatched(result, 0, level);
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymRawAttributes& raw) {
  const auto attributes = understand(raw);
  if (!attributes || !kernels_take(input, weight, bias, *attributes) || is_mapped_over_nothing(input, weight)) {
    return delegate(input, weight, bias, raw);
  }
  return map({Role::output, input.sym_size(-1), weight.sym_size(2), *attributes}, input, weight, bias, raw);
}

at::Tensor conv1d_grad_input(const at::Tensor& grad_output, const at::Tensor& weight, c10::SymInt input_length,
                             const SymRawAttributes& raw) {
  const SymAttributes attributes = understand_or_raise(raw, "conv1d_grad_input");
  return map({Role::input, std::move(input_length), weight.sym_size(2), attributes}, grad_output, weight, std::nullopt,
             raw);
}

at::Tensor conv1d_grad_weight(const at::Tensor& grad_output, const at::Tensor& input, c10::SymInt kernel_size,
                              const SymRawAttributes& raw) {
  const SymAttributes attributes = understand_or_raise(raw, "conv1d_grad_weight");
  return map({Role::weight, input.sym_size(-1), std::move(kernel_size), attributes}, grad_output, input, std::nullopt,
             raw);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) {
  m.impl("conv1d", unboxed<&conv1d>);
  m.impl("conv1d_grad_input", unboxed<&conv1d_grad_input>);
  m.impl("conv1d_grad_weight", unboxed<&conv1d_grad_weight>);
}

}  // namespace tapconv::ops
