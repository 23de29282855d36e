// Depthwise with few outputs, as in streaming: a vector of time would be nearly empty, so lanes are channels instead.
// Samples and weights of one vector of channels are transposed to [position][channel] and [tap][channel]; every output
// is then a sum of products of whole vectors, and outputs are transposed back. Padding is a table of pointers: each
// padded position names the transposed sample that it copies, or a vector of zeros.
#pragma once

#include "dot_plan.h"
#include "kernels/core/tile_grid.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/instruction_sets/register_tiles.h"
#include "kernels/rows/channel_lanes.h"
#include "kernels/rows/padding.h"

namespace tapconv::kernels {
namespace {

// A task is one sample and one vector of channels.
template <class Isa, class Storage>
void run_channel_lanes(const ChannelLanePlan& plan, const ForwardOperands& operands, int64_t first_task,
                       int64_t last_task, int slot) {
  using Scalar = ComputeType<Storage>;
  using Vector = typename Isa::template VectorOf<Scalar>::type;
  constexpr int width = Vector::width;
  const Problem& p = plan.problem;
  const ActivationStrides& in = p.input_strides;
  const ActivationStrides& out = p.output_strides;
  Scalar* const zeros = reinterpret_cast<Scalar*>(slot_memory(plan, operands.workspace, slot));
  Scalar* const weights = zeros + width;
  Scalar* const outputs = weights + p.kernel_size * width;
  Scalar* const samples = outputs + p.output_length * width;
  Vector::store(zeros, Vector::zero());

  // Padded position i (from the first one read on) is a sample of [first, last), or zero. The same for all channels.
  const int64_t positions = positions_read(p);
  const Scalar* position[max_channel_lane_positions];
  int64_t first = p.input_length;
  int64_t last = 0;
  for (int64_t i = 0; i < positions; ++i) {
    const int64_t source = source_of(i - p.padding_left, p);
    if (source < 0) continue;
    if (source < first) first = source;
    if (source >= last) last = source + 1;
  }
  for (int64_t i = 0; i < positions; ++i) {
    const int64_t source = source_of(i - p.padding_left, p);
    position[i] = source < 0 ? zeros : samples + (source - first) * width;
  }

  for (int64_t task = first_task; task < last_task; ++task) {
    const int64_t sample = task / plan.vector_count;
    const int64_t channel = task % plan.vector_count * width;
    const int lanes = p.in_channels - channel < width ? static_cast<int>(p.in_channels - channel) : width;
    if (last > first) {
      transpose_in<Vector>(
          static_cast<const Storage*>(operands.input) + sample * in.batch + channel * in.channel + first * in.time,
          in.channel, in.time, lanes, last - first, samples);
    }
    transpose_in<Vector>(static_cast<const Storage*>(operands.weight) + channel * plan.variant.weight_group_stride,
                         plan.variant.weight_group_stride, p.weight_strides.tap, lanes, p.kernel_size, weights);
    const auto start = operands.bias == nullptr
                           ? Vector::zero()
                           : Vector::load_partial(static_cast<const Storage*>(operands.bias) + channel, lanes);
    for (int64_t t = 0; t < p.output_length; ++t) {
      auto sum = start;
      for (int64_t k = 0; k < p.kernel_size; ++k) {
        sum = Vector::multiply_add(Vector::load(position[t * p.stride + k * p.dilation]),
                                   Vector::load(weights + k * width), sum);
      }
      Vector::store(outputs + t * width, sum);
    }
    transpose_out<Vector>(outputs, lanes, p.output_length,
                          static_cast<Storage*>(operands.output) + sample * out.batch + channel * out.channel,
                          out.channel, out.time);
  }
}

}  // namespace
}  // namespace tapconv::kernels
