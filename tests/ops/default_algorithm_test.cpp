// What "auto" may choose, bound for a thread and for a scope.
#include <gtest/gtest.h>
#include <tapconv/tapconv.h>
#include <torch/autograd.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace tapconv::testing {
namespace {

// A layer that "auto" computes by transforms, so that the last bits tell what was chosen.
class DefaultAlgorithm : public ::testing::Test {
 protected:
  at::Tensor output(std::string_view algorithm = "auto") const {
    return tapconv::conv1d(input_, weight_, {}, 1, 5, 1, 1, "zeros", algorithm);
  }

  bool is_direct() const {
    const at::Tensor result = output();
    EXPECT_TRUE(at::equal(result, direct_) != at::equal(result, automatic_));
    return at::equal(result, direct_);
  }

  const at::Tensor input_ = at::randn({1, 64, 1500});
  const at::Tensor weight_ = at::randn({64, 64, 11});
  const at::Tensor automatic_ = output();
  const at::Tensor direct_ = output("direct");
};

TEST_F(DefaultAlgorithm, IsAutoUntilItIsSet) {
  EXPECT_EQ(get_default_algorithm(), "auto");
  EXPECT_FALSE(at::equal(automatic_, direct_));
  EXPECT_TRUE(at::allclose(automatic_, direct_, 1e-4, 1e-3));
}

TEST_F(DefaultAlgorithm, GuardsNestAndPutBackWhatWas) {
  {
    const DefaultAlgorithmGuard plain_order("direct");
    EXPECT_EQ(get_default_algorithm(), "direct");
    EXPECT_TRUE(is_direct());
    {
      const DefaultAlgorithmGuard any("auto");
      EXPECT_FALSE(is_direct());
    }
    EXPECT_TRUE(is_direct());
    try {
      const DefaultAlgorithmGuard any("auto");
      throw std::runtime_error("on the way");
    } catch (const std::runtime_error&) {
    }
    EXPECT_TRUE(is_direct());
  }
  EXPECT_EQ(get_default_algorithm(), "auto");
  EXPECT_FALSE(is_direct());
}

TEST_F(DefaultAlgorithm, CallsThatNameAnAlgorithmGetIt) {
  const at::Tensor fourier = output("fft");
  const DefaultAlgorithmGuard plain_order("direct");
  EXPECT_TRUE(at::equal(output("fft"), fourier));
}

TEST_F(DefaultAlgorithm, SettingReturnsWhatItWas) {
  EXPECT_EQ(set_default_algorithm("direct"), "auto");
  EXPECT_EQ(set_default_algorithm("auto"), "direct");
  EXPECT_EQ(get_default_algorithm(), "auto");
}

TEST_F(DefaultAlgorithm, HoldsForItsThreadAlone) {
  const DefaultAlgorithmGuard plain_order("direct");
  bool elsewhere = true;
  std::thread([&] { elsewhere = is_direct(); }).join();
  EXPECT_FALSE(elsewhere);
  EXPECT_TRUE(is_direct());
}

TEST_F(DefaultAlgorithm, BackwardDoesAsForwardDid) {
  const at::Tensor weight = weight_.clone().requires_grad_();
  const auto gradient = [&](std::string_view algorithm) {
    const at::Tensor sum = tapconv::conv1d(input_, weight, {}, 1, 5, 1, 1, "zeros", algorithm).square().sum();
    return torch::autograd::grad({sum}, {weight})[0];
  };
  const at::Tensor expected = gradient("direct");
  at::Tensor sum;
  {
    const DefaultAlgorithmGuard plain_order("direct");
    sum = tapconv::conv1d(input_, weight, {}, 1, 5).square().sum();
  }
  EXPECT_TRUE(at::equal(torch::autograd::grad({sum}, {weight})[0], expected));
  EXPECT_FALSE(at::equal(gradient("auto"), expected));
}

TEST_F(DefaultAlgorithm, OtherNamesAreErrorsThatChangeNothing) {
  for (const char* const name : {"fft", "winograd", "", "Direct"}) {
    try {
      const DefaultAlgorithmGuard guard(name);
      FAIL() << "took '" << name << "'";
    } catch (const c10::ValueError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("must be 'auto' or 'direct', but got '" + std::string(name) + "'"), std::string::npos)
          << text;
    }
    EXPECT_EQ(get_default_algorithm(), "auto");
  }
}

}  // namespace
}  // namespace tapconv::testing
