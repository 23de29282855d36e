#include "depthwise_tile_cost.h"

#include "kernels/algorithms/transforms/tile_transforms.h"
#include "kernels/core/cost.h"
#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels {
namespace {

// By size * log2(size), with the copies to and from lanes; more for wide vectors, of which fewer stay in the
// first-level cache; and by size.
constexpr double depthwise_transform = 2.3;
constexpr double depthwise_transform_byte = 0.025;
constexpr double depthwise_product = 3.2;
constexpr double depthwise_dilated_sample = 0.6;
constexpr double depthwise_narrow_line = 25;  // of outputs that are narrowed, and as many inputs widened

}  // namespace

double depthwise_tile_cost(const DepthwiseTilePlan& plan) {
  const Problem& p = plan.problem;
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
  const double transform_factor = depthwise_transform + depthwise_transform_byte * plan.instruction_set->vector_bytes;
  // Phases of a dilation are copied sample by sample.
  const double dilated = cut.dilation_phases > 1 ? input_elements(p) + output_elements(p) : 0;
  return static_cast<double>(cut.lane_groups) *
             (transform_factor * transform * transforms + depthwise_product * products) +
         depthwise_dilated_sample * dilated +
         (computes_in_own_type(p.data_type) ? 0 : depthwise_narrow_line * lines_of(p, output_elements(p)));
}

}  // namespace tapconv::kernels
