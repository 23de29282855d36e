// Tensor cores are used through nvcuda::wmma: bfloat16 and float16 (16 x 16 x 16), float32 as tf32 (16 x 16 x 8).
#pragma once

#include <mma.h>

#include "cuda/kernels/elements.h"

namespace tapconv::cuda {

template <class Product, class Storage, int Depth>
struct WarpFragments {
  using Stored = Storage;
  static constexpr int depth = Depth;
  using Sums = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, Depth, float>;
  using Weights = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, Depth, Product, nvcuda::wmma::row_major>;
  using Rows = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, Depth, Product, nvcuda::wmma::col_major>;

  static __device__ bool runs_on(int) { return true; }
  static __device__ void clear(Sums& sums) { nvcuda::wmma::fill_fragment(sums, 0.0f); }
  template <class Fragment>
  static __device__ void load(Fragment& fragment, const Stored* from, int stride) {
    nvcuda::wmma::load_matrix_sync(fragment, from, static_cast<unsigned>(stride));
  }
  static __device__ void multiply(Sums& sums, const Weights& weights, const Rows& rows) {
    nvcuda::wmma::mma_sync(sums, weights, rows, sums);
  }
  static __device__ void store(float* to, const Sums& sums, int stride) {
    nvcuda::wmma::store_matrix_sync(to, sums, static_cast<unsigned>(stride), nvcuda::wmma::mem_row_major);
  }
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
template <class Element>
struct DeviceFragments;

template <>
struct DeviceFragments<BFloat16> : WarpFragments<__nv_bfloat16, __nv_bfloat16, 16> {
  static __device__ __nv_bfloat16 stored(BFloat16 value) { return __ushort_as_bfloat16(value.bits); }
};

template <>
struct DeviceFragments<float> : WarpFragments<nvcuda::wmma::precision::tf32, float, 8> {
  static __device__ float stored(float value) { return nvcuda::wmma::__float_to_tf32(value); }
};
#else
// Older devices multiply neither; the planner never asks them to, and what is compiled for them stops.
template <class Element>
struct DeviceFragments {
  using Stored = Element;
  static constexpr int depth = 32 / static_cast<int>(sizeof(Element));
  struct Sums {};
  struct Weights {};
  struct Rows {};
  static __device__ bool runs_on(int) { return true; }
  static __device__ Stored stored(Element value) { return value; }
  static __device__ void clear(Sums&) { __trap(); }
  template <class Fragment>
  static __device__ void load(Fragment&, const Stored*, int) {}
  static __device__ void multiply(Sums&, const Weights&, const Rows&) {}
  static __device__ void store(float*, const Sums&, int) {}
};
#endif

template <>
struct DeviceFragments<Float16> : WarpFragments<__half, __half, 16> {
  static __device__ __half stored(Float16 value) { return __ushort_as_half(value.bits); }
};

}  // namespace tapconv::cuda
