// conv1d_stream_, the step of a stream in one call: the outputs whose last samples a chunk brings, and the state moved
// on in place. A step of a small layer takes microseconds, of which every further call would be one or two.
#include <ATen/Functions.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "ops/arguments/conditions.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

using c10::SymInt;
using MaybeTensor = std::optional<at::Tensor>;

// The arguments in the schema's order.
struct Step {
  const at::Tensor& x;
  at::Tensor& state;
  const at::Tensor& weight;
  const MaybeTensor& bias;
  SymInt stride;
  SymInt dilation;
  SymInt groups;
  const MaybeTensor& exec_mask;
  std::string_view algorithm;

  static Step from_arguments(const at::Tensor& x, at::Tensor& state, const at::Tensor& weight, const MaybeTensor& bias,
                             SymInt stride, SymInt dilation, SymInt groups, const MaybeTensor& exec_mask,
                             std::string_view algorithm) {
    return {x, state, weight, bias, std::move(stride), std::move(dilation), std::move(groups), exec_mask, algorithm};
  }
  auto arguments() const { return std::tie(x, state, weight, bias, stride, dilation, groups, exec_mask, algorithm); }
  SymInt reach() const { return dilation * (weight.sym_size(2) - 1); }
};

constexpr const char* function = "conv1d_stream_";

bool at_least_one(const SymInt& number) { return holds(c10::sym_ge(number, SymInt(1))); }
bool equal(const SymInt& a, const SymInt& b) { return holds(c10::sym_eq(a, b)); }

void check_weight(const Step& s) {
  TORCH_CHECK_VALUE(s.weight.dim() == 3 && at_least_one(s.weight.sym_size(2)), function,
                    ": expected a weight of three dimensions, none of them empty, got ", s.weight.sym_sizes());
  TORCH_CHECK_VALUE(at_least_one(s.stride) && at_least_one(s.dilation) && at_least_one(s.groups), function,
                    ": expected a stride, a dilation and groups of at least 1, got stride=", s.stride,
                    ", dilation=", s.dilation, ", groups=", s.groups);
  TORCH_CHECK_VALUE(holds(c10::sym_le(s.stride, s.reach() + 1)), function, ": a stride of ", s.stride,
                    " skips samples between filters that span ", s.reach() + 1,
                    ", which a state cannot count across chunks. Drop the samples that no filter reads first, and pass "
                    "a shorter stride.");
}

void check_chunk_and_state(const Step& s) {
  const SymInt channels = s.weight.sym_size(1) * s.groups;
  TORCH_CHECK_VALUE(s.x.dim() == 3 && equal(s.x.sym_size(1), channels), function,
                    ": expected a chunk of shape (batch, ", channels, ", samples), as the weight has ", channels,
                    " input channels, got ", s.x.sym_sizes());
  TORCH_CHECK_VALUE(s.state.dim() == 3 && equal(s.state.sym_size(1), channels), function,
                    ": expected a state of shape (batch, ", channels, ", samples), got ", s.state.sym_sizes(),
                    ". The function whose name ends in _state makes the first one.");
  TORCH_CHECK_VALUE(equal(s.state.sym_size(0), s.x.sym_size(0)), function, ": the state is one of ",
                    s.state.sym_size(0), " signals and the chunk has ", s.x.sym_size(0),
                    ". Each batch needs a state of its own.");
  TORCH_CHECK_VALUE(s.state.scalar_type() == s.x.scalar_type() && s.state.device() == s.x.device(), function,
                    ": expected a state of the chunk's type and device, ", s.x.scalar_type(), " on ", s.x.device(),
                    ", got ", s.state.scalar_type(), " on ", s.state.device());
  const SymInt samples = s.x.sym_size(2), kept = s.state.sym_size(2), reach = s.reach();
  TORCH_CHECK_VALUE(
      equal(samples % s.stride, 0) && holds(c10::sym_le(kept, reach)) && holds(c10::sym_gt(kept, reach - s.stride)),
      function, ": a state that is written in place needs chunks of a multiple of the stride and ",
      (reach + 1 - s.stride).max(0), " to ", reach, " samples in the state; got a chunk of ", samples,
      " samples, a stride of ", s.stride, " and ", kept,
      " samples in the state. conv1d_stream takes chunks of any length.");
}

void check(const Step& s) {
  check_weight(s);
  check_chunk_and_state(s);
  if (!s.exec_mask) return;
  const at::Tensor& mask = *s.exec_mask;
  TORCH_CHECK_VALUE(mask.scalar_type() == at::kBool && mask.dim() == 1 && equal(mask.sym_size(0), s.x.sym_size(0)),
                    function, ": expected an exec_mask of ", s.x.sym_size(0), " booleans, got ", mask.scalar_type(),
                    " of shape ", mask.sym_sizes());
}

at::Tensor outputs(const Step& s) {
  const SymInt kept = s.state.sym_size(2);
  if (!holds(c10::sym_gt(s.x.sym_size(2), SymInt(0)))) {
    return at::empty_symint({s.x.sym_size(0), s.weight.sym_size(0), 0}, s.x.options());
  }
  const std::array<SymInt, 2> padding = {kept, 0};
  const MaybeTensor left = s.state, right;
  return call_conv1d_context(
      {s.x, s.weight, s.bias, left, right, {s.stride, padding, s.dilation, s.groups, "zeros", s.algorithm}});
}

void push(at::Tensor& state, const at::Tensor& samples) {
  static const RegisteredOperator<void(at::Tensor&, const at::Tensor&)> op("tapconv::push_samples_");
  op(state, samples);
}

at::Tensor step(const Step& s) {
  check(s);
  at::Tensor y = outputs(s);
  if (!s.exec_mask) {
    push(s.state, s.x);
    return y;
  }
  const at::Tensor rows = s.exec_mask->unsqueeze(1).unsqueeze(2);
  const at::Tensor moved = at::cat({s.state, s.x}, 2).slice_symint(2, s.x.sym_size(2));
  s.state.copy_(at::where(rows, moved, s.state));
  return y.masked_fill_(rows.logical_not(), 0);
}

at::Tensor call(const Step& s) {
  static const RegisteredOperator<decltype(call)> op("tapconv::conv1d_stream_");
  return op(s);
}

at::Tensor step_under_autograd(const Step& s) {
  TORCH_CHECK(!torch::autograd::compute_requires_grad(s.x, s.state, s.weight, s.bias), function,
              " has no derivatives, since it changes its state in place: call it under torch.no_grad() or "
              "torch.inference_mode(), or call conv1d_stream.");
  at::Tensor y;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    y = call(s);
  }
  torch::autograd::increment_version(s.state);
  return y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def(
      "conv1d_stream_(Tensor x, Tensor(a!) state, Tensor weight, Tensor? bias=None, SymInt stride=1, "
      "SymInt dilation=1, SymInt groups=1, Tensor? exec_mask=None, str algorithm=\"auto\") -> Tensor",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("conv1d_stream_", unboxed<&step>); }
TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_stream_", unboxed<&step_under_autograd>); }

}  // namespace tapconv::ops
