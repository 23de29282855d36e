// A program that mentions no symbol of tapconv still finds its operators: linking tapconv::tapconv is enough to load
// the library. This is what a program needs that runs a TorchScript or AOTInductor file.
#include <ATen/core/dispatch/Dispatcher.h>

#include <iostream>

int main() {
  const auto schema = c10::Dispatcher::singleton().findSchema({"tapconv::conv1d", ""});
  if (!schema) {
    std::cerr << "the operator tapconv::conv1d is not registered: the linker dropped libtapconv.so\n";
    return 1;
  }
  std::cout << schema->schema() << "\n";
  return 0;
}
