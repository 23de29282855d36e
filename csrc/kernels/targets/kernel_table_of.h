// Fills the table of entry points for one instruction set.
#pragma once

#include "../algorithms/tap.h"
#include "../kernel_table.h"

namespace tapconv::kernels {
namespace {

template <class Isa>
inline constexpr KernelTable kernel_table_of{
    {tap_kernels<Isa, float>(), tap_kernels<Isa, double>(), tap_kernels<Isa, BFloat16>(), tap_kernels<Isa, Float16>()},
};

}  // namespace
}  // namespace tapconv::kernels
