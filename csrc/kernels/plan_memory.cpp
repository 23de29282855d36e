#include "plan_memory.h"

#include <initializer_list>

namespace tapconv::kernels {
namespace {

// Most networks have fewer different layers than this. The plans take 79 KB for each thread that calls.
constexpr uint64_t place_count = 64;

// Hashes the numbers in which the layers of one network usually differ.
uint64_t hash_of(const PlanKey& key) {
  const Problem& p = key.problem;
  uint64_t hash = key.question + (uint64_t(p.data_type) << 8) + (uint64_t(p.algorithm) << 12) +
                  (static_cast<uint64_t>(key.slots) << 16);
  for (const int64_t number : {p.batch, p.in_channels, p.input_length, p.out_channels, p.kernel_size, p.stride,
                               p.padding_left, p.dilation, p.groups, p.output_length, key.variant.origin}) {
    hash = (hash ^ static_cast<uint64_t>(number)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

RememberedPlan& place_of(const PlanKey& key) {
  static constinit thread_local RememberedPlan places[place_count]{};
  return places[hash_of(key) % place_count];
}

}  // namespace tapconv::kernels
