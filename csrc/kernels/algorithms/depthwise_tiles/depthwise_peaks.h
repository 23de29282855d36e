// The largest magnitudes of the samples of long depthwise filters decide which results may be transformed
// (seen_peaks.h). Each block of the row is cut into pieces of a power of two, no longer than half of what a result
// sees. So every result sees a whole piece, and where no piece is small, neither is anything that a result sees. Lanes
// are those of the samples of the block.
#pragma once

#include "depthwise_tile_plan.h"
#include "kernels/algorithms/transforms/seen_peaks.h"

namespace tapconv::kernels {
namespace {

template <class Vector>
class DepthwisePeaks {
  using Scalar = typename Vector::Scalar;
  using Register = typename Vector::Register;
  static constexpr int width = Vector::width;

 public:
  // `ring` holds as many entries as the ring of spectra.
  DepthwisePeaks(const DepthwiseTiles& cut, Scalar* ring)
      : piece_(cut.piece), pieces_(shape_of(cut.transform).size / cut.piece), ring_(ring) {}

  // Keeps the peaks of the samples [sample][lane] of a block. Its first pieces may be the last ones of the entry before
  // it.
  void keep(int64_t entry, const Scalar* samples, int64_t entry_before, int64_t shared_samples) {
    Scalar* const to = at(entry);
    Register all = Vector::zero();
    const int64_t shared = shared_samples % piece_ == 0 ? shared_samples / piece_ : 0;
    for (int64_t i = 0; i < pieces_; ++i) {
      const bool is_known = i < shared;
      const Register largest = is_known ? Vector::load(at(entry_before) + (pieces_ - shared + i) * width)
                                        : largest_of_piece(samples + i * piece_ * width);
      Vector::store(to + i * width, largest);
      all = Vector::larger_magnitude(all, largest);
    }
    Vector::store(to + pieces_ * width, all);
  }

  void keep_zeros(int64_t entry) {
    for (int64_t i = 0; i <= pieces_; ++i) Vector::store(at(entry) + i * width, Vector::zero());
  }

  // These return the largest magnitudes of all samples of an entry, and of one of its pieces, a vector of lanes each.
  const Scalar* all(int64_t entry) const { return at(entry) + pieces_ * width; }
  const Scalar* piece(int64_t entry, int64_t i) const { return at(entry) + i * width; }

  int64_t piece_length() const { return piece_; }
  int64_t pieces() const { return pieces_; }

 private:
  Register largest_of_piece(const Scalar* samples) const {
    Register even = Vector::zero();
    Register odd = Vector::zero();
    for (int64_t j = 0; j + 1 < piece_; j += 2) {
      even = Vector::larger_magnitude(even, Vector::load(samples + j * width));
      odd = Vector::larger_magnitude(odd, Vector::load(samples + (j + 1) * width));
    }
    if (piece_ == 1) return Vector::larger_magnitude(even, Vector::load(samples));
    return Vector::larger_magnitude(even, odd);
  }

  Scalar* at(int64_t entry) const { return ring_ + entry * (pieces_ + 1) * width; }

  const int64_t piece_;
  const int64_t pieces_;
  Scalar* const ring_;
};

}  // namespace
}  // namespace tapconv::kernels
