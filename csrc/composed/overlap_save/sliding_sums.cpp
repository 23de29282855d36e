#include "composed/overlap_save/sliding_sums.h"

#include <ATen/EmptyTensor.h>

#include <algorithm>
#include <cmath>

#include "composed/accuracy/magnitudes.h"
#include "composed/accuracy/special_block.h"
#include "composed/spectra.h"
#include "kernels/core/integers.h"
#include "kernels/overlap_save.h"

namespace tapconv::composed {
namespace {

template <class Scalar>
bool is_whole(Scalar x) {
  return x == std::trunc(x);
}

// Says whether all rows have nothing but whole numbers in one of the chunks.
template <class Scalar>
bool has_whole_chunk(const Scalar* rows, int64_t row_count, int64_t size, int64_t count, int64_t chunk) {
  for (int64_t begin = 0; begin + chunk <= count; begin += chunk) {
    bool whole = true;
    for (int64_t r = 0; r < row_count && whole; ++r) {
      const Scalar* const x = rows + r * size + begin;
      whole = std::all_of(x, x + chunk, is_whole<Scalar>);
    }
    if (whole) return true;
  }
  return false;
}

template <class Scalar>
bool any_zero(const std::vector<std::vector<Scalar>>& windows) {
  return std::any_of(windows.begin(), windows.end(), [](const std::vector<Scalar>& kind) {
    return std::find(kind.begin(), kind.end(), Scalar(0)) != kind.end();
  });
}

// Moves NaNs and infinities out of rows.
template <class Scalar>
std::vector<Infinite<Scalar>> take_infinite(std::vector<Scalar>& rows, int64_t size) {
  std::vector<Infinite<Scalar>> found;
  for (int64_t i = 0; i < static_cast<int64_t>(rows.size()); ++i) {
    if (std::isfinite(rows[i])) continue;
    found.push_back({i / size, i % size, rows[i]});
    rows[i] = 0;
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return found;
}

}  // namespace

template <class Scalar>
SlidingSums<Scalar>::SlidingSums(SlidingShape shape, const std::function<void(int64_t, Scalar*)>& fill)
    : shape_(std::move(shape)), filters_(shape_.filters, fill) {
  const auto some = [](const std::vector<char>& lacking) {
    return std::find(lacking.begin(), lacking.end(), 1) != lacking.end() ? 1 : 0;
  };
  shortest_window_ = shape_.filters.taps - some(shape_.lacks_last) - some(shape_.lacks_first);
}

template <class Scalar>
SlidingSums<Scalar>::~SlidingSums() = default;

template <class Scalar>
at::Tensor SlidingSums<Scalar>::sums_of(const at::Tensor& tensor, const SlidingBlocks& blocks,
                                        std::vector<char>& left) const {
  const FilterShape& f = shape_.filters;
  const int64_t in_size = f.in * f.size;
  const int64_t out_size = f.out * f.size;
  const int64_t items = blocks.units() * blocks.groups;
  Scalar* const rows = tensor.mutable_data_ptr<Scalar>();
  left.assign(items, 0);
  std::vector<std::unique_ptr<Special>> specials(items);
  size_t passes = 1;
  for (int64_t item = 0; item < items; ++item) {
    Scalar* const own = rows + item * in_size;
    const int64_t results = blocks.results[item / blocks.groups];
    specials[item] = examine(own, blocks.group + item % blocks.groups, results, left[item]);
    if (!specials[item] || specials[item]->finite.empty()) continue;
    specials[item]->fill(0, own);
    passes = std::max(passes, specials[item]->passes());
  }

  if (std::all_of(left.begin(), left.end(), [](char l) { return l != 0; })) return tensor;
  const bool all_sparse = filters_.all_sparse(blocks.group, blocks.groups);
  const at::Tensor sums = all_sparse ? at::detail::empty_cpu({items * f.out, f.size}, tensor.scalar_type())
                                     : transformed(tensor, blocks, blocks.units());
  Scalar* const to = sums.mutable_data_ptr<Scalar>();
  for (int64_t item = 0; item < items && !all_sparse; ++item) {
    if (specials[item]) {
      add_pass(*specials[item], 0, blocks.group + item % blocks.groups, to + item * out_size, to + item * out_size);
    }
  }
  for (size_t pass = 1; pass < passes && !all_sparse; ++pass) {
    std::vector<int64_t> units;
    for (int64_t unit = 0; unit < blocks.units(); ++unit) {
      const auto first = specials.begin() + unit * blocks.groups;
      if (std::any_of(first, first + blocks.groups, [&](const auto& s) { return s && s->passes() > pass; })) {
        units.push_back(unit);
      }
    }
    const int64_t count = static_cast<int64_t>(units.size());
    const at::Tensor more = at::detail::empty_cpu({count * blocks.groups * f.in, f.size}, tensor.scalar_type());
    more.zero_();
    const auto each_special = [&](const auto& body) {
      for (int64_t i = 0; i < count * blocks.groups; ++i) {
        const int64_t item = units[i / blocks.groups] * blocks.groups + i % blocks.groups;
        if (specials[item] && specials[item]->passes() > pass) body(*specials[item], i, item);
      }
    };
    each_special([&](const Special& special, int64_t i, int64_t) {
      special.fill(pass, more.mutable_data_ptr<Scalar>() + i * in_size);
    });
    const at::Tensor products = transformed(more, blocks, count);
    each_special([&](const Special& special, int64_t i, int64_t item) {
      add_pass(special, pass, blocks.group + item % blocks.groups, products.const_data_ptr<Scalar>() + i * out_size,
               to + item * out_size);
    });
  }
  for (int64_t item = 0; item < items; ++item) {
    if (left[item]) continue;
    finish(specials[item].get(), rows + item * in_size, blocks.group + item % blocks.groups,
           blocks.results[item / blocks.groups], to + item * out_size);
  }
  return sums;
}

template <class Scalar>
at::Tensor SlidingSums<Scalar>::transformed(const at::Tensor& rows, const SlidingBlocks& blocks, int64_t units) const {
  const FilterShape& f = shape_.filters;
  const int64_t frequencies = f.size / 2 + 1;
  const at::Tensor spectra = spectra_of(rows).view({units, blocks.groups, f.in, frequencies});
  const at::Tensor filters = filters_.spectra(blocks.group, blocks.groups);
  return rows_of(multiply(spectra, filters, f.out, f.in).view({-1, frequencies}), f.size);
}

// Returns null if the rows can be transformed as they are, and every result be used.
template <class Scalar>
std::unique_ptr<SpecialBlock<Scalar>> SlidingSums<Scalar>::examine(Scalar* rows, int64_t group, int64_t results,
                                                                   char& left) const {
  const FilterShape& f = shape_.filters;
  if (results <= 0) return nullptr;
  const int64_t count = results + f.taps - 1;
  // Every window holds a whole chunk.
  const int64_t chunk = (shortest_window_ + 1) / 2;
  std::vector<Scalar> chunks(kernels::ceil_div(count, chunk));
  Magnitude<Scalar> all;
  bool finite = true;
  for (int64_t i = 0; i < f.in; ++i) {
    const Magnitude<Scalar> row = measure(rows + i * f.size, count, chunk, chunks.data());
    all.largest = std::max(all.largest, row.largest);
    all.squares = std::max(all.squares, row.squares);
    finite = finite && std::isfinite(row.squares);
  }
  if (finite && all.largest == 0) return nullptr;
  const bool all_sparse = filters_.all_sparse(group, 1);
  if (finite && all_sparse) return nullptr;
  const bool may_be_whole =
      !all_sparse && filters_.whole_limit() > 0 && has_whole_chunk(rows, f.in, f.size, count, chunk);
  if (finite && is_ordinary(all.largest) && !may_be_whole) {
    const Scalar quietest = *std::min_element(chunks.begin(), chunks.begin() + count / chunk);
    const double mean_square = static_cast<double>(all.squares) / static_cast<double>(f.size);
    if (quietest >= min_window(all.largest, mean_square, filters_.gain(group))) return nullptr;
  }

  auto special = std::make_unique<Special>();
  if (!finite) {
    special->finite.assign(rows, rows + f.in * f.size);
    special->infinite = take_infinite(special->finite, f.size);
  }
  const Scalar* const source = special->finite.empty() ? rows : special->finite.data();
  special->windows = windows_of(source, results);
  if (all_sparse) return special;
  if (may_be_whole && separate_whole(*special, source, results)) {
    // In float there is no telling how far a sum is from a whole number.
    if constexpr (sizeof(Scalar) < sizeof(double)) {
      left = 1;
      return nullptr;
    }
    if (special->finite.empty()) special->finite.assign(rows, rows + f.in * f.size);
  }
  const double products = static_cast<double>(f.taps) * direct_product_cost;
  const double row_cost = kernels::block_row_cost(f.size);
  const double pairs = static_cast<double>(f.in * f.out);
  const LevelCosts costs = {
      .transform = static_cast<double>(f.in + f.out) * row_cost + pairs * kernels::block_product_cost(f.size),
      .window = products * pairs / static_cast<double>(special->windows.size()),
      .sample = products * static_cast<double>(f.out)};
  const Scalar* const levelled = special->has_whole() ? special->rest.data() : source;
  plan_levels(levelled, f.in, count, f.size, filters_.gain(group), special->windows, costs, special->plan);
  const std::vector<Level<Scalar>>& levels = special->plan.levels;
  const bool as_it_is =
      special->finite.empty() && special->plan.loud.empty() && levels.size() == 1 && levels.front().exponent == 0;
  if (!as_it_is && special->finite.empty()) special->finite.assign(rows, rows + f.in * f.size);
  if (as_it_is && !any_zero(special->windows)) return nullptr;
  return special;
}

// Finds the largest sample that each window sees, for outputs that lack no tap, and then for those that lack the first.
template <class Scalar>
std::vector<std::vector<Scalar>> SlidingSums<Scalar>::windows_of(const Scalar* rows, int64_t results) const {
  const FilterShape& f = shape_.filters;
  const int64_t count = results + f.taps - 1;
  const bool two_kinds = std::find(shape_.lacks_first.begin(), shape_.lacks_first.end(), 1) != shape_.lacks_first.end();
  std::vector<std::vector<Scalar>> windows(two_kinds ? 2 : 1, std::vector<Scalar>(results));
  for (const char lacking : {0, 1}) {
    std::vector<Scalar> largest(count);
    bool any = false;
    for (int64_t i = 0; i < f.in; ++i) {
      if (shape_.lacks_last[i] != lacking) continue;
      any = true;
      const Scalar* const row = rows + i * f.size;
      for (int64_t at = 0; at < count; ++at) largest[at] = std::max(largest[at], std::abs(row[at]));
    }
    if (!any) continue;
    for (size_t first = 0; first < windows.size(); ++first) {
      const int64_t taps = f.taps - lacking - static_cast<int64_t>(first);
      std::vector<Scalar> values(largest.begin() + static_cast<int64_t>(first),
                                 largest.begin() + static_cast<int64_t>(first) + results + taps - 1);
      slide_maximum(values.data(), results, taps, windows[first].data());
    }
  }
  return windows;
}

// If some windows see whole numbers alone, takes all whole numbers out of `rest`, and says so.
template <class Scalar>
bool SlidingSums<Scalar>::separate_whole(Special& special, const Scalar* rows, int64_t results) const {
  const FilterShape& f = shape_.filters;
  const Scalar limit = static_cast<Scalar>(filters_.whole_limit());
  std::vector<Scalar> rest(f.in * f.size);
  std::vector<Scalar> broken(f.in * f.size);  // or too large for their sums to be exact at all
  const Scalar exact = static_cast<Scalar>(std::ldexp(1.0, 53) / filters_.magnitude());
  for (size_t i = 0; i < rest.size(); ++i) {
    const bool whole = is_whole(rows[i]);
    rest[i] = whole && std::abs(rows[i]) <= limit ? Scalar(0) : rows[i];
    broken[i] = whole && std::abs(rows[i]) < exact ? Scalar(0) : rows[i];
  }
  std::vector<std::vector<Scalar>> rests = windows_of(rest.data(), results);
  const std::vector<std::vector<Scalar>> breaks = windows_of(broken.data(), results);
  bool found = false;
  for (size_t kind = 0; kind < rests.size(); ++kind) {
    for (size_t j = 0; j < rests[kind].size(); ++j) {
      if (special.windows[kind][j] == 0 || breaks[kind][j] != 0) continue;
      found = true;
      // Transforms would not keep these whole numbers exact.
      if (rests[kind][j] == 0) continue;
      special.plan.direct.push_back({static_cast<int64_t>(kind), static_cast<int64_t>(j)});
      rests[kind][j] = 0;
    }
  }
  if (!found) return false;
  special.rest = std::move(rest);
  special.windows = std::move(rests);
  return true;
}

template <class Scalar>
void SlidingSums<Scalar>::add_pass(const Special& special, size_t pass, int64_t group, const Scalar* sums,
                                   Scalar* to) const {
  const FilterShape& f = shape_.filters;
  for (int64_t o = 0; o < f.out; ++o, sums += f.size, to += f.size) {
    const int64_t output = group * f.out + o;
    if (filters_.is_sparse(output)) continue;
    const std::vector<Scalar>& windows = special.windows[special.windows.size() == 1 ? 0 : shape_.lacks_first[o]];
    const int64_t results = static_cast<int64_t>(windows.size());
    const auto add = [&](const auto& value) {
      for (int64_t j = 0; j < results; ++j) to[j] = pass == 0 ? value(j) : to[j] + value(j);
    };
    if (pass >= special.passes()) {
      add([&](int64_t) { return Scalar(0); });
    } else if (special.is_whole(pass)) {
      const int exponent = filters_.exponent(output);
      add([&](int64_t j) { return scaled(std::nearbyint(scaled(sums[j], exponent)), -exponent); });
    } else {
      const Level<Scalar>& level = special.level(pass);
      add([&](int64_t j) { return windows[j] > level.above ? scaled(sums[j], level.exponent) : Scalar(0); });
    }
  }
}

// Adds the products of single samples.
template <class Scalar>
void SlidingSums<Scalar>::add_loud(const Special& special, int64_t group, int64_t results, Scalar* to) const {
  const FilterShape& f = shape_.filters;
  const std::vector<Scalar>& rows = special.has_whole() ? special.rest : special.finite;
  for (const Place& place : special.plan.loud) {
    const Scalar value = rows[place.row * f.size + place.at];
    const int64_t first = std::max<int64_t>(place.at - f.taps + 1, 0);
    const int64_t last = std::min(place.at, results - 1);
    for (int64_t o = 0; o < f.out; ++o) {
      const Scalar* const taps = filters_.taps((group * f.out + o) * f.in + place.row);
      for (int64_t j = first; j <= last; ++j) to[o * f.size + j] += value * taps[place.at - j];
    }
  }
}

template <class Scalar>
void SlidingSums<Scalar>::sum_directly(const Special& special, const Scalar* rows, int64_t group, Scalar* to) const {
  const FilterShape& f = shape_.filters;
  for (const Place& place : special.plan.direct) {
    for (int64_t o = 0; o < f.out; ++o) {
      if (special.windows.size() > 1 && shape_.lacks_first[o] != place.row) continue;
      double sum = 0;
      for (int64_t i = 0; i < f.in; ++i) {
        sum += dot(filters_.taps((group * f.out + o) * f.in + i), rows + i * f.size + place.at, f.taps);
      }
      to[o * f.size + place.at] = static_cast<Scalar>(sum);
    }
  }
}

// Adds up the results of filters of few taps.
template <class Scalar>
void SlidingSums<Scalar>::sum_sparse(const Scalar* rows, int64_t group, int64_t results, Scalar* to) const {
  const FilterShape& f = shape_.filters;
  for (int64_t o = 0; o < f.out; ++o, to += f.size) {
    if (!filters_.is_sparse(group * f.out + o)) continue;
    std::fill(to, to + results, Scalar(0));
    for (const auto& tap : filters_.sparse_taps(group * f.out + o)) {
      const Scalar* const x = rows + tap.in * f.size + tap.at;
      for (int64_t j = 0; j < results; ++j) to[j] += tap.value * x[j];
    }
  }
}

// Sets results that see a NaN or an infinity, which no finite product changes.
template <class Scalar>
void SlidingSums<Scalar>::sum_infinite(const Special& special, int64_t group, int64_t results, Scalar* to) const {
  const FilterShape& f = shape_.filters;
  const auto& infinite = special.infinite;
  for (int64_t o = 0; o < f.out; ++o, to += f.size) {
    size_t first = 0;
    for (int64_t j = 0; j < results; ++j) {
      while (first < infinite.size() && infinite[first].at < j + shape_.lacks_first[o]) ++first;
      Scalar sum = 0;
      for (size_t k = first; k < infinite.size() && infinite[k].at < j + f.taps && !std::isnan(sum); ++k) {
        const int64_t tap = infinite[k].at - j;
        if (tap == f.taps - 1 && shape_.lacks_last[infinite[k].row]) continue;
        sum += infinite[k].value * filters_.taps((group * f.out + o) * f.in + infinite[k].row)[tap];
      }
      if (!std::isfinite(sum)) to[j] = sum;
    }
  }
}

// Adds what transforms have no part in. `rows` are as they were, unless `special` has a copy of them.
template <class Scalar>
void SlidingSums<Scalar>::finish(const Special* special, const Scalar* rows, int64_t group, int64_t results,
                                 Scalar* to) const {
  const FilterShape& f = shape_.filters;
  for (int64_t o = 0; o < f.out; ++o) {
    const int exponent = filters_.exponent(group * f.out + o);
    if (exponent == 0 || filters_.is_sparse(group * f.out + o)) continue;
    for (int64_t j = 0; j < results; ++j) to[o * f.size + j] = scaled(to[o * f.size + j], exponent);
  }
  if (special != nullptr && !special->finite.empty()) rows = special->finite.data();
  if (special != nullptr) {
    add_loud(*special, group, results, to);
    sum_directly(*special, rows, group, to);
  }
  sum_sparse(rows, group, results, to);
  if (special != nullptr && !special->infinite.empty()) sum_infinite(*special, group, results, to);
}

template class SlidingSums<float>;
template class SlidingSums<double>;

}  // namespace tapconv::composed
