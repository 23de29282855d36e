// The direct sum by matrix products on any machine: the portable kernels with tile registers made of plain memory.
#pragma once

#include "kernels/instruction_sets/instruction_set.h"

namespace tapconv::kernels::test {

const InstructionSet& emulated_matrices();

}  // namespace tapconv::kernels::test
