// The borders of a conv1d_context: what may stand there, and the signal that they make with the input.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <optional>

#include "ops/arguments/attributes.h"

namespace tapconv::ops {

// Raises unless each border that is given has the input's number of dimensions, batch, channels, type, layout and
// device.
void check_borders(const at::Tensor& input, const std::optional<at::Tensor>& left,
                   const std::optional<at::Tensor>& right);

// Samples of a border that are read: at most the padding that they take the place of.
inline int64_t read_of(const std::optional<at::Tensor>& border, int64_t padding) {
  return border && border->defined() ? std::min(border->size(-1), padding) : 0;
}
inline c10::SymInt read_of(const std::optional<at::Tensor>& border, const c10::SymInt& padding) {
  return border && border->defined() ? border->sym_size(-1).min(padding) : c10::SymInt(0);
}

// Is a sample of a border read? A number that a tracer stands in for is not zero.
bool reads_borders(const std::optional<at::Tensor>& left, const std::optional<at::Tensor>& right,
                   const SymAttributes& attributes);

// The input between the samples of its borders that are read, in one tensor.
struct JoinedSignal {
  at::Tensor signal;
  c10::SymInt left;  // samples of each border in it
  c10::SymInt right;
};
JoinedSignal joined_signal(const at::Tensor& input, const std::optional<at::Tensor>& left,
                           const std::optional<at::Tensor>& right, const c10::SymInt& padding_left,
                           const c10::SymInt& padding_right);

}  // namespace tapconv::ops
