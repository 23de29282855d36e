// What an algorithm answers when it is asked for a plan: the plan with its cost, or why it has none.
#pragma once

#include <optional>
#include <utility>

namespace tapconv::kernels {

template <class Plan>
struct Planned {
  Plan plan;
  double cost;  // in the units of core/cost.h
};

// Why an algorithm does not take a problem: a clause that goes with its name, such as "the stride is not 1".
struct Declined {
  const char* reason;
};

template <class Plan>
class Answer {
 public:
  Answer(Planned<Plan> planned) : planned_(std::move(planned)) {}
  Answer(Declined declined) : why_not_(declined.reason) {}

  explicit operator bool() const { return planned_.has_value(); }
  Planned<Plan>* operator->() { return &*planned_; }
  const Planned<Plan>* operator->() const { return &*planned_; }

  // Null if there is a plan.
  const char* why_not() const { return why_not_; }

 private:
  std::optional<Planned<Plan>> planned_;
  const char* why_not_ = nullptr;
};

}  // namespace tapconv::kernels
