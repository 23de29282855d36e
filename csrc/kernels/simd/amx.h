// AMX has eight registers, each a tile of up to 16 rows of 64 bytes. One instruction multiplies a tile of 16 output
// channels by 16 pairs of bfloat16 weights with a tile of 16 pairs of samples by 16 times, and adds the products to 16
// by 16 sums in float32. It takes a cycle for each output channel, but 8 at the least, however few the pairs are.
//
// The compiler knows nothing of these registers. The instructions are spelled out, since the compiler's intrinsics take
// no template parameter for a register's number.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vector.h"

namespace tapconv::kernels {
namespace {

// Registers 0 to 3 hold sums, 4 and 5 weights, 6 and 7 samples.
struct AmxTiles {
  // Gives this thread's registers their shapes until release(): `rows` output channels and `depth` pairs, at most 16.
  static void configure(int rows, int depth) {
    struct alignas(64) {
      uint8_t palette = 1;
      uint8_t start_row = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } shapes;
    for (int tile = 0; tile < 8; ++tile) {
      shapes.rows[tile] = static_cast<uint8_t>(tile < 6 ? rows : depth);
      shapes.row_bytes[tile] = static_cast<uint16_t>(tile == 4 || tile == 5 ? 4 * depth : 64);
    }
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }
  // Without tiles in use there is less for the system to save when it switches threads.
  static void release() { asm volatile("tilerelease"); }

  template <int Tile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(Tile));
  }
  template <int Tile>
  static void load(const void* from, ptrdiff_t row_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(row_bytes), "i"(Tile) : "memory");
  }
  template <int Tile>
  static void store(void* to, ptrdiff_t row_bytes) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(row_bytes), "i"(Tile) : "memory");
  }
  template <int Sums, int Weights, int Samples>
  static void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Weights), "i"(Samples));
  }
};
static_assert(MatrixTiles<AmxTiles>);

}  // namespace
}  // namespace tapconv::kernels
