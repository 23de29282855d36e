// Derivatives, in the form of torch's own generated code: compute below autograd, record a node, set the tangent. So
// the kernels serve reverse and forward mode, every functorch transform and compiled autograd alike.
#include <torch/csrc/autograd/FunctionsManual.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>
#include <torch/library.h>

#include <array>
#include <memory>
#include <mutex>

#include "composed/any_device/grad_bias.h"
#include "ops/arguments/arguments.h"
#include "ops/dispatch/delegate.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
using torch::dynamo::autograd::ivalue_list;
using torch::dynamo::autograd::PackedArgs;

// The gradients of op(a, b) and of the bias beside it: by a, by b, by the bias, as far as they are needed.
variable_list derivatives(const Operator& op, const at::Tensor& grad, const at::Tensor& a, const at::Tensor& b,
                          const std::array<bool, 3>& needed) {
  variable_list gradients(3);
  if (!grad.defined()) return gradients;
  // Whatever the default says here and now: op.attributes hold what the forward call was bound to.
  const AnyAlgorithmGuard as_in_forward;
  const auto [role_a, role_b] = arguments_of(op.result);
  // The two tensors that an operator of the family takes, in its order; `grad` has the role of op's result.
  const auto compute = [&](Role wanted, const at::Tensor& other) {
    const bool grad_first = arguments_of(wanted)[0] == op.result;
    return grad_first ? call(op.computing(wanted), grad, other) : call(op.computing(wanted), other, grad);
  };
  if (needed[0]) gradients[0] = compute(role_a, b);
  if (needed[1] && needed[2]) {
    std::tie(gradients[1], gradients[2]) =
        call_conv1d_grad_weight_bias(grad, a, op.kernel_size, Spelled(op.attributes).raw());
  } else if (needed[1]) {
    gradients[1] = compute(role_b, a);
  } else if (needed[2]) {
    gradients[2] = composed::grad_bias_of(grad);
  }
  return gradients;
}

// All numbers of an operator, which a graph may have stand-ins for.
template <typename Op>
auto numbers_of(Op& op) {
  auto& a = op.attributes;
  return std::array{&op.input_length, &op.kernel_size, &a.stride, &a.padding_left,
                    &a.padding_right, &a.dilation,     &a.groups};
}

// The node of all three operators. conv1d has a third input, its bias; the gradient operators have two.
class Conv1dFamilyBackward : public torch::autograd::TraceableFunction {
 public:
  // Remembers what the derivatives that can be asked for take.
  Conv1dFamilyBackward(const Operator& op, const at::Tensor& a, const at::Tensor& b) : op_(op) {
    if (a.requires_grad()) b_ = SavedVariable(b, /*is_output=*/false);
    if (b.requires_grad()) a_ = SavedVariable(a, /*is_output=*/false);
  }

  std::string name() const override {
    switch (op_.result) {
      case Role::output:
        return "TapconvConv1dBackward";
      case Role::input:
        return "TapconvConv1dGradInputBackward";
      case Role::weight:
        break;
    }
    return "TapconvConv1dGradWeightBackward";
  }

  variable_list apply(variable_list&& grads) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto needed = inputs_needed();
    auto gradients = derivatives(op_, grads[0], needed[1] ? a_.unpack() : at::Tensor(),
                                 needed[0] ? b_.unpack() : at::Tensor(), needed);
    gradients.resize(num_outputs());
    return gradients;
  }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    a_.reset_data();
    b_.reset_data();
  }

  // Compiled autograd: what a graph is specialised on, and what enters it as an input.
  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    args.collect(name());
    args.collect(static_cast<int64_t>(op_.attributes.padding_mode));
    args.collect(static_cast<int64_t>(op_.attributes.algorithm));
    for (const c10::SymInt* number : numbers_of(op_)) args.collect(*number);
    args.collect(a_, /*is_output=*/false);
    args.collect(b_, /*is_output=*/false);
  }

  // Compiled autograd: puts a call of this node's derivatives into the graph, on the graph's stand-ins.
  variable_list apply_with_saved(const variable_list& grads,
                                 torch::dynamo::autograd::SwapSavedVariables& saved) override {
    for (c10::SymInt* number : numbers_of(op_)) saved.before(*number);
    saved.before(a_);
    saved.before(b_);

    const auto needed = inputs_needed();
    PackedArgs packed;
    packed.pack(needed[1] ? a_.unpack() : at::Tensor());
    packed.pack(needed[0] ? b_.unpack() : at::Tensor());
    std::vector<c10::SymInt> numbers;
    for (const c10::SymInt* number : numbers_of(op_)) numbers.push_back(*number);
    packed.pack(numbers);
    packed.pack(choices(needed));

    // A name is bound once per process: a second time it is an error.
    const auto& compiler = torch::dynamo::autograd::getPyCompilerInterface();
    static std::once_flag bound;
    static std::string bound_name;
    std::call_once(bound, [&] {
      bound_name =
          compiler->bind_function(saved.get_py_compiler(), "TapconvConv1dFamilyBackward", &apply_functional,
                                  {packed_type<at::Tensor>(), packed_type<at::Tensor>(),
                                   packed_type<std::vector<c10::SymInt>>(), packed_type<std::vector<int64_t>>()});
    });
    const auto metadata =
        torch::dynamo::autograd::IValuePacker<std::vector<std::optional<torch::autograd::InputMetadata>>>::pack(
            torch::dynamo::autograd::get_input_metadata(next_edges()));
    auto gradients =
        compiler->call_function(saved.get_py_compiler(), "apply_functional", bound_name, grads, packed.vec(), metadata);

    for (c10::SymInt* number : numbers_of(op_)) saved.after(*number);
    saved.after(a_);
    saved.after(b_);
    return gradients;
  }

 private:
  std::array<bool, 3> inputs_needed() const {
    std::array<bool, 3> needed{};
    for (size_t i = 0; i < num_outputs(); ++i) needed[i] = task_should_compute_output(i);
    return needed;
  }

  // Whatever is neither a tensor nor such a number, for the way through a graph; apply_functional() reads it back.
  std::vector<int64_t> choices(const std::array<bool, 3>& needed) const {
    return {static_cast<int64_t>(num_outputs()),
            needed[0],
            needed[1],
            needed[2],
            static_cast<int64_t>(op_.result),
            static_cast<int64_t>(op_.attributes.padding_mode),
            static_cast<int64_t>(op_.attributes.algorithm)};
  }

  template <typename T>
  static at::TypePtr packed_type() {
    return torch::dynamo::autograd::IValuePacker<T>::packed_type();
  }

  static variable_list apply_functional(const variable_list& grads, const ivalue_list& arguments) {
    PackedArgs packed(arguments);
    const auto a = packed.unpack<at::Tensor>();
    const auto b = packed.unpack<at::Tensor>();
    const auto numbers = packed.unpack<std::vector<c10::SymInt>>();
    const auto choices = packed.unpack<std::vector<int64_t>>();
    Operator op{.result = static_cast<Role>(choices[4]),
                .input_length = 0,
                .kernel_size = 0,
                .attributes = {.stride = 1,
                               .padding_left = 0,
                               .padding_right = 0,
                               .dilation = 1,
                               .groups = 1,
                               .padding_mode = static_cast<kernels::PaddingMode>(choices[5]),
                               .algorithm = static_cast<kernels::AlgorithmRequest>(choices[6])}};
    const auto places = numbers_of(op);
    for (size_t i = 0; i < places.size(); ++i) *places[i] = numbers[i];
    auto gradients = derivatives(op, grads[0], a, b, {choices[1] != 0, choices[2] != 0, choices[3] != 0});
    gradients.resize(choices[0]);
    return gradients;
  }

  Operator op_;
  SavedVariable a_;
  SavedVariable b_;
};

// Nodes are owned by std::shared_ptr up to torch 2.12, by c10::intrusive_ptr from 2.13.
template <typename N, typename... Arguments>
auto make_node(const Arguments&... arguments) {
  using Pointer = decltype(torch::autograd::Edge::function);
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<Node>>) {
    return std::shared_ptr<N>(new N(arguments...), [](N* node) { deleteNode(node); });
  } else {
    return c10::make_intrusive<N>(arguments...);
  }
}

template <typename... Inputs>
void record(const at::Tensor& output, const Operator& op, const at::Tensor& a, const at::Tensor& b,
            const Inputs&... inputs) {
  auto node = make_node<Conv1dFamilyBackward>(op, a, b);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  torch::autograd::set_history(output, node);
}

at::Tensor sum_of(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return b;
  return b.defined() ? a + b : a;
}

// The tangent of op(a, b), if a or b has one.
at::Tensor tangent_of(const Operator& op, const at::Tensor& a, const at::Tensor& b) {
  using torch::autograd::generated::details::toNonOptFwGrad;
  using torch::autograd::generated::details::toNonOptPrimal;
  const at::Tensor tangent_a = toNonOptFwGrad(a);
  const at::Tensor tangent_b = toNonOptFwGrad(b);
  at::Tensor tangent;
  if (tangent_a.defined()) tangent = call(op, tangent_a, toNonOptPrimal(b));
  if (tangent_b.defined()) tangent = sum_of(tangent, call(op, toNonOptPrimal(a), tangent_b));
  return tangent;
}

at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymRawAttributes& raw) {
  const auto attributes = understand(raw);
  // torch's convolution brings torch's derivatives: complex ones, those of other devices.
  if (!attributes || !kernels_take(input, weight, bias, *attributes)) return delegate(input, weight, bias, raw);

  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    output = call_conv1d(input, weight, bias, raw);
  }
  const bool differentiable = torch::autograd::compute_requires_grad(input, weight, bias);
  const bool has_tangent = torch::autograd::isFwGradDefined(input) || torch::autograd::isFwGradDefined(weight) ||
                           torch::autograd::isFwGradDefined(bias);
  if (!differentiable && !has_tangent) return output;

  const Operator op{Role::output, input.sym_size(-1), weight.sym_size(2), *attributes};
  if (differentiable) record(output, op, input, weight, input, weight, bias);
  if (has_tangent) {
    at::Tensor tangent = tangent_of(op, input, weight);
    const at::Tensor tangent_bias = torch::autograd::generated::details::toNonOptFwGrad(bias);
    if (tangent_bias.defined()) {
      tangent = sum_of(tangent, tangent_bias.unsqueeze(1).expand_symint(output.sym_sizes()));
    }
    output._set_fw_grad(tangent, /*level=*/0, /*is_inplace_op=*/false);
  }
  return output;
}

// `length` is the one that the operator is told; `known` is the tensor that has the other as its last size.
template <Role result>
at::Tensor gradient(const at::Tensor& grad_output, const at::Tensor& known, c10::SymInt length,
                    const SymRawAttributes& raw) {
  constexpr bool of_input = result == Role::input;
  const SymAttributes attributes = understand_or_raise(raw, of_input ? "conv1d_grad_input" : "conv1d_grad_weight");
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView below_autograd;
    output = of_input ? call_conv1d_grad_input(grad_output, known, length, raw)
                      : call_conv1d_grad_weight(grad_output, known, length, raw);
  }
  const Operator op{result, of_input ? length : known.sym_size(-1), of_input ? known.sym_size(-1) : length, attributes};
  if (torch::autograd::compute_requires_grad(grad_output, known)) {
    record(output, op, grad_output, known, grad_output, known);
  }
  const at::Tensor tangent = tangent_of(op, grad_output, known);
  if (tangent.defined()) output._set_fw_grad(tangent, /*level=*/0, /*is_inplace_op=*/false);
  return output;
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) {
  m.impl("conv1d", unboxed<&conv1d>);
  m.impl("conv1d_grad_input", unboxed<&gradient<Role::input>>);
  m.impl("conv1d_grad_weight", unboxed<&gradient<Role::weight>>);
}

}  // namespace tapconv::ops
