// conv1d with a weight that was packed ahead: what its forms share.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/packed_weight.h"
#include "ops/arguments.h"

namespace tapconv::ops {

// A call of conv1d_packed. Borrowed: valid during the call.
struct PackedCall {
  const at::Tensor& input;
  const at::Tensor& packed;
  at::IntArrayRef weight_shape;
  const std::optional<at::Tensor>& bias;
  RawAttributes attributes;
};

// A packed weight that this process and this call may use. Keeps its memory.
struct OpenedWeight {
  at::Tensor memory;
  kernels::PackedWeight weight;
};

// Raises unless the packed tensor was made for this call: for its type, weight shape, stride, dilation and groups, and
// for the instruction set in use.
OpenedWeight open_packed(const PackedCall& call, const Attributes& attributes);

// Raises unless the weight shape has three sizes of at least one and the packed tensor is one that pack_weight may have
// made, as far as can be seen without its data. The attributes, understood.
Attributes check_packed_call(const PackedCall& call);

// The sizes of the call, or nothing if torch is to have it, for its words on what is wrong.
template <typename Int>
std::optional<Sizes<Int>> packed_sizes(const PackedCall& call, const Attributes& attributes) {
  const at::IntArrayRef shape = call.weight_shape;
  return forward_sizes<Int>(call.input, {Int(shape[0]), Int(shape[1]), Int(shape[2])}, call.bias, attributes);
}

// Hands a call on to torch, with the plain weight that the packed one contains.
at::Tensor delegate_packed(const PackedCall& call, const OpenedWeight& opened);

// Computes into `output`, which has the shape of the output, any strides, and shares no memory with the others.
void conv1d_packed_into(const PackedCall& call, const OpenedWeight& opened, const Sizes<int64_t>& sizes,
                        const Attributes& attributes, const at::Tensor& output);

}  // namespace tapconv::ops
