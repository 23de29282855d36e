// The header of a packed weight: what lies where, for which weight, and whether it is intact.
#pragma once

#include <cstdint>

#include "packed_weight.h"

namespace tapconv::kernels {

// The header of a weight with its plain copy and its register tiles. What else there is is laid out behind them, and
// counted in header.bytes; the last two say whether it suits the problem.
PackedHeader lay_out(const Problem& problem, const InstructionSet& instruction_set);
void lay_out_lanes(const Problem& problem, const InstructionSet& instruction_set, PackedHeader& header);
bool lay_out_filters(const Problem& problem, const InstructionSet& instruction_set, const FilterLayout& layout,
                     PackedHeader& header);
bool lay_out_taps(const Problem& problem, const InstructionSet& instruction_set, PackedHeader& header);

uint64_t checksum_of(const PackedHeader& header);

}  // namespace tapconv::kernels
