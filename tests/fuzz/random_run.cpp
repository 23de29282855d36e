// The fuzzer for any compiler: replays files, then runs random calls, the same ones for the same seed.
//
//   fuzz_random [--runs=N] [--seed=S] [FILE or FOLDER]...
//   fuzz_random --list    names the instruction sets of this machine, best first
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

#include "check.h"
#include "forced_instruction_set.h"
#include "fuzz_case.h"

namespace {

using Bytes = std::vector<uint8_t>;

bool passes(const Bytes& bytes) {
  const std::string fault = tapconv::kernels::test::fault_of(bytes);
  if (fault.empty()) return true;
  std::printf("FAULT: %s\nof the bytes (as a file, by xxd -r -p): ", fault.c_str());
  for (const uint8_t byte : bytes) std::printf("%02x", byte);
  std::printf("\n");
  return false;
}

Bytes contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// Reads "--name=number"; false if the argument is something else.
bool read_number(std::string_view argument, std::string_view name, uint64_t& number) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), number);
  return error == std::errc() && end == argument.data() + argument.size();
}

int list_instruction_sets() {
  for (const tapconv::kernels::InstructionSet& set : tapconv::kernels::instruction_sets()) {
    if (set.available()) std::printf("%s ", set.name);
  }
  std::printf("\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (machine_lacks_forced_instruction_set()) return skipped_status;
  uint64_t runs = 0;
  uint64_t seed = 1;
  uint64_t files = 0;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string_view("--list")) return list_instruction_sets();
    if (read_number(argv[i], "--runs=", runs) || read_number(argv[i], "--seed=", seed)) continue;
    if (!std::filesystem::exists(argv[i])) {
      std::fprintf(stderr, "%s: no such file, folder or option (--runs=N, --seed=S)\n", argv[i]);
      return 2;
    }
    for (const std::filesystem::path& file : files_of(argv[i])) {
      ++files;
      if (!passes(contents_of(file))) return 1;
    }
  }
  std::mt19937_64 generator(seed);
  Bytes bytes(tapconv::kernels::test::fuzz_case_bytes);
  for (uint64_t run = 0; run < runs; ++run) {
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<uint8_t>(generator()); });
    if (!passes(bytes)) return 1;
    if ((run + 1) % 100'000 == 0) std::printf("%llu executions\n", static_cast<unsigned long long>(run + 1));
  }
  std::printf("%llu files and %llu random calls of seed %llu: no fault\n", static_cast<unsigned long long>(files),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
