// conv1d with a weight that was packed ahead: what its forms share.
#pragma once

#include <ATen/core/Tensor.h>
#include <tapconv/export.h>

#include <atomic>
#include <optional>
#include <string>
#include <variant>

#include "kernels/packed/packed_weight.h"
#include "ops/arguments/arguments.h"
#include "ops/arguments/packed_call.h"

// Calls that found their packed weight stale. Python reads it in every call of a module, by its address, which is
// cheaper than an operator.
extern "C" TAPCONV_API std::atomic<int64_t> tapconv_stale_packed_calls;

namespace tapconv::ops {

// A packed weight that this process and this call may use. Keeps its memory.
struct OpenedWeight {
  at::Tensor memory;
  kernels::PackedWeight weight;
};

// The packed weight, or what makes it unfit for convolutions with such a weight, as a sentence: it must have been made
// for this type, weight shape, stride, dilation and groups, and for the instruction set in use.
std::variant<OpenedWeight, std::string> try_open_packed(const at::Tensor& packed, kernels::DataType type,
                                                        at::IntArrayRef weight_shape, const Attributes& attributes);

// The same; raises if it is unfit.
OpenedWeight open_packed(const PackedCall& call, const Attributes& attributes);

// Is the packed tensor one of this weight, as far as a part of it tells, for such convolutions? Warns once where it was
// made for another call or machine.
bool is_packed_from(const at::Tensor& packed, const at::Tensor& weight, const Attributes& attributes);

// Raises unless there is an input, the weight shape has three sizes of at least one and the packed tensor is one that
// pack_weight may have made, as far as can be seen without its data. The attributes, understood.
template <typename Int>
AttributesOf<Int> check_packed_call(const PackedCallOf<Int>& call);

// The sizes of the call, or nothing if torch is to have it, for its words on what is wrong.
template <typename Int>
std::optional<Sizes<Int>> packed_sizes(const PackedCallOf<Int>& call, const AttributesOf<Int>& attributes) {
  const auto& shape = call.weight_shape;
  return forward_sizes<Int>(call.input, {shape[0], shape[1], shape[2]}, call.bias, attributes);
}

// Hands a call on to torch, with the plain weight that the packed one contains.
at::Tensor delegate_packed(const PackedCall& call, const OpenedWeight& opened);

// Computes into `output`, which has the shape of the output, any strides, and shares no memory with the others.
void conv1d_packed_into(const PackedCall& call, const OpenedWeight& opened, const Sizes<int64_t>& sizes,
                        const Attributes& attributes, const at::Tensor& output);

}  // namespace tapconv::ops
