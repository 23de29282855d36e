// This file fills the table of entry points for one instruction set.
#pragma once

#include "kernels/algorithms/columns/grad_input_columns.h"
#include "kernels/algorithms/columns/grad_weight_columns.h"
#include "kernels/algorithms/depthwise_tiles/depthwise_tiles.h"
#include "kernels/algorithms/depthwise_tiles/grad_weight_depthwise_tiles.h"
#include "kernels/algorithms/direct/direct.h"
#include "kernels/algorithms/few_outputs/channel_lanes.h"
#include "kernels/algorithms/few_outputs/dot.h"
#include "kernels/algorithms/few_outputs/out_lanes.h"
#include "kernels/algorithms/grad_weight/grad_weight.h"
#include "kernels/algorithms/grad_weight_tiles/grad_weight_tiles.h"
#include "kernels/algorithms/tiles/tile_kernels.h"
#include "kernels/causal/causal_tasks.h"
#include "kernels/instruction_sets/kernel_table.h"

namespace tapconv::kernels {
namespace {

template <class Isa, class Storage>
constexpr GradWeightKernels grad_weight_kernels() {
  return {.run_tasks = &run_grad_weight<Isa, Storage>,
          .run_tile_tasks = &run_grad_weight_tiles<Isa, Storage>,
          .run_depthwise_tile_tasks = &run_grad_weight_depthwise_tiles<Isa, Storage>,
          .run_column_tasks = &run_grad_weight_columns<Isa, Storage>,
          .add_parts = &add_grad_weight_parts<Storage>};
}

template <class Isa>
inline constexpr KernelTable kernel_table_of{
    .direct = {direct_kernels_of<Isa, float>(), direct_kernels_of<Isa, double>(), direct_kernels_of<Isa, BFloat16>(),
               direct_kernels_of<Isa, Float16>()},
    .bfloat16_pairs = {},
    .bfloat16_matrices = {},
    .grad_weight = {grad_weight_kernels<Isa, float>(), grad_weight_kernels<Isa, double>(),
                    grad_weight_kernels<Isa, BFloat16>(), grad_weight_kernels<Isa, Float16>()},
    .tiles = {tile_kernels<Isa, float>(), tile_kernels<Isa, double>(), tile_kernels<Isa, BFloat16>(),
              tile_kernels<Isa, Float16>()},
    .dot = {{&run_dot<Isa, float>}, {&run_dot<Isa, double>}, {&run_dot<Isa, BFloat16>}, {&run_dot<Isa, Float16>}},
    .channel_lanes = {{&run_channel_lanes<Isa, float>},
                      {&run_channel_lanes<Isa, double>},
                      {&run_channel_lanes<Isa, BFloat16>},
                      {&run_channel_lanes<Isa, Float16>}},
    .depthwise_tiles = {{&run_depthwise_tiles<Isa, float>},
                        {&run_depthwise_tiles<Isa, double>},
                        {&run_depthwise_tiles<Isa, BFloat16>},
                        {&run_depthwise_tiles<Isa, Float16>}},
    .out_lanes = {out_lane_kernels<Isa, float>(), out_lane_kernels<Isa, double>(), out_lane_kernels<Isa, BFloat16>(),
                  out_lane_kernels<Isa, Float16>()},
    .causal = {&run_causal<Isa, float>, &run_causal<Isa, double>, &run_causal<Isa, BFloat16>,
               &run_causal<Isa, Float16>},
    .grad_input_columns = {{&run_grad_input_columns<Isa, float>},
                           {&run_grad_input_columns<Isa, double>},
                           {&run_grad_input_columns<Isa, BFloat16>},
                           {&run_grad_input_columns<Isa, Float16>}},
};

}  // namespace
}  // namespace tapconv::kernels
