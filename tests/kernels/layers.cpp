#include "layers.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "numbers.h"

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

// A line, whose fields are found by the names of the columns.
class Row {
 public:
  Row(const std::string& path, const std::vector<std::string>& names, std::vector<std::string> fields)
      : path_(path), names_(names), fields_(std::move(fields)) {}

  bool has(const char* column) const { return std::ranges::find(names_, column) != names_.end(); }

  const std::string& text(const char* column) const {
    const size_t at = static_cast<size_t>(std::ranges::find(names_, column) - names_.begin());
    if (at >= fields_.size()) {
      throw std::runtime_error(path_ + ": a line has no column '" + column +
                               "'. Lists of layers have the columns of tapconv/shapes.csv.");
    }
    return fields_[at];
  }

  int64_t number(const char* column) const { return std::atol(text(column).c_str()); }

  DataType data_type() const {
    if (!has("dtype")) return DataType::float32;
    const std::string& name = text("dtype");
    for (const DataType type : {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16}) {
      if (name == name_of(type)) return type;
    }
    throw std::runtime_error(path_ + ": the type '" + name + "' is none of float32, float64, bfloat16 and float16");
  }

 private:
  const std::string& path_;
  const std::vector<std::string>& names_;
  const std::vector<std::string> fields_;
};

Problem problem_of(const Row& row) {
  Problem p{};
  p.data_type = row.data_type();
  p.batch = row.number("N");
  p.in_channels = row.number("C_in");
  p.input_length = row.number("L");
  p.out_channels = row.number("C_out");
  p.kernel_size = row.number("kernel");
  p.stride = row.number("stride");
  const std::string& padding = row.text("padding");
  p.padding_left = p.padding_right = row.number("padding");
  if (const size_t colon = padding.find(':'); colon != std::string::npos) {
    p.padding_right = std::atol(padding.c_str() + colon + 1);
  }
  p.dilation = row.number("dilation");
  p.groups = row.number("groups");
  p.padding_mode = padding_mode_of(row.text("padding_mode"));
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
  std::getline(file, line);
  const std::vector<std::string> names = fields_of(line);
  while (std::getline(file, line)) {
    const Row row(path, names, fields_of(line));
    layers.push_back({row.text("name"), row.has("kind") ? row.text("kind") : "published", problem_of(row)});
  }
  return layers;
}

}  // namespace tapconv::kernels::test
