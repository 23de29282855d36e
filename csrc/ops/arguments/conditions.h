// Conditions on sizes and numbers: plain, or ones that tracing guards on.
#pragma once

#include <c10/core/SymBool.h>

namespace tapconv::ops {

inline bool holds(bool condition) { return condition; }

// With sizes known only at run time, it is asserted then.
inline bool holds(const c10::SymBool& condition) { return condition.expect_true(__FILE__, __LINE__); }

}  // namespace tapconv::ops
