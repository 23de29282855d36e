#include "conv1d.h"

#include "algorithms.h"
#include "choose.h"
#include "kernels/core/forward_variant.h"

namespace tapconv::kernels {

Parallel serial() {
  return {1, [](int slots, void (*body)(void*, int), void* argument) {
            for (int slot = 0; slot < slots; ++slot) body(argument, slot);
          }};
}

Plan plan_forward(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return choose_forward(problem, plain_variant(problem), instruction_set, slots);
}

void forward(const Plan& plan, const void* input, const void* weight, const void* bias, void* output, void* workspace,
             const Parallel& parallel) {
  run_forward(plan, {input, weight, bias, output, workspace, nullptr}, parallel);
}

Plan plan_grad_weight(const Problem& problem, const InstructionSet& instruction_set, int slots) {
  return choose_grad_weight(problem, instruction_set, slots);
}

void grad_weight(const Plan& plan, const void* grad_output, const void* input, void* grad_weight, void* grad_bias,
                 void* workspace, const Parallel& parallel) {
  run_grad_weight(plan, {grad_output, input, grad_weight, grad_bias, workspace}, parallel);
}

const char* why_not(const Problem& problem, const InstructionSet& instruction_set) {
  // Where no tile serves "fft", the layer above has large transforms (overlap_save.h).
  if (problem.algorithm != AlgorithmRequest::winograd) return nullptr;
  if (cheapest_transforms({problem, plain_variant(problem), instruction_set, 1, {}})) return nullptr;
  return "Winograd's tiles take two or three taps, of the filter or of each phase of a stride";
}

}  // namespace tapconv::kernels
