#include "ops/causal/causal_composed.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <vector>

#include "ops/schema/operator.h"

namespace tapconv::ops {
namespace {

SymAttributes depthwise(const c10::SymInt& channels, const c10::SymInt& padding_left) {
  return {.stride = 1,
          .padding_left = padding_left,
          .padding_right = 0,
          .dilation = 1,
          .groups = channels,
          .padding_mode = kernels::PaddingMode::zeros,
          .algorithm = kernels::AlgorithmRequest::automatic};
}

// x as it was `later` samples ago, with zeros where the signal begins: the sample that a tap reads.
at::Tensor delayed(const at::Tensor& x, const c10::SymInt& later) {
  const c10::SymInt length = x.sym_size(2);
  return at::constant_pad_nd_symint(x, {later, 0}, 0).slice_symint(2, 0, length);
}

at::Tensor advanced(const at::Tensor& x, const c10::SymInt& sooner) {
  const c10::SymInt length = x.sym_size(2);
  return at::constant_pad_nd_symint(x, {0, sooner}, 0).slice_symint(2, sooner, sooner + length);
}

// Where the sample `later` before an output belongs to the output's own sequence: (batch, 1, length).
at::Tensor same_sequence(const at::Tensor& seq_idx, const c10::SymInt& later) {
  const at::Tensor now = seq_idx.unsqueeze(1);
  // Before the first sample there is no sequence.
  const at::Tensor then = at::constant_pad_nd_symint(now, {later, 0}, -1).slice_symint(2, 0, now.sym_size(2));
  return at::logical_and(now.eq(then), now.ge(0));
}

at::Tensor zero_where_not(const at::Tensor& condition, const at::Tensor& values) {
  return at::where(condition, values, at::zeros({}, values.options()));
}

// torch's own derivative of silu has none itself.
at::Tensor silu_gradient(const at::Tensor& grad, const at::Tensor& sums) {
  if (!c10::GradMode::is_enabled()) return at::silu_backward(grad, sums);
  const at::Tensor sigmoid = sums.sigmoid();
  return grad * sigmoid * (1 + sums * (1 - sigmoid));
}

// Operands in the type of the sums, with what a call means for them.
class Composed {
 public:
  explicit Composed(const CausalArguments& a)
      : type_(sum_type(a.x, a.weight)),
        x_(a.x.to(type_)),
        weight_(a.weight.to(type_)),
        bias_(is_given(a.bias) ? std::optional(a.bias->to(type_)) : std::nullopt),
        seq_idx_(is_given(a.seq_idx) ? *a.seq_idx : at::Tensor()),
        width_(weight_.sym_size(1)),
        padding_(width_ - 1) {
    if (is_given(a.initial_states)) {
      signal_ = at::cat({a.initial_states->to(type_), x_}, 2);
      padding_ = 0;
    } else {
      signal_ = x_;
    }
  }

  at::Tensor sums() const {
    if (!seq_idx_.defined()) {
      return call_conv1d(signal_, weight_.unsqueeze(1), bias_, Spelled(attributes()).raw());
    }
    at::Tensor all = bias_ ? bias_->unsqueeze(1) : at::zeros({}, x_.options());
    for (int64_t later = 0; later < width_; ++later) {
      all = all + tap(later) * zero_where_not(same_sequence(seq_idx_, later), delayed(x_, later));
    }
    return zero_where_not(seq_idx_.unsqueeze(1).ge(0), all);
  }

  // `grad` is by the sums.
  CausalGradients gradients(at::Tensor grad, bool wants_bias, bool wants_initial_states) const {
    CausalGradients result;
    if (seq_idx_.defined()) {
      grad = zero_where_not(seq_idx_.unsqueeze(1).ge(0), grad);
      std::vector<at::Tensor> by_tap;
      for (c10::SymInt later = width_ - 1; later >= 0; later = later - 1) {
        const at::Tensor seen = zero_where_not(same_sequence(seq_idx_, later), grad);
        const at::Tensor by_x = advanced(tap(later) * seen, later);
        result.x = result.x.defined() ? result.x + by_x : by_x;
        by_tap.push_back((seen * delayed(x_, later)).sum(at::IntArrayRef{0, 2}));
      }
      result.weight = at::stack(by_tap, 1);
      if (wants_bias) result.bias = grad.sum(at::IntArrayRef{0, 2});
      return result;
    }
    const SymAttributes attributes = this->attributes();
    const Spelled spelled(attributes);
    const at::Tensor by_signal = call_conv1d_grad_input(grad, weight_.unsqueeze(1), signal_.sym_size(2), spelled.raw());
    const c10::SymInt states = signal_.sym_size(2) - x_.sym_size(2);
    result.x = by_signal.slice_symint(2, states);
    if (wants_initial_states) result.initial_states = by_signal.slice_symint(2, 0, states);
    if (wants_bias) {
      auto [by_weight, by_bias] = call_conv1d_grad_weight_bias(grad, signal_, width_, spelled.raw());
      result.weight = by_weight.squeeze(1);
      result.bias = by_bias;
    } else {
      result.weight = call_conv1d_grad_weight(grad, signal_, width_, spelled.raw()).squeeze(1);
    }
    return result;
  }

 private:
  at::ScalarType type_;
  at::Tensor x_;
  at::Tensor weight_;
  std::optional<at::Tensor> bias_;
  at::Tensor seq_idx_;
  c10::SymInt width_;
  c10::SymInt padding_;
  at::Tensor signal_;  // with the initial states ahead

  SymAttributes attributes() const { return depthwise(x_.sym_size(1), padding_); }
  // (channels, 1): what the sample `later` before an output is multiplied by.
  at::Tensor tap(const c10::SymInt& later) const { return weight_.select_symint(1, width_ - 1 - later).unsqueeze(1); }
};

}  // namespace

at::ScalarType sum_type(const at::Tensor& x, const at::Tensor& weight) {
  return x.scalar_type() == at::kDouble || weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor causal_composed(const CausalArguments& a) {
  // Neither the convolution nor its gradients take a signal without samples, channels or sequences.
  if (TORCH_GUARD_OR_FALSE(c10::sym_eq(a.x.sym_numel(), c10::SymInt(0)))) return a.x.clone();
  const at::Tensor sums = Composed(a).sums();
  const at::Tensor output = (is_silu(a.activation) ? at::silu(sums) : sums).to(a.x.scalar_type());
  return is_channels_last(a.x) ? output.transpose(1, 2).contiguous().transpose(1, 2) : output.contiguous();
}

CausalGradients causal_gradients(const CausalArguments& a, const at::Tensor& grad_output, bool wants_bias,
                                 bool wants_initial_states) {
  if (TORCH_GUARD_OR_FALSE(c10::sym_eq(a.x.sym_numel(), c10::SymInt(0)))) {
    const auto zeros_like = [](const std::optional<at::Tensor>& tensor) {
      return is_given(tensor) ? at::zeros_like(*tensor) : at::Tensor();
    };
    return {grad_output.clone(), at::zeros_like(a.weight), zeros_like(a.bias), zeros_like(a.initial_states)};
  }
  const Composed composed(a);
  at::Tensor grad = grad_output.to(sum_type(a.x, a.weight));
  if (is_silu(a.activation)) grad = silu_gradient(grad, composed.sums());
  CausalGradients all = composed.gradients(grad, wants_bias, wants_initial_states);
  const auto stored_as = [](const at::Tensor& gradient, const at::Tensor& like) {
    return gradient.defined() ? gradient.to(like.scalar_type()) : gradient;
  };
  all.x = stored_as(all.x, a.x);
  all.weight = stored_as(all.weight, a.weight);
  if (wants_bias) all.bias = stored_as(all.bias, *a.bias);
  if (wants_initial_states) all.initial_states = stored_as(all.initial_states, a.x);
  return all;
}

}  // namespace tapconv::ops
