// Which requests for an algorithm can be met.
#include "conv1d.h"
#include "planner.h"

namespace tapconv::kernels {

const char* why_not(const Problem& problem, const InstructionSet& instruction_set) {
  switch (problem.algorithm) {
    case AlgorithmRequest::automatic:
    case AlgorithmRequest::direct:
      return nullptr;
    case AlgorithmRequest::fft:
      if (decide_transformed(problem, plain_variant(problem), instruction_set, 1)) return nullptr;
      return "no tile holds several outputs and all taps of a filter, of which it needs two or more";
    case AlgorithmRequest::winograd:
      break;
  }
  if (decide_transformed(problem, plain_variant(problem), instruction_set, 1)) return nullptr;
  return "Winograd's tiles take three taps, of the filter or of each phase of a stride";
}

}  // namespace tapconv::kernels
