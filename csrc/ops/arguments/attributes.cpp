#include "ops/arguments/attributes.h"

#include <c10/util/Exception.h>

#include "ops/arguments/conditions.h"

namespace tapconv::ops {
namespace {

using kernels::PaddingMode;

PaddingMode padding_mode_named(std::string_view name) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate, PaddingMode::circular}) {
    if (name == name_of(mode)) return mode;
  }
  // The words of torch.nn.Conv1d, which is where padding modes come from.
  TORCH_CHECK_VALUE(false, "padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, ",
                    "but got padding_mode='", name, "'");
}

template <typename Int>
std::optional<AttributesOf<Int>> understand_numbers(const RawAttributesOf<Int>& raw) {
  const PaddingMode mode = padding_mode_named(raw.padding_mode);
  const kernels::AlgorithmRequest algorithm = resolved(algorithm_named(raw.algorithm));
  if (raw.stride.size() != 1 || raw.dilation.size() != 1) return std::nullopt;
  if (raw.padding.size() != 1 && raw.padding.size() != 2) return std::nullopt;
  const auto at_least = [](const Int& number, int64_t least) { return holds(c10::sym_ge(number, Int(least))); };
  const bool valid = at_least(raw.stride[0], 1) && at_least(raw.dilation[0], 1) && at_least(raw.groups, 1) &&
                     at_least(raw.padding.front(), 0) && at_least(raw.padding.back(), 0);
  if (!valid) return std::nullopt;
  return AttributesOf<Int>{.stride = raw.stride[0],
                           .padding_left = raw.padding.front(),
                           .padding_right = raw.padding.back(),
                           .dilation = raw.dilation[0],
                           .groups = raw.groups,
                           .padding_mode = mode,
                           .algorithm = algorithm};
}

}  // namespace

SymRawAttributes symbolic(const RawAttributes& raw) {
  return {.stride = symbolic(raw.stride),
          .padding = symbolic(raw.padding),
          .dilation = symbolic(raw.dilation),
          .groups = raw.groups,
          .padding_mode = raw.padding_mode,
          .algorithm = raw.algorithm};
}

std::optional<Attributes> understand(const RawAttributes& raw) { return understand_numbers(raw); }
std::optional<SymAttributes> understand(const SymRawAttributes& raw) { return understand_numbers(raw); }

std::optional<Attributes> plain(const SymAttributes& a) {
  const auto stride = a.stride.maybe_as_int();
  const auto left = a.padding_left.maybe_as_int();
  const auto right = a.padding_right.maybe_as_int();
  const auto dilation = a.dilation.maybe_as_int();
  const auto groups = a.groups.maybe_as_int();
  if (!stride || !left || !right || !dilation || !groups) return std::nullopt;
  return Attributes{*stride, *left, *right, *dilation, *groups, a.padding_mode, a.algorithm};
}

Spelled::Spelled(const SymAttributes& attributes)
    : attributes_(attributes), padding_{attributes.padding_left, attributes.padding_right}, paddings_(2) {
  // Two numbers say the same as one; to find out whether symbolic ones are equal would bind them.
  const auto left = padding_[0].maybe_as_int();
  if (left && left == padding_[1].maybe_as_int()) paddings_ = 1;
}

SymRawAttributes Spelled::raw() const {
  return {.stride = attributes_.stride,
          .padding = c10::SymIntArrayRef(padding_.data(), paddings_),
          .dilation = attributes_.dilation,
          .groups = attributes_.groups,
          .padding_mode = name_of(attributes_.padding_mode),
          .algorithm = name_of(attributes_.algorithm)};
}

}  // namespace tapconv::ops
