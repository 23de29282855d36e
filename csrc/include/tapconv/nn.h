// tapconv::nn::Conv1d and tapconv::nn::ConvTranspose1d: the convolution and its transpose as torch::nn modules.
#pragma once

#include <tapconv/export.h>
#include <torch/nn/modules/conv.h>

#include <iosfwd>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapconv::nn {

/// A `torch::nn::Conv1d` whose forward and backward run on tapconv's kernels. Options, parameters, their initialisation
/// and the keys of an archive are those of `torch::nn::Conv1d`, so that `torch::save` and `torch::load` move weights
/// between the two either way.
///
///     tapconv::nn::Conv1d convolution(torch::nn::Conv1dOptions(16, 33, 3).stride(2));
///     auto output = convolution(torch::randn({20, 16, 50}));  // (20, 33, 24)
class TAPCONV_API Conv1dImpl : public torch::nn::ConvNdImpl<1, Conv1dImpl> {
 public:
  Conv1dImpl(int64_t in_channels, int64_t out_channels, torch::ExpandingArray<1> kernel_size);
  /// @param algorithm how forward and backward sum: "auto", "direct", "fft" or "winograd"; see tapconv::conv1d
  /// @throws c10::ValueError for an algorithm that does not exist.
  explicit Conv1dImpl(const torch::nn::Conv1dOptions& options, std::string_view algorithm = "auto");

  /// @param input (batch, in_channels, length) or (in_channels, length)
  /// @return (batch, out_channels, output_length) or (out_channels, output_length); see tapconv::conv1d
  /// @throws c10::Error where `torch::nn::Conv1d` throws one, with the same words.
  torch::Tensor forward(const torch::Tensor& input);

  /// Packs the weight ahead of the calls, for inference: see tapconv::pack_weight. Calls that record no gradient, of
  /// the weight's type and outside of autocast, then use it; all others run as before. The packed weight follows the
  /// weight and the options: a call that finds it stale packs it again. What nothing counts, such as a write to
  /// `weight.data()`, is found by comparing a part of the weight, so that a change of a few numbers of a large one may
  /// be missed; such a call takes the plain weight, and the next one packs. `train()` drops it, archives do not have
  /// it, and a clone packs anew. Threads may call the module while the weight is written to.
  ///
  /// @param input_length samples of a typical input; any other length works too
  /// @param batch        inputs of a typical call
  /// @throws c10::Error in training mode, for a weight that tapconv::pack_weight does not take, and for one that was
  ///         made in inference mode, whose changes cannot be seen.
  void pack(std::optional<int64_t> input_length = {}, int64_t batch = 1);

  /// Drops the packed weight, if there is one.
  void unpack();

  bool is_packed() const { return packing_.get() != nullptr; }

  void train(bool on = true) override;

  /// As torch::nn::Conv1d prints itself, under the name tapconv::nn::Conv1d, with an algorithm that is not "auto".
  void pretty_print(std::ostream& stream) const override;

 private:
  struct Packing;

  // Replaced as a whole, so that calls on other threads go on with the one that they have.
  class SharedPacking {
   public:
    SharedPacking() = default;
    SharedPacking(const SharedPacking& other) : packing_(other.get()) {}
    SharedPacking& operator=(const SharedPacking& other) {
      set(other.get());
      return *this;
    }
    std::shared_ptr<const Packing> get() const {
      const std::lock_guard<std::mutex> lock(mutex_);
      return packing_;
    }
    void set(std::shared_ptr<const Packing> packing) {
      const std::lock_guard<std::mutex> lock(mutex_);
      packing_ = std::move(packing);
    }

   private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Packing> packing_;
  };

  bool records_gradient(const torch::Tensor& input) const;
  std::shared_ptr<const Packing> current_packing();

  std::string algorithm_;
  SharedPacking packing_;
};

/// Holds a Conv1dImpl as `torch::nn::Conv1d` holds its own.
TORCH_MODULE(Conv1d);

/// A `torch::nn::ConvTranspose1d` whose forward and backward run on tapconv's kernels, with the same options,
/// parameters, initialisation and archives.
///
///     tapconv::nn::ConvTranspose1d upsampling(torch::nn::ConvTranspose1dOptions(16, 8, 4).stride(2).padding(1));
///     auto output = upsampling(torch::randn({20, 16, 50}));  // (20, 8, 100)
class TAPCONV_API ConvTranspose1dImpl : public torch::nn::ConvTransposeNdImpl<1, ConvTranspose1dImpl> {
 public:
  ConvTranspose1dImpl(int64_t in_channels, int64_t out_channels, torch::ExpandingArray<1> kernel_size);
  explicit ConvTranspose1dImpl(const torch::nn::ConvTranspose1dOptions& options);

  /// @param input       (batch, in_channels, length) or (in_channels, length)
  /// @param output_size the length of the output, or its whole shape: chooses output_padding in place of the options,
  ///        among the `stride` lengths that a convolution maps to `length`
  /// @return (batch, out_channels, output_length) or (out_channels, output_length); see tapconv::conv_transpose1d
  /// @throws c10::Error where `torch::nn::ConvTranspose1d` throws one, with the same words. That one's output_size
  ///         forgets dilation and refuses unbatched input; here it means what it means in Python.
  torch::Tensor forward(const torch::Tensor& input, const std::optional<at::IntArrayRef>& output_size = std::nullopt);

  /// As torch::nn::ConvTranspose1d prints itself, under the name tapconv::nn::ConvTranspose1d.
  void pretty_print(std::ostream& stream) const override;

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(std::optional<at::IntArrayRef>())})

 private:
  std::vector<int64_t> output_padding_for(const torch::Tensor& input, at::IntArrayRef output_size) const;
};

/// Holds a ConvTranspose1dImpl as `torch::nn::ConvTranspose1d` holds its own.
TORCH_MODULE(ConvTranspose1d);

}  // namespace tapconv::nn
