// unpack_weight: the plain weight that a packed one contains, for those who have a packed program and need it in
// operators that torch has too, such as exporters.
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <torch/library.h>

#include "ops/packed/packed.h"

namespace tapconv::ops {
namespace {

at::Tensor unpack_weight(const at::Tensor& packed, at::IntArrayRef weight_shape, at::ScalarType dtype,
                         at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups) {
  const at::Tensor typed = at::empty({0}, packed.options().dtype(dtype));
  // A call borrows all of its arguments.
  const int64_t padding = 0;
  const std::optional<at::Tensor> bias;
  const PackedCall call{typed, packed, weight_shape, bias, {stride, padding, dilation, groups, "zeros", "auto"}};
  const OpenedWeight opened = open_packed(call, check_packed_call(call));
  return at::from_blob(const_cast<void*>(opened.weight.plain), weight_shape, typed.options()).clone();
}

at::Tensor unpack_weight_meta(const at::Tensor& packed, at::IntArrayRef weight_shape, at::ScalarType dtype,
                              at::IntArrayRef, at::IntArrayRef, int64_t) {
  return at::empty(weight_shape, packed.options().dtype(dtype));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def(
      "unpack_weight(Tensor packed, int[] weight_shape, ScalarType dtype, *, int[1] stride=1, int[1] dilation=1, "
      "int groups=1) -> Tensor",
      {at::Tag::pt2_compliant_tag});
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) { m.impl("unpack_weight", &unpack_weight); }

TORCH_LIBRARY_IMPL(tapconv, Meta, m) { m.impl("unpack_weight", &unpack_weight_meta); }

}  // namespace tapconv::ops
