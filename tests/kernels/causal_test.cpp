// Causal depthwise convolutions with a state, against sums in double precision: every set, type, layout and kind of
// state, equal to the bit on small whole numbers.
#include "kernels/causal/causal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "guarded_buffer.h"
#include "harness.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

// A tensor (rows, channels, times) in memory that notices every stray access.
class Signal {
 public:
  // `order`: 0 times are neighbours, 1 channels are, 2 neither.
  Signal(DataType type, int64_t rows, int64_t channels, int64_t times, int order)
      : type_(type),
        strides_(strides_of(channels, times, order)),
        buffer_(bytes(rows, channels, times), Guard::after) {}

  ActivationStrides strides() const { return strides_; }
  void* data() { return buffer_.data(); }
  bool intact() const { return buffer_.margins_intact(); }
  std::vector<std::byte> copy() { return {buffer_.bytes().begin(), buffer_.bytes().end()}; }

  double get(int64_t row, int64_t channel, int64_t time) {
    uint64_t bits = 0;
    std::memcpy(&bits, at(row, channel, time), format_of(type_).bytes);
    return decode(type_, bits);
  }
  void set(int64_t row, int64_t channel, int64_t time, double value) {
    const uint64_t bits = encode(type_, value);
    std::memcpy(at(row, channel, time), &bits, format_of(type_).bytes);
  }

 private:
  DataType type_;
  ActivationStrides strides_;
  GuardedBuffer buffer_;

  static ActivationStrides strides_of(int64_t channels, int64_t times, int order) {
    if (order == 1) return {channels * times, 1, channels};
    const int64_t apart = order == 2 ? 2 : 1;
    return {channels * times * apart, times * apart, apart};
  }
  size_t bytes(int64_t rows, int64_t channels, int64_t times) const {
    if (rows * channels * times == 0) return 0;
    const int64_t last = (rows - 1) * strides_.batch + (channels - 1) * strides_.channel + (times - 1) * strides_.time;
    return static_cast<size_t>(last + 1) * format_of(type_).bytes;
  }
  std::byte* at(int64_t row, int64_t channel, int64_t time) {
    const int64_t element = row * strides_.batch + channel * strides_.channel + time * strides_.time;
    return static_cast<std::byte*>(buffer_.data()) + static_cast<size_t>(element) * format_of(type_).bytes;
  }
};

struct Case {
  CausalCall call;
  int order;  // of the input and the output, see Signal
  int state_order;
  bool has_bias;
  bool has_state;
  bool has_sequences;
  bool is_ring;
  bool has_indices;
};

std::string describe(const Case& c) {
  const CausalCall& call = c.call;
  return std::string(name_of(call.data_type)) + " by " + name_of(call.weight_type) + " (" + std::to_string(call.batch) +
         ", " + std::to_string(call.channels) + ", " + std::to_string(call.length) + ") width " +
         std::to_string(call.width) + ", order " + std::to_string(c.order) + ", state of " +
         std::to_string(call.state_length) + " in order " + std::to_string(c.state_order) +
         (call.silu ? ", silu" : "") + (c.has_bias ? ", bias" : "") + (c.has_state ? ", state" : "") +
         (call.updates_state ? " updated" : "") + (c.has_sequences ? ", sequences" : "") + (c.is_ring ? ", ring" : "") +
         (c.has_indices ? ", indices" : "");
}

class Problems {
 public:
  explicit Problems(unsigned seed) : random_(seed) {}

  int64_t between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  bool maybe() { return between(0, 1) == 1; }

  Case next(DataType type) {
    Case c{};
    CausalCall& call = c.call;
    call.data_type = type;
    const DataType shorter[] = {DataType::float32, DataType::bfloat16, DataType::float16};
    call.weight_type = type == DataType::float64 ? type : shorter[between(0, 2)];
    call.batch = between(1, 3);
    call.channels = maybe() ? between(1, 40) : between(100, 140);
    call.width = maybe() ? between(1, 5) : between(1, 20);
    call.length = between(0, 3) == 0 ? between(1, 4) : between(1, 90);
    call.updates_state = maybe();
    c.order = static_cast<int>(between(0, 2));
    c.state_order = static_cast<int>(between(0, 2));
    c.has_bias = maybe();
    c.has_sequences = !call.updates_state && maybe();
    c.has_state = call.updates_state || (!c.has_sequences && maybe());
    c.is_ring = call.updates_state && maybe();
    c.has_indices = call.updates_state && maybe();
    call.state_length = call.width - 1 + (call.updates_state ? between(0, 9) : 0);
    if (c.is_ring) call.state_length = std::max({call.state_length, call.length, int64_t(1)});
    call.state_rows = call.batch + (c.has_indices ? between(0, 4) : 0);
    return c;
  }

  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
};

// All that a case computes with, and what it should compute.
class Trial {
 public:
  Trial(const Case& c, Problems& problems)
      : case_(c),
        call_(c.call),
        input_(call_.data_type, call_.batch, call_.channels, call_.length, c.order),
        output_(call_.data_type, call_.batch, call_.channels, call_.length, c.order),
        state_(call_.data_type, call_.state_rows, call_.channels, call_.state_length, c.state_order),
        weight_(call_.weight_type, 1, call_.channels, call_.width, static_cast<int>(problems.between(0, 2))),
        bias_(call_.weight_type, 1, call_.channels, 1, 0) {
    const auto fill = [&](Signal& tensor, int64_t rows, int64_t times) {
      for (int64_t n = 0; n < rows; ++n) {
        for (int64_t i = 0; i < call_.channels; ++i) {
          for (int64_t t = 0; t < times; ++t) tensor.set(n, i, t, static_cast<double>(problems.between(-3, 3)));
        }
      }
    };
    fill(input_, call_.batch, call_.length);
    fill(state_, call_.state_rows, call_.state_length);
    fill(weight_, 1, call_.width);
    fill(bias_, 1, 1);
    int32_t sequence = static_cast<int32_t>(problems.between(-1, 2));
    for (int64_t i = 0; i < call_.batch * call_.length; ++i) {
      if (problems.between(0, 9) == 0) sequence = static_cast<int32_t>(problems.between(-1, 2));
      sequences_.push_back(sequence);
    }
    for (int64_t n = 0; n < call_.batch; ++n) {
      lengths_.push_back(static_cast<int32_t>(problems.between(0, 100)));
      indices_.push_back(static_cast<int32_t>(problems.between(-1, call_.state_rows - 1)));
    }
    call_.input_strides = input_.strides();
    call_.output_strides = output_.strides();
    call_.state_strides = state_.strides();
    call_.weight_channel_stride = weight_.strides().channel;
    call_.weight_tap_stride = weight_.strides().time;
  }

  void expect() {
    for (int64_t n = 0; n < call_.batch; ++n) {
      const int64_t row = case_.has_indices ? indices_[static_cast<size_t>(n)] : n;
      for (int64_t c = 0; c < call_.channels; ++c) {
        std::vector<double> past = case_.has_state && row >= 0 ? states_of(row, c) : std::vector<double>();
        for (int64_t t = 0; t < call_.length; ++t) expected_.push_back(row < 0 ? 0 : sum(n, row, c, t));
        if (!call_.updates_state || row < 0) continue;
        // Written here at once, as rows that share a state meet in order. The kernel gets a copy of what was before.
        for (int64_t i = 0; i < call_.state_length; ++i) {
          const int64_t from = i + call_.length;
          const double value =
              from < call_.state_length ? past[static_cast<size_t>(from)] : input_.get(n, c, from - call_.state_length);
          if (!case_.is_ring) state_.set(row, c, i, value);
        }
        for (int64_t t = 0; case_.is_ring && t < call_.length; ++t) {
          state_.set(row, c, (lengths_[static_cast<size_t>(n)] + t) % call_.state_length, input_.get(n, c, t));
        }
      }
    }
  }

  void check(const InstructionSet& set, const Parallel& parallel) {
    const std::vector<std::byte> before = state_.copy();
    expected_.clear();
    expect();
    const std::vector<std::byte> after = state_.copy();
    if (!before.empty()) std::memcpy(state_.data(), before.data(), before.size());

    const CausalPlan plan = plan_causal(call_, parallel.slots);
    GuardedBuffer workspace(plan.workspace_bytes, Guard::after, 64);
    const CausalOperands operands{.input = input_.data(),
                                  .weight = weight_.data(),
                                  .bias = case_.has_bias ? bias_.data() : nullptr,
                                  .output = output_.data(),
                                  .state = case_.has_state ? state_.data() : nullptr,
                                  .sequences = case_.has_sequences ? sequences_.data() : nullptr,
                                  .cache_lengths = case_.is_ring ? lengths_.data() : nullptr,
                                  .state_indices = case_.has_indices ? indices_.data() : nullptr,
                                  .workspace = workspace.data()};
    causal(plan, operands, set, parallel);

    ASSERT_TRUE(input_.intact() && output_.intact() && state_.intact() && workspace.margins_intact());
    ASSERT_EQ(state_.copy(), after) << "the state";
    const double silu_error = std::max(unit_roundoff(call_.data_type), 8 * accumulation_roundoff(call_.data_type));
    const double subnormal_error = call_.data_type == DataType::float16 ? 0x1p-25 : 0;
    size_t i = 0;
    for (int64_t n = 0; n < call_.batch; ++n) {
      for (int64_t c = 0; c < call_.channels; ++c) {
        for (int64_t t = 0; t < call_.length; ++t, ++i) {
          const double sum = expected_[i];
          const double expected = call_.silu ? sum / (1 + std::exp(-sum)) : nearest(call_.data_type, sum);
          const double found = output_.get(n, c, t);
          ASSERT_LE(std::abs(found - expected), call_.silu ? silu_error * std::abs(expected) + subnormal_error : 0)
              << "output (" << n << ", " << c << ", " << t << ") is " << found << ", expected " << expected;
        }
      }
    }
    if (!before.empty()) std::memcpy(state_.data(), before.data(), before.size());
  }

 private:
  Case case_;
  CausalCall call_;
  Signal input_, output_, state_, weight_, bias_;
  std::vector<int32_t> sequences_, lengths_, indices_;
  std::vector<double> expected_;

  std::vector<double> states_of(int64_t row, int64_t channel) {
    std::vector<double> all;
    for (int64_t i = 0; i < call_.state_length; ++i) all.push_back(state_.get(row, channel, i));
    return all;
  }

  double sum(int64_t n, int64_t row, int64_t c, int64_t t) {
    const int32_t* const sequences = sequences_.data() + n * call_.length;
    if (case_.has_sequences && sequences[t] < 0) return 0;
    double all = case_.has_bias ? bias_.get(0, c, 0) : 0;
    for (int64_t k = 0; k < call_.width; ++k) {
      const int64_t from = t - (call_.width - 1) + k;
      double sample = 0;
      if (from >= 0) {
        if (!case_.has_sequences || sequences[from] == sequences[t]) sample = input_.get(n, c, from);
      } else if (case_.is_ring) {
        const int64_t place = (lengths_[static_cast<size_t>(n)] + from) % call_.state_length;
        sample = state_.get(row, c, place < 0 ? place + call_.state_length : place);
      } else if (case_.has_state) {
        sample = state_.get(row, c, call_.state_length + from);
      }
      all += weight_.get(0, c, k) * sample;
    }
    return all;
  }
};

class Causal : public testing::TestWithParam<DataType> {};

TEST_P(Causal, equals_the_oracle) {
  Problems problems(7);
  for (int i = 0; i < 300; ++i) {
    Case c = problems.next(GetParam());
    c.call.silu = i % 4 == 3;
    SCOPED_TRACE(describe(c));
    Trial trial(c, problems);
    for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
      SCOPED_TRACE(set->name);
      ASSERT_NO_FATAL_FAILURE(trial.check(*set, i % 3 == 0 ? threads(3) : serial()));
    }
  }
}

// More tasks than one, in channels and in times.
TEST_P(Causal, divides_long_signals) {
  Problems problems(11);
  for (int order = 0; order < 3; ++order) {
    for (const bool has_sequences : {false, true}) {
      Case c = problems.next(GetParam());
      c.call.batch = 2;
      c.call.channels = 130;
      c.call.length = 2100;
      c.call.width = 4;
      c.call.updates_state = c.is_ring = c.has_indices = false;
      c.call.state_length = 3;
      c.call.state_rows = 2;
      c.order = order;
      c.has_sequences = has_sequences;
      c.has_state = !has_sequences;
      SCOPED_TRACE(describe(c));
      Trial trial(c, problems);
      for (const InstructionSet* set : instruction_sets_under_test(GetParam())) {
        ASSERT_NO_FATAL_FAILURE(trial.check(*set, threads(3)));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Causal,
                         testing::Values(DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// What overflows, vanishes or is no number, as torch's silu has it.
TEST(CausalSilu, takes_every_number) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {
      0,     1,    -1,    20,     -20,    88,      -88,      -89.5,     -104,
      -1000, 1000, 3e38f, -3e38f, 1e-40f, -1e-40f, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(),
      0.5f};
  for (const InstructionSet* set : instruction_sets_under_test(DataType::float32)) {
    SCOPED_TRACE(set->name);
    const float weight = 1;
    std::vector<float> output(values.size());
    CausalCall call{};
    call.silu = true;
    call.batch = call.channels = call.width = call.state_rows = 1;
    call.length = static_cast<int64_t>(values.size());
    call.input_strides = call.output_strides = {call.length, call.length, 1};
    const CausalPlan plan = plan_causal(call, 1);
    GuardedBuffer workspace(plan.workspace_bytes, Guard::after, 64);
    CausalOperands operands{};
    operands.input = values.data();
    operands.weight = &weight;
    operands.output = output.data();
    operands.workspace = workspace.data();
    causal(plan, operands, *set, serial());
    for (size_t i = 0; i < values.size(); ++i) {
      const float expected = values[i] / (1 + std::exp(-values[i]));
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(output[i])) << values[i];
      } else if (std::isinf(expected)) {
        EXPECT_EQ(output[i], expected) << values[i];
      } else {
        EXPECT_NEAR(output[i], expected, 1e-6 * std::abs(expected)) << values[i];
        EXPECT_EQ(std::signbit(output[i]), std::signbit(expected)) << values[i];
      }
    }
  }
}

}  // namespace
}  // namespace tapconv::kernels::test
