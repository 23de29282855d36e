#include "composed/any_device/device_overlap_save.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "composed/any_device/padding.h"
#include "composed/spectra.h"

namespace tapconv::composed {
namespace {

using kernels::Direction;
using kernels::OverlapSave;
using kernels::Problem;

// The blocks and spectra of a part of the batch may take so much memory at a time.
constexpr int64_t part_bytes = int64_t{512} << 20;

at::ScalarType compute_type_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

class Blocks {
 public:
  Blocks(const Problem& problem, Direction direction)
      : p_(problem),
        b_(kernels::cheapest_overlap_save(problem, direction)),
        group_in_(p_.in_channels / p_.groups),
        group_out_(p_.out_channels / p_.groups),
        inputs_(group_in_ * b_.segments),
        frequencies_(b_.size / 2 + 1) {}

  at::Tensor forward(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) const {
    const at::Tensor filters = arrange_filters(filter_spectra(weight).conj_physical());
    const at::Tensor wide_bias = bias.defined() ? bias.to(compute_type_of(input)).unsqueeze(-1) : at::Tensor();
    return by_parts([&](int64_t first, int64_t samples) {
      const at::Tensor products =
          multiply(input_spectra(input.narrow(0, first, samples)), filters, group_out_, inputs_);
      const at::Tensor rows = rows_of(products.reshape({-1, frequencies_}), b_.size).narrow(1, 0, b_.hop);
      // Result i of phase r is output r + phases * i.
      at::Tensor output = rows.reshape({samples, b_.phases, b_.blocks, p_.out_channels, b_.hop})
                              .permute({0, 3, 2, 4, 1})
                              .reshape({samples, p_.out_channels, b_.blocks * b_.hop * b_.phases})
                              .narrow(-1, 0, p_.output_length);
      if (wide_bias.defined()) output = output.add(wide_bias);
      return output.to(input.scalar_type()).contiguous();
    });
  }

  at::Tensor grad_input(const at::Tensor& grad_output, const at::Tensor& weight) const {
    const at::Tensor filters = arrange_filters(filter_spectra(weight).transpose(1, 2));
    return by_parts([&](int64_t first, int64_t samples) {
      const at::Tensor gradients = gradient_spectra(grad_output.narrow(0, first, samples), b_.taps - 1, b_.size);
      const at::Tensor products = multiply(gradients, filters, inputs_, group_out_);
      const at::Tensor rows = rows_of(products.reshape({-1, frequencies_}), b_.size).narrow(1, b_.taps - 1, b_.hop);
      return spread(rows, samples).to(weight.scalar_type()).contiguous();
    });
  }

  at::Tensor grad_weight(const at::Tensor& grad_output, const at::Tensor& input) const {
    at::Tensor sum;
    each_part([&](int64_t first, int64_t samples) {
      const at::Tensor inputs = input_spectra(input.narrow(0, first, samples));
      const at::Tensor outputs = gradient_spectra(grad_output.narrow(0, first, samples), 0, b_.hop).conj_physical();
      const at::Tensor products = correlations(outputs, inputs);
      sum = sum.defined() ? sum.add_(products) : products;
    });
    const at::Tensor taps = rows_of(sum.reshape({-1, frequencies_}), b_.size).narrow(1, 0, b_.taps);
    return taps.reshape({p_.out_channels, group_in_, b_.segments, b_.taps})
        .transpose(2, 3)
        .reshape({p_.out_channels, group_in_, b_.taps * b_.segments})
        .narrow(-1, 0, p_.kernel_size)
        .to(input.scalar_type())
        .contiguous();
  }

 private:
  // Calls body(first, samples) for parts of the batch.
  template <class Body>
  void each_part(const Body& body) const {
    const int64_t rows = b_.phases * b_.blocks * (p_.groups * inputs_ + p_.out_channels);
    // There is a row and its spectrum, and as much again while one is made from the other.
    const int64_t sample_bytes = rows * b_.size * 4 * (p_.data_type == kernels::DataType::float64 ? 8 : 4);
    const int64_t samples = std::clamp<int64_t>(part_bytes / sample_bytes, 1, p_.batch);
    for (int64_t first = 0; first < p_.batch; first += samples) body(first, std::min(samples, p_.batch - first));
  }

  template <class Body>
  at::Tensor by_parts(const Body& body) const {
    std::vector<at::Tensor> parts;
    each_part([&](int64_t first, int64_t samples) { parts.push_back(body(first, samples)); });
    return parts.size() == 1 ? parts.front() : at::cat(parts);
  }

  // Appends zeros to the last dimension, or cuts it.
  static at::Tensor resized(const at::Tensor& tensor, int64_t length) {
    const int64_t missing = length - tensor.size(-1);
    return missing <= 0 ? tensor.narrow(-1, 0, length) : at::constant_pad_nd(tensor, {0, missing});
  }

  // Returns how many positions there are from the first to the last that `count` results of every row begin at, the
  // lead of segments included.
  int64_t reach(int64_t count) const {
    return (b_.phases - 1) * p_.stride + (b_.segments - 1) * p_.dilation + (count - 1) * b_.step + 1;
  }

  // Returns spectra (units, groups, inputs, frequencies) of the samples' blocks. A unit is a block of a phase of a
  // sample.
  at::Tensor input_spectra(const at::Tensor& input) const {
    const at::Tensor padded = pad(p_, input, p_.padding_left, p_.padding_right);
    const at::Tensor samples = resized(padded, reach((b_.blocks - 1) * b_.hop + b_.size));
    const int64_t time = samples.stride(-1);
    const at::Tensor blocks =
        samples.as_strided({input.size(0), b_.phases, b_.blocks, p_.in_channels, b_.segments, b_.size},
                           {samples.stride(0), p_.stride * time, b_.hop * b_.step * time, samples.stride(1),
                            p_.dilation * time, b_.step * time});
    return spectra_of(as_rows(blocks)).view({-1, p_.groups, inputs_, frequencies_});
  }

  // Returns spectra (units, groups, out, frequencies) of `count` gradients from `before` results ahead of each block
  // on.
  at::Tensor gradient_spectra(const at::Tensor& grad_output, int64_t before, int64_t count) const {
    const int64_t length = (b_.blocks - 1) * b_.hop + count;  // of a row, with what is ahead of it
    // Output r + apart * i belongs to row r, and zeros fill the rows up.
    const at::Tensor whole = at::constant_pad_nd(grad_output, {before * b_.apart, 0});
    const at::Tensor rows = resized(whole, length * b_.apart);
    const at::Tensor blocks = rows.as_strided({grad_output.size(0), b_.phases, b_.blocks, p_.out_channels, count},
                                              {rows.stride(0), rows.stride(-1), b_.hop * b_.apart * rows.stride(-1),
                                               rows.stride(1), b_.apart * rows.stride(-1)});
    return spectra_of(resized(as_rows(blocks), b_.size)).view({-1, p_.groups, group_out_, frequencies_});
  }

  // Returns spectra (groups, out, inputs, frequencies) of the filters' segments. Tap q + j * segments is tap j of
  // segment q.
  at::Tensor filter_spectra(const at::Tensor& weight) const {
    const at::Tensor taps = resized(weight, b_.taps * b_.segments)
                                .reshape({p_.out_channels, group_in_, b_.taps, b_.segments})
                                .transpose(2, 3);
    return spectra_of(resized(as_rows(taps), b_.size)).view({p_.groups, group_out_, inputs_, frequencies_});
  }

  static at::Tensor as_rows(const at::Tensor& blocks) {
    return blocks.to(compute_type_of(blocks)).reshape({-1, blocks.size(-1)});
  }

  // Returns (groups, out, in, frequencies): the sum over units of inputs (units, groups, in, frequencies) times outputs
  // (units, groups, out, frequencies).
  at::Tensor correlations(const at::Tensor& outputs, const at::Tensor& inputs) const {
    if (group_out_ == 1 && inputs_ == 1) return outputs.mul(inputs).sum(0).view({p_.groups, 1, 1, frequencies_});
    const int64_t units = inputs.size(0);
    const int64_t matrices = p_.groups * frequencies_;
    const at::Tensor left = outputs.permute({1, 3, 2, 0}).reshape({matrices, group_out_, units});
    const at::Tensor right = inputs.permute({1, 3, 0, 2}).reshape({matrices, units, inputs_});
    return at::bmm(left, right).view({p_.groups, frequencies_, group_out_, inputs_}).permute({0, 2, 3, 1});
  }

  // Result i of phase r and segment q is the gradient of padded position r * stride + q * dilation + i * step. No
  // position has two results: modulo step they all differ.
  at::Tensor spread(const at::Tensor& rows, int64_t samples) const {
    const int64_t results = b_.blocks * b_.hop;
    const int64_t padded_length = p_.padding_left + p_.input_length + p_.padding_right;
    const int64_t length = std::max(reach(results), padded_length);
    const at::Tensor padded = at::zeros({samples, p_.in_channels, length}, rows.options());
    const at::Tensor gradients = rows.view({samples, b_.phases, b_.blocks, p_.in_channels, b_.segments, b_.hop})
                                     .permute({0, 3, 1, 4, 2, 5})
                                     .reshape({samples, p_.in_channels, b_.phases, b_.segments, results});
    padded
        .as_strided({samples, p_.in_channels, b_.phases, b_.segments, results},
                    {padded.stride(0), padded.stride(1), p_.stride, p_.dilation, b_.step})
        .copy_(gradients);
    return fold_padding(p_, padded.narrow(-1, 0, padded_length), p_.padding_left, p_.padding_right);
  }

  const Problem& p_;
  const OverlapSave b_;
  const int64_t group_in_;
  const int64_t group_out_;
  const int64_t inputs_;  // of a group: its channels' segments
  const int64_t frequencies_;
};

}  // namespace

at::Tensor device_overlap_save_forward(const Problem& problem, const at::Tensor& input, const at::Tensor& weight,
                                       const at::Tensor& bias) {
  return Blocks(problem, Direction::forward).forward(input, weight, bias);
}

at::Tensor device_overlap_save_grad_input(const Problem& problem, const at::Tensor& grad_output,
                                          const at::Tensor& weight) {
  return Blocks(problem, Direction::grad_input).grad_input(grad_output, weight);
}

at::Tensor device_overlap_save_grad_weight(const Problem& problem, const at::Tensor& grad_output,
                                           const at::Tensor& input) {
  return Blocks(problem, Direction::grad_weight).grad_weight(grad_output, input);
}

}  // namespace tapconv::composed
