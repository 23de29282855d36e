// The parts that tensors play in a convolution: its output, its input, its weight.
#pragma once

#include <array>
#include <cstdint>

namespace tapconv::ops {

enum class Role : uint8_t { output, input, weight };

// The roles of the two tensor arguments of the operator that computes `result`, in the order of its schema.
constexpr std::array<Role, 2> arguments_of(Role result) {
  switch (result) {
    case Role::output:
      return {Role::input, Role::weight};
    case Role::input:
      return {Role::output, Role::weight};
    case Role::weight:
      break;
  }
  return {Role::output, Role::input};
}

}  // namespace tapconv::ops
