// The prices of the cost model by name, for programs that print them, raise them or set others.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "kernels/prices/prices.h"

namespace tapconv::kernels::test {

// What kernels/prices/prices.h says of each.
enum class PriceKind { price, factor, size, margin };

const char* name_of(PriceKind kind);

struct NamedPrice {
  const char* name;  // such as "direct.call"
  PriceKind kind;
  size_t at;  // bytes into Prices

  double of(const Prices& prices) const;
  void set(Prices& prices, double value) const;
};

// Every number of Prices, in order.
std::span<const NamedPrice> named_prices();

// These prices, but for those that lines of the file, such as "direct.call 55", set. Throws std::runtime_error where it
// cannot be read, or a line has another form or the name of no price.
Prices read_prices(const std::string& path, const Prices& others);

}  // namespace tapconv::kernels::test
