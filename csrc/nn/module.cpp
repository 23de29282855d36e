#include <tapconv/functional.h>
#include <tapconv/nn.h>

#include <array>
#include <atomic>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>

#include "ops/packed/packed.h"
#include "ops/schema/operator.h"

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

// Packing knows what was packed, and from what. It keeps an alias of the weight's memory, so that no other memory gets
// its address.
struct Conv1dImpl::Packing {
  torch::Tensor packed;
  torch::Tensor plain;
  c10::intrusive_ptr<c10::TensorImpl> weight;
  uint32_t version;
  std::array<int64_t, 3> numbers;
  std::optional<int64_t> input_length;
  int64_t batch;
  mutable std::atomic<int64_t> stale_calls;  // of the process, when this was last found to be the weight's
};

namespace {

// What is packed depends on these.
std::array<int64_t, 3> numbers_of(const torch::nn::detail::ConvNdOptions<1>& options) {
  return {(*options.stride())[0], (*options.dilation())[0], options.groups()};
}

}  // namespace

Conv1dImpl::Conv1dImpl(int64_t in_channels, int64_t out_channels, torch::ExpandingArray<1> kernel_size)
    : Conv1dImpl(torch::nn::Conv1dOptions(in_channels, out_channels, kernel_size)) {}

Conv1dImpl::Conv1dImpl(const torch::nn::Conv1dOptions& options, std::string_view algorithm)
    : ConvNdImpl(base_options(options)), algorithm_(kernels::name_of(ops::algorithm_named(algorithm))) {}

torch::Tensor Conv1dImpl::forward(const torch::Tensor& input) {
  const at::IntArrayRef stride = *options.stride();
  const at::IntArrayRef dilation = *options.dilation();
  const std::string_view mode = name_of(options.padding_mode());
  const auto* const samples = std::get_if<torch::ExpandingArray<1>>(&options.padding());
  const bool same = std::holds_alternative<torch::enumtype::kSame>(options.padding());
  if (const auto packing = records_gradient(input) ? nullptr : current_packing()) {
    if (samples) {
      return ops::call_conv1d_packed_weight(
          input, packing->packed, weight, bias,
          ops::symbolic({stride, at::IntArrayRef(**samples), dilation, options.groups(), mode, algorithm_}));
    }
    return ops::call_conv1d_packed_weight_padding(
        input, packing->packed, weight, bias,
        {ops::symbolic(stride), same ? "same" : "valid", ops::symbolic(dilation), options.groups(), mode, algorithm_});
  }
  if (samples) {
    return tapconv::conv1d(input, weight, bias, stride, at::IntArrayRef(**samples), dilation, options.groups(), mode,
                           algorithm_);
  }
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
  const uint32_t version = weight._version();
  const int64_t stale_calls = tapconv_stale_packed_calls;
  const std::array<int64_t, 3> numbers = numbers_of(options);
  const torch::Tensor packed = tapconv::pack_weight(plain, {.stride = numbers[0],
                                                            .dilation = numbers[1],
                                                            .groups = numbers[2],
                                                            .input_length = input_length,
                                                            .batch = batch,
                                                            .algorithm = algorithm_});
  packing_.set(std::shared_ptr<const Packing>(
      new Packing{packed, plain, weight.getIntrusivePtr(), version, numbers, input_length, batch, stale_calls}));
}

void Conv1dImpl::unpack() { packing_.set(nullptr); }

void Conv1dImpl::train(bool on) {
  if (on) unpack();
  ConvNdImpl::train(on);
}

bool Conv1dImpl::records_gradient(const torch::Tensor& input) const {
  return at::GradMode::is_enabled() &&
         (input.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad()));
}

std::shared_ptr<const Conv1dImpl::Packing> Conv1dImpl::current_packing() {
  const auto packing = packing_.get();
  if (!packing) return nullptr;
  const auto is_current = [&] {
    if (packing->weight != weight.getIntrusivePtr() || packing->version != weight._version() ||
        packing->plain.const_data_ptr() != weight.const_data_ptr() || packing->numbers != numbers_of(options)) {
      return false;
    }
    // Somewhere a weight was found to differ from what was packed of it. It may have been this one.
    const int64_t stale_calls = tapconv_stale_packed_calls;
    if (packing->stale_calls == stale_calls) return true;
    const auto [stride, dilation, groups] = packing->numbers;
    if (!ops::is_packed_from(packing->packed, weight, {stride, 0, 0, dilation, groups, {}, {}})) return false;
    packing->stale_calls = stale_calls;
    return true;
  };
  if (is_current()) return packing;
  unpack();
  if (weight.is_cpu() && weight.is_floating_point() && !weight.is_inference()) {
    pack(packing->input_length, packing->batch);
  }
  return packing_.get();
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
