// What a plan that was made costs by any prices, and how the cost is made up of them.
#pragma once

#include <vector>

#include "kernels/plan.h"
#include "price_list.h"

namespace tapconv::kernels::test {

// Not a number where the algorithm has no price.
double cost_of(const Plan& plan, const Prices& prices);

// A price's part: how often the plan pays it. Costs are linear in the prices, though not in the factors, sizes and
// margins, so the cost by other prices is the cost by these plus, for each, the part times the difference.
struct CostPart {
  const NamedPrice* price;
  double times;
};

// The prices that the plan pays at all.
std::vector<CostPart> parts_of(const Plan& plan, const Prices& prices);

}  // namespace tapconv::kernels::test
