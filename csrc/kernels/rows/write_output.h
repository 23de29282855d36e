// From finished sums to the output: narrowed, at the output's own distances, and phases put back in their places.
#pragma once

#include "kernels/core/integers.h"
#include "kernels/core/row_plan.h"
#include "kernels/numbers/storage.h"

namespace tapconv::kernels {
namespace {

// Sums [output channel][time] of output channels [first_out, first_out + out_channels), times [time, time + count).
template <class Scalar>
struct FinishedSums {
  const Scalar* sums;
  int64_t stride;
  int64_t first_out;
  int64_t out_channels;
  int64_t time;
  int64_t count;
};

template <class Vector, class To>
void write_sums(const RowPlan& plan, const FinishedSums<typename Vector::Scalar>& block, int64_t sample, To* output) {
  const Problem& p = plan.problem;
  const ForwardVariant& v = plan.variant;
  const int64_t distance = p.output_strides.time * v.time_scale;
  for (int64_t o = 0; o < block.out_channels; ++o) {
    const int64_t phase = (block.first_out + o) % v.output_phases;
    const int64_t channel = (block.first_out + o) / v.output_phases;
    // Element of the channel where the block's first time goes; the times [from, to) lie inside the output.
    const int64_t first = block.time * v.time_scale + phase * v.phase_distance + v.origin;
    int64_t from = first >= 0 ? 0 : ceil_div(-first, v.time_scale);
    int64_t to = v.output_limit > first ? ceil_div(v.output_limit - first, v.time_scale) : 0;
    if (to > block.count) to = block.count;
    const typename Vector::Scalar* sums = block.sums + o * block.stride;
    To* const at =
        output + sample * p.output_strides.batch + channel * p.output_strides.channel + first * p.output_strides.time;
    if (distance == 1) {
      for (; from + Vector::width <= to; from += Vector::width) Vector::store(at + from, Vector::load(sums + from));
      if (from < to) {
        const int left = static_cast<int>(to - from);
        Vector::store_partial(at + from, Vector::load_partial(sums + from, left), left);
      }
    } else {
      for (int64_t t = from; t < to; ++t) narrow(sums[t], &at[t * distance]);
    }
  }
}

// Sums of several samples side by side, sample by sample.
template <class Vector, class To>
void write_folded_sums(const RowPlan& plan, const FinishedSums<typename Vector::Scalar>& block, To* output) {
  const Problem& p = plan.problem;
  const ForwardVariant& v = plan.variant;
  const int64_t length = p.output_length;
  const bool in_order = v.output_phases == 1 && v.time_scale == 1 && v.origin == 0 && v.output_limit == length;
  if (!in_order || p.output_strides.time != 1) {
    FinishedSums<typename Vector::Scalar> piece = block;
    for (int64_t done = 0; done < block.count; done += piece.count) {
      piece.sums = block.sums + done;
      piece.time = (block.time + done) % length;
      piece.count = length - piece.time < block.count - done ? length - piece.time : block.count - done;
      write_sums<Vector>(plan, piece, (block.time + done) / length, output);
    }
    return;
  }
  for (int64_t o = 0; o < block.out_channels; ++o) {
    const typename Vector::Scalar* const sums = block.sums + o * block.stride;
    To* sample =
        output + block.time / length * p.output_strides.batch + (block.first_out + o) * p.output_strides.channel;
    int64_t time = block.time % length;
    for (int64_t done = 0; done < block.count; sample += p.output_strides.batch) {
      const int64_t here = length - time < block.count - done ? length - time : block.count - done;
      if (here == 1) {
        narrow(sums[done], &sample[time]);
      } else {
        for (int64_t i = 0; i < here; i += Vector::width) {
          const int count = here - i < Vector::width ? static_cast<int>(here - i) : Vector::width;
          Vector::store_partial(sample + time + i, Vector::load_partial(sums + done + i, count), count);
        }
      }
      done += here;
      time = 0;
    }
  }
}

template <class Vector, class To>
void write_sums_of_row(const RowPlan& plan, const FinishedSums<typename Vector::Scalar>& block, int64_t sample,
                       To* output) {
  if (plan.folded) {
    write_folded_sums<Vector>(plan, block, output);
  } else {
    write_sums<Vector>(plan, block, sample, output);
  }
}

template <class Vector, class Storage>
void write_output(const RowPlan& plan, const FinishedSums<typename Vector::Scalar>& block, int64_t sample,
                  void* output) {
  if (plan.variant.wide_output) {
    write_sums_of_row<Vector>(plan, block, sample, static_cast<typename Vector::Scalar*>(output));
  } else {
    write_sums_of_row<Vector>(plan, block, sample, static_cast<Storage*>(output));
  }
}

}  // namespace
}  // namespace tapconv::kernels
