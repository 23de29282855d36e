#include "ops/context/joined.h"

#include <array>

#include "ops/arguments/borders.h"
#include "ops/schema/operator.h"

namespace tapconv::ops {

at::Tensor conv1d_of_joined(const SymContextCall& call) {
  check_borders(call.input, call.left, call.right);
  const auto attributes = understand(call.attributes);
  // conv1d says what is wrong with the numbers.
  if (!attributes) return call_conv1d(call.input, call.weight, call.bias, call.attributes);
  const JoinedSignal joined =
      joined_signal(call.input, call.left, call.right, attributes->padding_left, attributes->padding_right);
  const std::array<c10::SymInt, 2> zeros = {attributes->padding_left - joined.left,
                                            attributes->padding_right - joined.right};
  SymRawAttributes raw = call.attributes;
  raw.padding = zeros;
  return call_conv1d(joined.signal, call.weight, call.bias, raw);
}

at::Tensor conv1d_of_joined(const ContextCall& call) {
  return conv1d_of_joined(
      SymContextCall{call.input, call.weight, call.bias, call.left, call.right, symbolic(call.attributes)});
}

}  // namespace tapconv::ops
