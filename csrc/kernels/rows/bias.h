// The bias in the compute type, where the tasks of a call read it.
#pragma once

#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

template <class Storage, class Plan>
void prepare_bias(const Plan& plan, const ForwardOperands& operands) {
  using Scalar = ComputeType<Storage>;
  const Storage* from = static_cast<const Storage*>(operands.bias);
  Scalar* to = reinterpret_cast<Scalar*>(static_cast<char*>(operands.workspace) + plan.bias_at);
  for (int64_t o = 0; o < plan.problem.out_channels; ++o) to[o] = widen(from[o]);
}

}  // namespace
}  // namespace tapconv::kernels
