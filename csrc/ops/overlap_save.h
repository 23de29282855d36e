// Overlap-save (kernels/overlap_save.h) with the large transforms of torch's library: what very long filters take.
//
// Memory beside the tensors: the filters' spectra, out_channels * in_channels / groups * segments * size elements, for
// the weight gradient up to eight of them; and for each thread some MiB of blocks and their spectra, or what one block
// of one group takes. The gradient by the input of a padding mode other than zeros takes a padded copy of itself.
//
// Work is divided by the problem alone, so results are bitwise equal for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "kernels/overlap_save.h"

namespace tapconv::ops {

// Computes a part of the output by direct sums: a problem for `forward`, and where its output begins, in elements.
using DirectPart = std::function<void(const kernels::Problem& part, int64_t sample, int64_t output_offset)>;

// The output, into `output`. Blocks whose samples hold a NaN, an infinity or enormous numbers, which a transform would
// spread, are left to `direct`, and so is everything where the weight does. `bias` is contiguous or undefined.
void overlap_save_forward(const kernels::Problem& problem, const kernels::OverlapSave& blocks, const at::Tensor& input,
                          const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& output,
                          const DirectPart& direct);

// The gradients. False, with nothing of use written, where such numbers turn up.
bool overlap_save_grad_input(const kernels::Problem& problem, const kernels::OverlapSave& blocks,
                             const at::Tensor& grad_output, const at::Tensor& weight, const at::Tensor& grad_input);
bool overlap_save_grad_weight(const kernels::Problem& problem, const kernels::OverlapSave& blocks,
                              const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& grad_weight,
                              const at::Tensor& grad_bias);

}  // namespace tapconv::ops
