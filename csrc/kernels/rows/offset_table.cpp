#include "offset_table.h"

namespace tapconv::kernels {

void fill_offset_table(const RowPlan& plan, int32_t* table) {
  const RowLayout& rows = plan.rows;
  for (int64_t c = 0; c < plan.channel_block; ++c) {
    int64_t segment = 0;
    int64_t element = 0;
    for (int64_t k = 0; k < plan.problem.kernel_size; ++k) {
      *table++ = static_cast<int32_t>(c * rows.row_length + segment * rows.segment_length + element);
      if (++segment == rows.segment_count) {
        segment = 0;
        element += rows.tap_distance;
      }
    }
  }
}

void fill_even_offsets(int32_t* table, int64_t count, int64_t distance) {
  for (int64_t i = 0; i < count; ++i) table[i] = static_cast<int32_t>(i * distance);
}

}  // namespace tapconv::kernels
