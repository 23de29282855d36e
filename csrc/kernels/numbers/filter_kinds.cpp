#include "filter_kinds.h"

#include "storage.h"
#include "whole_numbers.h"

namespace tapconv::kernels {
namespace {

// `taps` begins with the first tap of the first input channel.
template <class Storage>
FilterKind kind_of(const Problem& p, const Storage* taps) {
  const int64_t channels = p.in_channels / p.groups;
  bool all_single = true;
  bool all_whole = true;
  bool all_zero = true;
  for (int64_t c = 0; c < channels; ++c) {
    int64_t others = 0;
    for (int64_t k = 0; k < p.kernel_size; ++k) {
      const auto tap = widen(taps[c * p.weight_strides.in_channel + k * p.weight_strides.tap]);
      if (tap == 0) continue;
      all_zero = false;
      all_single = all_single && ++others <= 1;
      all_whole = all_whole && is_whole(tap);
      if (!all_single && !all_whole) return FilterKind::ordinary;
    }
  }
  // Transforms of zeros are zeros.
  if (all_zero) return FilterKind::ordinary;
  return all_single ? FilterKind::single_taps : FilterKind::whole;
}

template <class Storage>
bool find_kinds(const Problem& p, const ForwardVariant& variant, const Storage* weight, FilterKind* kinds) {
  const int64_t group_out = p.out_channels / p.groups;
  bool any = false;
  for (int64_t g = 0; g < p.groups; ++g) {
    bool any_whole = false;
    for (int64_t o = 0; o < group_out; ++o) {
      const Storage* const taps = weight + g * variant.weight_group_stride +
                                  o / variant.output_phases * p.weight_strides.out_channel +
                                  o % variant.output_phases * variant.weight_phase_stride;
      const FilterKind kind = kind_of(p, taps);
      kinds[g * group_out + o] = kind;
      any = any || kind != FilterKind::ordinary;
      any_whole = any_whole || kind == FilterKind::whole;
    }
    kinds[p.out_channels + g] = any_whole ? FilterKind::whole : FilterKind::ordinary;
  }
  return any;
}

}  // namespace

bool find_filter_kinds(const Problem& problem, const ForwardVariant& variant, const void* weight, FilterKind* kinds) {
  switch (problem.data_type) {
    case DataType::float32:
      return find_kinds(problem, variant, static_cast<const float*>(weight), kinds);
    case DataType::float64:
      return find_kinds(problem, variant, static_cast<const double*>(weight), kinds);
    case DataType::bfloat16:
      return find_kinds(problem, variant, static_cast<const BFloat16*>(weight), kinds);
    case DataType::float16:
      return find_kinds(problem, variant, static_cast<const Float16*>(weight), kinds);
  }
  return false;
}

}  // namespace tapconv::kernels
