#include "instruction_set.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#ifdef TAPCONV_HAVE_AVX2
#include <cpuid.h>
#endif
#if defined(TAPCONV_HAVE_AVX512_AMX) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tapconv::kernels {

// Each of these is defined in a file of its name in targets/, if CMake was told of it (../CMakeLists.txt).
const KernelTable* portable_kernels();
const KernelTable* neon_kernels();
const KernelTable* avx2_kernels();
const KernelTable* avx512_kernels();
const KernelTable* avx512_bf16_kernels();
const KernelTable* avx512_amx_kernels();

namespace {

bool always() { return true; }

#ifdef TAPCONV_HAVE_AVX2
// Some compilers' __builtin_cpu_supports do not know this name.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
#endif

#ifdef TAPCONV_HAVE_AVX512
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#ifdef TAPCONV_HAVE_AVX512_BF16
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

#ifdef TAPCONV_HAVE_AVX512_AMX
// A process may use tile registers only after it has asked the system, which must then save more when it switches
// threads or delivers signals. The system may refuse. Nothing else changes if it does.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
// Some compilers do not know these names.
bool has_avx512_amx() {
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!has_avx512() || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx & amx_bf16) != 0 && (edx & amx_tile) != 0 && may_use_tiles();
}
#endif

// The best set comes first, unless the processor's maker has it otherwise.
constexpr auto known_sets = std::to_array<InstructionSet>({
#ifdef TAPCONV_HAVE_AVX512_AMX
    {
        .name = "avx512_amx",
        .description = "AVX-512 F, BW, DQ and VL, AMX TILE and BF16, and a system that permits tiles",
        .vector_bytes = 64,
        .register_count = 32,
        .multiplies_bfloat16_pairs = false,
        .multiplies_bfloat16_matrices = true,
        .available = &has_avx512_amx,
        .table = &avx512_amx_kernels,
    },
#endif
#ifdef TAPCONV_HAVE_AVX512_BF16
    {
        .name = "avx512_bf16",
        .description = "AVX-512 F, BW, DQ, VL and BF16",
        .vector_bytes = 64,
        .register_count = 32,
        .multiplies_bfloat16_pairs = true,
        .multiplies_bfloat16_matrices = false,
        .available = &has_avx512_bf16,
        .table = &avx512_bf16_kernels,
    },
#endif
#ifdef TAPCONV_HAVE_AVX512
    {
        .name = "avx512",
        .description = "AVX-512 F, BW, DQ and VL",
        .vector_bytes = 64,
        .register_count = 32,
        .multiplies_bfloat16_pairs = false,
        .multiplies_bfloat16_matrices = false,
        .available = &has_avx512,
        .table = &avx512_kernels,
    },
#endif
#ifdef TAPCONV_HAVE_AVX2
    {
        .name = "avx2",
        .description = "AVX2, FMA and F16C",
        .vector_bytes = 32,
        .register_count = 16,
        .multiplies_bfloat16_pairs = false,
        .multiplies_bfloat16_matrices = false,
        .available = &has_avx2,
        .table = &avx2_kernels,
    },
#endif
#ifdef TAPCONV_HAVE_NEON
    {
        .name = "neon",
        .description = "Advanced SIMD, which every processor of aarch64 has",
        .vector_bytes = 16,
        .register_count = 32,
        .multiplies_bfloat16_pairs = false,
        .multiplies_bfloat16_matrices = false,
        .available = &always,
        .table = &neon_kernels,
    },
#endif
    {
        .name = "portable",
        .description = "any processor",
        .vector_bytes = 16,
        .register_count = 16,
        .multiplies_bfloat16_pairs = false,
        .multiplies_bfloat16_matrices = false,
        .available = &always,
        .table = &portable_kernels,
    },
});

auto sets_of_this_processor() {
  auto sets = known_sets;
  const ProcessorClass processor = this_processor();
  for (InstructionSet& set : sets) set.prices = &prices_of(processor);
#ifdef TAPCONV_HAVE_AVX512_BF16
  // Intel's processors start one product of bfloat16 pairs in two cycles and two multiply-adds of float32 in each,
  // which is twice as many products in a second; AMD's start as many of both.
  if (processor == ProcessorClass::intel) {
    const auto pairs = std::ranges::find(sets, true, &InstructionSet::multiplies_bfloat16_pairs);
    std::iter_swap(pairs, pairs + 1);
  }
#endif
  return sets;
}

std::string names_of_sets(bool only_available) {
  std::string names;
  for (const InstructionSet& set : instruction_sets()) {
    if (only_available && !set.available()) continue;
    if (!names.empty()) names += ", ";
    names += set.name;
  }
  return names;
}

const InstructionSet& choose() {
  const char* forced = std::getenv("TAPCONV_ISA");
  if (forced != nullptr && forced[0] != '\0') return require_instruction_set(forced);
  for (const InstructionSet& set : instruction_sets()) {
    if (set.available()) return set;
  }
  return instruction_sets().back();
}

}  // namespace

std::span<const InstructionSet> instruction_sets() {
  static const auto sets = sets_of_this_processor();
  return sets;
}

const InstructionSet* find_instruction_set(const char* name) {
  for (const InstructionSet& set : instruction_sets()) {
    if (std::strcmp(set.name, name) == 0) return &set;
  }
  return nullptr;
}

const InstructionSet& require_instruction_set(const char* name) {
  const InstructionSet* set = find_instruction_set(name);
  if (set == nullptr) {
    throw std::runtime_error(std::string("TAPCONV_ISA=") + name + " names no instruction set of this library. It has " +
                             names_of_sets(false) + "; unset TAPCONV_ISA to take the best one of this machine.");
  }
  if (!set->available()) {
    throw std::runtime_error(std::string("TAPCONV_ISA=") + name + " needs " + set->description +
                             ", which this machine lacks. It has " + names_of_sets(true) +
                             "; unset TAPCONV_ISA to take the best of them.");
  }
  return *set;
}

const InstructionSet& current_instruction_set() {
  static const InstructionSet& chosen = choose();
  return chosen;
}

}  // namespace tapconv::kernels
