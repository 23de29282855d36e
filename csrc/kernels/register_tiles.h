// Which register tiles exist: for each number of tile rows (output channels), how many vectors of time fit beside them.
// Planner and algorithms read the same table.
#pragma once

namespace tapconv::kernels {

inline constexpr int largest_tile_rows = 8;
inline constexpr int largest_tile_columns = 8;

struct RegisterTiles {
  int rows;                              // of the full tile
  int columns[largest_tile_rows + 1];    // by number of rows; [0] is unused
};

// rows * columns accumulators + columns loaded vectors + 1 broadcast weight must fit; with one row the loaded vectors
// are memory operands of the multiply-add. Few rows take more columns, because a multiply-add takes four cycles and two
// can start in each: eight independent accumulators are the least that keep the units busy.
inline constexpr RegisterTiles tiles_of_32_registers{8, {0, 8, 8, 7, 6, 5, 4, 3, 3}};
inline constexpr RegisterTiles tiles_of_16_registers{6, {0, 8, 5, 3, 3, 2, 2, 0, 0}};

constexpr const RegisterTiles& register_tiles(int register_count) {
  return register_count >= 32 ? tiles_of_32_registers : tiles_of_16_registers;
}

}  // namespace tapconv::kernels
