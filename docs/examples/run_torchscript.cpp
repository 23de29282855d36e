// run_torchscript MODEL.pt: loads a TorchScript file, which export_model.py writes, and runs it. Nothing of tapconv is
// called by name here: the program is linked with it, and so the file finds its operators.
#include <torch/script.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: run_torchscript MODEL.pt\n";
    return 2;
  }
  const c10::InferenceMode inference;
  torch::jit::Module model = torch::jit::load(argv[1]);
  model.eval();

  const at::Tensor signal = at::linspace(-1, 1, 1000).view({1, 1, 1000});  // batch, channels, samples
  const at::Tensor output = model.forward({signal}).toTensor();
  std::cout << "shape " << output.sizes() << ", mean " << output.mean().item<double>() << "\n";
  return 0;
}
