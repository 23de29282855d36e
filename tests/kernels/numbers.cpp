#include "numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tapconv::kernels::test {
namespace {

int exponent_bias(const Format& format) { return (1 << (format.exponent_bits - 1)) - 1; }

}  // namespace

const Format& format_of(DataType type) {
  static const Format float32{4, 24, 8};
  static const Format float64{8, 53, 11};
  static const Format bfloat16{2, 8, 8};
  static const Format float16{2, 11, 5};
  switch (type) {
    case DataType::float32:
      return float32;
    case DataType::float64:
      return float64;
    case DataType::bfloat16:
      return bfloat16;
    case DataType::float16:
      break;
  }
  return float16;
}

double unit_roundoff(DataType type) { return std::ldexp(1.0, -format_of(type).significand_bits); }

double accumulation_roundoff(DataType type) {
  return unit_roundoff(type == DataType::float64 ? DataType::float64 : DataType::float32);
}

double nearest(DataType type, double value) {
  if (type == DataType::float64) return value;
  if (type == DataType::float32) return static_cast<float>(value);
  if (!std::isfinite(value) || value == 0) return value;
  const Format& format = format_of(type);
  const int bias = exponent_bias(format);
  // Numbers below the smallest normal one are all multiples of the same step.
  const int exponent = std::max(std::ilogb(value), 1 - bias);
  const int step = exponent - (format.significand_bits - 1);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -step)), step);
  if (std::isinf(rounded) || std::ilogb(rounded) > bias) {
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  }
  return rounded;
}

uint64_t encode(DataType type, double value) {
  if (type == DataType::float64) return std::bit_cast<uint64_t>(value);
  if (type == DataType::float32) return std::bit_cast<uint32_t>(static_cast<float>(value));
  const Format& format = format_of(type);
  const int fraction_bits = format.significand_bits - 1;
  const int bias = exponent_bias(format);
  const uint64_t sign = static_cast<uint64_t>(std::signbit(value)) << (format.exponent_bits + fraction_bits);
  const uint64_t infinity = ((uint64_t{1} << format.exponent_bits) - 1) << fraction_bits;
  if (std::isnan(value)) return sign | infinity | (uint64_t{1} << (fraction_bits - 1));
  const double magnitude = std::fabs(nearest(type, value));
  if (std::isinf(magnitude)) return sign | infinity;
  if (magnitude < std::ldexp(1.0, 1 - bias)) {
    return sign | static_cast<uint64_t>(std::ldexp(magnitude, fraction_bits + bias - 1));
  }
  const int exponent = std::ilogb(magnitude);
  const auto fraction =
      static_cast<uint64_t>(std::ldexp(magnitude, fraction_bits - exponent)) - (uint64_t{1} << fraction_bits);
  return sign | (static_cast<uint64_t>(exponent + bias) << fraction_bits) | fraction;
}

double decode(DataType type, uint64_t bits) {
  if (type == DataType::float64) return std::bit_cast<double>(bits);
  if (type == DataType::float32) return std::bit_cast<float>(static_cast<uint32_t>(bits));
  const Format& format = format_of(type);
  const int fraction_bits = format.significand_bits - 1;
  const int bias = exponent_bias(format);
  const uint64_t fraction = bits & ((uint64_t{1} << fraction_bits) - 1);
  const auto biased = static_cast<int>((bits >> fraction_bits) & ((uint64_t{1} << format.exponent_bits) - 1));
  const double sign = (bits >> (format.exponent_bits + fraction_bits)) & 1 ? -1 : 1;
  if (biased == (1 << format.exponent_bits) - 1) {
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (biased == 0) return sign * std::ldexp(static_cast<double>(fraction), 1 - bias - fraction_bits);
  return sign *
         std::ldexp(static_cast<double>(fraction | (uint64_t{1} << fraction_bits)), biased - bias - fraction_bits);
}

}  // namespace tapconv::kernels::test
