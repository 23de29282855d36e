// The micro-kernel of the direct sum for outputs that fill between an eighth of a vector and a whole one. Weights are
// read where they lie.
//
// A tile of one vector of times (register_tile.h) loads once for each multiply-add and once more for its row, which
// crosses a cache line. As two loads or two multiply-adds can start in a cycle, the loads bound it. Here lanes hold two
// to eight neighbouring (channel, tap) pairs of each time, side by side as their weights are in memory, and two vectors
// hold all times. One load then brings the weights of all these pairs, for two multiply-adds. The sums of the pairs are
// added at the end.
//
// Register budget: Rows * 2 accumulators, two vectors of samples and one of weights. Loop order: pairs run innermost,
// along the weights as they lie. Weights are read once, so those of the next tile are fetched while this one runs.
#pragma once

#include "kernels/core/integers.h"
#include "register_tile.h"

namespace tapconv::kernels {
namespace {

// Collects the samples of (channel, tap) pairs, a vector of times each, and stores `Pairs` of them interleaved as
// [time][pair], two vectors in all. What is missing at the end is filled with zeros.
template <class Vector, int Pairs>
class Interleaving {
  using Register = typename Vector::Register;
  using Scalar = typename Vector::Scalar;

 public:
  explicit Interleaving(Scalar* to) : to_(to) {}

  void add(Register samples) {
    held_[count_++] = samples;
    if (count_ == Pairs) store();
  }
  void finish() {
    while (count_ > 0) add(Vector::zero());
  }

 private:
  // Interleaves every `apart`-th vector held, from the first on. So few times are used that their lanes fill one
  // vector.
  template <int apart>
  Register joined(const Register* first) {
    if constexpr (apart == Pairs) {
      return *first;
    } else {
      return Vector::interleave_low(joined<2 * apart>(first), joined<2 * apart>(first + apart));
    }
  }
  void store() {
    const Register a = joined<2>(held_);
    const Register b = joined<2>(held_ + 1);
    Vector::store(to_, Vector::interleave_low(a, b));
    Vector::store(to_ + Vector::width, Vector::interleave_high(a, b));
    to_ += 2 * Vector::width;
    count_ = 0;
  }

  Scalar* to_;
  int count_ = 0;
  Register held_[Pairs];
};

template <class Vector, int Pairs>
void interleave_rows(const typename Vector::Scalar* rows, const int32_t* offsets, int64_t pair_count,
                     typename Vector::Scalar* to) {
  Interleaving<Vector, Pairs> interleaving(to);
  for (int64_t i = 0; i < pair_count; ++i) interleaving.add(Vector::load(rows + offsets[i]));
  interleaving.finish();
}

// Says whether the samples of a tap can be loaded where they lie, as a run of lanes.
inline bool has_runs_of_lanes(const Problem& p) {
  return p.padding_mode == PaddingMode::zeros && p.stride == 1 && p.input_strides.time == 1;
}

// Does the same from the channels themselves, without rows, because copying short ones takes longer than all else here.
template <class Vector, int Pairs>
void interleave_channels(const Problem& p, const typename Vector::Scalar* input, int64_t channels,
                         typename Vector::Scalar* to) {
  Interleaving<Vector, Pairs> interleaving(to);
  for (int64_t c = 0; c < channels; ++c) {
    const auto* const channel = input + c * p.input_strides.channel;
    for (int64_t k = 0; k < p.kernel_size; ++k) {
      const int64_t shift = k * p.dilation - p.padding_left;
      const int64_t begin = shift < 0 ? -shift : 0;
      const int64_t end = min(p.input_length - shift, p.output_length);
      if (begin < end) {
        interleaving.add(Vector::load_lanes(Vector::zero(), channel + shift + begin, static_cast<int>(begin),
                                            static_cast<int>(end - begin)));
      } else {
        interleaving.add(Vector::zero());
      }
    }
  }
  interleaving.finish();
}

template <class Vector, int Pairs>
typename Vector::Register broadcast_pairs(const typename Vector::Scalar* weights) {
  if constexpr (Pairs == 8) {
    return Vector::broadcast_eight(weights);
  } else if constexpr (Pairs == 4) {
    return Vector::broadcast_four(weights);
  } else {
    return Vector::broadcast_two(weights);
  }
}

// The rows of the call are interleaved.
template <class Vector, int Pairs, int Rows>
[[gnu::noinline]] void short_tile(const TileCall<typename Vector::Scalar>& call) {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  constexpr int width = Vector::width;
  constexpr int line = 64 / sizeof(Scalar);
  Register sum[Rows][2];
  const Scalar* weight[Rows];
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
    sum[o][0] = sum[o][1] = Vector::zero();
    weight[o] = call.weight + o * call.weight_stride;
  }
  const Scalar* row = call.rows;
  int64_t pair = 0;
  const auto add_up_to = [&](int64_t end) {
#pragma GCC unroll 2
    for (; pair + Pairs <= end; pair += Pairs, row += 2 * width) {
      const Register x[2] = {Vector::load(row), Vector::load(row + width)};
#pragma GCC unroll 16
      for (int o = 0; o < Rows; ++o) {
        const Register w = broadcast_pairs<Vector, Pairs>(weight[o] + pair);
        sum[o][0] = Vector::multiply_add(x[0], w, sum[o][0]);
        sum[o][1] = Vector::multiply_add(x[1], w, sum[o][1]);
      }
    }
  };
  while (pair + line <= call.pair_count) {
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) __builtin_prefetch(weight[o] + pair + Rows * call.weight_stride, 0, 2);
    add_up_to(pair + line);
  }
  add_up_to(call.pair_count);
  if (pair < call.pair_count) {
    const Register x[2] = {Vector::load(row), Vector::load(row + width)};
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
      Scalar last[Pairs] = {};
      for (int64_t i = 0; i < call.pair_count - pair; ++i) last[i] = weight[o][pair + i];
      const Register w = broadcast_pairs<Vector, Pairs>(last);
      sum[o][0] = Vector::multiply_add(x[0], w, sum[o][0]);
      sum[o][1] = Vector::multiply_add(x[1], w, sum[o][1]);
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < Rows; ++o) {
    Scalar* const to = call.output + o * call.output_stride;
    Register added = Vector::add_neighbours(sum[o][0], sum[o][1]);
#pragma GCC unroll 4
    for (int left = Pairs / 2; left > 1; left /= 2) added = Vector::add_neighbours(added, Vector::zero());
    const Register start = call.accumulate ? Vector::load_partial(to, call.last_count)
                           : call.bias     ? Vector::broadcast(call.bias[o])
                                           : Vector::zero();
    Vector::store_partial(to, Vector::add(start, added), call.last_count);
  }
}

}  // namespace
}  // namespace tapconv::kernels
