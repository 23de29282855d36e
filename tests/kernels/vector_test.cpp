// The vectors whose instructions every processor of the build has, member by member against loops over their lanes:
// what simd/vector.h asks of all. Those of other instruction sets are tested through the kernels alone.
#include "kernels/simd/vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/simd/portable.h"
#if defined(__aarch64__)
#include "kernels/simd/neon.h"
#endif

namespace tapconv::kernels {
namespace {

template <class Vector>
class Vectors : public testing::Test {
 protected:
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;
  using Lanes = std::array<Scalar, width>;

  static Lanes lanes_of(Register a) {
    Lanes lanes;
    Vector::store(lanes.data(), a);
    return lanes;
  }
  // first, first + step, ...
  static Lanes counted(Scalar first, Scalar step = 1) {
    Lanes lanes;
    for (int l = 0; l < width; ++l) lanes[l] = first + static_cast<Scalar>(l) * step;
    return lanes;
  }
  static Register vector_of(const Lanes& lanes) { return Vector::load(lanes.data()); }
};

using TestedVectors = testing::Types<Portable::VectorOf<float>::type, Portable::VectorOf<double>::type
#if defined(__aarch64__)
                                     ,
                                     Neon::VectorOf<float>::type, Neon::VectorOf<double>::type
#endif
                                     >;
TYPED_TEST_SUITE(Vectors, TestedVectors);

TYPED_TEST(Vectors, touch_the_counted_lanes_alone) {
  using Vector = TypeParam;
  constexpr int width = Vector::width;
  const auto before = this->counted(100);
  for (int begin = 0; begin < width; ++begin) {
    for (int count = 0; begin + count <= width; ++count) {
      // Exactly as many elements, so that sanitizers see every other access.
      std::vector<typename Vector::Scalar> from(static_cast<size_t>(count));
      for (int i = 0; i < count; ++i) from[static_cast<size_t>(i)] = static_cast<typename Vector::Scalar>(1 + i);
      const auto some = this->lanes_of(Vector::load_some(from.data(), begin, count));
      const auto merged = this->lanes_of(Vector::load_lanes(this->vector_of(before), from.data(), begin, count));
      const auto partial = this->lanes_of(Vector::load_partial(from.data(), count));
      for (int l = 0; l < width; ++l) {
        const bool inside = l >= begin && l < begin + count;
        EXPECT_EQ(some[l], inside ? 1 + l - begin : 0) << begin << " " << count << " " << l;
        EXPECT_EQ(merged[l], inside ? 1 + l - begin : before[l]) << begin << " " << count << " " << l;
        EXPECT_EQ(partial[l], l < count ? 1 + l : 0) << count << " " << l;
      }
      std::vector<typename Vector::Scalar> to(static_cast<size_t>(count)), first(static_cast<size_t>(count));
      Vector::store_lanes(to.data(), this->vector_of(before), begin, count);
      Vector::store_partial(first.data(), this->vector_of(before), count);
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(to[static_cast<size_t>(i)], before[begin + i]) << begin << " " << count << " " << i;
        EXPECT_EQ(first[static_cast<size_t>(i)], before[i]) << count << " " << i;
      }
    }
  }
}

TYPED_TEST(Vectors, merge_every_so_many_elements) {
  using Vector = TypeParam;
  constexpr int width = Vector::width;
  for (int apart = 2; apart <= Vector::max_merged_vectors; ++apart) {
    std::vector<typename Vector::Scalar> elements(static_cast<size_t>(apart * width));
    for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<typename Vector::Scalar>(1 + i);
    auto a = Vector::zero();
    for (int v = 0; v < apart; ++v) {
      a = Vector::merged(a, Vector::load(elements.data() + v * width), Vector::merge_of(apart, v));
    }
    const auto lanes = this->lanes_of(a);
    for (int l = 0; l < width; ++l) EXPECT_EQ(lanes[l], 1 + l * apart) << apart << " " << l;
  }
}

TYPED_TEST(Vectors, move_lanes) {
  using Vector = TypeParam;
  constexpr int width = Vector::width;
  const auto a = this->counted(1), b = this->counted(101);
  const auto low = this->lanes_of(Vector::interleave_low(this->vector_of(a), this->vector_of(b)));
  const auto high = this->lanes_of(Vector::interleave_high(this->vector_of(a), this->vector_of(b)));
  const auto sums = this->lanes_of(Vector::add_neighbours(this->vector_of(a), this->vector_of(b)));
  for (int l = 0; l < width; ++l) {
    EXPECT_EQ(low[l], (l % 2 == 0 ? a : b)[l / 2]);
    EXPECT_EQ(high[l], (l % 2 == 0 ? a : b)[width / 2 + l / 2]);
    const auto& summands = l < width / 2 ? a : b;
    EXPECT_EQ(sums[l], summands[2 * l % width] + summands[2 * l % width + 1]);
  }
  const auto two = this->lanes_of(Vector::broadcast_two(a.data()));
  for (int l = 0; l < width; ++l) EXPECT_EQ(two[l], a[l % 2]);
  if constexpr (width >= 4) {
    const auto four = this->lanes_of(Vector::broadcast_four(a.data()));
    for (int l = 0; l < width; ++l) EXPECT_EQ(four[l], a[l % 4]);
  }
  if constexpr (FixedShiftingVector<Vector>) {
    const auto shifted = this->lanes_of(Vector::template shifted_by<1>(this->vector_of(a), this->vector_of(b)));
    for (int l = 0; l < width; ++l) EXPECT_EQ(shifted[l], l + 1 < width ? a[l + 1] : b[0]);
  }
}

TYPED_TEST(Vectors, transpose) {
  using Vector = TypeParam;
  constexpr int width = Vector::width;
  typename Vector::Register rows[width];
  for (int i = 0; i < width; ++i) {
    rows[i] = this->vector_of(this->counted(static_cast<typename Vector::Scalar>(100 * i)));
  }
  Vector::transpose(rows);
  for (int i = 0; i < width; ++i) {
    const auto lanes = this->lanes_of(rows[i]);
    for (int l = 0; l < width; ++l) EXPECT_EQ(lanes[l], 100 * l + i);
  }
  if constexpr (QuadVector<Vector>) {
    const auto elements = this->counted(0);
    std::vector<typename Vector::Scalar> all(4 * width + 1);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<typename Vector::Scalar>(i);
    const typename Vector::Scalar* from[width];
    for (int l = 0; l < width; ++l) from[l] = all.data() + 4 * l;
    typename Vector::Register quads[4], joined[4];
    Vector::load_quads(from, 1, quads);
    Vector::join_quads(quads, joined);
    for (int i = 0; i < 4; ++i) {
      const auto quad = this->lanes_of(quads[i]), back = this->lanes_of(joined[i]);
      for (int l = 0; l < width; ++l) {
        EXPECT_EQ(quad[l], 4 * l + 1 + i);
        EXPECT_EQ(back[l], 1 + i * width + elements[l]);
      }
    }
  }
}

TYPED_TEST(Vectors, multiply_and_add) {
  using Vector = TypeParam;
  const auto x = this->counted(2), y = this->counted(3), z = this->counted(50, 7);
  const auto a = this->vector_of(x), b = this->vector_of(y), c = this->vector_of(z);
  const auto added = this->lanes_of(Vector::add(a, b)), subtracted = this->lanes_of(Vector::subtract(a, b));
  const auto multiplied = this->lanes_of(Vector::multiply(a, b));
  const auto product_added = this->lanes_of(Vector::multiply_add(a, b, c));
  const auto less_third = this->lanes_of(Vector::multiply_subtract(a, b, c));
  const auto less_product = this->lanes_of(Vector::subtract_product(c, a, b));
  typename Vector::Scalar sum = 0;
  for (int l = 0; l < Vector::width; ++l) {
    EXPECT_EQ(added[l], x[l] + y[l]);
    EXPECT_EQ(subtracted[l], x[l] - y[l]);
    EXPECT_EQ(multiplied[l], x[l] * y[l]);
    EXPECT_EQ(product_added[l], x[l] * y[l] + z[l]);
    EXPECT_EQ(less_third[l], x[l] * y[l] - z[l]);
    EXPECT_EQ(less_product[l], z[l] - x[l] * y[l]);
    sum += x[l];
  }
  EXPECT_EQ(Vector::sum(a), sum);
  EXPECT_EQ(this->lanes_of(Vector::broadcast(3))[Vector::width - 1], 3);
}

// In an order that dot products rely on.
TYPED_TEST(Vectors, sum_halves_to_halves) {
  using Vector = TypeParam;
  auto lanes = this->counted(0);
  for (auto& lane : lanes) lane = std::exp(lane) / 3;
  auto halves = lanes;
  for (int half = Vector::width / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) halves[l] += halves[l + half];
  }
  EXPECT_EQ(Vector::sum(this->vector_of(lanes)), halves[0]);
}

TYPED_TEST(Vectors, compare_magnitudes_with_nan_as_the_largest) {
  using Vector = TypeParam;
  using Scalar = typename Vector::Scalar;
  using Limits = std::numeric_limits<Scalar>;
  const Scalar values[] = {0, Limits::denorm_min(), 1, 2, Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
  for (size_t i = 0; i < std::size(values); ++i) {
    for (size_t j = 0; j < std::size(values); ++j) {
      const auto larger = this->lanes_of(
          Vector::larger_magnitude(Vector::broadcast(values[i]), Vector::broadcast(std::copysign(values[j], -1))));
      const auto smaller =
          this->lanes_of(Vector::smaller_magnitude(Vector::broadcast(values[i]), Vector::broadcast(values[j])));
      const Scalar largest = values[std::max(i, j)], smallest = values[std::min(i, j)];
      for (int l = 0; l < Vector::width; ++l) {
        EXPECT_TRUE(std::isnan(largest) ? std::isnan(larger[l]) : larger[l] == largest) << i << " " << j;
        EXPECT_TRUE(std::isnan(smallest) ? std::isnan(smaller[l]) : smaller[l] == smallest) << i << " " << j;
        EXPECT_FALSE(std::signbit(larger[l]));
      }
    }
  }
}

// Every 16-bit number widens, and every float32 next to one, halfway or beside halfway to the next narrows, as
// numbers/storage.h has it, whole and in part. A signalling NaN may become a quiet one on its way in.
template <class Vector, class Storage>
void expect_conversions_of() {
  constexpr int width = Vector::width;
  const auto same = [](float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
  };
  for (uint32_t bits = 0; bits < 0x10000u; bits += width) {
    Storage stored[width];
    for (int l = 0; l < width; ++l) stored[l].bits = static_cast<uint16_t>(bits + static_cast<uint32_t>(l));
    float whole[width], part[width];
    Vector::store(whole, Vector::load(stored));
    Vector::store(part, Vector::load_partial(stored, width - 1));
    for (int l = 0; l < width; ++l) {
      const float expected = widen(stored[l]);
      ASSERT_TRUE(same(whole[l], expected)) << stored[l].bits;
      ASSERT_TRUE(same(part[l], l < width - 1 ? expected : 0.0f)) << stored[l].bits;

      const float next = widen(Storage{static_cast<uint16_t>(stored[l].bits + 1)});
      const float middle = expected / 2 + next / 2;
      const float around[] = {expected, std::nextafter(middle, expected), middle, std::nextafter(middle, next), next};
      for (const float value : around) {
        Storage rounded, narrowed[width], lane[1];
        narrow(value, &rounded);
        float values[width];
        std::fill_n(values, width, value);
        const auto a = Vector::load(values);
        Vector::store(narrowed, a);
        Vector::store_lanes(lane, a, l, 1);
        ASSERT_EQ(narrowed[l].bits, rounded.bits) << value << " " << stored[l].bits;
        ASSERT_EQ(lane[0].bits, rounded.bits) << value << " " << stored[l].bits;
      }
    }
  }
}

TEST(VectorConversions, of_portable_are_those_of_scalars) {
  expect_conversions_of<Portable::VectorOf<float>::type, BFloat16>();
  expect_conversions_of<Portable::VectorOf<float>::type, Float16>();
}

#if defined(__aarch64__)
TEST(VectorConversions, of_neon_are_those_of_scalars) {
  expect_conversions_of<Neon::VectorOf<float>::type, BFloat16>();
  expect_conversions_of<Neon::VectorOf<float>::type, Float16>();
}
#endif

}  // namespace
}  // namespace tapconv::kernels
