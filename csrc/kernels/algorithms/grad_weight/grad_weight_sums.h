// All forms of the weight gradient share this: which part of the weight a task computes, the transposition of
// grad_output, and the way from finished sums to grad_weight and grad_bias.
#pragma once

#include "grad_weight_plan.h"
#include "kernels/core/integers.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

// A task computes all taps of some output channels and some input channels of one group, for one part of the steps.
struct GradWeightTask {
  int64_t part;
  int64_t group;
  int64_t first_channel;  // within the group
  int64_t channels;
  int64_t out_channel;  // the first, counted over all groups
  int64_t outs;
  int64_t pairs;       // of input channel and tap
  int64_t first_pair;  // within the group
  Share steps;
  bool with_bias;  // one task for each output channel also sums the gradient itself

  GradWeightTask(const GradWeightPlan& plan, int64_t task, bool bias_wanted) {
    const Problem& p = plan.problem;
    const int64_t group_in = p.in_channels / p.groups;
    const int64_t group_out = p.out_channels / p.groups;
    const int64_t channel_block = task % plan.channel_block_count;
    task /= plan.channel_block_count;
    const int64_t out_block = task % plan.out_block_count;
    task /= plan.out_block_count;
    group = task % p.groups;
    part = task / p.groups;
    first_channel = channel_block * plan.channel_block;
    channels = min(plan.channel_block, group_in - first_channel);
    outs = min(plan.out_block, group_out - out_block * plan.out_block);
    out_channel = group * group_out + out_block * plan.out_block;
    pairs = channels * p.kernel_size;
    first_pair = first_channel * p.kernel_size;
    steps = share_of(part, plan.grad_weight.reduction_parts, plan.grad_weight.steps);
    with_bias = bias_wanted && channel_block == 0;
  }
};

template <class Vector>
void zero_sums(typename Vector::Scalar* sums, int64_t count) {
  for (int64_t i = 0; i < count; i += Vector::width) Vector::store(sums + i, Vector::zero());
}

// to[t][lane] = from[lane][t] for the first `lanes` output channels from `from` on; the other lanes become zero.
template <class Vector, class Storage>
void transpose_gradient(const ActivationStrides& strides, const Storage* from, int lanes, int64_t count,
                        typename Vector::Scalar* to, int64_t to_stride) {
  using Scalar = typename Vector::Scalar;
  constexpr int width = Vector::width;
  if (strides.channel == 1 && strides.time != 1) {
    for (int64_t t = 0; t < count; ++t) {
      Vector::store(to + t * to_stride, Vector::load_partial(from + t * strides.time, lanes));
    }
    return;
  }
  if (strides.time != 1) {
    for (int64_t t = 0; t < count; ++t) {
      for (int lane = 0; lane < width; ++lane) {
        to[t * to_stride + lane] = lane < lanes ? widen(from[lane * strides.channel + t * strides.time]) : Scalar(0);
      }
    }
    return;
  }
  for (int64_t t = 0; t < count; t += width) {
    const int times = static_cast<int>(min(width, count - t));
    typename Vector::Register block[width];
    for (int lane = 0; lane < width; ++lane) {
      if (lane >= lanes) {
        block[lane] = Vector::zero();
      } else if (times == width) {
        block[lane] = Vector::load(from + lane * strides.channel + t);
      } else {
        block[lane] = Vector::load_partial(from + lane * strides.channel + t, times);
      }
    }
    Vector::transpose(block);
    for (int i = 0; i < times; ++i) Vector::store(to + (t + i) * to_stride, block[i]);
  }
}

// to[lane] += the sum of from[t][lane] over `count` times `stride` apart.
template <class Vector>
void add_times(const typename Vector::Scalar* from, int64_t stride, int64_t count, typename Vector::Scalar* to) {
  typename Vector::Register sum = Vector::zero();
  for (int64_t t = 0; t < count; ++t) sum = Vector::add(sum, Vector::load(from + t * stride));
  Vector::store(to, Vector::add(Vector::load(to), sum));
}

// Adds up the lanes of each of `count` sums, in place: [sum][lane] becomes [sum].
template <class Vector>
void add_lanes(typename Vector::Scalar* sums, int64_t count) {
  constexpr int width = Vector::width;
  for (int64_t first = 0; first < count; first += width) {
    const int here = static_cast<int>(min(width, count - first));
    typename Vector::Register block[width];
    for (int i = 0; i < width; ++i) {
      block[i] = i < here ? Vector::load(sums + (first + i) * width) : Vector::zero();
    }
    Vector::transpose(block);
    for (int step = width / 2; step > 0; step /= 2) {
      for (int i = 0; i < step; ++i) block[i] = Vector::add(block[i], block[i + step]);
    }
    Vector::store_partial(sums + first, block[0], here);
  }
}

// to[out_channel][pair] = sums[pair][out_channel], transposed block by block. Output channels may be pages apart, where
// no hardware prefetcher looks for the lines that come next.
template <class Vector, class To>
void write_rows(const typename Vector::Scalar* sums, int64_t sums_stride, int64_t pair_count, int64_t out_count, To* to,
                int64_t to_stride) {
  constexpr int width = Vector::width;
  constexpr int64_t pairs_ahead = 4 * width;
  for (int64_t pair = 0; pair < pair_count; pair += width) {
    const int pairs = static_cast<int>(min(width, pair_count - pair));
    for (int64_t o = 0; o < out_count; o += width) {
      const int outs = static_cast<int>(min(width, out_count - o));
      typename Vector::Register block[width];
      for (int i = 0; i < width; ++i) {
        block[i] = i < pairs ? Vector::load_partial(sums + (pair + i) * sums_stride + o, outs) : Vector::zero();
      }
      Vector::transpose(block);
      for (int i = 0; i < outs; ++i) {
        To* const row = to + (o + i) * to_stride + pair;
        __builtin_prefetch(row + pairs_ahead, 1);
        Vector::store_partial(row, block[i], pairs);
      }
    }
  }
}

// Finished sums [pair][out_channel] of a task go to grad_weight or, where the steps are split, to their part.
template <class Vector, class Storage>
void write_grad_weight(const GradWeightPlan& plan, const GradWeightOperands& operands, const GradWeightTask& task,
                       const typename Vector::Scalar* sums, int64_t sums_stride) {
  const Problem& p = plan.problem;
  if (plan.grad_weight.reduction_parts > 1) {
    const int64_t row = p.in_channels / p.groups * p.kernel_size;
    auto* const parts =
        reinterpret_cast<typename Vector::Scalar*>(static_cast<char*>(operands.workspace) + plan.grad_weight.parts_at);
    write_rows<Vector>(sums, sums_stride, task.pairs, task.outs,
                       parts + (task.part * p.out_channels + task.out_channel) * row + task.first_pair, row);
    return;
  }
  const WeightStrides& strides = p.weight_strides;
  Storage* const to = static_cast<Storage*>(operands.grad_weight) + task.out_channel * strides.out_channel +
                      task.first_channel * strides.in_channel;
  if (strides.tap == 1 && (task.channels == 1 || strides.in_channel == p.kernel_size)) {
    write_rows<Vector>(sums, sums_stride, task.pairs, task.outs, to, strides.out_channel);
    return;
  }
  for (int64_t o = 0; o < task.outs; ++o) {
    for (int64_t pair = 0; pair < task.pairs; ++pair) {
      const int64_t at = pair / p.kernel_size * strides.in_channel + pair % p.kernel_size * strides.tap;
      narrow(sums[pair * sums_stride + o], &to[o * strides.out_channel + at]);
    }
  }
}

template <class Storage>
void write_grad_bias(const GradWeightPlan& plan, const GradWeightOperands& operands, const GradWeightTask& task,
                     const ComputeType<Storage>* bias) {
  if (plan.grad_weight.reduction_parts > 1) {
    auto* const parts = reinterpret_cast<ComputeType<Storage>*>(static_cast<char*>(operands.workspace) +
                                                                plan.grad_weight.bias_parts_at);
    for (int64_t o = 0; o < task.outs; ++o) {
      parts[task.part * plan.problem.out_channels + task.out_channel + o] = bias[o];
    }
    return;
  }
  Storage* const to = static_cast<Storage*>(operands.grad_bias) + task.out_channel;
  for (int64_t o = 0; o < task.outs; ++o) narrow(bias[o], &to[o]);
}

template <class Storage>
void add_grad_weight_parts(const GradWeightPlan& plan, const GradWeightOperands& operands, int64_t first,
                           int64_t last) {
  using Scalar = ComputeType<Storage>;
  const Problem& p = plan.problem;
  const WeightStrides& strides = p.weight_strides;
  const int64_t group_in = p.in_channels / p.groups;
  const int64_t part_size = p.out_channels * group_in * p.kernel_size;
  const Scalar* const parts =
      reinterpret_cast<const Scalar*>(static_cast<const char*>(operands.workspace) + plan.grad_weight.parts_at);
  for (int64_t o = first; o < last; ++o) {
    for (int64_t c = 0; c < group_in; ++c) {
      for (int64_t k = 0; k < p.kernel_size; ++k) {
        const Scalar* from = parts + (o * group_in + c) * p.kernel_size + k;
        Scalar total = 0;
        for (int64_t part = 0; part < plan.grad_weight.reduction_parts; ++part) total += from[part * part_size];
        Storage* to = static_cast<Storage*>(operands.grad_weight) + o * strides.out_channel + c * strides.in_channel +
                      k * strides.tap;
        narrow(total, to);
      }
    }
    if (operands.grad_bias == nullptr) continue;
    const Scalar* bias =
        reinterpret_cast<const Scalar*>(static_cast<const char*>(operands.workspace) + plan.grad_weight.bias_parts_at);
    Scalar total = 0;
    for (int64_t part = 0; part < plan.grad_weight.reduction_parts; ++part) total += bias[part * p.out_channels + o];
    narrow(total, static_cast<Storage*>(operands.grad_bias) + o);
  }
}

}  // namespace
}  // namespace tapconv::kernels
