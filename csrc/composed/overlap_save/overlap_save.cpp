// This file computes the output and the gradient by the input, which are sums of sliding products both.
#include "composed/overlap_save/overlap_save.h"

#include <ATen/EmptyTensor.h>

#include <algorithm>

#include "composed/overlap_save/row_blocks.h"
#include "composed/overlap_save/sliding_sums.h"
#include "composed/overlap_save/storage_types.h"
#include "kernels/conv1d.h"
#include "runtime/each_task.h"

namespace tapconv::composed {
namespace {

using kernels::OverlapSave;
using kernels::Problem;

// Blocks say which blocks are to be computed, or were computed, by unit and group.
using Blocks = std::vector<char>;

bool any(const Blocks& blocks) { return std::find(blocks.begin(), blocks.end(), 1) != blocks.end(); }

// Computes all blocks, or those of `wanted` if there is any: gather(share, results, rows), their sums, and
// scatter(unit, group, results, sums) for each. `in` and `out` count the rows of a group. Returns the blocks that are
// left to double.
template <class Scalar, class Gather, class Scatter>
Blocks each_block(const BlockDivision& d, const SlidingSums<Scalar>& sums, int64_t in, int64_t out,
                  const std::function<int64_t(const Unit&)>& results_of, const Blocks& wanted, const Gather& gather,
                  const Scatter& scatter) {
  const int64_t groups = d.p.groups;
  Blocks left(d.units * groups);
  runtime::each_task(d.tasks(), [&](int64_t task) {
    const Share s = d.share(task);
    const auto is_wanted = [&](int64_t unit, int64_t group) {
      return wanted.empty() || wanted[unit * groups + group] != 0;
    };
    SlidingBlocks blocks{s.group, s.groups, {}};
    for (int64_t i = 0; i < s.units; ++i) {
      bool unit_wanted = false;
      for (int64_t g = s.group; g < s.group + s.groups; ++g) unit_wanted = unit_wanted || is_wanted(s.unit + i, g);
      blocks.results.push_back(unit_wanted ? results_of(d.unit(s.unit + i)) : 0);
    }
    if (std::all_of(blocks.results.begin(), blocks.results.end(), [](int64_t results) { return results == 0; })) return;
    const at::Tensor rows =
        at::detail::empty_cpu({s.units * s.groups * in, d.b.size}, c10::CppTypeToScalarType<Scalar>::value);
    gather(s, blocks.results, rows.template mutable_data_ptr<Scalar>());
    Blocks share_left;
    const at::Tensor tensor = sums.sums_of(rows, blocks, share_left);
    const Scalar* const sum = tensor.template const_data_ptr<Scalar>();
    for (int64_t i = 0; i < s.units * s.groups; ++i) {
      const int64_t unit = s.unit + i / s.groups;
      const int64_t group = s.group + i % s.groups;
      if (share_left[i] != 0) {
        left[unit * groups + group] = 1;
      } else if (is_wanted(unit, group)) {
        scatter(d.unit(unit), group, blocks.results[i / s.groups], sum + i * out * d.b.size);
      }
    }
  });
  return left;
}

template <class Storage>
struct Forward {
  const Problem& p;
  const OverlapSave& b;
  const Storage* input;
  const Storage* weight;
  const Storage* bias;
  Storage* output;

  // Returns false if a weight is not finite. `blocks` comes with those that are wanted, and is left with those that
  // remain.
  template <class Scalar>
  bool run(Blocks& blocks) const {
    const BlockDivision d(p, b, sizeof(Scalar));
    const FilterShape shape{p.groups, d.group_out, d.inputs, b.taps, b.size};
    std::vector<char> lacks_last(d.inputs);
    for (int64_t i = 0; i < d.inputs; ++i) lacks_last[i] = d.taps_of(i % b.segments) < b.taps;
    const SlidingSums<Scalar> sums({shape, lacks_last, std::vector<char>(d.group_out)},
                                   [&](int64_t index, Scalar* taps) {
                                     const Filter f = d.filter(index / d.inputs, index % d.inputs);
                                     for (int64_t j = 0; j < f.taps; ++j)
                                       taps[j] = static_cast<Scalar>(weight[f.at + j * d.tap_distance()]);
                                     std::fill(taps + f.taps, taps + b.taps, Scalar(0));
                                   });
    if (!sums.are_finite()) return false;
    const auto gather = [&](const Share& s, const std::vector<int64_t>& results, Scalar* row) {
      int64_t number = 0;
      d.for_each(s, d.group_in, [&](const Unit& u, int64_t c) {
        const int64_t unit = number++ / (s.groups * d.group_in);
        for (int64_t segment = 0; segment < b.segments; ++segment, row += b.size) {
          gather_input(d, input, u, c, segment, results[unit], row);
        }
      });
    };
    const auto scatter = [&](const Unit& u, int64_t group, int64_t results, const Scalar* sum) {
      for (int64_t o = group * d.group_out; o < (group + 1) * d.group_out; ++o, sum += b.size) {
        const Scalar added = bias == nullptr ? Scalar(0) : static_cast<Scalar>(bias[o]);
        composed::scatter(sum, {u.phase + u.first * b.apart, b.apart, results}, p.output_length, p.output_strides.time,
                          added, output + u.sample * p.output_strides.batch + o * p.output_strides.channel);
      }
    };
    const auto results_of = [&](const Unit& u) { return d.outputs_of(u); };
    blocks = each_block(d, sums, d.inputs, d.group_out, results_of, blocks, gather, scatter);
    return true;
  }
};

// Writes the gradients of positions [-origin, length - origin) to where `strides` say.
template <class Storage, class To>
struct GradInput {
  const Problem& p;
  const OverlapSave& b;
  const Storage* grad_output;
  const Storage* weight;
  int64_t origin;
  int64_t length;
  kernels::ActivationStrides strides;
  To* to;

  template <class Scalar>
  bool run(Blocks& blocks) const {
    const BlockDivision d(p, b, sizeof(Scalar));
    const FilterShape shape{p.groups, d.inputs, d.group_out, b.taps, b.size};
    std::vector<char> lacks_first(d.inputs);
    for (int64_t i = 0; i < d.inputs; ++i) lacks_first[i] = d.taps_of(i % b.segments) < b.taps;
    // The filters are turned round, so that result j sees the gradients from j + 1 - taps to j.
    const SlidingSums<Scalar> sums(
        {shape, std::vector<char>(d.group_out), lacks_first}, [&](int64_t index, Scalar* taps) {
          const int64_t row = index / d.group_out;
          const Filter f = d.filter(row / d.inputs * d.group_out + index % d.group_out, row % d.inputs);
          std::fill(taps, taps + b.taps - f.taps, Scalar(0));
          for (int64_t j = 0; j < f.taps; ++j) {
            taps[b.taps - 1 - j] = static_cast<Scalar>(weight[f.at + j * d.tap_distance()]);
          }
        });
    if (!sums.are_finite()) return false;
    const auto results_of = [&](const Unit& u) {
      return std::clamp<int64_t>(d.outputs_of(u.phase) + b.taps - 1 - u.first, 0, b.hop);
    };
    const auto gather = [&](const Share& s, const std::vector<int64_t>& results, Scalar* row) {
      int64_t number = 0;
      d.for_each(s, d.group_out, [&](const Unit& u, int64_t o) {
        const int64_t count = results[number++ / (s.groups * d.group_out)];
        gather_gradient(d, grad_output, u, o, b.taps - 1, count == 0 ? 0 : count + b.taps - 1, row);
        row += b.size;
      });
    };
    const auto scatter = [&](const Unit& u, int64_t group, int64_t results, const Scalar* sum) {
      for (int64_t i = 0; i < d.inputs; ++i, sum += b.size) {
        const int64_t segment = i % b.segments;
        const int64_t channel = group * d.group_in + i / b.segments;
        // The longest of the segments has as many results.
        const int64_t count = std::clamp<int64_t>(d.outputs_of(u.phase) + d.taps_of(segment) - 1 - u.first, 0, results);
        const int64_t position = u.phase * p.stride + segment * p.dilation - p.padding_left + origin + u.first * b.step;
        composed::scatter(sum, {position, b.step, count}, length, strides.time, Scalar(0),
                          to + u.sample * strides.batch + channel * strides.channel);
      }
    };
    blocks = each_block(d, sums, d.group_out, d.inputs, results_of, blocks, gather, scatter);
    return true;
  }
};

// Computes in the type of the arithmetic, and what that leaves in double.
template <class Storage, class Work>
bool run(const Work& work) {
  using Scalar = ComputeTypeOf<Storage>;
  Blocks blocks;
  if (!work.template run<Scalar>(blocks)) return false;
  if (any(blocks)) work.template run<double>(blocks);
  return true;
}

// Adds the gradients of padded positions to those of the samples that they were copied from.
template <class Scalar, class Storage>
void fold_borders(const Problem& p, const at::Tensor& padded, int64_t length, Storage* to) {
  runtime::each_task(p.batch * p.in_channels, [&](int64_t i) {
    Scalar* const row = padded.mutable_data_ptr<Scalar>() + i * length + p.padding_left;
    const auto fold = [&](int64_t begin, int64_t end) {
      for (int64_t position = begin; position < end; ++position) {
        row[kernels::source_of(position, p)] += row[position];
      }
    };
    fold(-p.padding_left, 0);
    fold(p.input_length, p.input_length + p.padding_right);
    Storage* const channel =
        to + i / p.in_channels * p.input_strides.batch + i % p.in_channels * p.input_strides.channel;
    for (int64_t t = 0; t < p.input_length; ++t) channel[t * p.input_strides.time] = static_cast<Storage>(row[t]);
  });
}

template <class Storage>
bool grad_input_of(const Problem& p, const OverlapSave& b, const at::Tensor& grad_output, const at::Tensor& weight,
                   const at::Tensor& grad_input) {
  using Scalar = ComputeTypeOf<Storage>;
  const Storage* const from = static_cast<const Storage*>(grad_output.const_data_ptr());
  const Storage* const weights = static_cast<const Storage*>(weight.const_data_ptr());
  Storage* const to = static_cast<Storage*>(grad_input.mutable_data_ptr());
  if (p.padding_mode == kernels::PaddingMode::zeros) {
    grad_input.zero_();
    return run<Storage>(GradInput<Storage, Storage>{p, b, from, weights, 0, p.input_length, p.input_strides, to});
  }
  const int64_t length = p.padding_left + p.input_length + p.padding_right;
  const at::Tensor padded =
      at::detail::empty_cpu({p.batch, p.in_channels, length}, c10::CppTypeToScalarType<Scalar>::value);
  padded.zero_();
  const kernels::ActivationStrides strides{p.in_channels * length, length, 1};
  if (!run<Storage>(GradInput<Storage, Scalar>{p, b, from, weights, p.padding_left, length, strides,
                                               padded.mutable_data_ptr<Scalar>()})) {
    return false;
  }
  fold_borders<Scalar>(p, padded, length, to);
  return true;
}

template <class Storage>
bool forward_of(const Problem& p, const OverlapSave& b, const at::Tensor& input, const at::Tensor& weight,
                const at::Tensor& bias, const at::Tensor& output) {
  return run<Storage>(Forward<Storage>{p, b, static_cast<const Storage*>(input.const_data_ptr()),
                                       static_cast<const Storage*>(weight.const_data_ptr()),
                                       bias.defined() ? static_cast<const Storage*>(bias.const_data_ptr()) : nullptr,
                                       static_cast<Storage*>(output.mutable_data_ptr())});
}

}  // namespace

std::optional<OverlapSave> overlap_save_for(const Problem& problem, kernels::Direction direction) {
  return kernels::choose_overlap_save(problem, direction, kernels::current_instruction_set());
}

bool overlap_save_forward(const Problem& p, const OverlapSave& blocks, const at::Tensor& input,
                          const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& output) {
  return with_storage_of(
      input, [&](auto storage) { return forward_of<decltype(storage)>(p, blocks, input, weight, bias, output); });
}

bool overlap_save_grad_input(const Problem& p, const OverlapSave& blocks, const at::Tensor& grad_output,
                             const at::Tensor& weight, const at::Tensor& grad_input) {
  return with_storage_of(weight, [&](auto storage) {
    return grad_input_of<decltype(storage)>(p, blocks, grad_output, weight, grad_input);
  });
}

}  // namespace tapconv::composed
