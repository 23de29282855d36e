// The gradient by the weight is, block by block, the sum over outputs i of gradient[o][i] * row[j + i] for each tap j
// of each input, summed over all blocks. The spectra of the blocks are summed and transformed back once. What does not
// suit a transform of its own (levels.h) is summed beside that.
#include <ATen/EmptyTensor.h>

#include <atomic>
#include <cmath>
#include <optional>
#include <utility>

#include "composed/accuracy/magnitudes.h"
#include "composed/accuracy/special_block.h"
#include "composed/accuracy/whole_numbers.h"
#include "composed/overlap_save/block_filters.h"
#include "composed/overlap_save/overlap_save.h"
#include "composed/overlap_save/row_blocks.h"
#include "composed/overlap_save/storage_types.h"
#include "composed/spectra.h"
#include "runtime/each_task.h"

namespace tapconv::composed {
namespace {

using kernels::OverlapSave;
using kernels::Problem;

constexpr int64_t wanted_parts = 8;  // of the sums, for threads to work on
constexpr int64_t max_parts_bytes = 64 << 20;

at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::detail::empty_cpu(shape, type);
  return tensor.zero_();
}

// Holds the gradient of one output in one block.
template <class Scalar>
struct Gradient {
  double magnitude = 0;  // the sum of magnitudes
  bool sparse = false;
  std::vector<std::pair<int64_t, Scalar>> taps;  // if it is
};

template <class Scalar, class Storage>
class GradWeight {
  static constexpr at::ScalarType real = c10::CppTypeToScalarType<Scalar>::value;
  static constexpr at::ScalarType complex = c10::CppTypeToScalarType<c10::complex<Scalar>>::value;

 public:
  // `whole` says that all numbers are whole and their sums exact. Then so are the results.
  GradWeight(const Problem& problem, const OverlapSave& blocks, const at::Tensor& grad_output, const at::Tensor& input,
             bool whole)
      : d_(problem, blocks, sizeof(Scalar)),
        b_(blocks),
        frequencies_(blocks.size / 2 + 1),
        gradients_(static_cast<const Storage*>(grad_output.const_data_ptr())),
        input_(static_cast<const Storage*>(input.const_data_ptr())),
        whole_(whole) {}

  bool run(const at::Tensor& grad_weight, const at::Tensor& grad_bias) {
    const Problem& p = d_.p;
    const int64_t filters = p.out_channels * d_.inputs;
    const int64_t filter_bytes = filters * b_.size * static_cast<int64_t>(sizeof(Scalar));
    const int64_t parts = std::max<int64_t>(
        std::min({kernels::ceil_div(wanted_parts, d_.group_blocks), d_.unit_blocks, max_parts_bytes / filter_bytes}),
        1);
    const at::Tensor sums = zeros({parts, p.groups, d_.group_out, d_.inputs, frequencies_}, complex);
    const at::Tensor biases = zeros({parts, p.out_channels}, at::kDouble);
    std::vector<std::vector<Scalar>> direct(parts * d_.group_blocks);
    runtime::each_task(parts * d_.group_blocks, [&](int64_t task) {
      const int64_t part = task / d_.group_blocks;
      double* const bias = biases.mutable_data_ptr<double>() + part * p.out_channels;
      const int64_t end = (part + 1) * d_.unit_blocks / parts;
      for (int64_t block = part * d_.unit_blocks / parts; block < end && !overflows_; ++block) {
        const Share s = d_.share(block * d_.group_blocks + task % d_.group_blocks);
        at::Tensor sum = sums[part].narrow(0, s.group, s.groups);
        add_blocks(s, sum, bias, direct[task]);
      }
    });
    if (overflows_) return false;
    const at::Tensor sum = sums[0];
    for (int64_t part = 1; part < parts; ++part) sum.add_(sums[part]);
    write(sum.view({filters, frequencies_}), direct, static_cast<Storage*>(grad_weight.mutable_data_ptr()));
    if (grad_bias.defined()) grad_bias.copy_(biases.sum(0));
    return true;
  }

 private:
  // Adds what some blocks contribute: to spectra, to biases, and to the sums (groups, out, inputs, taps) of what is
  // computed beside, which are made when they are needed.
  void add_blocks(const Share& s, at::Tensor& sum, double* bias, std::vector<Scalar>& direct) {
    const int64_t out = d_.group_out;
    const at::Tensor gradient_rows = at::detail::empty_cpu({s.units * s.groups * out, b_.size}, real);
    std::vector<Gradient<Scalar>> gradients(gradient_rows.size(0));
    gather_gradients(s, gradient_rows.mutable_data_ptr<Scalar>(), gradients, bias);
    const at::Tensor rows = at::detail::empty_cpu({s.units * s.groups * d_.inputs, b_.size}, real);
    gather_inputs(s, rows.mutable_data_ptr<Scalar>());
    if (overflows_) return;

    Scalar* const x = rows.mutable_data_ptr<Scalar>();
    Scalar* const g = gradient_rows.mutable_data_ptr<Scalar>();
    bool all_sparse = true;
    for (int64_t i = 0; i < s.units * s.groups; ++i) {
      add_sparse(s, i, gradients.data() + i * out, x + i * d_.inputs * b_.size, g + i * out * b_.size, direct);
      for (int64_t o = 0; o < out; ++o) all_sparse = all_sparse && gradients[i * out + o].sparse;
    }
    if (all_sparse) return;
    const at::Tensor outputs = spectra_of(gradient_rows);
    if (!whole_) {
      for (int64_t i = 0; i < s.units * s.groups; ++i) {
        const double gain = gain_of(gradients.data() + i * out, outputs, i * out);
        if (gain == 0) continue;
        const Blocks blocks{
            s, i, gain, gradients.data() + i * out, g + i * out * b_.size, outputs.narrow(0, i * out, out)};
        for (int64_t input = 0; input < d_.inputs; ++input) {
          separate(blocks, input, x + (i * d_.inputs + input) * b_.size, direct);
        }
      }
    }
    const at::Tensor inputs = spectra_of(rows);
    add_correlations(outputs.view({s.units, s.groups, out, frequencies_}),
                     inputs.view({s.units, s.groups, d_.inputs, frequencies_}), sum);
  }

  // Describes a block of one group, the item-th of its share.
  struct Blocks {
    const Share& share;
    int64_t item;
    double gain;
    const Gradient<Scalar>* gradients;
    const Scalar* rows;  // of gradients
    at::Tensor spectra;  // of gradients
  };

  int64_t results_of(const Share& s, int64_t item) const { return d_.outputs_of(d_.unit(s.unit + item / s.groups)); }

  void gather_gradients(const Share& s, Scalar* row, std::vector<Gradient<Scalar>>& gradients, double* bias) {
    const double most =
        kernels::block_row_cost(b_.size) / (direct_product_cost * static_cast<double>(b_.taps * d_.inputs));
    size_t number = 0;
    d_.for_each(s, d_.group_out, [&](const Unit& u, int64_t o) {
      const int64_t count = d_.outputs_of(u);
      gather_gradient(d_, gradients_, u, o, 0, count, row);
      Gradient<Scalar>& gradient = gradients[number++];
      check_range(row, count);
      const RowSums sums = sums_of(row, count);
      gradient.magnitude = sums.magnitude;
      bias[o] += sums.sum;
      gradient.sparse = sums.nonzero <= most;
      for (int64_t i = 0; i < count && gradient.sparse; ++i) {
        if (row[i] != 0) gradient.taps.emplace_back(i, row[i]);
      }
      row += b_.size;
    });
  }

  void gather_inputs(const Share& s, Scalar* row) {
    d_.for_each(s, d_.group_in, [&](const Unit& u, int64_t c) {
      for (int64_t segment = 0; segment < b_.segments; ++segment, row += b_.size) {
        gather_input(d_, input_, u, c, segment, d_.outputs_of(u), row);
        check_range(row, b_.size);
      }
    });
  }

  // A NaN, an infinity and what could become one are left to the direct sum altogether.
  void check_range(const Scalar* row, int64_t count) {
    Scalar largest = 0;
    const Magnitude<Scalar> all = measure(row, count, std::max<int64_t>(count, 1), &largest);
    if (!(all.squares <= std::ldexp(Scalar(1), sizeof(Scalar) == 8 ? 700 : 80))) overflows_ = true;
  }

  Scalar* direct_sums(const Share& s, std::vector<Scalar>& direct, int64_t item, int64_t o, int64_t input) const {
    if (direct.empty()) direct.resize(s.groups * d_.group_out * d_.inputs * b_.taps);
    return direct.data() + ((item % s.groups * d_.group_out + o) * d_.inputs + input) * b_.taps;
  }

  // Adds the gradients of few outputs, which then become zero.
  void add_sparse(const Share& s, int64_t item, const Gradient<Scalar>* gradients, const Scalar* x, Scalar* g,
                  std::vector<Scalar>& direct) const {
    for (int64_t o = 0; o < d_.group_out; ++o) {
      if (!gradients[o].sparse) continue;
      std::fill(g + o * b_.size, g + (o + 1) * b_.size, Scalar(0));
      if (gradients[o].taps.empty()) continue;
      for (int64_t i = 0; i < d_.inputs; ++i) {
        Scalar* const to = direct_sums(s, direct, item, o, i);
        const int64_t taps = d_.taps_of(i % b_.segments);
        for (const auto& [at, value] : gradients[o].taps) {
          const Scalar* const from = x + i * b_.size + at;
          for (int64_t j = 0; j < taps; ++j) to[j] += value * from[j];
        }
      }
    }
  }

  // Returns the largest gain of those that are transformed, over the sum of their magnitudes.
  double gain_of(const Gradient<Scalar>* gradients, const at::Tensor& spectra, int64_t first) const {
    double gain = 0;
    const c10::complex<Scalar>* spectrum = spectra.const_data_ptr<c10::complex<Scalar>>() + first * frequencies_;
    for (int64_t o = 0; o < d_.group_out; ++o, spectrum += frequencies_) {
      if (!gradients[o].sparse) gain = std::max(gain, largest_gain_of(spectrum, frequencies_) / gradients[o].magnitude);
    }
    return gain;
  }

  // Leaves of a row of samples what may be transformed together with all others, and adds the products of the rest.
  void separate(const Blocks& blocks, int64_t input, Scalar* row, std::vector<Scalar>& direct) const {
    const int64_t results = results_of(blocks.share, blocks.item);
    const int64_t taps = d_.taps_of(input % b_.segments);
    const int64_t count = results + taps - 1;
    const int64_t chunk = (results + 1) / 2;
    std::vector<Scalar> chunks(kernels::ceil_div(count, chunk));
    const Magnitude<Scalar> all = measure(row, count, chunk, chunks.data());
    const double mean_square = static_cast<double>(all.squares) / static_cast<double>(b_.size);
    const Scalar quietest = *std::min_element(chunks.begin(), chunks.begin() + count / chunk);
    if (quietest >= min_window(all.largest, mean_square, blocks.gain)) return;

    SpecialBlock<Scalar> special;
    std::vector<Scalar> largest(count);
    for (int64_t i = 0; i < count; ++i) largest[i] = std::abs(row[i]);
    special.windows.emplace_back(taps);
    slide_maximum(largest.data(), taps, results, special.windows[0].data());
    const double out = static_cast<double>(d_.group_out);
    const LevelCosts costs = {
        .transform = (1 + out) * kernels::block_row_cost(b_.size) + out * kernels::block_product_cost(b_.size),
        .window = out * direct_product_cost * static_cast<double>(results),
        .sample = out * direct_product_cost * static_cast<double>(taps)};
    plan_levels(row, 1, count, b_.size, blocks.gain, special.windows, costs, special.plan);
    special.finite.assign(row, row + b_.size);
    for (const Place& place : special.plan.loud) row[place.at] = 0;
    const std::vector<Scalar>& windows = special.windows[0];
    const bool all_windows = std::find(windows.begin(), windows.end(), Scalar(0)) == windows.end();
    if (special.passes() > 1 || !all_windows) {
      std::fill(row, row + b_.size, Scalar(0));
      for (size_t pass = 0; pass < special.passes(); ++pass) add_level(blocks, input, special, pass, direct);
    }
    for (int64_t o = 0; o < d_.group_out; ++o) {
      if (blocks.gradients[o].sparse) continue;
      Scalar* const to = direct_sums(blocks.share, direct, blocks.item, o, input);
      const Scalar* const gradient = blocks.rows + o * b_.size;
      for (const Place& place : special.plan.loud) {
        const Scalar value = special.finite[place.at];
        const int64_t last = std::min(place.at, taps - 1);
        for (int64_t j = std::max<int64_t>(place.at - results + 1, 0); j <= last; ++j) {
          to[j] += value * gradient[place.at - j];
        }
      }
      for (const Place& place : special.plan.direct) {
        to[place.at] += static_cast<Scalar>(dot(gradient, special.finite.data() + place.at, results));
      }
    }
  }

  // Adds the products of one level, for the taps that see a sample of it.
  void add_level(const Blocks& blocks, int64_t input, const SpecialBlock<Scalar>& special, size_t pass,
                 std::vector<Scalar>& direct) const {
    const at::Tensor row = at::detail::empty_cpu({1, b_.size}, real);
    special.fill(pass, row.mutable_data_ptr<Scalar>());
    const at::Tensor products = rows_of(blocks.spectra.conj_physical().mul_(spectra_of(row)), b_.size);
    const Level<Scalar>& level = special.level(pass);
    const std::vector<Scalar>& windows = special.windows[0];
    const Scalar* sums = products.const_data_ptr<Scalar>();
    for (int64_t o = 0; o < d_.group_out; ++o, sums += b_.size) {
      if (blocks.gradients[o].sparse) continue;
      Scalar* const to = direct_sums(blocks.share, direct, blocks.item, o, input);
      for (size_t j = 0; j < windows.size(); ++j) {
        if (windows[j] > level.above) to[j] += scaled(sums[j], level.exponent);
      }
    }
  }

  void write(const at::Tensor& spectra, const std::vector<std::vector<Scalar>>& direct, Storage* weights) const {
    const int64_t block = std::max<int64_t>((int64_t{4} << 20) / (b_.size * static_cast<int64_t>(sizeof(Scalar))), 2);
    const int64_t count = spectra.size(0);
    runtime::each_task(kernels::ceil_div(count, block), [&](int64_t task) {
      const int64_t first = task * block;
      const int64_t last = std::min(first + block, count);
      const at::Tensor rows = rows_of(spectra.narrow(0, first, last - first), b_.size);
      Scalar* row = rows.mutable_data_ptr<Scalar>();
      for (int64_t i = first; i < last; ++i, row += b_.size) {
        const Filter f = d_.filter(i / d_.inputs, i % d_.inputs);
        add_direct(direct, i, f.taps, row);
        for (int64_t j = 0; j < f.taps; ++j) {
          weights[f.at + j * d_.tap_distance()] = static_cast<Storage>(whole_ ? std::nearbyint(row[j]) : row[j]);
        }
      }
    });
  }

  void add_direct(const std::vector<std::vector<Scalar>>& direct, int64_t filter, int64_t taps, Scalar* row) const {
    const int64_t group = filter / (d_.group_out * d_.inputs);
    for (size_t task = 0; task < direct.size(); ++task) {
      const Share s = d_.share(static_cast<int64_t>(task) % d_.group_blocks);
      if (direct[task].empty() || group < s.group || group >= s.group + s.groups) continue;
      const Scalar* const from = direct[task].data() + (filter - s.group * d_.group_out * d_.inputs) * b_.taps;
      for (int64_t j = 0; j < taps; ++j) row[j] += from[j];
    }
  }

  const BlockDivision d_;
  const OverlapSave& b_;
  const int64_t frequencies_;
  const Storage* const gradients_;
  const Storage* const input_;
  const bool whole_;
  std::atomic<bool> overflows_ = false;
};

// If all numbers of both tensors are whole, returns the sums that they can make, and what transforms in double make of
// them.
template <class Storage>
std::optional<WholeSums> whole_sums(const Problem& p, const OverlapSave& b, const Storage* gradients,
                                    const Storage* input) {
  const auto g = whole_numbers(gradients, p.batch, p.out_channels, p.output_length, p.output_strides);
  if (!g) return std::nullopt;
  const auto x = whole_numbers(input, p.batch, p.in_channels, p.input_length, p.input_strides);
  if (!x) return std::nullopt;
  // Blocks overlap, and padding repeats samples.
  const double copies = static_cast<double>(b.size) / static_cast<double>(b.hop) + 1;
  const double padding = static_cast<double>(p.batch * (p.padding_left + p.padding_right)) * x->largest * x->largest;
  const double norms = std::sqrt((x->squares + padding) * copies * g->squares);
  return WholeSums{norms * std::ldexp(1.0, -53) * std::log2(static_cast<double>(b.size)), g->magnitude * x->largest};
}

template <class Storage>
bool grad_weight_of(const Problem& p, const OverlapSave& b, const at::Tensor& grad_output, const at::Tensor& input,
                    const at::Tensor& grad_weight, const at::Tensor& grad_bias) {
  const auto whole = whole_sums(p, b, static_cast<const Storage*>(grad_output.const_data_ptr()),
                                static_cast<const Storage*>(input.const_data_ptr()));
  if (whole && whole->error <= whole_margin) {
    return GradWeight<double, Storage>(p, b, grad_output, input, /*whole=*/true).run(grad_weight, grad_bias);
  }
  // A direct sum in the type has these exact, but no transform does.
  if (whole && whole->largest < std::ldexp(1.0, 53)) return false;
  return GradWeight<ComputeTypeOf<Storage>, Storage>(p, b, grad_output, input, /*whole=*/false)
      .run(grad_weight, grad_bias);
}

}  // namespace

bool overlap_save_grad_weight(const Problem& p, const OverlapSave& blocks, const at::Tensor& grad_output,
                              const at::Tensor& input, const at::Tensor& grad_weight, const at::Tensor& grad_bias) {
  return with_storage_of(input, [&](auto storage) {
    return grad_weight_of<decltype(storage)>(p, blocks, grad_output, input, grad_weight, grad_bias);
  });
}

}  // namespace tapconv::composed
