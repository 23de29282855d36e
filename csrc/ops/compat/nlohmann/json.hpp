// Stands in for <nlohmann/json.hpp>, which torch's ATen/functorch/Interpreter.h includes and torch's wheels do not
// ship. Only that header's serialize() and deserialize() use it, and tapconv calls neither, so declarations are enough:
// no code for them exists, and a call would fail to link. Building thus needs no package beside torch. Private to
// libtapconv.so: no installed header includes it.
#pragma once

#include <string>

namespace nlohmann {

struct json {
  json();
  template <typename T>
  explicit json(const T& value);
  static json parse(const std::string& text);
  std::string dump() const;
  template <typename T>
  T get() const;
};

}  // namespace nlohmann
