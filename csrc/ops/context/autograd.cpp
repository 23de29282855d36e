// The derivative of conv1d_context by input, weight, bias and both borders.
#include <ATen/functorch/DynamicLayer.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include "composed/any_device/grad_bias.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/borders.h"
#include "ops/context/gradients.h"
#include "ops/context/joined.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What `saved_data` holds by number. Tensors that were not given have no place among the edges of the graph.
enum class Number : uint8_t {
  input_length,
  left_length,
  right_length,
  kernel_size,
  stride,
  padding_left,
  padding_right,
  dilation,
  groups,
  algorithm,
  has_bias,
  has_left,
  has_right
};

std::string key_of(Number number) { return std::to_string(static_cast<int>(number)); }

void save(AutogradContext* context, Number number, const c10::SymInt& value) {
  context->saved_data[key_of(number)] = value;
}

c10::SymInt saved(AutogradContext* context, Number number) { return context->saved_data.at(key_of(number)).toSymInt(); }

int64_t saved_plain(AutogradContext* context, Number number) {
  return saved(context, number).guard_int(__FILE__, __LINE__);
}

bool is_given(const std::optional<at::Tensor>& tensor) { return tensor && tensor->defined(); }

c10::SymInt length_of(const std::optional<at::Tensor>& border) {
  return is_given(border) ? border->sym_size(-1) : c10::SymInt(0);
}

class TapconvConv1dContext : public torch::autograd::Function<TapconvConv1dContext> {
 public:
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& left,
                            const std::optional<at::Tensor>& right, const SymAttributes& attributes) {
    const auto requires_grad = [](const auto& tensor) { return is_given(tensor) && tensor->requires_grad(); };
    const bool by_weight = weight.requires_grad();
    const bool by_signal = input.requires_grad() || requires_grad(left) || requires_grad(right);
    const auto if_needed = [&](const std::optional<at::Tensor>& border) {
      return by_weight && is_given(border) ? *border : at::Tensor();
    };
    context->save_for_backward({by_weight ? input : at::Tensor(), by_signal || by_weight ? weight : at::Tensor(),
                                if_needed(left), if_needed(right)});
    save(context, Number::input_length, input.sym_size(-1));
    save(context, Number::left_length, length_of(left));
    save(context, Number::right_length, length_of(right));
    save(context, Number::kernel_size, weight.sym_size(2));
    save(context, Number::stride, attributes.stride);
    save(context, Number::padding_left, attributes.padding_left);
    save(context, Number::padding_right, attributes.padding_right);
    save(context, Number::dilation, attributes.dilation);
    save(context, Number::groups, attributes.groups);
    save(context, Number::algorithm, static_cast<int64_t>(attributes.algorithm));
    save(context, Number::has_bias, is_given(bias));
    save(context, Number::has_left, is_given(left));
    save(context, Number::has_right, is_given(right));
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    const Spelled spelled(attributes);
    return call_conv1d_context({input, weight, bias, left, right, spelled.raw()});
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    variable_list gradients(6);  // the last one is of the attributes
    if (!grads[0].defined()) return gradients;
    // Whatever the default says here and now: the attributes hold what the forward call was bound to.
    const AnyAlgorithmGuard as_in_forward;
    const ContextShape shape = shape_of_forward(context);
    size_t edge = 2;
    const auto is_needed = [&](Number has) {
      return saved_plain(context, has) != 0 && context->needs_input_grad(edge++);
    };
    const bool needs_bias = is_needed(Number::has_bias);
    const bool needs_left = is_needed(Number::has_left);
    const bool needs_right = is_needed(Number::has_right);
    const InputsNeeded needed = {context->needs_input_grad(0), needs_left, needs_right};

    const variable_list tensors = context->get_saved_variables();
    if (needed.input || needed.left || needed.right) {
      InputGradients of_inputs = context_input_gradients(shape, grads[0], tensors[1], needed);
      gradients[0] = std::move(of_inputs.input);
      gradients[3] = std::move(of_inputs.left);
      gradients[4] = std::move(of_inputs.right);
    }
    if (context->needs_input_grad(1)) {
      const auto given = [](const at::Tensor& tensor) {
        return tensor.defined() ? std::optional(tensor) : std::nullopt;
      };
      WeightGradients of_weight =
          context_weight_gradients(shape, grads[0], tensors[0], given(tensors[2]), given(tensors[3]), needs_bias);
      gradients[1] = std::move(of_weight.weight);
      gradients[2] = std::move(of_weight.bias);
    } else if (needs_bias) {
      gradients[2] = composed::grad_bias_of(grads[0]);
    }
    return gradients;
  }

 private:
  static ContextShape shape_of_forward(AutogradContext* context) {
    return {
        .input_length = saved(context, Number::input_length),
        .left_length = saved(context, Number::left_length),
        .right_length = saved(context, Number::right_length),
        .kernel_size = saved(context, Number::kernel_size),
        .attributes = {.stride = saved(context, Number::stride),
                       .padding_left = saved(context, Number::padding_left),
                       .padding_right = saved(context, Number::padding_right),
                       .dilation = saved(context, Number::dilation),
                       .groups = saved(context, Number::groups),
                       .padding_mode = kernels::PaddingMode::zeros,
                       .algorithm = static_cast<kernels::AlgorithmRequest>(saved_plain(context, Number::algorithm))}};
  }
};

template <typename... Tensors>
bool has_tangent(const Tensors&... tensors) {
  return (torch::autograd::isFwGradDefined(tensors) || ...);
}

at::Tensor conv1d_context(const SymContextCall& call) {
  const auto& [input, weight, bias, left, right, raw] = call;
  check_borders(input, left, right);
  const auto attributes = understand(raw);
  const bool by_kernels = attributes && (input.device().is_cpu() || input.device().is_meta()) &&
                          reads_borders(left, right, *attributes) && kernels_take(input, weight, bias, *attributes) &&
                          !has_tangent(input, weight, bias, left, right);
  // Transforms of torch.func refuse functions with a derivative of this form.
  if (!by_kernels || at::functorch::maybeCurrentDynamicLayer()) return conv1d_of_joined(call);
  if (!torch::autograd::compute_requires_grad(input, weight, bias, left, right)) {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    return call_conv1d_context(call);
  }
  return TapconvConv1dContext::apply(input, weight, bias, left, right, *attributes);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_context", unboxed<&conv1d_context>); }

}  // namespace tapconv::ops
