// The entry points that each instruction set offers: one for each algorithm and data type. targets/*.cpp fill one table
// each; conv1d.cpp calls through it.
#pragma once

#include <cstdint>

#include "kernels/plan.h"

namespace tapconv::kernels {

struct ForwardOperands {
  const void* input;
  const void* weight;
  const void* bias;
  void* output;
  void* workspace;
  void* packed_weight;  // register tiles of weights or of filters: written before the tasks run, or ahead of the call
};

// The functions of one data type. Tasks and tiles are numbered from zero; any of them may run at the same time as
// another, as long as each running call has a slot of its own.
struct ForwardKernels {
  void (*prepare_bias)(const Plan&, const ForwardOperands&);
  void (*pack_tiles)(const Plan&, const ForwardOperands&, int64_t first, int64_t last);
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

struct TaskKernels {
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

// Vectors of output channels are numbered over all groups.
struct OutLaneKernels {
  void (*pack_vector)(const Plan&, const ForwardOperands&, int64_t vector);
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
};

// Filters are numbered by register tile, over all groups. With shared tiles the last three work on one block of
// tiles, one after the other; else run_tasks does everything.
struct TileKernels {
  void (*transform_weights)(const Plan&, const ForwardOperands&, int64_t first_tile, int64_t last_tile, int slot);
  // Vectors of output channels, over all groups.
  void (*bring_into_lanes)(const Plan&, const ForwardOperands&, int64_t first_vector, int64_t last_vector, int slot);
  void (*run_tasks)(const Plan&, const ForwardOperands&, int64_t first_task, int64_t last_task, int slot);
  void (*transform_inputs)(const Plan&, const ForwardOperands&, int64_t block, int64_t first_channel,
                           int64_t last_channel, int slot);
  // What was seen of a group's samples decides which of its tiles direct sums compute.
  void (*flag_shared_tiles)(const Plan&, const ForwardOperands&, int64_t block, int64_t group);
  void (*multiply)(const Plan&, const ForwardOperands&, int64_t block, int64_t first_task, int64_t last_task, int slot);
};

struct GradWeightOperands {
  const void* grad_output;
  const void* input;
  void* grad_weight;
  void* grad_bias;  // null if not wanted
  void* workspace;
};

struct GradWeightKernels {
  void (*run_tasks)(const Plan&, const GradWeightOperands&, int64_t first_task, int64_t last_task, int slot);
  void (*run_tile_tasks)(const Plan&, const GradWeightOperands&, int64_t first_task, int64_t last_task, int slot);
  void (*run_depthwise_tile_tasks)(const Plan&, const GradWeightOperands&, int64_t first_task, int64_t last_task,
                                   int slot);
  void (*run_column_tasks)(const Plan&, const GradWeightOperands&, int64_t first_task, int64_t last_task, int slot);
  // Adds up the parts of output channels [first, last), if there are several.
  void (*add_parts)(const Plan&, const GradWeightOperands&, int64_t first, int64_t last);
};

struct KernelTable {  // by DataType
  ForwardKernels tap[4];
  ForwardKernels bfloat16_pairs;     // where InstructionSet says so
  ForwardKernels bfloat16_matrices;  // likewise
  GradWeightKernels grad_weight[4];
  TileKernels tiles[4];
  TaskKernels dot[4];
  TaskKernels channel_lanes[4];
  TaskKernels depthwise_tiles[4];
  OutLaneKernels out_lanes[4];
  TaskKernels grad_input_columns[4];  // their input is grad_output, their output grad_input
};

}  // namespace tapconv::kernels
