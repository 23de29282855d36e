// Trains two tapconv::nn::Conv1d layers to undo what an unknown filter did to a signal, with torch's own optimizer, and
// saves the weights, which torch::nn::Conv1d could load as well.
#include <tapconv/tapconv.h>
#include <torch/torch.h>

#include <iostream>

int main() {
  torch::manual_seed(0);
  const torch::Tensor blur = torch::tensor({0.25, 0.5, 0.25}).view({1, 1, 3});

  const auto layer = [](int64_t in_channels, int64_t out_channels) {
    return tapconv::nn::Conv1d(torch::nn::Conv1dOptions(in_channels, out_channels, 9).padding(4));
  };
  torch::nn::Sequential model(layer(1, 16), torch::nn::Tanh(), layer(16, 1));
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(1e-2));

  double first = 0, loss_now = 0;
  for (int step = 0; step < 200; ++step) {
    const torch::Tensor sharp = torch::randn({8, 1, 128});
    const torch::Tensor blurred = tapconv::conv1d(sharp, blur, torch::nn::functional::Conv1dFuncOptions().padding(1));

    optimizer.zero_grad();
    const torch::Tensor loss = torch::mse_loss(model->forward(blurred), sharp);
    loss.backward();
    optimizer.step();

    loss_now = loss.item<double>();
    if (step == 0) first = loss_now;
    if (step % 50 == 49) std::cout << "step " << step + 1 << ", loss " << loss_now << "\n";
  }
  torch::save(model, "model_weights.pt");
  return loss_now < first / 3 ? 0 : 1;
}
