// This file knows the launches that a plan takes, in order.
#pragma once

#include "planner.h"
#include "runner.h"

namespace tapconv::cuda {

// Returns how much memory the launches of a direction need.
size_t workspace_bytes(const kernels::Problem& problem, Direction direction);

// These do what the functions of the same names in conv1d.h do. They return null or the first error.
const char* run_forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output,
                        Runner& runner);
const char* run_grad_input(const Plan& plan, const void* grad_output, const void* weight, void* grad_input,
                           void* workspace, Runner& runner);
const char* run_grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight,
                            void* grad_bias, void* workspace, Runner& runner);

}  // namespace tapconv::cuda
