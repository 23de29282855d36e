#include "ops/context/gradients.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <c10/util/DimVector.h>

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/borders/bordered.h"
#include "kernels/core/integers.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/borders.h"
#include "ops/schema/operator.h"

namespace tapconv::ops {
namespace {

bool is_zero(const c10::SymInt& number) { return number.maybe_as_int() == 0; }

SymAttributes padded_by(SymAttributes attributes, const c10::SymInt& left, const c10::SymInt& right) {
  attributes.padding_left = left;
  attributes.padding_right = right;
  return attributes;
}

// The gradient by a border, of which `read` holds what was read: the other samples have zeros.
at::Tensor grad_border(const at::Tensor& read, const c10::SymInt& before, const c10::SymInt& after) {
  const std::array<c10::SymInt, 2> unread = {before, after};
  return at::constant_pad_nd_symint(read, unread);  // a copy, which does not keep the whole stretch alive
}

// A border of which nothing was read.
at::Tensor no_gradient(const at::Tensor& grad_output, const at::Tensor& weight, const ContextShape& shape,
                       const c10::SymInt& length) {
  c10::SymDimVector sizes(grad_output.sym_sizes());
  sizes[sizes.size() - 2] = weight.sym_size(1) * shape.attributes.groups;
  sizes.back() = length;
  return grad_output.new_zeros_symint(sizes);
}

WeightGradients weight_gradients(const at::Tensor& grad_output, const at::Tensor& signal, const ContextShape& shape,
                                 const SymAttributes& attributes, bool needs_bias) {
  const Spelled spelled(attributes);
  if (!needs_bias) return {call_conv1d_grad_weight(grad_output, signal, shape.kernel_size, spelled.raw()), {}};
  auto [weight, bias] = call_conv1d_grad_weight_bias(grad_output, signal, shape.kernel_size, spelled.raw());
  return {std::move(weight), std::move(bias)};
}

// What the division into parts looks at, where all of it is known.
std::optional<kernels::Problem> plain_problem(const ContextShape& shape, const at::Tensor& grad_output,
                                              const at::Tensor& input) {
  const auto attributes = plain(shape.attributes);
  const auto type = data_type_of(input.scalar_type());
  const std::array<std::optional<int64_t>, 8> numbers = {input.dim() == 3 ? input.sym_size(0).maybe_as_int() : 1,
                                                         input.sym_size(-2).maybe_as_int(),
                                                         shape.input_length.maybe_as_int(),
                                                         grad_output.sym_size(-2).maybe_as_int(),
                                                         grad_output.sym_size(-1).maybe_as_int(),
                                                         shape.kernel_size.maybe_as_int(),
                                                         shape.left_length.maybe_as_int(),
                                                         shape.right_length.maybe_as_int()};
  const bool all_known = std::all_of(numbers.begin(), numbers.end(), [](const auto& number) { return number; });
  if (!attributes || !type || !all_known) return std::nullopt;
  kernels::Problem problem{};
  problem.data_type = *type;
  problem.batch = *numbers[0];
  problem.in_channels = *numbers[1];
  problem.input_length = *numbers[2];
  problem.out_channels = *numbers[3];
  problem.output_length = *numbers[4];
  problem.kernel_size = *numbers[5];
  problem.stride = attributes->stride;
  problem.padding_left = attributes->padding_left;
  problem.padding_right = attributes->padding_right;
  problem.dilation = attributes->dilation;
  problem.groups = attributes->groups;
  return problem;
}

// The samples of a part: a view of the input, or a copy of what it and the borders have.
at::Tensor samples_of(const kernels::BorderPart& part, const at::Tensor& input, const std::optional<at::Tensor>& left,
                      const std::optional<at::Tensor>& right) {
  std::vector<at::Tensor> pieces;
  const auto add = [&](const at::Tensor& source, int64_t at) {
    const int64_t begin = std::max(part.begin, at);
    const int64_t end = std::min(part.end, at + source.size(-1));
    if (begin < end) pieces.push_back(source.narrow(-1, begin - at, end - begin));
  };
  if (left) add(*left, -left->size(-1));
  add(input, 0);
  if (right) add(*right, input.size(-1));
  return pieces.size() == 1 ? pieces[0] : at::cat(pieces, -1);
}

}  // namespace

InputGradients context_input_gradients(const ContextShape& shape, const at::Tensor& grad_output,
                                       const at::Tensor& weight, const InputsNeeded& needed) {
  const SymAttributes& a = shape.attributes;
  const c10::SymInt& length = shape.input_length;
  const c10::SymInt left = shape.left_length.min(a.padding_left);
  const c10::SymInt right = shape.right_length.min(a.padding_right);
  const bool reads_left = needed.left && !is_zero(left);
  const bool reads_right = needed.right && !is_zero(right);
  InputGradients gradients;
  if (needed.left && !reads_left) gradients.left = no_gradient(grad_output, weight, shape, shape.left_length);
  if (needed.right && !reads_right) gradients.right = no_gradient(grad_output, weight, shape, shape.right_length);
  if (!needed.input && !reads_left && !reads_right) return gradients;

  // Positions count from the input's first sample.
  const c10::SymInt begin = reads_left ? -left : needed.input ? c10::SymInt(0) : length;
  const c10::SymInt end = reads_right ? length + right : needed.input ? length : c10::SymInt(0);
  const Spelled spelled(padded_by(a, a.padding_left + begin, a.padding_right + length - end));
  const at::Tensor stretch = call_conv1d_grad_input(grad_output, weight, end - begin, spelled.raw());
  const auto between = [&](const c10::SymInt& first, const c10::SymInt& count) {
    return stretch.narrow_symint(-1, first - begin, count);
  };
  if (needed.input) gradients.input = reads_left || reads_right ? between(0, length) : stretch;
  if (reads_left) gradients.left = grad_border(between(-left, left), shape.left_length - left, 0);
  if (reads_right) gradients.right = grad_border(between(length, right), 0, shape.right_length - right);
  return gradients;
}

WeightGradients context_weight_gradients(const ContextShape& shape, const at::Tensor& grad_output,
                                         const at::Tensor& input, const std::optional<at::Tensor>& left,
                                         const std::optional<at::Tensor>& right, bool needs_bias) {
  const SymAttributes& a = shape.attributes;
  const auto problem = plain_problem(shape, grad_output, input);
  // A gradient of 16 bits is rounded once, and so not added up from several.
  if (problem && kernels::computes_in_own_type(problem->data_type)) {
    const kernels::BorderLengths borders = {read_of(left, problem->padding_left),
                                            read_of(right, problem->padding_right)};
    const kernels::BorderParts parts = kernels::border_parts(*problem, borders);
    if (parts.count > 1) {
      WeightGradients sum;
      for (const kernels::BorderPart& part : parts) {
        const SymAttributes own =
            padded_by(a, kernels::zeros_before(*problem, part), kernels::zeros_after(*problem, part));
        const WeightGradients gradients =
            weight_gradients(grad_output.narrow(-1, part.first_output, part.outputs()),
                             samples_of(part, input, left, right), shape, own, needs_bias);
        sum.weight = sum.weight.defined() ? sum.weight.add(gradients.weight) : gradients.weight;
        if (needs_bias) sum.bias = sum.bias.defined() ? sum.bias.add(gradients.bias) : gradients.bias;
      }
      return sum;
    }
  }
  const JoinedSignal joined = joined_signal(input, left, right, a.padding_left, a.padding_right);
  return weight_gradients(grad_output, joined.signal, shape,
                          padded_by(a, a.padding_left - joined.left, a.padding_right - joined.right), needs_bias);
}

}  // namespace tapconv::ops
