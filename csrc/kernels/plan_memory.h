// Keeps the plans made lately on this thread. Making one takes some microseconds, which may be a tenth of a small
// layer; finding it again takes some nanoseconds. A plan depends on nothing but its key.
#pragma once

#include <cstdint>

#include "plan.h"

namespace tapconv::kernels {

struct PlanKey {
  Problem problem;
  ForwardVariant variant;
  const InstructionSet* instruction_set;
  int slots;
  uint32_t question;  // the direction, and what else was told

  bool operator==(const PlanKey&) const = default;
};

// These are the questions. The bits above them say what was packed before the call.
inline constexpr uint32_t asked_forward = 0;
inline constexpr uint32_t asked_grad_weight = 1;
inline constexpr int question_bits = 1;

struct RememberedPlan {
  PlanKey key;
  Plan plan;
  bool known;
};

// Returns the place where the plan of a key is, or will be. Another key may take the place.
RememberedPlan& place_of(const PlanKey& key);

template <class Make>
Plan remembered(const PlanKey& key, const Make& make) {
  RememberedPlan& place = place_of(key);
  if (!place.known || place.key != key) {
    const Plan plan = make();  // making it may remember others, even in this place
    place = {key, plan, true};
  }
  return place.plan;
}

}  // namespace tapconv::kernels
