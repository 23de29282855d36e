// The transforms that the tile algorithm has, as data that the planner and the algorithm share.
#pragma once

#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::kernels {

enum class TileTransform : uint8_t {
  fourier8,
  fourier16,
  fourier32,
  fourier64,
  fourier128,
  fourier256,
  fourier512,
  winograd_two_taps,    // F(4, 2): four outputs of two taps
  winograd_three_taps,  // F(4, 3)
};

struct TileTransformShape {
  int size;      // samples of a tile
  int products;  // multiplications that one tile and one filter take
  int taps;      // that it is made for, or 0 if it takes any number below its size
};

inline constexpr int fourier_transform_count = 7;  // they come first
inline constexpr int tile_transform_count = 9;

inline constexpr TileTransformShape tile_transform_shapes[tile_transform_count] = {
    {8, 11, 0},    {16, 23, 0},   {32, 47, 0}, {64, 95, 0}, {128, 191, 0},
    {256, 383, 0}, {512, 767, 0}, {5, 5, 2},   {6, 6, 3},
};

constexpr const TileTransformShape& shape_of(TileTransform transform) {
  return tile_transform_shapes[static_cast<int>(transform)];
}

constexpr bool is_fourier(TileTransform transform) { return static_cast<int>(transform) < fourier_transform_count; }

// Winograd rounds two to three times as coarsely as a direct sum. Unasked, it is kept from float64, which nobody
// chooses for its speed. A request allows what it names.
constexpr bool is_allowed(TileTransform transform, const Problem& problem) {
  switch (problem.algorithm) {
    case AlgorithmRequest::automatic:
      return is_fourier(transform) || problem.data_type != DataType::float64;
    case AlgorithmRequest::fft:
      return is_fourier(transform);
    case AlgorithmRequest::winograd:
      return !is_fourier(transform);
    case AlgorithmRequest::direct:
      break;
  }
  return false;
}

}  // namespace tapconv::kernels
