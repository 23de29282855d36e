// tapconv::nn::Conv1d: the convolution as a torch::nn module.
#pragma once

#include <tapconv/export.h>
#include <torch/nn/modules/conv.h>

#include <iosfwd>

namespace tapconv::nn {

/// A `torch::nn::Conv1d` whose forward and backward run on tapconv's kernels. Options, parameters, their initialisation
/// and the keys of an archive are those of `torch::nn::Conv1d`, so that `torch::save` and `torch::load` move weights
/// between the two either way.
///
///     tapconv::nn::Conv1d convolution(torch::nn::Conv1dOptions(16, 33, 3).stride(2));
///     auto output = convolution(torch::randn({20, 16, 50}));  // (20, 33, 24)
class TAPCONV_API Conv1dImpl : public torch::nn::ConvNdImpl<1, Conv1dImpl> {
 public:
  Conv1dImpl(int64_t in_channels, int64_t out_channels, torch::ExpandingArray<1> kernel_size);
  explicit Conv1dImpl(const torch::nn::Conv1dOptions& options);

  /// @param input (batch, in_channels, length) or (in_channels, length)
  /// @return (batch, out_channels, output_length) or (out_channels, output_length); see tapconv::conv1d
  /// @throws c10::Error where `torch::nn::Conv1d` throws one, with the same words.
  torch::Tensor forward(const torch::Tensor& input);

  /// As torch::nn::Conv1d prints itself, under the name tapconv::nn::Conv1d.
  void pretty_print(std::ostream& stream) const override;
};

/// Holds a Conv1dImpl as `torch::nn::Conv1d` holds its own.
TORCH_MODULE(Conv1d);

}  // namespace tapconv::nn
