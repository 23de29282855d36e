// The entry points of the tile algorithm each give a runner (tiles.h) its share of the work.
#pragma once

#include "kernels/rows/bias.h"
#include "tiles.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
void transform_tile_weights(const TilePlan& plan, const ForwardOperands& operands, int64_t first, int64_t last,
                            int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t tile = first; tile < last; ++tile) runner.transform_weight_ahead(tile);
}

template <class Isa, class Storage>
void bring_filters_into_lanes(const TilePlan& plan, const ForwardOperands& operands, int64_t first, int64_t last,
                              int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t vector = first; vector < last; ++vector) runner.bring_filters_into_lanes(vector);
}

template <class Isa, class Storage>
void run_tiles(const TilePlan& plan, const ForwardOperands& operands, int64_t first, int64_t last, int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  for (int64_t task = first; task < last; ++task) runner.run(task);
}

template <class Isa, class Storage>
void transform_tile_inputs(const TilePlan& plan, const ForwardOperands& operands, int64_t block, int64_t first,
                           int64_t last, int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  runner.locate(block);
  runner.transform_shared_inputs(first, last);
}

template <class Isa, class Storage>
void flag_shared_tiles(const TilePlan& plan, const ForwardOperands& operands, int64_t block, int64_t group) {
  TileRunner<Isa, Storage> runner(plan, operands, 0);
  runner.locate(block);
  runner.flag_shared_tiles(group);
}

template <class Isa, class Storage>
void multiply_tiles(const TilePlan& plan, const ForwardOperands& operands, int64_t block, int64_t first, int64_t last,
                    int slot) {
  TileRunner<Isa, Storage> runner(plan, operands, slot);
  runner.locate(block);
  for (int64_t task = first; task < last; ++task) runner.multiply_shared(task);
}

template <class Isa, class Storage>
constexpr TileKernels tile_kernels() {
  return {.prepare_bias = &prepare_bias<Storage, TilePlan>,
          .transform_weights = &transform_tile_weights<Isa, Storage>,
          .bring_into_lanes = &bring_filters_into_lanes<Isa, Storage>,
          .run_tasks = &run_tiles<Isa, Storage>,
          .transform_inputs = &transform_tile_inputs<Isa, Storage>,
          .flag_shared_tiles = &flag_shared_tiles<Isa, Storage>,
          .multiply = &multiply_tiles<Isa, Storage>};
}

}  // namespace
}  // namespace tapconv::kernels
