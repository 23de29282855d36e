// What is asked of a causal depthwise convolution with a state: shapes, layouts and types. Data only.
//
// output[n, c, t] = act(bias[c] + sum over k of weight[c, k] * x[n, c, t - (width - 1) + k]), where act is silu or
// nothing. Samples before the first one are the newest of the state, or zeros where there is none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/problem.h"

namespace tapconv::kernels {

struct CausalCall {
  DataType data_type;    // of x, of the state and of the output
  DataType weight_type;  // of weight and bias: float64 if data_type is, else any other
  bool silu;
  bool updates_state;  // the newest samples are put into the state after the sums were taken
  int64_t batch;
  int64_t channels;
  int64_t length;
  int64_t width;         // taps
  int64_t state_length;  // at least width - 1
  int64_t state_rows;    // rows of the state, which state_indices choose from
  ActivationStrides input_strides;
  ActivationStrides output_strides;
  ActivationStrides state_strides;  // batch: between rows
  int64_t weight_channel_stride;
  int64_t weight_tap_stride;
};

struct CausalOperands {
  const void* input;
  const void* weight;
  const void* bias;  // contiguous, or null
  void* output;
  void* state;                   // or null: zeros. Written only if the call updates it
  const int32_t* sequences;      // contiguous (batch, length), or null: a sample counts only for outputs of its own
                                 // sequence, and outputs of a negative one are zero
  const int32_t* cache_lengths;  // (batch), or null: how many samples a state has seen that is a ring
  const int32_t* state_indices;  // (batch), or null: which row of the state is whose; negative: none, and outputs are 0
  void* workspace;
};

// How the work is divided: a task is some channels and times of one sample or, where states are updated, some channels
// of all samples, so that two samples that share a state meet in the order of the batch.
struct CausalPlan {
  CausalCall call;
  int slots;
  int64_t channel_block;  // channels of a task, a multiple of any vector's width
  int64_t channel_block_count;
  int64_t time_block;
  int64_t time_block_count;
  int64_t task_count;
  size_t slots_at;  // offset into the workspace, in bytes; its first cache line holds the task counter
  size_t slot_bytes;
  size_t workspace_bytes;
};

}  // namespace tapconv::kernels
