// The micro-kernel of the direct sum by matrix products: some tiles of 16 output channels times some tiles of 16 times.
//
//   sums[o][t .. t + 16) += sum over steps of weights[step][o][pair] * rows[offset[step] + pair rows + t ..]
//
// where a step multiplies up to 16 pairs of channels or taps. Register budget: 4 tiles of sums, 2 of weights, 2 of
// samples, which is all 8. Two tiles by two load as many tiles as they multiply, the fewest that so many registers
// allow. Loads of whole cache lines hide behind the products, whereas those of samples that begin within a line take
// nearly as long as two products. Loop order: steps run innermost, since sums stay in their registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tapconv::kernels {
namespace {

inline constexpr int matrix_tile_size = 16;  // output channels, times and pairs of a tile
inline constexpr int64_t matrix_tile_bytes = int64_t(matrix_tile_size) * 64;

struct MatrixCall {
  const uint32_t* rows;    // lanes of the first time
  ptrdiff_t row_bytes;     // between the rows of a step
  const int32_t* offsets;  // of each step, in lanes
  int64_t steps;
  const char* weight;       // of the first output tile: a tile for each step
  ptrdiff_t weight_bytes;   // between output tiles
  const float* bias;        // of the first output tile: a vector of 16 for each output channel; or null
  ptrdiff_t bias_channels;  // output channels of a tile
  float* sums;              // [output channel][time]
  ptrdiff_t sums_stride;    // between output channels
  bool accumulate;          // add to what `sums` holds, instead of starting from the bias
};

template <class Tiles, int Outs, int Times>
[[gnu::noinline]] void matrix_tile(const MatrixCall& call) {
  constexpr int sums = 0, weights = 4, samples = 6;
  const ptrdiff_t sums_bytes = call.sums_stride * static_cast<ptrdiff_t>(sizeof(float));
  const auto each_sum = [&](const auto& body) {
    [&]<int... I>(std::integer_sequence<int, I...>) {
      (body.template operator()<I>(call.sums + I / Times * call.bias_channels * call.sums_stride +
                                   I % Times * matrix_tile_size),
       ...);
    }(std::make_integer_sequence<int, Outs * Times>());
  };
  each_sum([&]<int I>(float* at) {
    if (call.accumulate) {
      Tiles::template load<sums + I>(at, sums_bytes);
    } else if (call.bias != nullptr) {
      Tiles::template load<sums + I>(call.bias + I / Times * call.bias_channels * matrix_tile_size, 64);
    } else {
      Tiles::template zero<sums + I>();
    }
  });
  const char* weight = call.weight;
  for (int64_t step = 0; step < call.steps; ++step, weight += matrix_tile_bytes) {
    const uint32_t* const rows = call.rows + call.offsets[step];
    Tiles::template load<weights>(weight, 64);
    Tiles::template load<samples>(rows, call.row_bytes);
    if constexpr (Outs > 1) Tiles::template load<weights + 1>(weight + call.weight_bytes, 64);
    if constexpr (Times > 1) Tiles::template load<samples + 1>(rows + matrix_tile_size, call.row_bytes);
    Tiles::template multiply_add<sums, weights, samples>();
    if constexpr (Times > 1) Tiles::template multiply_add<sums + 1, weights, samples + 1>();
    if constexpr (Outs > 1) Tiles::template multiply_add<sums + Times, weights + 1, samples>();
    if constexpr (Outs > 1 && Times > 1) Tiles::template multiply_add<sums + 3, weights + 1, samples + 1>();
  }
  each_sum([&]<int I>(float* at) { Tiles::template store<sums + I>(at, sums_bytes); });
}

}  // namespace
}  // namespace tapconv::kernels
