// The problems that the kernels are tested on: edges and tails before middles.
#pragma once

#include <vector>

#include "kernels/problem.h"
#include "one_problem.h"

namespace tapconv::kernels::test {

// Every number of outputs up to past the widest register tile, with every number of output channels up to past the
// tallest one.
std::vector<Problem> time_and_out_channel_tails();

// Numbers of input channels against kernel sizes.
std::vector<Problem> in_channel_and_kernel_sizes();

// Stride, dilation, kernel size, unequal paddings and padding modes against each other.
std::vector<Problem> geometries();

// Grouped and depthwise problems, with and without a channel multiplier.
std::vector<Problem> groups();

// Many samples with few outputs, no samples, no outputs.
std::vector<Problem> batches();

// Tensors that are not contiguous: channels last, gaps in every dimension, transposed weights, expanded arguments.
std::vector<Problem> layouts();

// All sizes at once at random; the same seed gives the same problems.
std::vector<Problem> random_problems(uint64_t seed, int count);

// Channels, outputs and taps around the sizes of tiles of 16 and pairs of 32, dense and grouped.
std::vector<Problem> around_matrix_tiles();

// A handful of outputs over all samples, with many weights, side by side: what columns are made for.
std::vector<Problem> few_outputs();

// Kernels no longer than the stride, so that no sample is read by two taps.
std::vector<Problem> single_taps();

// Strides beyond a vector, whose neighbouring samples belong to as many segments of a row.
std::vector<Problem> long_strides();

// Many samples of few outputs each, between which inputs are skipped.
std::vector<Problem> strided_samples();

// The same problem with weights that lie tap by tap.
Problem with_taps_first(Problem problem);

// Depthwise filters of few taps: rows shorter and longer than a vector, than the padding and than a block.
std::vector<Problem> short_depthwise_filters();

// Depthwise filters of several parts, with a last part of any length, against rows shorter and longer than they are.
// Also many filters for one row.
std::vector<Problem> long_depthwise_filters();

// Output channels in whole vectors, of one panel and of several, with few tiles and with many, and with input channels
// of one block and of several, and such as share a vector.
std::vector<Problem> whole_vectors_of_out_channels();

// Problems so large that blocks over channels and over time have more than one part.
std::vector<Problem> blocked();

}  // namespace tapconv::kernels::test
