// The entry points that each instruction set offers: one for each algorithm and data type. Each of targets/*.cpp fills
// one table, and the runs of algorithms/ call through it.
#pragma once

#include <cstdint>

namespace tapconv::kernels {

struct CausalOperands;
struct CausalPlan;
struct ChannelLanePlan;
struct ColumnPlan;
struct DepthwiseTilePlan;
struct DirectPlan;
struct DotPlan;
struct GradWeightDepthwiseTilePlan;
struct GradWeightPlan;
struct GradWeightTilePlan;
struct OutLanePlan;
struct TilePlan;

struct ForwardOperands {
  const void* input;
  const void* weight;
  const void* bias;
  void* output;
  void* workspace;
  void* packed_weight;  // register tiles of weights or of filters: written before the tasks run, or ahead of the call
};

// These are the functions of one data type. Tasks and tiles are numbered from zero. Any of them may run at the same
// time as another, as long as each running call has a slot of its own.
struct DirectKernels {
  void (*prepare_bias)(const DirectPlan&, const ForwardOperands&);
  void (*pack_tiles)(const DirectPlan&, const ForwardOperands&, int64_t first, int64_t last);
  void (*run_tasks)(const DirectPlan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

template <class Plan>
struct TaskKernels {
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

// Vectors of output channels are numbered over all groups.
struct OutLaneKernels {
  void (*pack_vector)(const OutLanePlan&, const ForwardOperands&, int64_t vector);
  void (*run_tasks)(const OutLanePlan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

// Filters are numbered by register tile, over all groups. With shared tiles the last three functions work on one block
// of tiles, one after the other. Otherwise run_tasks does everything.
struct TileKernels {
  void (*prepare_bias)(const TilePlan&, const ForwardOperands&);
  void (*transform_weights)(const TilePlan&, const ForwardOperands&, int64_t first_tile, int64_t last_tile, int slot);
  // Vectors of output channels are numbered over all groups.
  void (*bring_into_lanes)(const TilePlan&, const ForwardOperands&, int64_t first_vector, int64_t last_vector,
                           int slot);
  void (*run_tasks)(const TilePlan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
  void (*transform_inputs)(const TilePlan&, const ForwardOperands&, int64_t block, int64_t first_channel,
                           int64_t last_channel, int slot);
  // What was seen of a group's samples decides which of its tiles direct sums compute.
  void (*flag_shared_tiles)(const TilePlan&, const ForwardOperands&, int64_t block, int64_t group);
  void (*multiply)(const TilePlan&, const ForwardOperands&, int64_t block, int64_t first_task, int64_t last_task,
                   int slot);
};

struct GradWeightOperands {
  const void* grad_output;
  const void* input;
  void* grad_weight;
  void* grad_bias;  // null if not wanted
  void* workspace;
};

struct GradWeightKernels {
  void (*run_tasks)(const GradWeightPlan&, const GradWeightOperands&, int64_t first_task, int64_t last_task, int slot);
  void (*run_tile_tasks)(const GradWeightTilePlan&, const GradWeightOperands&, int64_t first_task, int64_t last_task,
                         int slot);
  void (*run_depthwise_tile_tasks)(const GradWeightDepthwiseTilePlan&, const GradWeightOperands&, int64_t first_task,
                                   int64_t last_task, int slot);
  void (*run_column_tasks)(const ColumnPlan&, const GradWeightOperands&, int64_t first_task, int64_t last_task,
                           int slot);
  // Adds up the parts of output channels [first, last), if there are several.
  void (*add_parts)(const GradWeightPlan&, const GradWeightOperands&, int64_t first, int64_t last);
};

using CausalKernel = void (*)(const CausalPlan&, const CausalOperands&, int64_t first_task, int64_t last_task,
                              int slot);

struct KernelTable {  // arrays are indexed by DataType
  DirectKernels direct[4];
  DirectKernels bfloat16_pairs;     // where InstructionSet says so
  DirectKernels bfloat16_matrices;  // likewise
  GradWeightKernels grad_weight[4];
  TileKernels tiles[4];
  TaskKernels<DotPlan> dot[4];
  TaskKernels<ChannelLanePlan> channel_lanes[4];
  TaskKernels<DepthwiseTilePlan> depthwise_tiles[4];
  OutLaneKernels out_lanes[4];
  CausalKernel causal[4];
  TaskKernels<ColumnPlan> grad_input_columns[4];  // their input is grad_output, their output grad_input
};

}  // namespace tapconv::kernels
