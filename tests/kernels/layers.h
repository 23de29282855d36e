// The layers of a CSV such as tapconv/shapes.csv, as the kernels see them.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

struct Layer {
  std::string name;
  Problem problem;  // float32, contiguous
};

// Throws std::runtime_error with the path where the file cannot be read.
std::vector<Layer> layers_of(const std::string& path);

}  // namespace tapconv::kernels::test
