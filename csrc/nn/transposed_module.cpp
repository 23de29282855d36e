#include <tapconv/nn.h>

#include <ostream>
#include <sstream>
#include <string_view>
#include <variant>

#include "ops/schema/operator.h"

namespace tapconv::nn {
namespace {

torch::nn::detail::ConvNdOptions<1> base_options(const torch::nn::ConvTranspose1dOptions& options) {
  return torch::nn::detail::ConvNdOptions<1>(options.in_channels(), options.out_channels(), options.kernel_size())
      .stride(options.stride())
      .padding(options.padding())
      .dilation(options.dilation())
      .transposed(true)
      .output_padding(options.output_padding())
      .groups(options.groups())
      .bias(options.bias())
      .padding_mode(options.padding_mode());
}

}  // namespace

ConvTranspose1dImpl::ConvTranspose1dImpl(int64_t in_channels, int64_t out_channels,
                                         torch::ExpandingArray<1> kernel_size)
    : ConvTranspose1dImpl(torch::nn::ConvTranspose1dOptions(in_channels, out_channels, kernel_size)) {}

ConvTranspose1dImpl::ConvTranspose1dImpl(const torch::nn::ConvTranspose1dOptions& options)
    : ConvTransposeNdImpl(base_options(options)) {}

torch::Tensor ConvTranspose1dImpl::forward(const torch::Tensor& input,
                                           const std::optional<at::IntArrayRef>& output_size) {
  TORCH_CHECK(std::holds_alternative<torch::enumtype::kZeros>(options.padding_mode()),
              "Only `zeros` padding mode is supported for ConvTranspose1d");
  const std::vector<int64_t> output_padding =
      output_size ? output_padding_for(input, *output_size) : at::IntArrayRef(*options.output_padding()).vec();
  return ops::call_conv_transpose1d(
      input, weight, bias,
      {ops::symbolic(*options.stride()), ops::symbolic(*padding()), ops::symbolic(output_padding), options.groups(),
       ops::symbolic(*options.dilation())});
}

std::vector<int64_t> ConvTranspose1dImpl::output_padding_for(const torch::Tensor& input,
                                                             at::IntArrayRef output_size) const {
  const size_t whole_shape = input.dim() == 3 ? 3 : 2;
  TORCH_CHECK(output_size.size() == 1 || output_size.size() == whole_shape, "output_size must have 1 or ", whole_shape,
              " elements (got ", output_size.size(), ")");
  const int64_t wanted = output_size.back();
  const int64_t stride = options.stride()->front();
  const int64_t shortest = (input.size(-1) - 1) * stride - 2 * padding()->front() +
                           options.dilation()->front() * (options.kernel_size()->front() - 1) + 1;
  const int64_t longest = shortest + stride - 1;
  TORCH_CHECK(shortest <= wanted && wanted <= longest, "requested an output size of ", at::IntArrayRef(wanted),
              ", but valid sizes range from ", shortest, " to ", longest, " (for an input of ",
              at::IntArrayRef(input.size(-1)), ")");
  return {wanted - shortest};
}

void ConvTranspose1dImpl::pretty_print(std::ostream& stream) const {
  std::ostringstream torch_form;
  ConvTransposeNdImpl::pretty_print(torch_form);
  constexpr std::string_view torch_name = "torch::nn::ConvTranspose1d";
  stream << "tapconv::nn::ConvTranspose1d" << torch_form.str().substr(torch_name.size());
}

}  // namespace tapconv::nn
