// tapconv::conv1d, tapconv::conv1d_context and tapconv::conv_transpose1d: the convolution and its transpose as
// functions.
#pragma once

#include <ATen/core/Tensor.h>
#include <tapconv/export.h>
#include <torch/nn/options/conv.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace tapconv {

/// Cross-correlates every channel of a signal with a bank of filters and sums over the channels, as
/// `torch::nn::functional::conv1d` does, with the same options, the same result and the same errors:
///
///     output[n, o, t] = bias[o] + sum over c, k of weight[o, c, k] * input[n, c, t * stride + k * dilation - padding]
///
/// where `c` runs over the channels of the group that `o` belongs to. Differentiable.
///
/// @param input   (batch, in_channels, length) or (in_channels, length); any strides. Samples, whatever their unit.
/// @param weight  (out_channels, in_channels / groups, kernel_size)
/// @param options bias (out_channels), stride, padding (a number, `torch::kValid` or `torch::kSame`), dilation, groups
/// @return (batch, out_channels, output_length) or (out_channels, output_length), contiguous, where output_length =
///         (length + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1. float32 and float64 are summed in
///         their own type, bfloat16 and float16 in float32 with one rounding at the end. Other types and devices are
///         computed by torch's own convolution.
/// @throws c10::Error where torch's convolution throws one, with the same words.
///
///     namespace F = torch::nn::functional;
///     auto output = tapconv::conv1d(input, weight, F::Conv1dFuncOptions().bias(bias).padding(1));
///
/// Source of the definition: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv
/// 1603.07285.
TAPCONV_API at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight,
                              const torch::nn::functional::Conv1dFuncOptions& options = {});

/// The same with every argument of the operator, in its order.
///
/// @param padding      one number for both ends, or two: left and right
/// @param padding_mode what the added samples are: "zeros", "reflect", "replicate" or "circular", as in
/// torch::nn::Conv1d
/// @param algorithm    "auto"; "direct" to add the products up in plain order; "fft" or "winograd" for that transform.
///        Its gradients are computed directly too after "direct", and by the transform where it can compute them after
///        the others. tapconv/default_algorithm.h binds "auto".
/// @throws c10::ValueError for a padding mode or an algorithm that does not exist, or a transform that cannot compute
///         this problem.
TAPCONV_API at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                              at::IntArrayRef stride, at::IntArrayRef padding = 0, at::IntArrayRef dilation = 1,
                              int64_t groups = 1, std::string_view padding_mode = "zeros",
                              std::string_view algorithm = "auto");

/// Paddings by name.
enum class Padding {
  valid,   ///< none
  same,    ///< as many outputs as inputs; stride 1 only; an odd sample goes to the right
  causal,  ///< all of it on the left, dilation * (kernel_size - 1) samples: no output sees a later input
};

TAPCONV_API at::Tensor conv1d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                              at::IntArrayRef stride, Padding padding, at::IntArrayRef dilation = 1, int64_t groups = 1,
                              std::string_view padding_mode = "zeros", std::string_view algorithm = "auto");

/// The same into `out`, which is resized if its shape differs, and returned. Not differentiable.
///
/// @throws c10::Error if `out` has another type or device than the result, shares memory with an argument, or if an
///         argument requires a gradient while gradients are recorded.
TAPCONV_API at::Tensor& conv1d_out(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight,
                                   const std::optional<at::Tensor>& bias = {}, at::IntArrayRef stride = 1,
                                   at::IntArrayRef padding = 0, at::IntArrayRef dilation = 1, int64_t groups = 1,
                                   std::string_view padding_mode = "zeros", std::string_view algorithm = "auto");

/// The convolution of a signal that goes on beside the input: samples of `left` and `right` take the place of padding,
/// without a copy of the signal. Differentiable by all five tensors.
///
/// @param left      before the first sample; of the input's shape but for the length. The last `padding_left` samples
///                  are read; what it lacks against that is zeros
/// @param right     after the last sample, of which the first `padding_right` are read
/// @param padding   how many samples beside the input are read: one number for both ends, or two: left and right
/// @param algorithm as for conv1d, and so are all others
/// @throws c10::Error for a border of another shape, type or device than the input needs, and where conv1d throws one
TAPCONV_API at::Tensor conv1d_context(const at::Tensor& input, const at::Tensor& weight,
                                      const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& left,
                                      const std::optional<at::Tensor>& right, at::IntArrayRef stride = 1,
                                      at::IntArrayRef padding = 0, at::IntArrayRef dilation = 1, int64_t groups = 1,
                                      std::string_view algorithm = "auto");

/// What `pack_weight` is told beside the weight.
struct PackingOptions {
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t groups = 1;
  std::optional<int64_t> input_length = {};  ///< samples of a typical input; without it, a few thousand outputs
  int64_t batch = 1;                         ///< inputs of a typical call
  std::string_view algorithm = "auto";       ///< what calls may use; "direct" takes the least memory
};

/// Lays the weight of a convolution out for the kernels, and transforms it where that pays, once for many calls of
/// `conv1d_packed`. For inference: nothing of it is differentiable.
///
/// @param weight (out_channels, in_channels / groups, kernel_size); float32, float64, bfloat16 or float16, on the CPU
/// @return an opaque, flat tensor of bytes, with a copy of the plain weight. It can be stored and loaded like any other
///         tensor, and serves where the same instruction set is in use. Two to seven times the size of the weight, more
///         for the longest transforms.
/// @throws c10::Error for a weight of another type, device or shape, and for options that no convolution has.
TAPCONV_API at::Tensor pack_weight(const at::Tensor& weight, const PackingOptions& options = {});

/// conv1d with a weight that was packed ahead, for any batch and length.
///
/// @param packed       what `pack_weight` returned for this stride, dilation and groups. Its header is checked at every
///                     call; the weights themselves carry no checksum, which would cost as much as packing.
/// @param weight_shape of the weight that was packed
/// @return what conv1d returns for the plain weight, to rounding
/// @throws c10::Error if `packed` does not fit the call, the type of the input or the machine, if a gradient is
///         required, and where conv1d throws one.
TAPCONV_API at::Tensor conv1d_packed(const at::Tensor& input, const at::Tensor& packed, at::IntArrayRef weight_shape,
                                     const std::optional<at::Tensor>& bias = {}, at::IntArrayRef stride = 1,
                                     at::IntArrayRef padding = 0, at::IntArrayRef dilation = 1, int64_t groups = 1,
                                     std::string_view padding_mode = "zeros");

/// The same into `out`, as conv1d_out.
TAPCONV_API at::Tensor& conv1d_packed_out(at::Tensor& out, const at::Tensor& input, const at::Tensor& packed,
                                          at::IntArrayRef weight_shape, const std::optional<at::Tensor>& bias = {},
                                          at::IntArrayRef stride = 1, at::IntArrayRef padding = 0,
                                          at::IntArrayRef dilation = 1, int64_t groups = 1,
                                          std::string_view padding_mode = "zeros");

/// The transpose of conv1d, which maps the shape of its output back to that of its input, as
/// `torch::nn::functional::conv_transpose1d` does, with the same options, the same result and the same errors:
///
///     output[n, o, t * stride + k * dilation - padding] += weight[c, o, k] * input[n, c, t]   for all c, t, k
///
/// from `bias[o]` on, where `c` runs over the channels of the group that `o` belongs to. Differentiable.
///
/// @param input   (batch, in_channels, length) or (in_channels, length); any strides. Samples, whatever their unit.
/// @param weight  (in_channels, out_channels / groups, kernel_size)
/// @param options bias (out_channels), stride, padding (samples cut off at both ends), output_padding (samples added at
///        the end, fewer than stride), groups, dilation
/// @return (batch, out_channels, output_length) or (out_channels, output_length), contiguous, where output_length =
///         (length - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1. Sums are made as in
///         conv1d; the bias is added to the rounded sum. Other types and devices, and output_padding that is not below
///         the stride, are left to torch's own operator.
/// @throws c10::Error where torch's operator throws one, with the same words.
///
/// Source of the definition: as for conv1d, chapter 4.
TAPCONV_API at::Tensor conv_transpose1d(const at::Tensor& input, const at::Tensor& weight,
                                        const torch::nn::functional::ConvTranspose1dFuncOptions& options = {});

}  // namespace tapconv
