// The one check of arguments. It tells what the kernels take from what torch is to have, and turns a call into the
// kernels' Problem. What the kernels do not take (integers, complex numbers, mixed types, other devices, sizes that do
// not fit) goes to torch's own convolution, so that results and errors are torch's own.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <array>
#include <optional>

#include "kernels/problem.h"
#include "ops/arguments/attributes.h"
#include "ops/arguments/role.h"

namespace tapconv::ops {

// The sizes of one convolution that the kernels take: everything at least 1, except that a batch may be empty.
// Int is int64_t where there is data, c10::SymInt where only shapes are known.
template <typename Int>
struct Sizes {
  bool batched;
  Int batch;
  Int in_channels;
  Int input_length;
  Int out_channels;
  Int kernel_size;
  Int output_length;
};

// The shape of the tensor that plays `role`.
template <typename Int>
c10::SmallVector<Int, 3> shape_of(Role role, const Sizes<Int>& sizes, const AttributesOf<Int>& attributes) {
  if (role == Role::weight) return {sizes.out_channels, sizes.in_channels / attributes.groups, sizes.kernel_size};
  const Int& channels = role == Role::output ? sizes.out_channels : sizes.in_channels;
  const Int& length = role == Role::output ? sizes.output_length : sizes.input_length;
  if (sizes.batched) return {sizes.batch, channels, length};
  return {channels, length};
}

// The sizes of a forward call, or nothing if torch is to have it.
template <typename Int>
std::optional<Sizes<Int>> forward_sizes(const at::Tensor& input, const at::Tensor& weight,
                                        const std::optional<at::Tensor>& bias, const AttributesOf<Int>& attributes);

// The same where all that is known of the weight is its shape; its type and device are the input's.
template <typename Int>
std::optional<Sizes<Int>> forward_sizes(const at::Tensor& input, const std::array<Int, 3>& weight_shape,
                                        const std::optional<at::Tensor>& bias, const AttributesOf<Int>& attributes);

// The kernels' name of a type that they take.
std::optional<kernels::DataType> data_type_of(at::ScalarType type);

// Does the library have kernels for tensors on this device, or, for meta tensors, shapes of what kernels compute?
bool has_kernels(const at::Device& device);

// Do the kernels take this forward call? Works with symbolic sizes too, and then guards on what it had to look at.
bool kernels_take(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const SymAttributes& attributes);

// A transposed convolution is conv1d_grad_input with its input as grad_output: the input_length to ask for, that is the
// length of the result, or nothing if torch is to have the call.
std::optional<c10::SymInt> transposed_length(const at::Tensor& input, const at::Tensor& weight,
                                             const std::optional<at::Tensor>& bias, const SymAttributes& attributes,
                                             const c10::SymInt& output_padding);

// The sizes of a gradient operator's call. torch has no such operator to hand a wrong call to, so these raise.
template <typename Int>
Sizes<Int> grad_input_sizes(const at::Tensor& grad_output, const at::Tensor& weight, const Int& input_length,
                            const AttributesOf<Int>& attributes);
template <typename Int>
Sizes<Int> grad_weight_sizes(const at::Tensor& grad_output, const at::Tensor& input, const Int& kernel_size,
                             const AttributesOf<Int>& attributes);

// Raises unless the attributes are valid: for the gradient operators, see above.
Attributes understand_or_raise(const RawAttributes& raw, const char* name);
SymAttributes understand_or_raise(const SymRawAttributes& raw, const char* name);

kernels::ActivationStrides activation_strides(const at::Tensor& tensor);

// What the kernels are asked. Each tensor plays its role; its strides are taken from it.
kernels::Problem problem_of(const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output,
                            const at::Tensor& input, const at::Tensor& weight);

// The same for a weight that was packed ahead: its strides are left at zero.
kernels::Problem problem_of(const Sizes<int64_t>& sizes, const Attributes& attributes, const at::Tensor& output,
                            const at::Tensor& input);

}  // namespace tapconv::ops
