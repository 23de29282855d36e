// A program of a user: trains nothing, but runs the module and the function forward and backward against torch's own.
#include <tapconv/tapconv.h>
#include <torch/torch.h>

#include <iostream>
#include <sstream>

int main() {
  torch::manual_seed(0);
  tapconv::nn::Conv1d ours(torch::nn::Conv1dOptions(16, 33, 3).stride(2));
  torch::nn::Conv1d theirs(torch::nn::Conv1dOptions(16, 33, 3).stride(2));

  std::stringstream archive;
  torch::save(ours, archive);
  torch::load(theirs, archive);

  const torch::Tensor input = torch::randn({20, 16, 50});
  const torch::Tensor output = ours(input);
  const torch::Tensor expected = theirs(input);
  output.square().sum().backward();
  expected.square().sum().backward();

  namespace F = torch::nn::functional;
  const torch::Tensor by_function =
      tapconv::conv1d(input, ours->weight, F::Conv1dFuncOptions().bias(ours->bias).stride(2));

  std::cout << "tapconv " << TAPCONV_VERSION << ": " << ours << " maps " << input.sizes() << " to " << output.sizes()
            << "\n";
  const bool equal = torch::allclose(output, expected, 1e-4, 1e-4) && torch::equal(output, by_function) &&
                     torch::allclose(ours->weight.grad(), theirs->weight.grad(), 1e-3, 1e-3);
  if (!equal) {
    std::cerr << "tapconv and torch differ by " << (output - expected).abs().max().item<float>() << "\n";
    return 1;
  }
  return 0;
}
