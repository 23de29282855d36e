// The header of a packed weight says what lies where and for which weight, and whether it is intact.
#pragma once

#include <cstdint>

#include "packed_weight.h"

namespace tapconv::kernels {

// lay_out makes the header of a weight with its plain copy and its register tiles. The others add what else there is
// behind these, and count it in header.bytes. The last two return false if it does not suit the problem.
PackedHeader lay_out(const Problem& problem, const InstructionSet& instruction_set);
void lay_out_lanes(const Problem& problem, const InstructionSet& instruction_set, PackedHeader& header);
bool lay_out_filters(const Problem& problem, const InstructionSet& instruction_set, const FilterLayout& layout,
                     PackedHeader& header);
bool lay_out_taps(const Problem& problem, const InstructionSet& instruction_set, PackedHeader& header);

uint64_t checksum_of(const PackedHeader& header);

}  // namespace tapconv::kernels
