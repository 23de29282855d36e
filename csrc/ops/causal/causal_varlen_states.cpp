// tapconv::causal_conv1d_varlen_states: the function of this name of the package causal-conv1d (Dao-AILab, 1.6), made
// of torch's operators.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/library.h>

#include "ops/schema/unboxed.h"

namespace tapconv::ops {
namespace {

// (batch, channels, state_len): the last samples of each of the sequences that x (total, channels) holds one after the
// other, with zeros ahead of the shorter ones.
at::Tensor varlen_states(const at::Tensor& x, const at::Tensor& cu_seqlens, const c10::SymInt& state_len) {
  const char* const function = "causal_conv1d_varlen_states";
  TORCH_CHECK_VALUE(x.dim() == 2, function, ": expected x of shape (total, channels), but got ", x.sym_sizes());
  TORCH_CHECK_VALUE(cu_seqlens.dim() == 1 && cu_seqlens.sym_size(0) >= 1, function,
                    ": expected cu_seqlens of shape (batch + 1), but got ", cu_seqlens.sym_sizes());
  TORCH_CHECK_TYPE(at::isIntegralType(cu_seqlens.scalar_type(), /*includeBool=*/false), function,
                   ": expected cu_seqlens of integers, but got ", cu_seqlens.scalar_type());
  TORCH_CHECK_VALUE(state_len >= 0, function, ": expected state_len of at least 0, but got ", state_len);
  const c10::SymInt batch = cu_seqlens.sym_size(0) - 1;
  const at::Tensor bounds = cu_seqlens.to(at::kLong);
  const at::Tensor begins = bounds.slice_symint(0, 0, batch).unsqueeze(1);
  const at::Tensor ends = bounds.slice_symint(0, 1).unsqueeze(1);
  const at::Tensor places =
      ends - at::arange(state_len, bounds.options()).add(1).flip(0).unsqueeze(0);  // (batch, state_len)
  // A place before the first sample reads a zero put there.
  const at::Tensor padded = at::constant_pad_nd_symint(x, {0, 0, 1, 0}, 0);
  const at::Tensor rows = at::where(places.ge(begins), places + 1, at::zeros({}, bounds.options()));
  return padded.index({rows}).transpose(1, 2);
}

}  // namespace

TORCH_LIBRARY_IMPL(tapconv, CompositeImplicitAutograd, m) {
  m.impl("causal_conv1d_varlen_states", unboxed<&varlen_states>);
}

}  // namespace tapconv::ops
