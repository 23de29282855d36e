// Which transforms the tile algorithm has: data that the planner and the algorithm share.
#pragma once

#include "plan.h"

namespace tapconv::kernels {

struct TileTransformShape {
  int size;      // samples of a tile
  int products;  // multiplications that one tile and one filter take
};

inline constexpr int tile_transform_count = 7;

inline constexpr TileTransformShape tile_transform_shapes[tile_transform_count] = {
    {8, 11}, {16, 23}, {32, 47}, {64, 95}, {128, 191}, {256, 383}, {512, 767},
};

constexpr const TileTransformShape& shape_of(TileTransform transform) {
  return tile_transform_shapes[static_cast<int>(transform)];
}

// May a problem that asks for `request` be computed by this transform?
constexpr bool is_allowed(TileTransform, AlgorithmRequest request) {
  return request == AlgorithmRequest::automatic || request == AlgorithmRequest::fft;
}

}  // namespace tapconv::kernels
