#include "offset_table.h"

namespace tapconv::kernels {

namespace {

// Of the first row of each step.
void fill_step_offsets(const Plan& plan, int32_t* table) {
  const MatrixSteps& matrix = plan.matrix;
  const RowLayout& rows = plan.rows;
  for (int64_t step = 0; step < matrix.steps; ++step) {
    const int64_t tap = matrix.rows_of_taps ? 0 : step % plan.problem.kernel_size;
    const int64_t first_row = (matrix.rows_of_taps ? step : step / plan.problem.kernel_size) * matrix.depth;
    const int64_t within =
        tap % rows.segment_count * rows.segment_length + tap / rows.segment_count * rows.tap_distance;
    table[step] = static_cast<int32_t>(first_row * matrix.row_distance + within);
  }
}

}  // namespace

void fill_offset_table(const Plan& plan, int32_t* table) {
  if (plan.matrix.used) return fill_step_offsets(plan, table);
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
