// Fingerprints of everything that the kernels compute and plan, for changes that must not change either: a line for
// each list of problems, direction, data type and instruction set, with a hash of all plans and one of all results. Run
// it before and after, and compare (tests/fingerprints.sh). The lines depend on the instruction set and on nothing else
// of the machine.
//
//   [TAPCONV_ISA=<instruction set>] test_kernels_fingerprints path/to/shapes.csv
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "cases.h"
#include "harness.h"
#include "kernels/overlap_save.h"
#include "layers.h"
#include "numbers.h"

namespace tapconv::kernels::test {
namespace {

constexpr int slot_counts[] = {1, 3};
constexpr Direction directions[] = {Direction::forward, Direction::grad_input, Direction::grad_weight};
constexpr DataType data_types[] = {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16};

// FNV-1a.
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  void add(uint64_t number) { add({reinterpret_cast<const char*>(&number), sizeof(number)}); }
  unsigned long long value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

// What every plan has, whatever it consists of: two that differ in anything else differ in these or in their results.
void add_plan(const Plan& plan, Hash& hash) {
  hash.add(plan.algorithm_name());
  hash.add(static_cast<uint64_t>(plan.call().slots));
  hash.add(static_cast<uint64_t>(plan.call().task_count));
  hash.add(plan.workspace_bytes());
}

void print(const char* list, Direction direction, DataType data_type, const InstructionSet& set,
           std::vector<Problem> problems, bool runs) {
  Hash plans;
  Hash results;
  uint64_t seed = 0;
  for (Problem& problem : problems) {
    problem.data_type = data_type;
    const Arguments arguments = runs ? random_arguments(problem, ++seed) : Arguments{};
    for (const int slots : slot_counts) {
      for (const AlgorithmRequest request :
           {AlgorithmRequest::automatic, AlgorithmRequest::direct, AlgorithmRequest::winograd, AlgorithmRequest::fft}) {
        problem.algorithm = request;
        if (why_not(problem, set) != nullptr) continue;
        add_plan(plan_of(direction, problem, set, slots), plans);
        if (!runs) continue;
        const RunResult result = run(direction, problem, set, arguments, Guard::after, threads(slots));
        results.add({reinterpret_cast<const char*>(result.bytes.data()), result.bytes.size()});
      }
    }
  }
  std::printf("%s %s %s %s: %zu problems, plans %016llx", set.name, list, name_of(direction), name_of(data_type),
              problems.size(), plans.value());
  std::printf(runs ? ", results %016llx\n" : "\n", results.value());
  std::fflush(stdout);
}

void print_all(const char* list, const std::vector<Problem>& problems, bool runs) {
  for (const DataType data_type : data_types) {
    for (const InstructionSet* set : instruction_sets_under_test(data_type)) {
      for (const Direction direction : directions) print(list, direction, data_type, *set, problems, runs);
    }
  }
}

// Which of these long filters are for large transforms, and of which size.
void print_large_transforms(const InstructionSet& set) {
  Hash sizes;
  int64_t taken = 0;
  for (const int64_t kernel_size : {16, 128, 300, 1000, 10000}) {
    for (const int64_t outputs : {1, 5, 40, 5000, 60000}) {
      for (const int64_t channels : {1, 8, 64}) {
        for (const int64_t groups : {1, 4}) {
          Problem problem = plain_problem();
          problem.batch = 1 + outputs % 2;
          problem.groups = groups;
          problem.in_channels = problem.out_channels = groups * channels;
          problem.kernel_size = kernel_size;
          problem.stride = 1 + channels % 3;
          problem = with_output_length(problem, outputs);
          for (const AlgorithmRequest request : {AlgorithmRequest::automatic, AlgorithmRequest::fft}) {
            problem.algorithm = request;
            for (const kernels::Direction direction :
                 {kernels::Direction::forward, kernels::Direction::grad_input, kernels::Direction::grad_weight}) {
              const auto blocks = choose_overlap_save(problem, direction, set);
              taken += blocks ? 1 : 0;
              sizes.add(static_cast<uint64_t>(blocks ? blocks->size : 0));
            }
          }
        }
      }
    }
  }
  std::printf("%s large transforms: %lld taken, sizes %016llx\n", set.name, static_cast<long long>(taken),
              sizes.value());
}

void print_fingerprints(const std::string& shapes) {
  print_all("tails", time_and_out_channel_tails(), true);
  print_all("channels_and_taps", in_channel_and_kernel_sizes(), true);
  print_all("geometries", geometries(), true);
  print_all("groups", groups(), true);
  print_all("batches", batches(), true);
  print_all("layouts", layouts(), true);
  print_all("random", random_problems(7, 200), true);
  print_all("around_matrix_tiles", around_matrix_tiles(), true);
  print_all("few_outputs", few_outputs(), true);
  print_all("single_taps", single_taps(), true);
  print_all("long_strides", long_strides(), true);
  print_all("strided_samples", strided_samples(), true);
  print_all("short_depthwise", short_depthwise_filters(), true);
  print_all("long_depthwise", long_depthwise_filters(), true);
  print_all("whole_vectors", whole_vectors_of_out_channels(), true);
  print_all("blocked", blocked(), true);
  std::vector<Problem> problems;
  for (const Layer& layer : layers_of(shapes)) problems.push_back(layer.problem);
  print_all("layers", problems, false);
  for (const InstructionSet* set : instruction_sets_under_test()) print_large_transforms(*set);
}

}  // namespace
}  // namespace tapconv::kernels::test

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: [TAPCONV_ISA=<instruction set>] %s path/to/shapes.csv\n", arguments[0]);
    return 1;
  }
  try {
    tapconv::kernels::test::print_fingerprints(arguments[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
