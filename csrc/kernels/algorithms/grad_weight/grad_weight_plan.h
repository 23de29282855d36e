// Plans of the weight gradient.
#pragma once

#include <cstddef>

#include "kernels/plan.h"

namespace tapconv::kernels {

struct InstructionSet;

// The sums of outputs and inputs themselves, without transforms.
Plan decide_grad_weight_without_tiles(const Problem& problem, const InstructionSet& instruction_set, int slots);

// What plans with transforms share with it.

// Is there no weight to have a gradient?
bool has_no_weights(const Problem& problem);

// Channel lanes, unless most of them would stay empty.
bool has_channel_lanes(const Problem& problem, const InstructionSet& instruction_set);

// Chooses the number of parts, and divides the work, whose blocks of channels were chosen, among the plan's slots.
void divide_grad_weight(Plan& plan);

// Makes room for the parts' sums behind `at` bytes of the workspace.
void reserve_grad_weight_parts(Plan& plan, size_t& at);

}  // namespace tapconv::kernels
