#include <ATen/autocast_mode.h>
#include <tapconv/functional.h>
#include <tapconv/nn.h>

#include <array>
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

std::array<int64_t, 2> padding_in_samples(const torch::nn::detail::ConvNdOptions<1>& options) {
  if (const auto* numbers = std::get_if<torch::ExpandingArray<1>>(&options.padding())) {
    return {(**numbers)[0], (**numbers)[0]};
  }
  if (!std::holds_alternative<torch::enumtype::kSame>(options.padding())) return {0, 0};
  const int64_t reach = (*options.dilation())[0] * ((*options.kernel_size())[0] - 1);
  return {reach / 2, reach - reach / 2};
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
  if (packed_.defined() && can_use_packed(input)) {
    const std::array<int64_t, 2> padding = padding_in_samples(options);
    return tapconv::conv1d_packed(input, packed_weight(), weight.sizes(), bias, stride, padding, dilation,
                                  options.groups(), mode);
  }
  if (const auto* numbers = std::get_if<torch::ExpandingArray<1>>(&options.padding())) {
    return tapconv::conv1d(input, weight, bias, stride, at::IntArrayRef(**numbers), dilation, options.groups(), mode,
                           algorithm_);
  }
  const bool same = std::holds_alternative<torch::enumtype::kSame>(options.padding());
  return tapconv::conv1d(input, weight, bias, stride, same ? Padding::same : Padding::valid, dilation, options.groups(),
                         mode, algorithm_);
}

void Conv1dImpl::pack(std::optional<int64_t> input_length, int64_t batch) {
  TORCH_CHECK(!is_training(),
              "Conv1d::pack() is for inference, and this module is in training mode: call eval() first");
  TORCH_CHECK(!weight.is_inference(),
              "Conv1d::pack() needs a weight whose changes can be seen, and this one was made in inference mode: make "
              "the module outside of it");
  const torch::Tensor plain = weight.detach();
  packed_ = tapconv::pack_weight(plain, {.stride = (*options.stride())[0],
                                         .dilation = (*options.dilation())[0],
                                         .groups = options.groups(),
                                         .input_length = input_length,
                                         .batch = batch,
                                         .algorithm = algorithm_});
  packed_from_ = plain;
  packed_of_ = weight.getIntrusivePtr();
  packed_version_ = weight._version();
  typical_length_ = input_length;
  typical_batch_ = batch;
}

void Conv1dImpl::unpack() {
  packed_.reset();
  packed_from_.reset();
  packed_of_.reset();
}

void Conv1dImpl::train(bool on) {
  if (on) unpack();
  ConvNdImpl::train(on);
}

bool Conv1dImpl::can_use_packed(const torch::Tensor& input) const {
  const bool needs_gradient =
      input.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad());
  return !(at::GradMode::is_enabled() && needs_gradient) && input.scalar_type() == weight.scalar_type() &&
         input.is_cpu() && weight.is_cpu() && !at::autocast::is_autocast_enabled(at::kCPU);
}

const torch::Tensor& Conv1dImpl::packed_weight() {
  const bool current = packed_of_ == weight.getIntrusivePtr() && packed_version_ == weight._version() &&
                       packed_from_.const_data_ptr() == weight.const_data_ptr();
  if (!current) pack(typical_length_, typical_batch_);
  return packed_;
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
