// jit_runner MODEL INPUT EXPECTED: loads a TorchScript archive, as a C++ program that knows no Python would, runs it
// and compares. INPUT and EXPECTED are archives of a module with an attribute `tensor`. Exit status 0: equal; 1: not;
// 2: wrong use. tapconv is only linked, never called: that must be enough for the archive to find its operators.
#include <torch/script.h>

#include <iostream>

namespace {

at::Tensor tensor_in(const char* path) { return torch::jit::load(path).attr("tensor").toTensor(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: jit_runner MODEL INPUT EXPECTED\n";
    return 2;
  }
  const at::InferenceMode inference;
  torch::jit::Module model = torch::jit::load(argv[1]);
  const at::Tensor output = model.forward({tensor_in(argv[2])}).toTensor();
  const at::Tensor expected = tensor_in(argv[3]);
  if (output.sizes() != expected.sizes()) {
    std::cerr << "output of size " << output.sizes() << ", expected " << expected.sizes() << "\n";
    return 1;
  }
  const double error = (output - expected).abs().max().item<double>();
  std::cout << "largest difference " << error << "\n";
  return error == 0 ? 0 : 1;
}
