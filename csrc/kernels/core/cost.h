// What plans cost, in units of one vector multiply-add at full speed. From the plan alone: the same problem costs the
// same on every call, and the estimates are ratios, which differ little among machines of one instruction set.
//
// Each algorithm has its prices beside its plan; here is what several of them count.
#pragma once

#include <algorithm>

#include "blocking.h"
#include "row_plan.h"

namespace tapconv::kernels {

// How many multiply-adds a register tile takes in the time of `rows * columns` at full speed. Every step also loads
// `rows` weights and `columns` vectors, two in a cycle like multiply-adds.
inline double tile_time(double rows, double columns) { return std::max(rows * columns, rows + columns); }

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

// The factors below were fitted to some 210 layers, on AVX-512 and AVX2, a quarter of them published models' and the
// rest drawn at random, so that the cheapest way by the estimates is the fastest one measured or close to it. Half of
// the estimates lie within 12 % of the measurement and nine in ten within 32 %.
inline constexpr double direct_call = 55;
inline constexpr double direct_input_line = 11;
inline constexpr double direct_strided_sample = 2;
// A segment of one sample and channel, however short.
inline constexpr double row_piece = 22;

// Filters and tiles of more than this come from beyond the second-level cache each time that they are read.
inline constexpr double near_filter_bytes = 1.2e6;

// Copying the rows of a plan.
double copied_rows_cost(const RowPlan& plan);

// size * log2(size) of a Fourier transform, as far as it can be had from the first-level cache.
double fourier_work(const Call& call, int size);

// Reading a cache line of so many that were packed or transformed ahead.
double packed_line(double lines);

}  // namespace tapconv::kernels
