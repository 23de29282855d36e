// What plans cost, in units of one vector multiply-add at full speed. From the plan alone: the same problem costs the
// same on every call, and the estimates are ratios, which differ little among machines of one instruction set.
//
// Each algorithm has its formula beside its plan, all prices stand in prices/prices.h, and here is what several
// algorithms count.
#pragma once

#include <algorithm>

#include "blocking.h"
#include "kernels/prices/prices.h"
#include "row_plan.h"

namespace tapconv::kernels {

// How many multiply-adds a register tile takes in the time of `rows * columns` at full speed. Every step also loads
// `rows` weights and `columns` vectors, two in a cycle like multiply-adds.
inline double tile_time(double rows, double columns) { return std::max(rows * columns, rows + columns); }

// The prices that go with the instruction set of a plan.
const Prices& prices_of(const Call& call);

// Lanes of a vector of the plan's compute type.
int64_t width_of(const Call& call);

// Sweeping all register tiles of a group over `vectors` of times or tiles, for one (channel, tap) pair.
double sweep_cost(const RowPlan& plan, int64_t vectors);

// How often a register tile is called for a group, and so loads and stores its sums.
double sweep_calls(const RowPlan& plan, int64_t vectors);

// Cache lines of inputs and outputs.
double lines_of(const Problem& problem, double elements);
double input_elements(const Problem& problem);
double output_elements(const Problem& problem);

// Samples copied one by one, since a stride lies between them.
double strided_samples(const RowPlan& plan);

// Copying the rows of a plan.
double copied_rows_cost(const RowPlan& plan);

// size * log2(size) of a Fourier transform, as far as it can be had from the first-level cache.
double fourier_work(const Call& call, int size);

// Reading a cache line of so many that were packed or transformed ahead.
double packed_line(const CachePrices& price, double lines);

}  // namespace tapconv::kernels
