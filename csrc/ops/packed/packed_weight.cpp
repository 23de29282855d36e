// conv1d_packed.weight: conv1d, whose weight was also packed ahead. It means conv1d, with its derivatives and its
// errors: the packed weight is used where nothing is recorded, and only as long as it is the weight's.
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>

#include "ops/arguments/memory.h"
#include "ops/packed/packed.h"
#include "ops/schema/operator.h"
#include "ops/schema/unboxed.h"
#include "runtime/launch.h"

std::atomic<int64_t> tapconv_stale_packed_calls = 0;

namespace tapconv::ops {
namespace {

constexpr int64_t compared_whole = 16 << 10;
constexpr int64_t fewest_places = 128;
constexpr int64_t max_places = 512;

// Are a weight of so many bytes and its copy alike wherever it is looked? In each of `count` equal stretches at one
// byte, whose place is no multiple of anything, so that all taps are among them; and at both ends.
template <typename Alike>
bool alike_at_places(int64_t bytes, int64_t count, const Alike& alike) {
  const int64_t stretch = bytes / count;
  uint32_t turn = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto within = static_cast<int64_t>((uint64_t(turn) * static_cast<uint64_t>(stretch)) >> 32);
    if (!alike(i * stretch + within)) return false;
    turn += 0x9E3779B9u;  // of the golden ratio
  }
  return alike(bytes - 1);
}

// Is `plain`, which lies contiguously, the weight? Of weights above 16 KiB, a part is compared.
bool is_copy_of(const at::Tensor& weight, const void* plain_memory) {
  const auto* const plain = static_cast<const char*>(plain_memory);
  require_memory(weight, "weight");
  const auto* const memory = static_cast<const char*>(weight.const_data_ptr());
  const auto bytes = static_cast<int64_t>(weight.nbytes());
  const int64_t places = std::clamp(weight.size(0), fewest_places, max_places);
  if (weight.is_contiguous()) {
    if (bytes <= compared_whole) return std::memcmp(memory, plain, static_cast<size_t>(bytes)) == 0;
    // All of the cache line, which costs as much as one number of it.
    constexpr int64_t line = 64;
    return alike_at_places(bytes, places, [&](int64_t place) {
      const int64_t first = std::min(place / line * line, bytes - line);
      return std::memcmp(memory + first, plain + first, line) == 0;
    });
  }
  const auto element = static_cast<int64_t>(weight.element_size());
  const auto same_element = [&](int64_t place) {
    const int64_t index = place / element;
    const int64_t tap = index % weight.size(2);
    const int64_t row = index / weight.size(2);
    const int64_t offset =
        row / weight.size(1) * weight.stride(0) + row % weight.size(1) * weight.stride(1) + tap * weight.stride(2);
    return std::memcmp(memory + offset * element, plain + index * element, static_cast<size_t>(element)) == 0;
  };
  if (bytes > compared_whole) return alike_at_places(bytes, places, same_element);
  for (int64_t place = 0; place < bytes; place += element) {
    if (!same_element(place)) return false;
  }
  return true;
}

// What is packed, if it serves convolutions with this weight and these attributes.
std::optional<OpenedWeight> open_if_current(const at::Tensor& packed, const at::Tensor& weight,
                                            const Attributes& attributes) {
  const auto type = data_type_of(weight.scalar_type());
  if (!type || packed.scalar_type() != at::kByte || packed.dim() != 1 || !packed.is_cpu() || !weight.is_cpu() ||
      packed.layout() != at::kStrided || weight.layout() != at::kStrided || weight.dim() != 3) {
    return std::nullopt;
  }
  auto opened = try_open_packed(packed, *type, weight.sizes(), attributes);
  if (const auto* const wrong = std::get_if<std::string>(&opened)) {
    TORCH_WARN_ONCE("A packed weight is not used, and calls take longer: ", *wrong,
                    ". Pack the module again, with its pack().");
    return std::nullopt;
  }
  if (!is_copy_of(weight, std::get<OpenedWeight>(opened).weight.plain)) return std::nullopt;
  return std::get<OpenedWeight>(std::move(opened));
}

at::Tensor on_cpu(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias, const RawAttributes& raw) {
  const auto attributes = understand(raw);
  const auto sizes = attributes ? forward_sizes(input, weight, bias, *attributes) : std::nullopt;
  if (!sizes) return call_conv1d(input, weight, bias, symbolic(raw));
  const auto opened = open_if_current(packed, weight, *attributes);
  if (!opened) ++tapconv_stale_packed_calls;
  const bool serves = opened && (attributes->algorithm == kernels::AlgorithmRequest::automatic ||
                                 attributes->algorithm == kernels::AlgorithmRequest::direct ||
                                 attributes->algorithm == opened->weight.algorithm);
  if (!serves) return call_conv1d(input, weight, bias, symbolic(raw));
  at::Tensor output = runtime::allocate(shape_of(Role::output, *sizes, *attributes), input.scalar_type());
  conv1d_packed_into({input, packed, weight.sizes(), bias, raw}, *opened, *sizes, *attributes, output);
  return output;
}

// Under autocast and vmap, on devices without packed weights, and for shapes alone.
at::Tensor by_plain_weight(const at::Tensor& input, const at::Tensor& /*packed*/, const at::Tensor& weight,
                           const std::optional<at::Tensor>& bias, const SymRawAttributes& raw) {
  return call_conv1d(input, weight, bias, raw);
}

at::Tensor under_autograd(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias, const SymRawAttributes& raw) {
  using torch::autograd::isFwGradDefined;
  const bool is_differentiated = torch::autograd::compute_requires_grad(input, weight, bias) ||
                                 isFwGradDefined(input) || isFwGradDefined(weight) || isFwGradDefined(bias);
  if (is_differentiated) return call_conv1d(input, weight, bias, raw);
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_conv1d_packed_weight(input, packed, weight, bias, raw);
}

bool is_packed_from_op(const at::Tensor& packed, const at::Tensor& weight, at::IntArrayRef stride,
                       at::IntArrayRef dilation, int64_t groups) {
  const auto attributes = understand(RawAttributes{stride, /*padding=*/0, dilation, groups, "zeros", "auto"});
  return attributes && is_packed_from(packed, weight, *attributes);
}

}  // namespace

bool is_packed_from(const at::Tensor& packed, const at::Tensor& weight, const Attributes& attributes) {
  return open_if_current(packed, weight, attributes).has_value();
}

TORCH_LIBRARY_IMPL(tapconv, CPU, m) {
  m.impl("conv1d_packed.weight", unboxed<&on_cpu>);
  m.impl("is_packed_from", &is_packed_from_op);
}

TORCH_LIBRARY_IMPL(tapconv, Autograd, m) { m.impl("conv1d_packed.weight", unboxed<&under_autograd>); }
TORCH_LIBRARY_IMPL(tapconv, AutocastCPU, m) { m.impl("conv1d_packed.weight", unboxed<&by_plain_weight>); }
TORCH_LIBRARY_IMPL(tapconv, FuncTorchBatched, m) { m.impl("conv1d_packed.weight", unboxed<&by_plain_weight>); }
TORCH_LIBRARY_IMPL(tapconv, CompositeExplicitAutograd, m) { m.impl("conv1d_packed.weight", unboxed<&by_plain_weight>); }

}  // namespace tapconv::ops
