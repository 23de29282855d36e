#include "emulated_matrices.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/algorithms/matrix/matrix_sum.h"
#include "kernels/instruction_sets/kernel_table.h"
#include "kernels/simd/portable.h"

namespace tapconv::kernels {

const KernelTable* portable_kernels();

namespace test {
namespace {

// As simd/amx.h: registers 0 to 3 hold sums, 4 and 5 weights, 6 and 7 samples. Registers without a shape hold nothing,
// so that a kernel that forgets to configure them, or that uses them after their release, is noticed.
struct EmulatedTiles {
  struct Shape {
    int rows;
    int bytes;
  };
  struct Registers {
    Shape shapes[8];
    std::byte contents[8][16][64];
  };
  static Registers& registers() {
    static thread_local Registers all{};
    return all;
  }

  static void configure(int rows, int depth) {
    registers() = {};
    for (int tile = 0; tile < 8; ++tile) {
      registers().shapes[tile] = {tile < 6 ? rows : depth, tile == 4 || tile == 5 ? 4 * depth : 64};
    }
  }
  static void release() { registers() = {}; }

  template <int Tile>
  static void zero() {
    std::memset(registers().contents[Tile], 0, sizeof registers().contents[Tile]);
  }
  template <int Tile>
  static void load(const void* from, ptrdiff_t row_bytes) {
    zero<Tile>();
    const Shape shape = registers().shapes[Tile];
    for (int row = 0; row < shape.rows; ++row) {
      std::memcpy(registers().contents[Tile][row], static_cast<const std::byte*>(from) + row * row_bytes,
                  static_cast<size_t>(shape.bytes));
    }
  }
  template <int Tile>
  static void store(void* to, ptrdiff_t row_bytes) {
    const Shape shape = registers().shapes[Tile];
    for (int row = 0; row < shape.rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * row_bytes, registers().contents[Tile][row],
                  static_cast<size_t>(shape.bytes));
    }
  }
  template <int Sums, int Weights, int Samples>
  static void multiply_add() {
    const int rows = registers().shapes[Sums].rows;
    const int depth = 2 * registers().shapes[Samples].rows;
    float sums[16][16], samples[32][16];
    BFloat16 weights[16][32], pairs[16][32];
    std::memcpy(sums, registers().contents[Sums], sizeof sums);
    std::memcpy(weights, registers().contents[Weights], sizeof weights);
    std::memcpy(pairs, registers().contents[Samples], sizeof pairs);
    for (int i = 0; i < depth; ++i) {
      for (int column = 0; column < 16; ++column) samples[i][column] = widen(pairs[i / 2][2 * column + i % 2]);
    }
    for (int row = 0; row < rows; ++row) {
      for (int i = 0; i < depth; ++i) {
        const float weight = widen(weights[row][i]);
        for (int column = 0; column < 16; ++column) sums[row][column] += weight * samples[i][column];
      }
    }
    std::memcpy(registers().contents[Sums], sums, sizeof sums);
  }
};

struct EmulatedHalfWords {
  static constexpr int width = 32;
  using Scalar = BFloat16;
  struct Register {
    BFloat16 lanes[width];
  };

  static Register zero() { return {}; }
  static Register load(const BFloat16* from) { return load_partial(from, width); }
  static Register load_partial(const BFloat16* from, int count) {
    Register a{};
    for (int i = 0; i < count; ++i) a.lanes[i] = from[i];
    return a;
  }
  static Register load_some(const BFloat16* from, int begin, int count) {
    Register a{};
    for (int i = 0; i < count; ++i) a.lanes[begin + i] = from[i];
    return a;
  }
  static void store(BFloat16* to, Register a) { store_partial(to, a, width); }
  static void store_partial(BFloat16* to, Register a, int count) {
    for (int i = 0; i < count; ++i) to[i] = a.lanes[i];
  }

  static constexpr int max_merged_vectors = 32;
  struct Merge {
    int apart;
    int vector;
  };
  static Merge merge_of(int apart, int vector) { return {apart, vector}; }
  static Register merged(Register a, Register vector, Merge merge) {
    for (int i = 0; i < width; ++i) {
      const int lane = i * merge.apart - merge.vector * width;
      if (lane >= 0 && lane < width) a.lanes[i] = vector.lanes[lane];
    }
    return a;
  }

  static void store_pairs(uint32_t* to, const BFloat16* low, const BFloat16* high) {
    for (int i = 0; i < 16; ++i) to[i] = low[i].bits | static_cast<uint32_t>(high[i].bits) << 16;
  }
  static void transpose_lanes(const BFloat16* const (&from)[16], int count, uint32_t* to, ptrdiff_t distance) {
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < 16; ++j) std::memcpy(to + i * distance + j, from[j] + 2 * i, sizeof *to);
    }
  }
  static void transpose_pairs(const BFloat16* from, ptrdiff_t apart, int channels, int count, BFloat16* const* to) {
    for (int i = 0; i < count; ++i) {
      for (int channel = 0; to[i] != nullptr && channel < channels; ++channel) {
        to[i][channel] = from[channel * apart + i];
      }
    }
  }
};

struct EmulatedMatrix {
  using Tiles = EmulatedTiles;
  using HalfWords = EmulatedHalfWords;
};

bool always() { return true; }

const KernelTable* emulated_kernels() {
  static const KernelTable table = [] {
    KernelTable extended = *portable_kernels();
    extended.bfloat16_matrices = matrix_kernels<Portable, EmulatedMatrix>();
    return extended;
  }();
  return &table;
}

constexpr InstructionSet emulated{"emulated", "any processor", 16, 16, false, true, &always, &emulated_kernels};

}  // namespace

const InstructionSet& emulated_matrices() { return emulated; }

}  // namespace test
}  // namespace tapconv::kernels
