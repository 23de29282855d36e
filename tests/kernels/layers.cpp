#include "layers.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace tapconv::kernels::test {
namespace {

// The fields of a line of comma-separated values; quotes may hold commas.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

PaddingMode padding_mode_of(const std::string& name) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate, PaddingMode::circular}) {
    if (name == name_of(mode)) return mode;
  }
  throw std::runtime_error("no padding mode is called \"" + name + "\"");
}

Problem problem_of(const std::vector<std::string>& fields) {
  const auto number = [&](size_t i) { return std::atol(fields.at(i).c_str()); };
  Problem p{};
  p.data_type = DataType::float32;
  p.batch = number(3);
  p.in_channels = number(4);
  p.input_length = number(5);
  p.out_channels = number(6);
  p.kernel_size = number(7);
  p.stride = number(8);
  p.padding_left = p.padding_right = number(9);
  if (const size_t colon = fields[9].find(':'); colon != std::string::npos) {
    p.padding_right = std::atol(fields[9].c_str() + colon + 1);
  }
  p.dilation = number(10);
  p.groups = number(11);
  p.padding_mode = padding_mode_of(fields[13]);
  p.output_length =
      (p.input_length + p.padding_left + p.padding_right - p.dilation * (p.kernel_size - 1) - 1) / p.stride + 1;
  const int64_t group_in = p.in_channels / p.groups;
  p.input_strides = {p.in_channels * p.input_length, p.input_length, 1};
  p.weight_strides = {group_in * p.kernel_size, p.kernel_size, 1};
  p.output_strides = {p.out_channels * p.output_length, p.output_length, 1};
  return p;
}

}  // namespace

std::vector<Layer> layers_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<Layer> layers;
  std::string line;
  std::getline(file, line);  // names of the columns
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = fields_of(line);
    layers.push_back({fields.at(0), problem_of(fields)});
  }
  return layers;
}

}  // namespace tapconv::kernels::test
