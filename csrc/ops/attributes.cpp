#include "ops/attributes.h"

#include <c10/util/Exception.h>

namespace tapconv::ops {
namespace {

using kernels::PaddingMode;

struct NamedMode {
  std::string_view name;
  PaddingMode mode;
};

constexpr std::array<NamedMode, 4> padding_modes = {{{"zeros", PaddingMode::zeros},
                                                     {"reflect", PaddingMode::reflect},
                                                     {"replicate", PaddingMode::replicate},
                                                     {"circular", PaddingMode::circular}}};

PaddingMode padding_mode_named(std::string_view name) {
  for (const NamedMode& known : padding_modes) {
    if (known.name == name) return known.mode;
  }
  // The words of torch.nn.Conv1d, which is where padding modes come from.
  TORCH_CHECK_VALUE(false, "padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, ",
                    "but got padding_mode='", name, "'");
}

}  // namespace

std::optional<Attributes> understand(const RawAttributes& raw) {
  const PaddingMode mode = padding_mode_named(raw.padding_mode);
  const kernels::AlgorithmRequest algorithm = resolved(algorithm_named(raw.algorithm));
  if (raw.stride.size() != 1 || raw.dilation.size() != 1) return std::nullopt;
  if (raw.padding.size() != 1 && raw.padding.size() != 2) return std::nullopt;
  const Attributes attributes{.stride = raw.stride[0],
                              .padding_left = raw.padding.front(),
                              .padding_right = raw.padding.back(),
                              .dilation = raw.dilation[0],
                              .groups = raw.groups,
                              .padding_mode = mode,
                              .algorithm = algorithm};
  const bool valid = attributes.stride >= 1 && attributes.dilation >= 1 && attributes.groups >= 1 &&
                     attributes.padding_left >= 0 && attributes.padding_right >= 0;
  return valid ? std::optional(attributes) : std::nullopt;
}

std::string_view name_of(PaddingMode mode) { return padding_modes[static_cast<size_t>(mode)].name; }

Spelled::Spelled(const Attributes& attributes)
    : attributes_(attributes), padding_{attributes.padding_left, attributes.padding_right} {}

RawAttributes Spelled::raw() const {
  const size_t numbers = padding_[0] == padding_[1] ? 1 : 2;
  return {.stride = at::IntArrayRef(&attributes_.stride, 1),
          .padding = at::IntArrayRef(padding_.data(), numbers),
          .dilation = at::IntArrayRef(&attributes_.dilation, 1),
          .groups = attributes_.groups,
          .padding_mode = name_of(attributes_.padding_mode),
          .algorithm = name_of(attributes_.algorithm)};
}

}  // namespace tapconv::ops
