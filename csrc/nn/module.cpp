#include <tapconv/functional.h>
#include <tapconv/nn.h>

#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>

#include "ops/default_algorithm.h"

namespace tapconv::nn {
namespace {

torch::nn::detail::ConvNdOptions<1> base_options(const torch::nn::Conv1dOptions& options) {
  return torch::nn::detail::ConvNdOptions<1>(options.in_channels(), options.out_channels(), options.kernel_size())
      .stride(options.stride())
      .padding(options.padding())
      .dilation(options.dilation())
      .transposed(false)
      .output_padding(0)
      .groups(options.groups())
      .bias(options.bias())
      .padding_mode(options.padding_mode());
}

std::string_view name_of(const torch::nn::Conv1dOptions::padding_mode_t& mode) {
  if (std::holds_alternative<torch::enumtype::kReflect>(mode)) return "reflect";
  if (std::holds_alternative<torch::enumtype::kReplicate>(mode)) return "replicate";
  if (std::holds_alternative<torch::enumtype::kCircular>(mode)) return "circular";
  return "zeros";
}

}  // namespace

Conv1dImpl::Conv1dImpl(int64_t in_channels, int64_t out_channels, torch::ExpandingArray<1> kernel_size)
    : Conv1dImpl(torch::nn::Conv1dOptions(in_channels, out_channels, kernel_size)) {}

Conv1dImpl::Conv1dImpl(const torch::nn::Conv1dOptions& options, std::string_view algorithm)
    : ConvNdImpl(base_options(options)), algorithm_(ops::name_of(ops::algorithm_named(algorithm))) {}

torch::Tensor Conv1dImpl::forward(const torch::Tensor& input) {
  const at::IntArrayRef stride = *options.stride();
  const at::IntArrayRef dilation = *options.dilation();
  const std::string_view mode = name_of(options.padding_mode());
  if (const auto* numbers = std::get_if<torch::ExpandingArray<1>>(&options.padding())) {
    return tapconv::conv1d(input, weight, bias, stride, at::IntArrayRef(**numbers), dilation, options.groups(), mode,
                           algorithm_);
  }
  const bool same = std::holds_alternative<torch::enumtype::kSame>(options.padding());
  return tapconv::conv1d(input, weight, bias, stride, same ? Padding::same : Padding::valid, dilation, options.groups(),
                         mode, algorithm_);
}

void Conv1dImpl::pretty_print(std::ostream& stream) const {
  std::ostringstream torch_form;
  ConvNdImpl::pretty_print(torch_form);
  constexpr std::string_view torch_name = "torch::nn::Conv1d";
  std::string form = torch_form.str().substr(torch_name.size());
  if (algorithm_ != "auto") form.insert(form.size() - 1, ", algorithm=" + algorithm_);
  stream << "tapconv::nn::Conv1d" << form;
}

}  // namespace tapconv::nn
