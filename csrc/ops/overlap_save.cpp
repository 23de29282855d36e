#include "ops/overlap_save.h"

#include <ATen/EmptyTensor.h>

#include <atomic>
#include <memory>

#include "kernels/blocking.h"
#include "ops/each_task.h"
#include "ops/row_blocks.h"
#include "ops/spectra.h"

namespace tapconv::ops {
namespace {

using kernels::OverlapSave;
using kernels::Problem;

constexpr int64_t task_bytes = 4 << 20;          // of the blocks that go through the library at a time
constexpr int64_t matrix_task_bytes = 32 << 20;  // where products of spectra are matrix products
constexpr int64_t matrix_units = 8;
constexpr int64_t wanted_parts = 8;  // of the weight gradient's sums, for threads to work on
constexpr int64_t most_parts_bytes = 64 << 20;

at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::detail::empty_cpu(shape, type);
  return tensor.zero_();
}

// One direction of one problem, in the types of its tensors.
template <class Scalar, class Storage>
class Runner {
  static constexpr at::ScalarType real = c10::CppTypeToScalarType<Scalar>::value;
  static constexpr at::ScalarType complex = c10::CppTypeToScalarType<c10::complex<Scalar>>::value;

 public:
  Runner(const Problem& problem, const OverlapSave& blocks)
      : p_(problem),
        b_(blocks),
        group_in_(problem.in_channels / problem.groups),
        group_out_(problem.out_channels / problem.groups),
        inputs_(group_in_ * blocks.segments),
        frequencies_(blocks.size / 2 + 1),
        units_(problem.batch * blocks.phases * blocks.blocks) {
    gradient_problem_ = problem;
    gradient_problem_.padding_mode = kernels::PaddingMode::zeros;
    gradient_problem_.input_length = problem.output_length;
    gradient_problem_.input_strides = problem.output_strides;
    divide();
  }

  void forward(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& output,
               const DirectPart& direct) {
    Problem part = p_;
    part.algorithm = kernels::AlgorithmRequest::direct;
    const at::Tensor filters = filter_spectra(weight, /*conjugate=*/true);
    if (overflows_) return direct(part, 0, 0);
    const at::Tensor arranged = arrange_filters(filters);
    const auto flags = std::make_unique<std::atomic<bool>[]>(units_);
    const Storage* const from = static_cast<const Storage*>(input.const_data_ptr());
    const Storage* const biases = bias.defined() ? static_cast<const Storage*>(bias.const_data_ptr()) : nullptr;
    Storage* const to = static_cast<Storage*>(output.mutable_data_ptr());
    each_task(unit_blocks_ * group_blocks_, [&](int64_t task) {
      const Share s = share(task);
      const at::Tensor spectra = input_spectra(from, s, [&](int64_t unit) { flags[unit] = true; });
      const at::Tensor products =
          multiply(spectra, arranged.narrow(0, s.group, s.groups), group_out_, inputs_).view({-1, frequencies_});
      const at::Tensor rows = rows_of(products, b_.size);
      const Scalar* row = rows.const_data_ptr<Scalar>();
      for_each(s, group_out_, [&](const Unit& u, int64_t o) {
        const Scalar added = biases == nullptr ? Scalar(0) : static_cast<Scalar>(biases[o]);
        scatter(row, {u.phase + u.first * b_.apart, b_.apart, b_.hop}, p_.output_length, p_.output_strides.time, added,
                to + u.sample * p_.output_strides.batch + o * p_.output_strides.channel);
        row += b_.size;
      });
    });
    for (int64_t i = 0; i < units_; ++i) {
      const Unit u = unit(i);
      const int64_t count = std::min(b_.hop, outputs_of(u.phase) - u.first);
      if (!flags[i] || count <= 0) continue;
      const int64_t time = u.phase + u.first * b_.apart;
      part.batch = 1;
      part.output_length = count;
      part.padding_left = p_.padding_left - time * p_.stride;
      part.stride = p_.stride * b_.apart;
      part.output_strides.time = p_.output_strides.time * b_.apart;
      direct(part, u.sample, time * p_.output_strides.time);
    }
  }

  bool grad_input(const at::Tensor& grad_output, const at::Tensor& weight, const at::Tensor& grad_input) {
    const at::Tensor filters = filter_spectra(weight, /*conjugate=*/false);
    if (overflows_) return false;
    const at::Tensor arranged = arrange_filters(filters.transpose(1, 2));
    const Storage* const from = static_cast<const Storage*>(grad_output.const_data_ptr());
    if (p_.padding_mode == kernels::PaddingMode::zeros) {
      grad_input.zero_();
      const kernels::ActivationStrides& strides = p_.input_strides;
      add_filters_spread(from, arranged, 0, p_.input_length, strides,
                         static_cast<Storage*>(grad_input.mutable_data_ptr()));
      return !overflows_;
    }
    const int64_t length = p_.padding_left + p_.input_length + p_.padding_right;
    const at::Tensor padded = zeros({p_.batch, p_.in_channels, length}, real);
    add_filters_spread(from, arranged, p_.padding_left, length, {p_.in_channels * length, length, 1},
                       padded.mutable_data_ptr<Scalar>());
    if (!overflows_) fold_borders(padded, length, static_cast<Storage*>(grad_input.mutable_data_ptr()));
    return !overflows_;
  }

  bool grad_weight(const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& grad_weight,
                   const at::Tensor& grad_bias) {
    const int64_t filters = p_.groups * group_out_ * inputs_;
    const int64_t filter_bytes = filters * b_.size * static_cast<int64_t>(sizeof(Scalar));
    const int64_t parts = std::max<int64_t>(
        std::min({kernels::divide_up(wanted_parts, group_blocks_), unit_blocks_, most_parts_bytes / filter_bytes}), 1);
    const at::Tensor sums = zeros({parts, p_.groups, group_out_, inputs_, frequencies_}, complex);
    const at::Tensor biases = zeros({parts, p_.out_channels}, real);
    const Storage* const gradients = static_cast<const Storage*>(grad_output.const_data_ptr());
    const Storage* const samples = static_cast<const Storage*>(input.const_data_ptr());
    each_task(parts * group_blocks_, [&](int64_t task) {
      const int64_t part = task / group_blocks_;
      for (int64_t block = part * unit_blocks_ / parts; block < (part + 1) * unit_blocks_ / parts; ++block) {
        const Share s = share(block * group_blocks_ + task % group_blocks_);
        const auto overflow = [&](int64_t) { overflows_ = true; };
        const at::Tensor inputs = input_spectra(samples, s, overflow);
        const at::Tensor outputs = gradient_spectra(gradients, s, 0, b_.hop, overflow);
        at::Tensor sum = sums[part].narrow(0, s.group, s.groups);
        add_correlations(outputs, inputs, sum);
        // The lowest frequency of a block is the sum of its samples.
        const c10::complex<Scalar>* spectrum = outputs.const_data_ptr<c10::complex<Scalar>>();
        Scalar* const bias = biases.mutable_data_ptr<Scalar>() + part * p_.out_channels;
        for_each(s, group_out_, [&](const Unit&, int64_t o) {
          bias[o] += spectrum->real();
          spectrum += frequencies_;
        });
      }
    });
    if (overflows_) return false;
    const at::Tensor sum = sums[0];
    const at::Tensor bias = biases[0];
    for (int64_t part = 1; part < parts; ++part) {
      sum.add_(sums[part]);
      bias.add_(biases[part]);
    }
    write_filters(sum.view({filters, frequencies_}), static_cast<Storage*>(grad_weight.mutable_data_ptr()));
    if (grad_bias.defined()) grad_bias.copy_(bias);
    return true;
  }

 private:
  // A block of one row.
  struct Unit {
    int64_t sample;
    int64_t phase;
    int64_t first;  // result of the row
  };

  // What one task works on: units [unit, unit + units) of groups [group, group + groups).
  struct Share {
    int64_t unit;
    int64_t units;
    int64_t group;
    int64_t groups;
  };

  void divide() {
    const int64_t rows = std::max(inputs_, group_out_);
    const int64_t row_bytes = b_.size * static_cast<int64_t>(sizeof(Scalar));
    const int64_t wanted = std::max<int64_t>(task_bytes / row_bytes, 2);
    task_groups_ = kernels::even_block(p_.groups, std::clamp<int64_t>(wanted / rows, 1, p_.groups));
    int64_t units = wanted / (task_groups_ * rows);
    if (rows > 1)
      units = std::max(units, std::min(matrix_units, matrix_task_bytes / (task_groups_ * rows * row_bytes)));
    task_units_ = kernels::even_block(units_, std::clamp<int64_t>(units, 1, units_));
    unit_blocks_ = kernels::divide_up(units_, task_units_);
    group_blocks_ = kernels::divide_up(p_.groups, task_groups_);
  }

  Share share(int64_t task) const {
    const int64_t unit = task / group_blocks_ * task_units_;
    const int64_t group = task % group_blocks_ * task_groups_;
    return {unit, std::min(task_units_, units_ - unit), group, std::min(task_groups_, p_.groups - group)};
  }

  Unit unit(int64_t i) const {
    const int64_t row = i / b_.blocks;
    return {row / b_.phases, row % b_.phases, i % b_.blocks * b_.hop};
  }

  int64_t outputs_of(int64_t phase) const { return kernels::divide_up(p_.output_length - phase, b_.apart); }
  int64_t taps_of(int64_t segment) const { return kernels::divide_up(p_.kernel_size - segment, b_.segments); }

  // body(unit, channel) for every unit of the share and each of its channels, `group_channels` to a group.
  template <class Body>
  void for_each(const Share& s, int64_t group_channels, const Body& body) const {
    for (int64_t i = 0; i < s.units; ++i) {
      const Unit u = unit(s.unit + i);
      for (int64_t c = s.group * group_channels; c < (s.group + s.groups) * group_channels; ++c) body(u, c);
    }
  }

  // Gathers rows one after the other, as `body(row)` fills them, and transforms them.
  template <class Body>
  at::Tensor transformed(int64_t count, const Body& body) const {
    const at::Tensor rows = at::detail::empty_cpu({count, b_.size}, real);
    body(rows.mutable_data_ptr<Scalar>());
    return spectra_of(rows);
  }

  // Spectra (units, groups, inputs, frequencies) of the blocks of a share. overflow(unit) tells of those not to be
  // used.
  template <class Overflow>
  at::Tensor input_spectra(const Storage* input, const Share& s, const Overflow& overflow) const {
    const auto fill = [&](Scalar* row) {
      int64_t number = 0;
      for_each(s, group_in_, [&](const Unit& u, int64_t c) {
        const Storage* const channel = input + u.sample * p_.input_strides.batch + c * p_.input_strides.channel;
        for (int64_t segment = 0; segment < b_.segments; ++segment, row += b_.size) {
          const int64_t first = u.phase * p_.stride + segment * p_.dilation - p_.padding_left + u.first * b_.step;
          gather(p_, channel, {first, b_.step, b_.size}, b_.size, row);
          if (may_overflow(row, b_.size)) overflow(s.unit + number / (s.groups * group_in_));
        }
        ++number;
      });
    };
    return transformed(s.units * s.groups * inputs_, fill).view({s.units, s.groups, inputs_, frequencies_});
  }

  // Spectra (units, groups, outputs, frequencies) of `count` gradients from `before` results ahead of each block on.
  template <class Overflow>
  at::Tensor gradient_spectra(const Storage* gradient, const Share& s, int64_t before, int64_t count,
                              const Overflow& overflow) const {
    const auto fill = [&](Scalar* row) {
      for_each(s, group_out_, [&](const Unit& u, int64_t o) {
        const Storage* const channel = gradient + u.sample * p_.output_strides.batch + o * p_.output_strides.channel;
        const int64_t first = u.phase + (u.first - before) * b_.apart;
        gather(gradient_problem_, channel, {first, b_.apart, count}, b_.size, row);
        if (may_overflow(row, b_.size)) overflow(s.unit);
        row += b_.size;
      });
    };
    return transformed(s.units * s.groups * group_out_, fill).view({s.units, s.groups, group_out_, frequencies_});
  }

  // Spectra of the filters: (groups, out, in * segments, frequencies).
  at::Tensor filter_spectra(const at::Tensor& weight, bool conjugate) {
    const int64_t count = p_.groups * group_out_ * inputs_;
    const at::Tensor spectra = at::detail::empty_cpu({count, frequencies_}, complex);
    const Storage* const weights = static_cast<const Storage*>(weight.const_data_ptr());
    each_block_of_filters(count, [&](int64_t first, int64_t last) {
      const auto fill = [&](Scalar* row) {
        for (int64_t i = first; i < last; ++i, row += b_.size) {
          const Filter f = filter(i);
          for (int64_t j = 0; j < f.taps; ++j) {
            row[j] = static_cast<Scalar>(weights[f.at + j * b_.segments * p_.weight_strides.tap]);
          }
          std::fill(row + f.taps, row + b_.size, Scalar(0));
          if (may_overflow(row, f.taps)) overflows_ = true;
        }
      };
      const at::Tensor part = transformed(last - first, fill);
      spectra.narrow(0, first, last - first).copy_(conjugate ? part.conj_physical() : part);
    });
    return spectra.view({p_.groups, group_out_, inputs_, frequencies_});
  }

  void write_filters(const at::Tensor& spectra, Storage* weights) const {
    each_block_of_filters(spectra.size(0), [&](int64_t first, int64_t last) {
      const at::Tensor rows = rows_of(spectra.narrow(0, first, last - first), b_.size);
      const Scalar* row = rows.const_data_ptr<Scalar>();
      for (int64_t i = first; i < last; ++i, row += b_.size) {
        const Filter f = filter(i);
        for (int64_t j = 0; j < f.taps; ++j) {
          weights[f.at + j * b_.segments * p_.weight_strides.tap] = static_cast<Storage>(row[j]);
        }
      }
    });
  }

  // Taps of one segment of one filter, and where its first lies.
  struct Filter {
    int64_t taps;
    int64_t at;
  };
  Filter filter(int64_t i) const {
    const int64_t segment = i % b_.segments;
    const int64_t channel = i / b_.segments % group_in_;
    const int64_t out = i / inputs_;
    const kernels::WeightStrides& s = p_.weight_strides;
    return {taps_of(segment), out * s.out_channel + channel * s.in_channel + segment * s.tap};
  }

  template <class Body>
  void each_block_of_filters(int64_t count, const Body& body) const {
    const int64_t block = std::max<int64_t>(task_bytes / (b_.size * static_cast<int64_t>(sizeof(Scalar))), 2);
    each_task(kernels::divide_up(count, block), [&](int64_t i) { body(i * block, std::min((i + 1) * block, count)); });
  }

  // The gradients of positions [-origin, length - origin) by `filters`, arranged, to where `strides` say.
  template <class To>
  void add_filters_spread(const Storage* grad_output, const at::Tensor& filters, int64_t origin, int64_t length,
                          const kernels::ActivationStrides& strides, To* to) {
    each_task(unit_blocks_ * group_blocks_, [&](int64_t task) {
      const Share s = share(task);
      const at::Tensor gradients =
          gradient_spectra(grad_output, s, b_.taps - 1, b_.size, [&](int64_t) { overflows_ = true; });
      const at::Tensor products =
          multiply(gradients, filters.narrow(0, s.group, s.groups), inputs_, group_out_).view({-1, frequencies_});
      const at::Tensor rows = rows_of(products, b_.size);
      const Scalar* row = rows.const_data_ptr<Scalar>() + b_.taps - 1;
      for_each(s, group_in_, [&](const Unit& u, int64_t c) {
        for (int64_t segment = 0; segment < b_.segments; ++segment, row += b_.size) {
          const int64_t results = outputs_of(u.phase) + taps_of(segment) - 1;
          const int64_t position =
              u.phase * p_.stride + segment * p_.dilation - p_.padding_left + origin + u.first * b_.step;
          const int64_t count = std::clamp<int64_t>(results - u.first, 0, b_.hop);
          scatter(row, {position, b_.step, count}, length, strides.time, Scalar(0),
                  to + u.sample * strides.batch + c * strides.channel);
        }
      });
    });
  }

  // Adds the gradients of padded positions to those of the samples that they were copied from.
  void fold_borders(const at::Tensor& padded, int64_t length, Storage* to) const {
    each_task(p_.batch * p_.in_channels, [&](int64_t i) {
      Scalar* const row = padded.mutable_data_ptr<Scalar>() + i * length + p_.padding_left;
      const auto fold = [&](int64_t begin, int64_t end) {
        for (int64_t position = begin; position < end; ++position) {
          row[kernels::source_of(position, p_)] += row[position];
        }
      };
      fold(-p_.padding_left, 0);
      fold(p_.input_length, p_.input_length + p_.padding_right);
      Storage* const channel =
          to + i / p_.in_channels * p_.input_strides.batch + i % p_.in_channels * p_.input_strides.channel;
      for (int64_t t = 0; t < p_.input_length; ++t) channel[t * p_.input_strides.time] = static_cast<Storage>(row[t]);
    });
  }

  const Problem& p_;
  const OverlapSave& b_;
  const int64_t group_in_;
  const int64_t group_out_;
  const int64_t inputs_;  // of a group: its channels' segments
  const int64_t frequencies_;
  const int64_t units_;
  Problem gradient_problem_;  // of gathering gradients
  int64_t task_units_ = 0;
  int64_t task_groups_ = 0;
  int64_t unit_blocks_ = 0;
  int64_t group_blocks_ = 0;
  std::atomic<bool> overflows_ = false;
};

// run(runner) with the runner for a type.
template <class Run>
auto with_runner(at::ScalarType type, const Problem& problem, const OverlapSave& blocks, const Run& run) {
  switch (type) {
    case at::kDouble:
      return run(Runner<double, double>(problem, blocks));
    case at::kBFloat16:
      return run(Runner<float, at::BFloat16>(problem, blocks));
    case at::kHalf:
      return run(Runner<float, at::Half>(problem, blocks));
    default:
      return run(Runner<float, float>(problem, blocks));
  }
}

}  // namespace

void overlap_save_forward(const Problem& problem, const OverlapSave& blocks, const at::Tensor& input,
                          const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& output,
                          const DirectPart& direct) {
  with_runner(input.scalar_type(), problem, blocks,
              [&](auto&& runner) { runner.forward(input, weight, bias, output, direct); });
}

bool overlap_save_grad_input(const Problem& problem, const OverlapSave& blocks, const at::Tensor& grad_output,
                             const at::Tensor& weight, const at::Tensor& grad_input) {
  return with_runner(weight.scalar_type(), problem, blocks,
                     [&](auto&& runner) { return runner.grad_input(grad_output, weight, grad_input); });
}

bool overlap_save_grad_weight(const Problem& problem, const OverlapSave& blocks, const at::Tensor& grad_output,
                              const at::Tensor& input, const at::Tensor& grad_weight, const at::Tensor& grad_bias) {
  return with_runner(input.scalar_type(), problem, blocks,
                     [&](auto&& runner) { return runner.grad_weight(grad_output, input, grad_weight, grad_bias); });
}

}  // namespace tapconv::ops
