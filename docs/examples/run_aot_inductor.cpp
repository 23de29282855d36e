// run_aot_inductor MODEL.pt2: loads a model that AOTInductor compiled to machine code (export_model.py writes one) and
// runs it. No Python is needed where this program runs, only LibTorch and tapconv's library, which it is linked with.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: run_aot_inductor MODEL.pt2\n";
    return 2;
  }
  const c10::InferenceMode inference;
  torch::inductor::AOTIModelPackageLoader model(argv[1]);

  const at::Tensor signal = at::linspace(-1, 1, 1000).view({1, 1, 1000});  // batch, channels, samples
  const std::vector<at::Tensor> outputs = model.run({signal});
  std::cout << "shape " << outputs[0].sizes() << ", mean " << outputs[0].mean().item<double>() << "\n";
  return 0;
}
