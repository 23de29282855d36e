#include "depthwise_tile_cost.h"

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels {
double depthwise_tile_cost(const DepthwiseTilePlan& plan) {
  const Problem& p = plan.problem;
  const DepthwiseTilePrices& price = prices_of(plan).depthwise_tiles;
  const DepthwiseTiles& cut = plan.depthwise;
  const int size = shape_of(cut.transform).size;
  const double transform = fourier_work(plan, size);
  const double rows = static_cast<double>(p.batch) * static_cast<double>(cut.dilation_phases);
  const double blocks = static_cast<double>(cut.blocks);
  const double parts = static_cast<double>(cut.filter_parts);
  // Lanes of one row share the transforms of its blocks.
  const int64_t width = width_of(plan);
  const bool one_row = p.groups == 1 || p.out_channels / p.groups % width == 0;
  const double forth = (blocks + parts - 1) / (one_row ? static_cast<double>(width) : 1);
  const double transforms = rows * (blocks + forth) + parts;
  const double products = rows * blocks * parts * size;
  const double transform_factor = price.transform + price.transform_byte * plan.instruction_set->vector_bytes;
  // Phases of a dilation are copied sample by sample.
  const double dilated = cut.dilation_phases > 1 ? input_elements(p) + output_elements(p) : 0;
  return static_cast<double>(cut.lane_groups) * (transform_factor * transform * transforms + price.product * products) +
         price.dilated_sample * dilated +
         (computes_in_own_type(p.data_type) ? 0 : price.narrow_line * lines_of(p, output_elements(p)));
}

}  // namespace tapconv::kernels
