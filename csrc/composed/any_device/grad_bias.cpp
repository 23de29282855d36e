#include "composed/any_device/grad_bias.h"

namespace tapconv::composed {

at::Tensor grad_bias_of(const at::Tensor& grad_output) {
  return grad_output.dim() == 3 ? grad_output.sum(at::IntArrayRef{0, 2}) : grad_output.sum(1);
}

}  // namespace tapconv::composed
