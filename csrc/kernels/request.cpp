// Which requests for an algorithm can be met.
#include "conv1d.h"
#include "planner.h"

namespace tapconv::kernels {

const char* why_not(const Problem& problem, const InstructionSet& instruction_set) {
  // Where no tile serves "fft", the layer above has large transforms (overlap_save.h).
  if (problem.algorithm != AlgorithmRequest::winograd) return nullptr;
  if (decide_transformed(problem, plain_variant(problem), instruction_set, 1)) return nullptr;
  return "Winograd's tiles take two or three taps, of the filter or of each phase of a stride";
}

}  // namespace tapconv::kernels
