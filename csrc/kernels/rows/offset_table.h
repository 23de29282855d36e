// Where each (channel, tap) pair of a block of channels begins in the copied rows.
#pragma once

#include "kernels/core/row_plan.h"

#include <cstdint>

namespace tapconv::kernels {

// Writes channel_block * kernel_size offsets, in row elements, channels outermost.
void fill_offset_table(const RowPlan& plan, int32_t* table);

// `count` offsets, `distance` apart.
void fill_even_offsets(int32_t* table, int64_t count, int64_t distance);

}  // namespace tapconv::kernels
