#include "grad_weight_cost.h"

#include "grad_weight_plan.h"
#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/instruction_sets/register_tiles.h"

namespace tapconv::kernels {

double grad_weight_sweep_cost(const Problem& p, int64_t pairs, const InstructionSet& instruction_set) {
  const GradWeightTiles& tiles = grad_weight_tiles(instruction_set.register_count);
  const int64_t width = instruction_set.vector_bytes / compute_bytes(p.data_type);
  const int64_t vectors = ceil_div(p.out_channels / p.groups, width);
  const int64_t panels = ceil_div(vectors, tiles.columns);
  const int64_t columns = ceil_div(vectors, panels);
  const int64_t max_pairs = tiles.pairs_of_columns[columns];
  return static_cast<double>(vectors) / columns * (static_cast<double>(pairs) / max_pairs) *
         tile_time(max_pairs, columns);
}

namespace {

double channel_lane_cost(const Problem& p, const InstructionSet& instruction_set) {
  const int64_t pairs = p.in_channels / p.groups * p.kernel_size;
  return instruction_set.prices->grad_weight.channel_lane_product * static_cast<double>(p.batch * p.output_length) *
         static_cast<double>(p.groups) * grad_weight_sweep_cost(p, pairs, instruction_set);
}

}  // namespace

double time_lane_cost(const Problem& p, const InstructionSet& instruction_set) {
  const int64_t vectors = ceil_div(p.output_length, instruction_set.vector_bytes / compute_bytes(p.data_type));
  return instruction_set.prices->grad_weight.time_lane_product * static_cast<double>(p.batch * p.out_channels) *
         static_cast<double>(p.in_channels / p.groups * p.kernel_size) * static_cast<double>(vectors);
}

double grad_weight_cost(const Problem& p, const InstructionSet& instruction_set) {
  return has_channel_lanes(p, instruction_set) ? channel_lane_cost(p, instruction_set)
                                               : time_lane_cost(p, instruction_set);
}

}  // namespace tapconv::kernels
