// The layers of a CSV such as tapconv/shapes.csv or scripts/costs/layers.csv, as the kernels see them.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.h"

namespace tapconv::kernels::test {

struct Layer {
  std::string name;
  std::string kind;  // of the column of that name, else "published"
  Problem problem;   // contiguous; of the column "dtype", else float32
};

// Throws std::runtime_error, with the path, where the file cannot be read, lacks a column or has a type that the
// kernels do not know.
std::vector<Layer> layers_of(const std::string& path);

}  // namespace tapconv::kernels::test
