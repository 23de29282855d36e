#include "runtime/launch.h"

#include <ATen/Parallel.h>

#include "runtime/huge_pages.h"

namespace tapconv::runtime {
namespace {

// Below this many multiply-adds and elements, waking another thread costs more than it saves.
constexpr double worthwhile_work = 1 << 17;

// at::parallel_for carries an exception thrown in any slot to the caller.
void run_slots(int slots, void (*body)(void* argument, int slot), void* argument) {
  at::parallel_for(0, slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) body(argument, static_cast<int>(slot));
  });
}

int slots_for_work(double work) {
  const int threads = at::get_num_threads();
  return threads == 1 || at::in_parallel_region() || work < worthwhile_work ? 1 : threads;
}

}  // namespace

at::Tensor allocate(at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::detail::empty_cpu(shape, type);
  prefer_huge_pages(tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

int slots_for(const kernels::Problem& problem) {
  const double outputs = double(problem.batch) * double(problem.out_channels) * double(problem.output_length);
  const double taps = double(problem.in_channels / problem.groups) * double(problem.kernel_size);
  const double inputs = double(problem.batch) * double(problem.in_channels) * double(problem.input_length);
  return slots_for_work(outputs * (taps + 1) + inputs);
}

int slots_for(const kernels::CausalCall& call) {
  const double samples = double(call.batch) * double(call.channels) * double(call.length);
  // An activation takes as long as a dozen multiply-adds.
  return slots_for_work(samples * double(call.width + 2 + (call.silu ? 12 : 0)));
}

kernels::Parallel parallel(int slots) {
  return slots == 1 ? kernels::serial() : kernels::Parallel{.slots = slots, .run = &run_slots};
}

}  // namespace tapconv::runtime
