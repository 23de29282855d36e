// Overlap-save divides a problem into blocks of rows, the blocks into what one task works on, and the filters into
// segments.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/core/integers.h"
#include "kernels/overlap_save.h"

namespace tapconv::composed {

// A unit is a block of one row.
struct Unit {
  int64_t sample;
  int64_t phase;
  int64_t first;  // result of the row
};

// A share is what one task works on: units [unit, unit + units) of groups [group, group + groups).
struct Share {
  int64_t unit;
  int64_t units;
  int64_t group;
  int64_t groups;
};

// A filter is one segment of one filter: its taps, and where the first lies in the weight.
struct Filter {
  int64_t taps;
  int64_t at;
};

class BlockDivision {
 public:
  BlockDivision(const kernels::Problem& problem, const kernels::OverlapSave& blocks, int64_t sample_bytes)
      : p(problem),
        b(blocks),
        group_in(problem.in_channels / problem.groups),
        group_out(problem.out_channels / problem.groups),
        inputs(group_in * blocks.segments),
        units(problem.batch * blocks.phases * blocks.blocks) {
    const int64_t rows = std::max(inputs, group_out);
    const int64_t row_bytes = b.size * sample_bytes;
    const int64_t wanted = std::max<int64_t>(task_bytes / row_bytes, 2);
    task_groups_ = kernels::even_block(p.groups, std::clamp<int64_t>(wanted / rows, 1, p.groups));
    int64_t task_units = wanted / (task_groups_ * rows);
    if (rows > 1) {
      task_units = std::max(task_units, std::min(matrix_units, matrix_task_bytes / (task_groups_ * rows * row_bytes)));
    }
    task_units_ = kernels::even_block(units, std::clamp<int64_t>(task_units, 1, units));
    unit_blocks = kernels::ceil_div(units, task_units_);
    group_blocks = kernels::ceil_div(p.groups, task_groups_);
  }

  int64_t tasks() const { return unit_blocks * group_blocks; }

  Share share(int64_t task) const {
    const int64_t unit = task / group_blocks * task_units_;
    const int64_t group = task % group_blocks * task_groups_;
    return {unit, std::min(task_units_, units - unit), group, std::min(task_groups_, p.groups - group)};
  }

  Unit unit(int64_t i) const {
    const int64_t row = i / b.blocks;
    return {row / b.phases, row % b.phases, i % b.blocks * b.hop};
  }

  int64_t outputs_of(int64_t phase) const { return kernels::ceil_div(p.output_length - phase, b.apart); }
  int64_t taps_of(int64_t segment) const { return kernels::ceil_div(p.kernel_size - segment, b.segments); }

  // Returns how many outputs a block has.
  int64_t outputs_of(const Unit& u) const { return std::clamp<int64_t>(outputs_of(u.phase) - u.first, 0, b.hop); }

  // Input `i` of a group is channel i / segments, segment i % segments.
  Filter filter(int64_t out_channel, int64_t i) const {
    const int64_t segment = i % b.segments;
    const kernels::WeightStrides& s = p.weight_strides;
    return {taps_of(segment), out_channel * s.out_channel + i / b.segments * s.in_channel + segment * s.tap};
  }
  int64_t tap_distance() const { return b.segments * p.weight_strides.tap; }

  // Calls body(unit, channel) for every unit of the share and each of its channels, `group_channels` to a group.
  template <class Body>
  void for_each(const Share& s, int64_t group_channels, const Body& body) const {
    for (int64_t i = 0; i < s.units; ++i) {
      const Unit u = unit(s.unit + i);
      for (int64_t c = s.group * group_channels; c < (s.group + s.groups) * group_channels; ++c) body(u, c);
    }
  }

  const kernels::Problem& p;
  const kernels::OverlapSave& b;
  const int64_t group_in;
  const int64_t group_out;
  const int64_t inputs;  // of a group: its channels' segments
  const int64_t units;
  int64_t unit_blocks;
  int64_t group_blocks;

 private:
  static constexpr int64_t task_bytes = 4 << 20;          // of the blocks that go through the library at a time
  static constexpr int64_t matrix_task_bytes = 32 << 20;  // where products of spectra are matrix products
  static constexpr int64_t matrix_units = 8;

  int64_t task_units_;
  int64_t task_groups_;
};

}  // namespace tapconv::composed
