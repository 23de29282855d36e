// Launch parameters: the limits of devices, tails, and tensors far too large to have here.
#include <gtest/gtest.h>

#include <limits>

#include "cuda/plans/launch_planner.h"
#include "cuda/plans/sequence.h"
#include "kernels/cases.h"
#include "kernels/core/forward_variant.h"

namespace tapconv::cuda::test {
namespace {

using kernels::DataType;
using kernels::Problem;
using kernels::test::plain_problem;
using kernels::test::with_contiguous_strides;

constexpr int max_threads = 1024;

void expect_within_limits(const Grid& grid) {
  EXPECT_GT(grid.blocks, 0);
  EXPECT_GT(grid.threads, 0);
  EXPECT_LE(grid.threads, max_threads);
  EXPECT_EQ(grid.threads % 32, 0);
  EXPECT_GE(grid.shared_bytes, 0);
  EXPECT_LE(grid.shared_bytes, shared_memory_budget);
}

Problem problem_of(int64_t channels, int64_t outs, int64_t groups, int64_t kernel_size, int64_t length) {
  Problem problem = plain_problem();
  problem.in_channels = channels;
  problem.out_channels = outs;
  problem.groups = groups;
  problem.kernel_size = kernel_size;
  problem.padding_left = problem.padding_right = kernel_size / 2;
  problem.input_length = length;
  return with_contiguous_strides(problem);
}

ForwardLaunch forward_launch(const Problem& problem, Algorithm algorithm) {
  return plan_launch(problem, kernels::plain_variant(problem), algorithm);
}

// Sizes around every block's, and sizes that no block can hold.
TEST(Launch, stays_within_limits) {
  for (const DataType type : {DataType::float32, DataType::float64, DataType::float16}) {
    for (const int64_t channels : {1, 3, 64, 1000}) {
      for (const int64_t kernel_size : {1, 4, 31, 512, 5'000'000}) {
        for (const int64_t stride : {1, 2, 160, 5000}) {
          for (const int64_t dilation : {1, 3, 128, 70'000}) {
            for (const int64_t length : {1, 129, 1'000'000}) {
              Problem dense = problem_of(channels, channels + 1, 1, kernel_size, length);
              dense.stride = stride;
              dense.dilation = dilation;
              dense.padding_left = (kernel_size - 1) * dilation;
              dense.data_type = type;
              dense = with_contiguous_strides(dense);
              Problem depthwise = dense;
              depthwise.out_channels = depthwise.groups = channels;
              depthwise = with_contiguous_strides(depthwise);
              SCOPED_TRACE(kernels::test::describe(dense));
              expect_within_limits(forward_launch(dense, Algorithm::direct).grid);
              expect_within_limits(forward_launch(depthwise, Algorithm::depthwise).grid);
              if (type != DataType::float64) expect_within_limits(forward_launch(dense, Algorithm::matrix).grid);
              for (const Problem& problem : {dense, depthwise}) {
                const GradWeightLaunch launch = plan_grad_weight_launch(problem);
                expect_within_limits(launch.grid);
                EXPECT_EQ(launch.out_threads * launch.tap_threads * launch.slices, launch.grid.threads);
              }
              if (HasFailure()) return;
            }
          }
        }
      }
    }
  }
}

TEST(Launch, blocks_cover_every_output_once) {
  for (const int64_t length : {1, 6, 7, 8, 127, 128, 129, 1791, 1792, 1793, 5000}) {
    for (const int64_t channels : {1, 5, 63, 64, 65}) {
      for (const Algorithm algorithm : {Algorithm::depthwise, Algorithm::direct, Algorithm::matrix}) {
        const bool depthwise = algorithm == Algorithm::depthwise;
        const Problem problem = problem_of(channels, channels, depthwise ? channels : 1, 1, length);
        const ForwardLaunch launch = forward_launch(problem, algorithm);
        EXPECT_GE(launch.time_blocks * launch.time_block, length);
        EXPECT_LT((launch.time_blocks - 1) * launch.time_block, length);
        EXPECT_GE(launch.out_blocks * launch.out_block, channels);
        EXPECT_LT((launch.out_blocks - 1) * launch.out_block, channels);
        EXPECT_EQ(launch.grid.blocks, problem.batch * launch.out_blocks * launch.time_blocks);
      }
    }
  }
}

// A short output must not cost a block that was made for a long one.
TEST(Launch, short_rows_share_a_block) {
  const ForwardLaunch launch = forward_launch(problem_of(4096, 4096, 4096, 4, 1), Algorithm::depthwise);
  EXPECT_GE(launch.out_block, 64);
  const ForwardLaunch streaming = forward_launch(problem_of(512, 512, 1, 3, 4), Algorithm::direct);
  EXPECT_LE(streaming.time_block, 16);
}

TEST(Launch, outputs_of_a_window_lie_a_dilation_apart) {
  Problem problem = problem_of(8, 8, 8, 5, 4000);
  EXPECT_EQ(forward_launch(problem, Algorithm::depthwise).spacing, 1);
  problem.dilation = 16;
  EXPECT_EQ(forward_launch(problem, Algorithm::depthwise).spacing, 16);
  // Too far apart for a block: each tap has its own segment, and nothing slides.
  problem.dilation = 900;
  problem.padding_left = 3600;
  const ForwardLaunch launch = forward_launch(with_contiguous_strides(problem), Algorithm::depthwise);
  EXPECT_EQ(launch.spacing, 1);
  EXPECT_EQ(launch.rows.segments, launch.tap_block);
}

TEST(Launch, vectors_only_where_samples_are_neighbours) {
  Problem problem = problem_of(8, 8, 8, 5, 400);
  EXPECT_TRUE(forward_launch(problem, Algorithm::depthwise).rows.vectors);
  problem.input_strides = {8 * 400, 1, 8};
  EXPECT_FALSE(forward_launch(problem, Algorithm::depthwise).rows.vectors);
  EXPECT_TRUE(forward_launch(problem, Algorithm::depthwise).rows.rows_inside);
  problem = problem_of(8, 8, 8, 5, 400);
  problem.stride = 2;
  EXPECT_FALSE(forward_launch(with_contiguous_strides(problem), Algorithm::depthwise).rows.vectors);
}

// Offsets of blocks always have 64 bits; those within a row only where a row is that long.
TEST(Launch, long_rows_take_wide_indices) {
  const int64_t most = std::numeric_limits<int32_t>::max();
  EXPECT_FALSE(forward_launch(problem_of(64, 64, 64, 3, most / 4), Algorithm::depthwise).wide_index);
  EXPECT_TRUE(forward_launch(problem_of(1, 1, 1, 3, most - 10), Algorithm::depthwise).wide_index);
  EXPECT_TRUE(forward_launch(problem_of(2, 2, 1, 3, 2 * most), Algorithm::direct).wide_index);
  EXPECT_TRUE(plan_grad_weight_launch(problem_of(2, 2, 1, 3, 2 * most)).wide_index);
  Problem channels_last = problem_of(70'000, 8, 1, 3, 40'000);
  EXPECT_FALSE(forward_launch(channels_last, Algorithm::direct).wide_index);
  channels_last.input_strides = {int64_t{70'000} * 40'000, 1, 70'000};
  EXPECT_TRUE(forward_launch(channels_last, Algorithm::direct).wide_index);
  // An expanded row has no length at all in memory, but its positions still count.
  Problem expanded = problem_of(1, 1, 1, 3, most - 10);
  expanded.input_strides = {0, 0, 0};
  EXPECT_TRUE(forward_launch(expanded, Algorithm::depthwise).wide_index);
}

TEST(Launch, more_blocks_than_one_grid_has) {
  Problem problem = problem_of(1, 1, 1, 1, 1);
  problem.batch = 3 * largest_grid;
  problem = with_contiguous_strides(problem);
  EXPECT_EQ(forward_launch(problem, Algorithm::depthwise).grid.blocks, 3 * largest_grid);
}

TEST(Launch, parts_of_the_weight_gradient) {
  // As many as fill a device, no more than there are steps, and steps divided evenly.
  const GradWeightLaunch depthwise = plan_grad_weight_launch(problem_of(64, 64, 64, 31, 100'000));
  EXPECT_GT(depthwise.parts, 1);
  EXPECT_GE(depthwise.parts * depthwise.steps_per_part, depthwise.problem.batch * depthwise.time_blocks);
  EXPECT_LT((depthwise.parts - 1) * depthwise.steps_per_part, depthwise.problem.batch * depthwise.time_blocks);
  EXPECT_EQ(plan_grad_weight_launch(problem_of(64, 64, 1, 3, 1)).parts, 2);
  // Partial sums of a large weight stay within bounds.
  const GradWeightLaunch large = plan_grad_weight_launch(problem_of(8192, 8192, 1, 3, 100'000));
  EXPECT_EQ(large.parts, 1);
  EXPECT_EQ(weight_parts_bytes(large), size_t{8192} * 8192 * 3 * 4);
  EXPECT_EQ(bias_parts_bytes(large), size_t{8192} * 4);
}

TEST(Launch, nothing_to_sum) {
  Problem problem = problem_of(4, 4, 1, 3, 20);
  problem.batch = 0;
  EXPECT_EQ(plan_grad_weight_launch(problem).parts, 0);
  EXPECT_EQ(plan_grad_weight_launch(problem).grid.blocks, 0);
  EXPECT_EQ(workspace_bytes(problem, Direction::grad_weight), 0U);
  EXPECT_EQ(workspace_bytes(problem, Direction::grad_input), 0U);
}

TEST(Launch, borders_need_memory_only_where_padding_copies) {
  Problem problem = problem_of(4, 4, 1, 3, 20);
  EXPECT_EQ(workspace_bytes(problem, Direction::grad_input), 0U);
  problem.padding_mode = kernels::PaddingMode::reflect;
  EXPECT_EQ(workspace_bytes(problem, Direction::grad_input), 512U);  // 8 channels of one position on either side
  EXPECT_EQ(workspace_bytes(problem, Direction::forward), 0U);
}

}  // namespace
}  // namespace tapconv::cuda::test
