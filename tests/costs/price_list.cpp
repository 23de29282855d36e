#include "price_list.h"

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tapconv::kernels::test {
namespace {

#define TAPCONV_PRICE(group, member, kind) \
  NamedPrice { #group "." #member, PriceKind::kind, offsetof(Prices, group.member) }

constexpr NamedPrice list[] = {
    TAPCONV_PRICE(rows, piece, price),
    TAPCONV_PRICE(rows, folded_vector, price),
    TAPCONV_PRICE(caches, near_filter_bytes, size),
    TAPCONV_PRICE(caches, near_transform_bytes, size),
    TAPCONV_PRICE(caches, large_transform, factor),
    TAPCONV_PRICE(caches, near_packed_line, price),
    TAPCONV_PRICE(caches, far_packed_line, price),
    TAPCONV_PRICE(caches, far_packed_bytes, size),
    TAPCONV_PRICE(direct, call, price),
    TAPCONV_PRICE(direct, input_line, price),
    TAPCONV_PRICE(direct, strided_sample, price),
    TAPCONV_PRICE(direct, partial_line, price),
    TAPCONV_PRICE(direct, partial_row_line, price),
    TAPCONV_PRICE(direct, weight, price),
    TAPCONV_PRICE(matrix, step, price),
    TAPCONV_PRICE(matrix, call, price),
    TAPCONV_PRICE(matrix, row, price),
    TAPCONV_PRICE(matrix, transposed_row, price),
    TAPCONV_PRICE(matrix, output, price),
    TAPCONV_PRICE(matrix, weight, price),
    TAPCONV_PRICE(tiles, product, price),
    TAPCONV_PRICE(tiles, winograd_product, price),
    TAPCONV_PRICE(tiles, shared_winograd_product, price),
    TAPCONV_PRICE(tiles, call, price),
    TAPCONV_PRICE(tiles, input, price),
    TAPCONV_PRICE(tiles, output, price),
    TAPCONV_PRICE(tiles, filter, price),
    TAPCONV_PRICE(tiles, winograd_input, price),
    TAPCONV_PRICE(tiles, winograd_output, price),
    TAPCONV_PRICE(tiles, winograd_filter, price),
    TAPCONV_PRICE(tiles, vector, price),
    TAPCONV_PRICE(tiles, filter_vector, price),
    TAPCONV_PRICE(tiles, lane_filter_vector, price),
    TAPCONV_PRICE(tiles, filter_product, price),
    TAPCONV_PRICE(tiles, gather_piece, price),
    TAPCONV_PRICE(tiles, scatter_piece, price),
    TAPCONV_PRICE(tiles, input_line, price),
    TAPCONV_PRICE(tiles, output_line, price),
    TAPCONV_PRICE(tiles, strided_sample, price),
    TAPCONV_PRICE(tiles, strided_output, price),
    TAPCONV_PRICE(tiles, shared_line, price),
    TAPCONV_PRICE(tiles, far_line, price),
    TAPCONV_PRICE(tiles, far_shared_winograd_line, price),
    TAPCONV_PRICE(tiles, far_sum_line, price),
    TAPCONV_PRICE(tiles, near_filter_line, price),
    TAPCONV_PRICE(tiles, far_filter_line, price),
    TAPCONV_PRICE(tiles, far_filter_bytes, size),
    TAPCONV_PRICE(depthwise_tiles, transform, price),
    TAPCONV_PRICE(depthwise_tiles, transform_byte, price),
    TAPCONV_PRICE(depthwise_tiles, product, price),
    TAPCONV_PRICE(depthwise_tiles, dilated_sample, price),
    TAPCONV_PRICE(depthwise_tiles, narrow_line, price),
    TAPCONV_PRICE(few_outputs, weight_line, factor),
    TAPCONV_PRICE(few_outputs, dot_weight, price),
    TAPCONV_PRICE(few_outputs, dot_far_weight, price),
    TAPCONV_PRICE(few_outputs, far_weight_bytes, size),
    TAPCONV_PRICE(few_outputs, near_column_bytes, size),
    TAPCONV_PRICE(few_outputs, out_lane_time, price),
    TAPCONV_PRICE(few_outputs, out_lane_call, price),
    TAPCONV_PRICE(grad_weight, channel_lane_product, price),
    TAPCONV_PRICE(grad_weight, time_lane_product, price),
    TAPCONV_PRICE(grad_weight_tiles, transform, price),
    TAPCONV_PRICE(grad_weight_tiles, transform_sample, price),
    TAPCONV_PRICE(grad_weight_tiles, transform_product, price),
    TAPCONV_PRICE(grad_weight_tiles, gradient_transform, factor),
    TAPCONV_PRICE(grad_weight_tiles, product, price),
    TAPCONV_PRICE(grad_weight_tiles, sum, price),
    TAPCONV_PRICE(grad_weight_tiles, copied_vector, price),
    TAPCONV_PRICE(grad_weight_tiles, strided_sample, price),
    TAPCONV_PRICE(grad_weight_tiles, gradient, price),
    TAPCONV_PRICE(grad_weight_tiles, beyond_caches, factor),
    TAPCONV_PRICE(large_transforms, transform, price),
    TAPCONV_PRICE(large_transforms, far_transform, price),
    TAPCONV_PRICE(large_transforms, near_samples, size),
    TAPCONV_PRICE(large_transforms, sample, price),
    TAPCONV_PRICE(large_transforms, product, price),
    TAPCONV_PRICE(choices, worth_planning_tiles, margin),
    TAPCONV_PRICE(choices, worth_sharing, margin),
    TAPCONV_PRICE(choices, worth_out_lanes, margin),
    TAPCONV_PRICE(choices, worth_more_memory, margin),
};

#undef TAPCONV_PRICE

// A number that is added to Prices has its line above, in the same place.
static_assert(std::size(list) == sizeof(Prices) / sizeof(double));
static_assert([] {
  size_t at = 0;
  for (const NamedPrice& price : list) {
    if (price.at != at) return false;
    at += sizeof(double);
  }
  return true;
}());

const NamedPrice* find_price(const std::string& name) {
  for (const NamedPrice& price : list) {
    if (name == price.name) return &price;
  }
  return nullptr;
}

}  // namespace

const char* name_of(PriceKind kind) {
  switch (kind) {
    case PriceKind::price:
      return "price";
    case PriceKind::factor:
      return "factor";
    case PriceKind::size:
      return "size";
    case PriceKind::margin:
      return "margin";
  }
  return "";
}

double NamedPrice::of(const Prices& prices) const {
  double value;
  std::memcpy(&value, reinterpret_cast<const char*>(&prices) + at, sizeof(value));
  return value;
}

void NamedPrice::set(Prices& prices, double value) const {
  std::memcpy(reinterpret_cast<char*>(&prices) + at, &value, sizeof(value));
}

std::span<const NamedPrice> named_prices() { return list; }

Prices read_prices(const std::string& path, const Prices& others) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  Prices prices = others;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    double value;
    if (!(words >> name >> value)) {
      throw std::runtime_error(path + ": the line '" + line + "' is not the name of a price and a number");
    }
    const NamedPrice* const price = find_price(name);
    if (price == nullptr) {
      throw std::runtime_error(path + ": there is no price '" + name + "'. csrc/kernels/prices/prices.h has them all.");
    }
    price->set(prices, value);
  }
  return prices;
}

}  // namespace tapconv::kernels::test
