#include "cost_model.h"

#include <bit>
#include <cmath>

#include "blocking.h"
#include "instruction_set.h"
#include "register_tiles.h"
#include "tile_transforms.h"

namespace tapconv::kernels {
namespace {

int64_t width_of(const Plan& plan) {
  return plan.instruction_set->vector_bytes / compute_bytes(plan.problem.data_type);
}

// How many multiply-adds a register tile takes in the time of `rows * columns` at full speed. Every step also loads
// `rows` weights and `columns` vectors, two in a cycle like multiply-adds.
double tile_time(int64_t rows, int64_t columns) { return std::max<double>(rows * columns, rows + columns); }

double sweep_cost(const Plan& plan, int64_t vectors, double pairs) {
  const RegisterTiles& tiles = register_tiles(plan.instruction_set->register_count);
  const int64_t most = tiles.columns[plan.tile_rows];
  const int64_t whole = vectors / most;
  const int64_t rest = vectors % most;
  double cost = whole * tile_time(plan.tile_rows, most);
  if (rest > 0) cost += tile_time(plan.tile_rows, rest);
  return cost * plan.tile_row_count * pairs;
}

}  // namespace

double direct_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const double pairs = static_cast<double>(p.in_channels / p.groups) * static_cast<double>(p.kernel_size);
  const double sweeps =
      static_cast<double>(p.batch * p.groups) * sweep_cost(plan, divide_up(p.output_length, width_of(plan)), pairs);
  return 1.06 * sweeps;
}

double tile_cost(const Plan& plan) {
  const Problem& p = plan.problem;
  const TileBlocks& tiles = plan.tiles;
  const TileTransformShape& shape = shape_of(tiles.transform);
  const int64_t width = width_of(plan);
  const double size = shape.size;
  const double transform = 1.3 * size * std::log2(size) + 6 * size + 2 * shape.products;
  const int64_t vectors = divide_up(tiles.block_tiles, width) * tiles.block_count;
  const double groups = static_cast<double>(p.groups);
  const double products = shape.products * sweep_cost(plan, divide_up(tiles.block_tiles, width), tiles.channels) *
                          tiles.block_count * groups;
  const double channels = static_cast<double>(tiles.channels) * p.groups * tiles.out_parts + p.out_channels;
  const double filters = static_cast<double>(tiles.channels) * p.out_channels / width;
  return 1.1 * products + transform * (vectors * channels + 1.5 * filters);
}

}  // namespace tapconv::kernels
