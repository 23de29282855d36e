// What one task of the direct sum computes: a block of output channels and times of one sample and group.
#pragma once

#include "integers.h"
#include "row_plan.h"

#include <cstdint>

namespace tapconv::kernels {
namespace {

struct ForwardTask {
  int64_t sample;  // 0 if all samples are folded into one row
  int64_t group;
  int64_t out_block;
  int64_t begin;  // outputs [begin, begin + count), counted through all samples if they are folded
  int64_t count;

  ForwardTask(const RowPlan& plan, int64_t number) {
    const Problem& p = plan.problem;
    begin = number % plan.time_block_count * plan.time_block;
    number /= plan.time_block_count;
    out_block = number % plan.out_block_count;
    number /= plan.out_block_count;
    group = number % p.groups;
    sample = number / p.groups;
    const int64_t left = (plan.folded ? p.batch : 1) * p.output_length - begin;
    count = min(left, plan.time_block);
  }
};

}  // namespace
}  // namespace tapconv::kernels
