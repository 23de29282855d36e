#include "emulation.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "cuda/kernels/depthwise.h"
#include "cuda/kernels/direct.h"
#include "cuda/kernels/grad_weight.h"
#include "cuda/kernels/matrix.h"
#include "cuda/kernels/select.h"
#include "cuda/kernels/small_kernels.h"
#include "cuda/plans/launch_planner.h"
#include "host_fragments.h"

namespace tapconv::cuda::test {
namespace {

using kernels::test::Guard;
using kernels::test::GuardedBuffer;

// What the driver guarantees of the start of shared memory.
constexpr size_t shared_alignment = 128;

bool can_compute(Algorithm kernel, const kernels::Problem& problem) {
  if (kernel == Algorithm::depthwise) return problem.in_channels == problem.groups;
  return kernel != Algorithm::matrix || problem.data_type != kernels::DataType::float64;
}

}  // namespace

template <class Kernel>
const char* EmulatedRunner::emulate(const typename Kernel::Launch& launch,
                                    const typename Kernel::Arguments& arguments) {
  const int threads = launch.grid.threads;
  if (threads > Kernel::max_threads || threads % warp_threads != 0) return "wrong number of threads";
  GuardedBuffer shared(static_cast<size_t>(launch.grid.shared_bytes), Guard::after, shared_alignment);
  const auto registers = std::make_unique<typename Kernel::Registers[]>(static_cast<size_t>(threads));
  for (int64_t block = 0; block < launch.grid.blocks; ++block) {
    ++blocks_run_;
    std::ranges::fill(shared.bytes(), std::byte{0xFF});
    const auto each_thread = [&](const auto& step) {
      for (int i = 0; i < threads; ++i) {
        const int index = options_.last_thread_first ? threads - 1 - i : i;
        const Kernel kernel(launch, arguments, Thread{block, index, static_cast<std::byte*>(shared.data())});
        step(kernel, registers[static_cast<size_t>(index)]);
      }
    };
    using Registers = typename Kernel::Registers;
    each_thread([](const Kernel& kernel, Registers& own) { kernel.begin(own); });
    const int64_t rounds = Kernel(launch, arguments, Thread{block, 0, nullptr}).rounds();
    for (int64_t round = 0; round < rounds; ++round) {
      each_thread([&](const Kernel& kernel, Registers&) { kernel.stage(round); });
      each_thread([&](const Kernel& kernel, Registers& own) { kernel.compute(round, own); });
    }
    if constexpr (Kernel::spills) {
      each_thread([](const Kernel& kernel, Registers& own) { kernel.spill(own); });
    }
    each_thread([](const Kernel& kernel, Registers& own) { kernel.finish(own); });
  }
  return shared.margins_intact() ? nullptr : "wrote beside shared memory";
}

const char* EmulatedRunner::forward(Algorithm algorithm, const ForwardLaunch& planned,
                                    const ForwardArguments& arguments) {
  ForwardLaunch launch = planned;
  if (options_.kernel && can_compute(*options_.kernel, planned.problem)) {
    algorithm = *options_.kernel;
    launch = plan_launch(planned.problem, planned.variant, algorithm);
  }
  launch.wide_index |= options_.wide_index;
  return with_element(launch.problem.data_type, [&](auto element) {
    return with_index(launch.wide_index, [&](auto index) {
      using Element = typename decltype(element)::type;
      using Index = typename decltype(index)::type;
      if (algorithm == Algorithm::depthwise) return emulate<Depthwise<Element, Index>>(launch, arguments);
      if constexpr (sizeof(Element) <= 4) {
        if (algorithm == Algorithm::matrix) return emulate<Matrix<Element, Index, HostFragments>>(launch, arguments);
      }
      return launch.out_per_thread > 2 ? emulate<Direct<Element, Index, 8>>(launch, arguments)
                                       : emulate<Direct<Element, Index, 2>>(launch, arguments);
    });
  });
}

const char* EmulatedRunner::grad_weight(const GradWeightLaunch& planned, const GradWeightArguments& arguments) {
  GradWeightLaunch launch = planned;
  launch.wide_index |= options_.wide_index;
  return with_element(launch.problem.data_type, [&](auto element) {
    return with_index(launch.wide_index, [&](auto index) {
      using Element = typename decltype(element)::type;
      using Index = typename decltype(index)::type;
      return launch.out_per_thread > 1 ? emulate<GradWeight<Element, Index, 8>>(launch, arguments)
                                       : emulate<GradWeight<Element, Index, 1>>(launch, arguments);
    });
  });
}

const char* EmulatedRunner::fill(const FillLaunch& launch, const FillArguments& arguments) {
  return with_element(launch.data_type, [&](auto element) {
    using Element = typename decltype(element)::type;
    return launch.wide ? emulate<Fill<Element, true>>(launch, arguments)
                       : emulate<Fill<Element, false>>(launch, arguments);
  });
}

const char* EmulatedRunner::sum_parts(const SumPartsLaunch& launch, const SumPartsArguments& arguments) {
  return with_element(launch.data_type, [&](auto element) {
    return emulate<SumParts<typename decltype(element)::type>>(launch, arguments);
  });
}

}  // namespace tapconv::cuda::test
