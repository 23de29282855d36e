// The time that ways take, one after the other in turn, in the time of the thread alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ways.h"

namespace tapconv::kernels::test {

// Seconds of each round.
using Samples = std::vector<double>;

double median_of(Samples samples);
// Between the quartiles, by the median.
double spread_of(Samples samples);

struct Rounds {
  int least;
  int most;
  double seconds;  // after which there are no more than the least
};

// Random tensors of a layer, to compute its work with.
class Operands {
 public:
  explicit Operands(const Problem& layer);
  ~Operands();

  // Ways that may not be timed have no samples: an empty vector. Caches and tables are warm, since each way runs once
  // before it is timed, and again and again within a round until the clock shows enough.
  std::vector<Samples> time(const Work& work, std::span<const Way> ways, const std::vector<bool>& timed,
                            const Rounds& rounds);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace tapconv::kernels::test
