#include "ops/arguments/borders.h"

#include <ATen/ops/cat.h>
#include <c10/util/Exception.h>

#include <vector>

#include "ops/arguments/conditions.h"

namespace tapconv::ops {
namespace {

void check_border(const char* name, const std::optional<at::Tensor>& given, const at::Tensor& input) {
  if (!given || !given->defined()) return;
  const at::Tensor& border = *given;
  bool fits = border.dim() == input.dim() && border.dim() >= 2;
  for (int64_t i = 0; fits && i < border.dim() - 1; ++i) {
    fits = holds(c10::sym_eq(border.sym_size(i), input.sym_size(i)));
  }
  TORCH_CHECK(fits, "conv1d_context: expected ", name, " of the size of input, ", input.sym_sizes(),
              ", but for its length, got ", border.sym_sizes(),
              ". Pass samples for each channel of each signal, or None.");
  TORCH_CHECK(border.scalar_type() == input.scalar_type(), "conv1d_context: expected ", name, " of the type of input, ",
              input.scalar_type(), ", got ", border.scalar_type(), ". Convert it by .to(input.dtype).");
  TORCH_CHECK(border.device() == input.device() && border.layout() == input.layout(), "conv1d_context: expected ", name,
              " on ", input.device(), " and ", input.layout(), " as input is, got ", border.device(), " and ",
              border.layout(), ". Move it there first.");
}

bool is_zero(const c10::SymInt& number) { return number.maybe_as_int() == 0; }

bool reads(const std::optional<at::Tensor>& border, const c10::SymInt& padding) {
  return border && border->defined() && !is_zero(border->sym_size(-1)) && !is_zero(padding);
}

}  // namespace

void check_borders(const at::Tensor& input, const std::optional<at::Tensor>& left,
                   const std::optional<at::Tensor>& right) {
  check_border("left", left, input);
  check_border("right", right, input);
}

bool reads_borders(const std::optional<at::Tensor>& left, const std::optional<at::Tensor>& right,
                   const SymAttributes& attributes) {
  return reads(left, attributes.padding_left) || reads(right, attributes.padding_right);
}

JoinedSignal joined_signal(const at::Tensor& input, const std::optional<at::Tensor>& left,
                           const std::optional<at::Tensor>& right, const c10::SymInt& padding_left,
                           const c10::SymInt& padding_right) {
  // A border of which nothing is read has a gradient of zeros, and so a place in the graph.
  const auto has_place = [](const std::optional<at::Tensor>& border, const c10::SymInt& padding) {
    return reads(border, padding) || (border && border->defined() && border->requires_grad());
  };
  JoinedSignal joined{input, 0, 0};
  std::vector<at::Tensor> pieces;
  if (has_place(left, padding_left)) {
    joined.left = read_of(left, padding_left);
    pieces.push_back(left->narrow_symint(-1, left->sym_size(-1) - joined.left, joined.left));
  }
  pieces.push_back(input);
  if (has_place(right, padding_right)) {
    joined.right = read_of(right, padding_right);
    pieces.push_back(right->narrow_symint(-1, 0, joined.right));
  }
  if (pieces.size() > 1) joined.signal = at::cat(pieces, -1);
  return joined;
}

}  // namespace tapconv::ops
