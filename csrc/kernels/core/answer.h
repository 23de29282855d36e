// An algorithm that is asked for a plan answers with the plan, which knows its cost, or with the reason why it has
// none.
#pragma once

#include <optional>
#include <utility>

namespace tapconv::kernels {

// The reason why an algorithm does not take a problem is a clause that goes with its name, such as "the stride is not
// 1".
struct Declined {
  const char* reason;
};

template <class Plan>
class Answer {
 public:
  Answer(Plan plan) : plan_(std::move(plan)) {}
  Answer(Declined declined) : why_not_(declined.reason) {}

  explicit operator bool() const { return plan_.has_value(); }
  Plan& operator*() { return *plan_; }
  const Plan& operator*() const { return *plan_; }
  Plan* operator->() { return &*plan_; }
  const Plan* operator->() const { return &*plan_; }

  // The reason is null if there is a plan.
  const char* why_not() const { return why_not_; }

 private:
  std::optional<Plan> plan_;
  const char* why_not_ = nullptr;
};

}  // namespace tapconv::kernels
