// Calls from several threads at once, the first call of the process included.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <tapconv/functional.h>

#include <barrier>
#include <thread>
#include <vector>

namespace tapconv::testing {
namespace {

TEST(Concurrency, CallsFromSeveralThreads) {
  constexpr int thread_count = 8;
  constexpr int calls = 20;
  std::vector<at::Tensor> inputs;
  std::vector<at::Tensor> weights;
  for (int i = 0; i < thread_count; ++i) {
    inputs.push_back(at::randint(-3, 4, {2, 16, 200 + i}, at::kFloat));
    weights.push_back(at::randint(-3, 4, {24, 16, 1 + i}, at::kFloat));
  }
  std::vector<int> wrong(thread_count, 0);
  std::barrier start(thread_count);
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      std::vector<at::Tensor> outputs;
      for (int call = 0; call < calls; ++call)
        outputs.push_back(tapconv::conv1d(inputs[i], weights[i], {}, 1, 3, 1, 1, "zeros", "direct"));
      const at::Tensor expected = at::conv1d(inputs[i], weights[i], {}, 1, 3);
      for (const at::Tensor& output : outputs) wrong[i] += at::equal(output, expected) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(thread_count, 0));
}

TEST(Concurrency, ErrorsReachTheThreadThatMadeThem) {
  std::vector<std::thread> threads;
  std::vector<int> caught(4, 0);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&caught, i] {
      try {
        tapconv::conv1d(at::ones({2, 3, 9}), at::ones({4, 3, 10 + i}));
      } catch (const c10::Error&) {
        caught[i] = 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(caught, std::vector<int>(4, 1));
}

TEST(Concurrency, BackwardFromSeveralThreads) {
  const at::Tensor weight = at::randint(-3, 4, {8, 4, 3}, at::kFloat);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&wrong, &weight, i] {
      const at::Tensor input = at::randint(-3, 4, {2, 4, 50 + i}, at::kFloat).requires_grad_();
      tapconv::conv1d(input, weight, {}, 1, 1, 1, 1, "zeros", "direct").sum().backward();
      const at::Tensor gradient = input.grad().clone();
      input.mutable_grad() = at::Tensor();
      at::conv1d(input, weight, {}, 1, 1).sum().backward();
      wrong[i] = at::equal(gradient, input.grad()) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

// A kernel that is called inside a parallel region runs on the thread that calls it.
TEST(Concurrency, NestedInsideAParallelRegion) {
  at::set_num_threads(4);
  const at::Tensor input = at::randint(-3, 4, {2, 32, 2000}, at::kFloat);
  const at::Tensor weight = at::randint(-3, 4, {32, 32, 5}, at::kFloat);
  const at::Tensor expected = tapconv::conv1d(input, weight, {}, 1, 2, 1, 1, "zeros", "direct");
  std::vector<int> wrong(16, 1);
  at::parallel_for(0, 16, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const at::Tensor output = tapconv::conv1d(input, weight, {}, 1, 2, 1, 1, "zeros", "direct");
      wrong[static_cast<size_t>(i)] = at::equal(output, expected) ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, std::vector<int>(16, 0));
}

TEST(Concurrency, AnErrorInsideAParallelRegionReachesItsCaller) {
  at::set_num_threads(4);
  const at::Tensor input = at::ones({1, 2, 9});
  const at::Tensor weight = at::ones({3, 2, 3});
  EXPECT_THROW(at::parallel_for(0, 8, 1,
                                [&](int64_t begin, int64_t end) {
                                  for (int64_t i = begin; i < end; ++i) {
                                    tapconv::conv1d(input, i == 5 ? at::ones({3, 2, 10}) : weight);
                                  }
                                }),
               c10::Error);
  EXPECT_EQ(tapconv::conv1d(input, weight).sum().item<float>(), 3 * 7 * 6);
}

}  // namespace
}  // namespace tapconv::testing
