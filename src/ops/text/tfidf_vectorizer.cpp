#include <algorithm>
#include <map>

#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct TfIdfAttrs {
  std::string mode;
  std::int64_t min_gram_length = 0, max_gram_length = 0, max_skip_count = 0;
  std::vector<std::int64_t> ngram_counts, ngram_indexes;
  std::vector<std::int64_t> pool_int64s;
  std::vector<std::string> pool_strings;
  std::vector<float> weights;
  template <class V>
  void Visit(V& v) {
    v("mode", mode, "TF: counts; IDF: weights of those present; TFIDF: counts times weights",
      kRequired);
    v("min_gram_length", min_gram_length, "shortest n-gram that is looked for", kRequired);
    v("max_gram_length", max_gram_length, "longest n-gram that is looked for", kRequired);
    v("max_skip_count", max_skip_count, "items left out between neighbours: 0 up to this",
      kRequired);
    v("ngram_counts", ngram_counts, "where the 1-grams, 2-grams, ... start in the pool", kRequired);
    v("ngram_indexes", ngram_indexes, "for each n-gram of the pool, its place in the result",
      kRequired);
    v("pool_int64s", pool_int64s, "the n-grams, one after the other, for integer input");
    v("pool_strings", pool_strings, "the n-grams, one after the other, for string input");
    v("weights", weights, "for each n-gram of the pool; 1 when absent");
  }
};

std::size_t PoolSize(const TfIdfAttrs& attrs) {
  return attrs.pool_strings.empty() ? attrs.pool_int64s.size() : attrs.pool_strings.size();
}

// The pool's n-grams of length n lie in [first, last).
struct Section {
  std::size_t first = 0, last = 0;
};
Result<Section> SectionOf(const TfIdfAttrs& attrs, std::size_t n) {
  const std::vector<std::int64_t>& starts = attrs.ngram_counts;
  const auto pool = static_cast<std::int64_t>(PoolSize(attrs));
  if (n > starts.size()) return Section{};
  const std::int64_t first = starts[n - 1], last = n < starts.size() ? starts[n] : pool;
  if (first < 0 || last < first || last > pool ||
      (last - first) % static_cast<std::int64_t>(n) != 0) {
    return InvalidModel("ngram_counts: [{}, {}) of a pool of {} does not hold whole {}-grams",
                        first, last, pool, n);
  }
  return Section{static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

Status CheckAttrs(const TfIdfAttrs& attrs) {
  if (attrs.mode != "TF" && attrs.mode != "IDF" && attrs.mode != "TFIDF")
    return InvalidModel("mode \"{}\": TF, IDF or TFIDF is expected", attrs.mode);
  if (attrs.pool_int64s.empty() == attrs.pool_strings.empty())
    return InvalidModel("either pool_int64s or pool_strings is expected");
  if (attrs.min_gram_length < 1 || attrs.max_gram_length < attrs.min_gram_length ||
      attrs.max_skip_count < 0) {
    return InvalidModel("n-grams of length {} to {} with up to {} skips", attrs.min_gram_length,
                        attrs.max_gram_length, attrs.max_skip_count);
  }
  std::size_t grams = 0;
  for (std::size_t n = 1; n <= attrs.ngram_counts.size(); ++n) {
    ATH_TRY(const Section section, SectionOf(attrs, n));
    grams += (section.last - section.first) / n;
  }
  if (attrs.ngram_indexes.size() != grams)
    return InvalidModel("ngram_indexes has {} entries for {} n-grams", attrs.ngram_indexes.size(),
                        grams);
  if (!attrs.weights.empty() && attrs.weights.size() != grams)
    return InvalidModel("{} weights for {} n-grams", attrs.weights.size(), grams);
  for (const std::int64_t index : attrs.ngram_indexes) {
    if (index < 0 || index > (std::int64_t{1} << 40))
      return InvalidModel("ngram_indexes: {} is no place in the result", index);
  }
  return {};
}

Status InferTfidfVectorizer(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const auto attrs = ctx.Attrs<TfIdfAttrs>();
  ATH_RETURN_IF_ERROR(CheckAttrs(attrs));
  const Type& x = ctx.In(0);
  const bool fits = attrs.pool_strings.empty() ? x.dtype == DType::kI32 || x.dtype == DType::kI64
                                               : x.dtype == DType::kString;
  if (!fits)
    return Error(ErrorCode::kUnsupportedType, "the pool's type is expected, {} is given",
                 x.ToString());
  ctx.out[0] = Type::TensorOfUnknownRank(DType::kF32);
  if (!x.HasRank()) return {};
  if (x.rank() != 1 && x.rank() != 2)
    return InvalidModel("[C] or [N, C] is expected, {} is given", x.ToString());
  const std::int64_t width =
      1 + *std::max_element(attrs.ngram_indexes.begin(), attrs.ngram_indexes.end());
  ctx.out[0].shape = athanor::Shape{Dim(width)};
  if (x.rank() == 2) ctx.out[0].shape->insert(ctx.out[0].shape->begin(), x.dim(0));
  return {};
}

// n-gram -> its number in the pool's order, for the lengths that are looked for.
template <class T>
using Grams = std::map<std::vector<T>, std::size_t>;

template <class T>
Result<Grams<T>> ReadPool(const TfIdfAttrs& attrs, const std::vector<T>& pool) {
  Grams<T> grams;
  std::size_t number = 0;
  for (std::size_t n = 1; n <= attrs.ngram_counts.size(); ++n) {
    ATH_TRY(const Section section, SectionOf(attrs, n));
    const bool wanted = static_cast<std::int64_t>(n) >= attrs.min_gram_length &&
                        static_cast<std::int64_t>(n) <= attrs.max_gram_length;
    for (std::size_t at = section.first; at < section.last; at += n, ++number) {
      const auto from = pool.begin() + static_cast<std::ptrdiff_t>(at);
      if (wanted)
        grams.emplace(std::vector<T>(from, from + static_cast<std::ptrdiff_t>(n)), number);
    }
  }
  return grams;
}

// Looks up every n-gram of one row. 1-grams have no skips.
template <class T>
void Count(const TfIdfAttrs& attrs, const Grams<T>& grams, std::span<const T> row,
           std::vector<double>& counts) {
  const auto length = static_cast<std::int64_t>(row.size());
  const auto longest =
      std::min(attrs.max_gram_length, static_cast<std::int64_t>(attrs.ngram_counts.size()));
  std::vector<T> gram;
  for (std::int64_t n = attrs.min_gram_length; n <= longest; ++n) {
    const std::int64_t skips = n == 1 ? 0 : std::min(attrs.max_skip_count, length);
    for (std::int64_t step = 1; step <= skips + 1; ++step) {
      for (std::int64_t start = 0; start + (n - 1) * step < length; ++start) {
        gram.clear();
        for (std::int64_t i = 0; i < n; ++i)
          gram.push_back(row[static_cast<std::size_t>(start + i * step)]);
        const auto found = grams.find(gram);
        if (found != grams.end()) ++counts[found->second];
      }
    }
  }
}

template <class T>
Status Vectorize(RefCtx& ctx, const TfIdfAttrs& attrs, const std::vector<T>& items,
                 const std::vector<T>& pool) {
  ATH_TRY(const Grams<T> grams, ReadPool(attrs, pool));
  const auto y = ctx.OutData<float>(0);
  std::fill(y.begin(), y.end(), 0.0F);
  const std::size_t rows = ctx.In(0).rank() == 2 ? static_cast<std::size_t>(ctx.In(0).dim(0)) : 1;
  const std::size_t columns = rows == 0 ? 0 : items.size() / rows;
  const std::size_t width = rows == 0 ? 0 : y.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<double> counts(attrs.ngram_indexes.size(), 0);
    Count<T>(attrs, grams, std::span(items).subspan(row * columns, columns), counts);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const double weight = attrs.weights.empty() ? 1 : attrs.weights[i];
      const double value = attrs.mode == "TF"    ? counts[i]
                           : attrs.mode == "IDF" ? weight
                                                 : counts[i] * weight;
      y[row * width + static_cast<std::size_t>(attrs.ngram_indexes[i])] +=
          static_cast<float>(value);
    }
  }
  return {};
}

Status TfidfVectorizerReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<TfIdfAttrs>();
  if (attrs.pool_strings.empty()) {
    ATH_TRY(const std::vector<std::int64_t> items, ToInts(ctx.In(0)));
    return Vectorize(ctx, attrs, items, attrs.pool_int64s);
  }
  const auto x = ctx.Data<std::string>(0);
  return Vectorize(ctx, attrs, std::vector<std::string>(x.begin(), x.end()), attrs.pool_strings);
}

}  // namespace

OpDef TfIdfVectorizer() {
  return {
      .name = "TfIdfVectorizer",
      .summary = "How often each n-gram of a pool occurs in a row of items, weighted.",
      .inputs = {{"x", "[C] or [N, C]: integers or strings, as in the pool"}},
      .outputs = {{"y", "f32: one row of weights per row of items"}},
      .attributes = Describe<TfIdfAttrs>(),
      .traits = kPure,
      .infer = InferTfidfVectorizer,
      .reference = TfidfVectorizerReference,
  };
}

}  // namespace athanor::ops
