#include "border_parts.h"

#include <algorithm>

#include "kernels/core/blocking.h"

namespace tapconv::kernels {
namespace {

// What a further call takes, in bytes that are copied in the same time: planning, starting, and laying out the weights
// once more, which each call does for itself.
constexpr int64_t bytes_worth_a_call = 16 * 1024;
constexpr int64_t bytes_worth_a_weight_byte = 2;

// A copy of more than this is not made wherever the problem can be divided: it would take memory that nobody expects.
constexpr int64_t most_bytes_copied = 4 << 20;

int64_t first_position(const Problem& p, int64_t output) { return output * p.stride - p.padding_left; }
int64_t last_position(const Problem& p, int64_t output) {
  return first_position(p, output) + (p.kernel_size - 1) * p.dilation;
}

BorderPart part_of(const Problem& p, const BorderLengths& borders, int64_t first_output, int64_t end_output) {
  const int64_t begin = std::max(first_position(p, first_output), -borders.left);
  const int64_t end = std::min(last_position(p, end_output - 1) + 1, p.input_length + borders.right);
  return {first_output, end_output, begin, end, begin < 0 || end > p.input_length};
}

int64_t gathered_bytes(const Problem& p, const BorderPart& part) {
  return part.gathered ? p.batch * p.in_channels * part.samples() * storage_bytes(p.data_type) : 0;
}

int64_t weight_bytes(const Problem& p) {
  return p.out_channels * (p.in_channels / p.groups) * p.kernel_size * storage_bytes(p.data_type);
}

bool is_worth_dividing(const Problem& p, const BorderPart& whole, const BorderParts& parts) {
  const int64_t bytes = gathered_bytes(p, whole);
  if (bytes > most_bytes_copied) return true;
  int64_t bytes_of_edges = 0;
  for (const BorderPart& part : parts) bytes_of_edges += gathered_bytes(p, part);
  const int64_t calls = parts.count - 1;
  return bytes - bytes_of_edges > calls * (bytes_worth_a_call + bytes_worth_a_weight_byte * weight_bytes(p));
}

}  // namespace

BorderPart whole_part(const Problem& problem, const BorderLengths& borders) {
  const bool has_borders = borders.left > 0 || borders.right > 0;
  return {0, problem.output_length, -borders.left, problem.input_length + borders.right, has_borders};
}

BorderParts border_parts(const Problem& p, const BorderLengths& borders) {
  const BorderPart whole = whole_part(p, borders);
  const BorderParts undivided = {1, {whole}};
  if (!whole.gathered) return undivided;

  // A side without a border has no edge: its zeros are the ordinary problem's.
  const int64_t after_left = borders.left > 0 ? std::min(ceil_div(p.padding_left, p.stride), p.output_length) : 0;
  int64_t before_right = p.output_length;
  if (borders.right > 0) {
    const int64_t room = p.input_length - 1 - last_position(p, 0);
    before_right = room < 0 ? 0 : std::min(room / p.stride + 1, p.output_length);
  }
  if (after_left >= before_right) return undivided;

  BorderParts divided = {0, {}};
  const auto add = [&](int64_t first_output, int64_t end_output) {
    if (first_output < end_output) divided.parts[divided.count++] = part_of(p, borders, first_output, end_output);
  };
  add(0, after_left);
  add(after_left, before_right);
  add(before_right, p.output_length);
  // Outputs may read nothing but zeros, where the padding is long or the stride is: no problem is without samples.
  const bool all_have_samples =
      std::all_of(divided.begin(), divided.end(), [](const BorderPart& part) { return part.samples() > 0; });
  return all_have_samples && is_worth_dividing(p, whole, divided) ? divided : undivided;
}

int64_t zeros_before(const Problem& problem, const BorderPart& part) {
  return part.begin - first_position(problem, part.first_output);
}

int64_t zeros_after(const Problem& problem, const BorderPart& part) {
  return std::max<int64_t>(last_position(problem, part.end_output - 1) + 1 - part.end, 0);
}

Problem problem_of(const Problem& problem, const BorderPart& part) {
  Problem own = problem;
  own.input_length = part.samples();
  own.padding_left = zeros_before(problem, part);
  own.padding_right = zeros_after(problem, part);
  own.output_length = part.outputs();
  if (part.gathered) own.input_strides = {problem.in_channels * part.samples(), part.samples(), 1};
  return own;
}

}  // namespace tapconv::kernels
