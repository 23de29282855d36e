// The register tiles that exist: for each number of tile rows (output channels), how many vectors of time fit beside
// them. Planner and algorithms read the same table.
#pragma once

namespace tapconv::kernels {

inline constexpr int largest_tile_rows = 8;
inline constexpr int largest_tile_columns = 8;

struct RegisterTiles {
  int rows;                            // of the full tile
  int columns[largest_tile_rows + 1];  // by number of rows; [0] is unused
};

// Register budget: rows * columns accumulators, columns loaded vectors and 1 broadcast weight must fit. With one row
// the loaded vectors are memory operands of the multiply-add. Few rows take more columns, because a multiply-add takes
// four cycles and two can start in each, so that eight independent accumulators are the least that keep the units busy.
inline constexpr RegisterTiles tiles_of_32_registers{8, {0, 8, 8, 7, 6, 5, 4, 3, 3}};
inline constexpr RegisterTiles tiles_of_16_registers{6, {0, 8, 5, 3, 3, 2, 2, 0, 0}};

constexpr const RegisterTiles& register_tiles(int register_count) {
  return register_count >= 32 ? tiles_of_32_registers : tiles_of_16_registers;
}

// Short tiles hold as many (channel, tap) pairs side by side, if a vector has as many lanes
// (algorithms/direct/short_tile.h).
inline constexpr int largest_short_tile_pairs = 8;

// Tiles of dot products have these numbers of output channels and of output positions.
inline constexpr int dot_columns = 4;
constexpr int dot_rows(int register_count) { return register_count >= 32 ? 4 : 2; }

// Depthwise filters of no more taps than this keep their weights in registers (algorithms/direct/depthwise_rows.h).
inline constexpr int max_depthwise_row_taps = 8;

// Depthwise sums with channel lanes keep pointers to as many padded positions.
inline constexpr int max_channel_lane_positions = 96;

// Tiles of the weight gradient: the table says how many (in_channel, tap) pairs go with so many columns (vectors of
// output channels) or rows (output channels one by one); [0] is unused. Each pair keeps a pointer in a general
// register, so 8 is the most.
inline constexpr int largest_tile_pairs = 8;

struct GradWeightTiles {
  int columns;  // of the widest tile with channel lanes
  int pairs_of_columns[4];
  int rows;  // of the tallest tile with time lanes
  int pairs_of_rows[5];
};

inline constexpr GradWeightTiles grad_weight_tiles_of_32_registers{3, {0, 8, 8, 8}, 4, {0, 8, 8, 7, 6}};
inline constexpr GradWeightTiles grad_weight_tiles_of_16_registers{2, {0, 8, 6, 0}, 3, {0, 8, 5, 4, 0}};

constexpr const GradWeightTiles& grad_weight_tiles(int register_count) {
  return register_count >= 32 ? grad_weight_tiles_of_32_registers : grad_weight_tiles_of_16_registers;
}

}  // namespace tapconv::kernels
