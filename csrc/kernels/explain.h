// This file says why a call is computed as it is: what every algorithm answered, what was chosen, and how the work is
// divided.
#pragma once

#include <string>

#include "algorithms.h"

namespace tapconv::kernels {

// Returns lines of text about a problem whose sizes are at least 1: each way with its estimated cost or its reason to
// decline, then the choice with its blocks, tasks and workspace. Costs are in thousands of vector multiply-adds
// (core/cost.h). The text is for people and changes with the algorithms.
std::string explain(const Problem& problem, Direction direction, const InstructionSet& instruction_set, int slots,
                    const Prepared& prepared = {});

// Says whether TAPCONV_EXPLAIN is set to anything but 0.
bool is_explanation_asked();

// Writes the explanation to the standard error stream, once for each text.
void write_explanation(const Problem& problem, Direction direction, const InstructionSet& instruction_set, int slots,
                       const Prepared& prepared = {});

}  // namespace tapconv::kernels
