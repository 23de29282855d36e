#include "measure.h"

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>

#include "kernels/algorithms/few_outputs/few_outputs_run.h"
#include "kernels/conv1d.h"
#include "kernels/core/blocking.h"
#include "kernels/numbers/storage.h"

namespace tapconv::kernels::test {
namespace {

// So that reading the clock, a call of the system, takes less than a hundredth of what is timed.
constexpr double least_sample = 1e-4;
constexpr double most_repeats = 1000;
constexpr size_t huge_page_bytes = 2 * 1024 * 1024;

// The thread's own time goes on while it computes, and stands while others have the core.
double thread_seconds() {
  timespec now{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
    throw std::runtime_error("this system has no clock of threads");
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct AlignedDelete {
  void operator()(char* memory) const { ::operator delete(memory, std::align_val_t(huge_page_bytes)); }
};
using Bytes = std::unique_ptr<char, AlignedDelete>;

// In huge pages where they can be had, as the operators ask for large workspaces.
Bytes new_bytes(size_t bytes) {
  bytes = (bytes + huge_page_bytes) / huge_page_bytes * huge_page_bytes;
  Bytes memory(static_cast<char*>(::operator new(bytes, std::align_val_t(huge_page_bytes))));
#if defined(MADV_HUGEPAGE)
  madvise(memory.get(), bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

template <class Storage>
void fill(std::mt19937& random, int64_t count, char* to) {
  for (int64_t i = 0; i < count; ++i) {
    const double number = static_cast<double>(random()) / static_cast<double>(std::mt19937::max()) - 0.5;
    Storage stored;
    narrow(static_cast<ComputeType<Storage>>(number), &stored);
    std::memcpy(to + i * static_cast<int64_t>(sizeof(Storage)), &stored, sizeof(stored));
  }
}

Bytes random_numbers(DataType data_type, int64_t count, std::mt19937& random) {
  Bytes memory = new_bytes(static_cast<size_t>(count * storage_bytes(data_type)));
  switch (data_type) {
    case DataType::float32:
      fill<float>(random, count, memory.get());
      break;
    case DataType::float64:
      fill<double>(random, count, memory.get());
      break;
    case DataType::bfloat16:
      fill<BFloat16>(random, count, memory.get());
      break;
    case DataType::float16:
      fill<Float16>(random, count, memory.get());
      break;
  }
  return memory;
}

double quantile(const Samples& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

}  // namespace

double median_of(Samples samples) {
  std::ranges::sort(samples);
  return quantile(samples, 0.5);
}

double spread_of(Samples samples) {
  std::ranges::sort(samples);
  return (quantile(samples, 0.75) - quantile(samples, 0.25)) / quantile(samples, 0.5);
}

struct Operands::Memory {
  std::mt19937 random{1};
  int64_t element;
  Bytes input;
  Bytes weight;
  Bytes bias;
  Bytes output;
  Bytes result;  // of a gradient
  Bytes workspace;
  Bytes packed;

  explicit Memory(const Problem& p)
      : element(storage_bytes(p.data_type)),
        input(random_numbers(p.data_type, p.batch * p.input_strides.batch, random)),
        weight(random_numbers(p.data_type, p.out_channels * p.weight_strides.out_channel, random)),
        bias(random_numbers(p.data_type, p.out_channels, random)),
        output(random_numbers(p.data_type, p.batch * p.output_strides.batch, random)),
        result(new_bytes(static_cast<size_t>(
            element * std::max(p.batch * p.input_strides.batch, p.out_channels * p.weight_strides.out_channel)))) {}

  void run(const Work& work, const Plan& plan) const {
    if (work.direction == Direction::grad_weight) {
      run_grad_weight(plan, {output.get(), input.get(), result.get(), nullptr, workspace.get()}, serial());
    } else if (work.direction == Direction::forward) {
      run_forward(plan, forward_operands(), serial());
    } else if (work.part < 0) {
      grad_input(plan, output.get(), weight.get(), result.get(), workspace.get(), serial());
    } else {
      run_forward(plan,
                  {output.get(), weight.get() + work.weight_offset * element, nullptr,
                   result.get() + work.output_offset * element, workspace.get(), nullptr},
                  serial());
    }
  }

  void prepare(std::span<const Way> ways, const InstructionSet& set) {
    size_t bytes = 0;
    for (const Way& way : ways) {
      bytes = std::max(bytes, way.plan.workspace_bytes());
      if (way.plan.algorithm != Algorithm::out_lanes) continue;
      packed = new_bytes(static_cast<size_t>(out_lane_weight_bytes(way.plan.call().problem, set)));
      pack_out_lanes(way.plan.out_lanes, forward_operands(), serial());
    }
    workspace = new_bytes(bytes);
  }

 private:
  ForwardOperands forward_operands() const {
    return {input.get(), weight.get(), bias.get(), output.get(), workspace.get(), packed.get()};
  }
};

Operands::Operands(const Problem& layer) : memory_(std::make_unique<Memory>(layer)) {}
Operands::~Operands() = default;

std::vector<Samples> Operands::time(const Work& work, std::span<const Way> ways, const std::vector<bool>& timed,
                                    const Rounds& rounds) {
  std::vector<Samples> samples(ways.size());
  if (ways.empty()) return samples;
  memory_->prepare(ways, *ways[0].plan.call().instruction_set);
  std::vector<int> repeats(ways.size());
  const auto seconds_of = [&](size_t i, int count) {
    const double begin = thread_seconds();
    for (int n = 0; n < count; ++n) memory_->run(work, ways[i].plan);
    return (thread_seconds() - begin) / count;
  };
  for (size_t i = 0; i < ways.size(); ++i) {
    if (!timed[i]) continue;
    seconds_of(i, 1);
    const double once = std::max(seconds_of(i, 1), 1e-8);
    repeats[i] = static_cast<int>(std::clamp(std::ceil(least_sample / once), 1.0, most_repeats));
  }
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int round = 0; round < rounds.most; ++round) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    if (round >= rounds.least && elapsed >= rounds.seconds) break;
    for (size_t i = 0; i < ways.size(); ++i) {
      if (timed[i]) samples[i].push_back(seconds_of(i, repeats[i]));
    }
  }
  return samples;
}

}  // namespace tapconv::kernels::test
