// What the library says about itself: its version, its instruction sets, its CUDA kernels, its default algorithm.
#include <tapconv/default_algorithm.h>
#include <tapconv/version.h>
#include <torch/library.h>

#include <sstream>
#include <string>
#include <vector>

#include "kernels/conv1d.h"

namespace tapconv::ops {
namespace {

std::string isa() { return kernels::current_instruction_set().name; }

std::vector<std::string> isa_compiled() {
  std::vector<std::string> names;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) names.emplace_back(set.name);
  return names;
}

std::vector<std::string> isa_available() {
  std::vector<std::string> names;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    if (set.available()) names.emplace_back(set.name);
  }
  return names;
}

std::string default_algorithm_name() { return std::string(get_default_algorithm()); }
std::string exchange_default_algorithm_name(std::string_view algorithm) {
  return std::string(set_default_algorithm(algorithm));
}

std::string version() { return TAPCONV_VERSION; }

// What the build was told: "90" has code for that device, "100+PTX" also what drivers translate for later ones. The
// list is empty without CUDA kernels.
std::vector<std::string> cuda_architectures() {
  std::istringstream words(TAPCONV_CUDA_ARCHITECTURES_BUILT);
  std::vector<std::string> names;
  for (std::string word; words >> word;) names.push_back(word);
  return names;
}

// The version of the CUDA compiler, such as "13.0.88"; it is empty without CUDA kernels.
std::string cuda_version() { return TAPCONV_CUDA_VERSION; }

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def("isa() -> str", &isa);
  m.def("isa_available() -> str[]", &isa_available);
  m.def("isa_compiled() -> str[]", &isa_compiled);
  m.def("get_default_algorithm() -> str", &default_algorithm_name);
  m.def("set_default_algorithm(str algorithm) -> str", &exchange_default_algorithm_name);
  m.def("version() -> str", &version);
  m.def("cuda_architectures() -> str[]", &cuda_architectures);
  m.def("cuda_version() -> str", &cuda_version);
}

}  // namespace tapconv::ops
