#include "composed/any_device/device_evenness.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "composed/any_device/padding.h"
#include "kernels/core/integers.h"
#include "kernels/overlap_save.h"

namespace tapconv::composed {
namespace {

using kernels::Direction;
using kernels::Problem;

// No number of a block may be more than so many times as large as what a result sees.
constexpr double largest_ratio = 8;
// Products and sums of numbers up to this stay in the range of float.
constexpr double largest_sample = 0x1p40;

// Returns (batch, groups, length): the largest magnitude over the channels of each group. A NaN stays one.
at::Tensor magnitudes(const at::Tensor& signal, int64_t groups) {
  const at::Tensor wide = signal.to(signal.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  return wide.abs().view({signal.size(0), groups, signal.size(1) / groups, signal.size(2)}).amax({2});
}

// Returns the largest of `taps` elements `apart` from each other, from each element on that has so many, by windows of
// twice the length each time.
at::Tensor windows(at::Tensor x, int64_t taps, int64_t apart) {
  for (int64_t have = 1; have < taps;) {
    const int64_t more = std::min(have, taps - have);
    const int64_t count = x.size(-1) - more * apart;
    x = at::maximum(x.narrow(-1, 0, count), x.narrow(-1, more * apart, count));
    have += more;
  }
  return x;
}

// Says whether no window sees less than an eighth of the largest number of its stretch. A stretch is as long as a block
// and its neighbours.
at::Tensor are_even(const at::Tensor& seen, int64_t block) {
  const int64_t length = seen.size(-1);
  const int64_t blocks = kernels::ceil_div(length, block);
  const auto in_blocks = [&](double missing) {
    const at::Tensor filled = at::constant_pad_nd(seen, {0, blocks * block - length}, missing);
    return filled.view({seen.size(0), seen.size(1), blocks, block});
  };
  const at::Tensor largest = windows(at::constant_pad_nd(in_blocks(0).amax({3}), {1, 1}), 3, 1);
  const at::Tensor least = in_blocks(std::numeric_limits<double>::infinity()).amin({3});
  return (largest.le(least.mul(largest_ratio)).logical_and(largest.le(largest_sample))).all();
}

at::Tensor are_whole(const at::Tensor& numbers) { return numbers.round().eq(numbers).all(); }

// Says whether some filter copies or scales: it has at most one tap for each of its channels. `channel` is the
// dimension of those.
at::Tensor has_single_taps(const at::Tensor& weight, int64_t channel) {
  return weight.ne(0).sum({2}).le(1).all(channel).any();
}

bool is_true(const at::Tensor& answer) { return answer.item<bool>(); }

}  // namespace

bool is_even_forward(const Problem& p, const at::Tensor& input, const at::Tensor& weight) {
  const kernels::OverlapSave blocks = kernels::cheapest_overlap_save(p, Direction::forward);
  const at::Tensor padded = pad(p, input, p.padding_left, p.padding_right);
  const at::Tensor seen =
      windows(magnitudes(padded, p.groups), p.kernel_size, p.dilation).slice(-1, 0, std::nullopt, p.stride);
  const at::Tensor exact = has_single_taps(weight, 1).logical_or(are_whole(weight).logical_and(are_whole(input)));
  return is_true(are_even(seen, blocks.hop * blocks.phases).logical_and(exact.logical_not()));
}

bool is_even_grad_input(const Problem& p, const at::Tensor& grad_output, const at::Tensor& weight) {
  const kernels::OverlapSave blocks = kernels::cheapest_overlap_save(p, Direction::grad_input);
  const int64_t span = (p.kernel_size - 1) * p.dilation;
  const int64_t length = p.padding_left + p.input_length + p.padding_right;
  // Returns what each padded position sees: gradients lie a stride apart, and its taps reach back.
  const auto seen_of = [&](const at::Tensor& gradients) {
    const int64_t spread_length = (p.output_length - 1) * p.stride + 1;
    at::Tensor spread = at::zeros({gradients.size(0), gradients.size(1), spread_length}, gradients.options());
    spread.slice(-1, 0, std::nullopt, p.stride).copy_(gradients);
    return windows(at::constant_pad_nd(spread, {span, length - spread_length}), p.kernel_size, p.dilation);
  };
  const at::Tensor outputs = magnitudes(grad_output, p.groups);
  // Positions that no tap reaches are zeros whatever the transforms hold.
  const at::Tensor reached = seen_of(at::ones({1, 1, p.output_length}, outputs.options())).ne(0);
  const at::Tensor largest = outputs.amax({2}, /*keepdim=*/true);
  const at::Tensor seen = at::where(reached, seen_of(outputs), largest);
  const at::Tensor by_channel = weight.view({p.groups, -1, weight.size(1), weight.size(2)});
  const at::Tensor copies = by_channel.ne(0).sum({3}).le(1).all(1).any();
  const at::Tensor exact = copies.logical_or(are_whole(weight).logical_and(are_whole(grad_output)));
  return is_true(are_even(seen, blocks.hop * blocks.step).logical_and(exact.logical_not()));
}

bool is_even_grad_weight(const Problem& p, const at::Tensor& grad_output, const at::Tensor& input) {
  const kernels::OverlapSave blocks = kernels::cheapest_overlap_save(p, Direction::grad_weight);
  const at::Tensor padded = pad(p, input, p.padding_left, p.padding_right);
  // A tap sees as many samples of a block as that has outputs. Every channel has taps of its own.
  const int64_t outputs = std::min(blocks.hop, p.output_length);
  const at::Tensor samples = magnitudes(padded, p.in_channels);
  const at::Tensor seen = windows(samples, outputs, p.stride);
  const at::Tensor largest = samples.amax({2});
  const at::Tensor even = largest.le(seen.amin({2}).mul(largest_ratio)).logical_and(largest.le(largest_sample)).all();
  const at::Tensor exact = are_whole(grad_output).logical_and(are_whole(input));
  const at::Tensor fits = magnitudes(grad_output, 1).amax().le(largest_sample);
  return is_true(even.logical_and(fits).logical_and(exact.logical_not()));
}

}  // namespace tapconv::composed
