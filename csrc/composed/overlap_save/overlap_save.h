// Overlap-save (kernels/overlap_save.h) with the large transforms of torch's library computes very long filters.
//
// Every output is as accurate as what it sees allows: samples are transformed together only with others of like size
// (levels.h), a NaN or an infinity reaches the outputs that see it and no other, and sums of whole numbers are exact.
//
// It takes memory beside the tensors: the spectra of the filters, which are out_channels * in_channels / groups *
// segments * size elements, for the weight gradient up to eight times as many; and for each thread some MiB of blocks
// and their spectra, or what one block of one group takes. The gradient by the input of a padding mode other than zeros
// takes a padded copy of itself.
//
// Work is divided by the problem alone, so results are bitwise equal for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/overlap_save.h"

namespace tapconv::composed {

// Returns the blocks of overlap-save, if that is to compute the problem.
std::optional<kernels::OverlapSave> overlap_save_for(const kernels::Problem& problem, kernels::Direction direction);

// Each returns false, with nothing of use written, where only direct sums will do. That is so if a weight is a NaN or
// an infinity, and for the gradient by the weight if any number is, or comes near the end of the type's range.

// `bias` is contiguous or undefined.
bool overlap_save_forward(const kernels::Problem& problem, const kernels::OverlapSave& blocks, const at::Tensor& input,
                          const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& output);
bool overlap_save_grad_input(const kernels::Problem& problem, const kernels::OverlapSave& blocks,
                             const at::Tensor& grad_output, const at::Tensor& weight, const at::Tensor& grad_input);
bool overlap_save_grad_weight(const kernels::Problem& problem, const kernels::OverlapSave& blocks,
                              const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& grad_weight,
                              const at::Tensor& grad_bias);

}  // namespace tapconv::composed
