// What the library says about its CUDA kernels, with and without them.
#include <torch/library.h>

#include <sstream>
#include <string>
#include <vector>

namespace tapconv::ops {
namespace {

// As the build was told: "90" with code for that device, "100+PTX" with what drivers translate for later ones too.
// Empty without CUDA kernels.
std::vector<std::string> cuda_architectures() {
  std::istringstream words(TAPCONV_CUDA_ARCHITECTURES_BUILT);
  std::vector<std::string> names;
  for (std::string word; words >> word;) names.push_back(word);
  return names;
}

// Of the compiler, such as "13.0.88"; empty without CUDA kernels.
std::string cuda_version() { return TAPCONV_CUDA_VERSION; }

}  // namespace

TORCH_LIBRARY_FRAGMENT(tapconv, m) {
  m.def("cuda_architectures() -> str[]", &cuda_architectures);
  m.def("cuda_version() -> str", &cuda_version);
}

}  // namespace tapconv::ops
