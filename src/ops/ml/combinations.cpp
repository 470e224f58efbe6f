// CategoryHash and CombinationStatistics.
//
// The hash of a combination is that of CatBoost (libs/model/hash.h, CalcHash): h becomes
// kFactor * (h + kFactor * k) for each category's hash k, then for each answer k, 1 or 0.
#include "ops/ml/combinations.h"

#include <algorithm>
#include <bit>

#include "ir/op_def.h"
#include "ops/ml/city_hash.h"

namespace athanor::ops {
namespace {

using IntList = std::vector<std::int64_t>;

constexpr std::int64_t kMostColumns = std::int64_t{1} << 31;

struct CombinationAttrs {
  IntList category_counts, categories, above_counts, above_features, equal_counts, equal_categories,
      equal_values, entry_counts, value_counts;
  Tensor above_borders, hashes, values, defaults;
  template <class V>
  void Visit(V& v) {
    v("category_counts", category_counts, "of each combination, how many categories", kRequired);
    v("categories", categories, "columns of these, combination by combination", kRequired);
    v("above_counts", above_counts, "of each, how many numbers are compared", kRequired);
    v("above_features", above_features, "columns of these", kRequired);
    v("above_borders", above_borders, "f32: what they are compared with; above is 1", kRequired);
    v("equal_counts", equal_counts, "of each, how many categories are compared", kRequired);
    v("equal_categories", equal_categories, "columns of these", kRequired);
    v("equal_values", equal_values, "hashes they are compared with; equal is 1", kRequired);
    v("entry_counts", entry_counts, "of each, how many hashes are known", kRequired);
    v("hashes", hashes, "i64: the hashes", kRequired);
    v("value_counts", value_counts, "of each, how many values", kRequired);
    v("values", values, "f32: those of each hash, combination by combination", kRequired);
    v("defaults", defaults, "f32: those of any other hash", kRequired);
  }
};

std::uint64_t Mix(std::uint64_t hash, std::uint64_t key) {
  constexpr std::uint64_t kFactor = 0x4906BA494954CB65;
  return kFactor * (hash + kFactor * key);
}

// As all 64 bits: CatBoost widens a hash of 32 bits with its sign.
std::uint64_t Wide(std::int32_t hash) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(hash));
}

// The next entries of a list that holds those of all combinations.
template <class T>
class Rest {
 public:
  Rest(std::string_view what, std::span<const T> list) : what_(what), list_(list) {}
  Result<std::span<const T>> Take(std::int64_t count) {
    if (count < 0 || static_cast<std::uint64_t>(count) > list_.size())
      return InvalidModel("{}: {} entries are left of {}", what_, list_.size(), count);
    const std::span<const T> taken = list_.first(static_cast<std::size_t>(count));
    list_ = list_.subspan(taken.size());
    return taken;
  }
  Status End() const {
    if (list_.empty()) return {};
    return InvalidModel("{}: {} entries too many", what_, list_.size());
  }

 private:
  std::string_view what_;
  std::span<const T> list_;
};

Status CheckType(std::string_view what, const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return {};
  return InvalidModel("{} is {}; {} is expected", what, Name(tensor.dtype()), Name(dtype));
}

}  // namespace

class Combinations::Maker {
 public:
  static Result<Combinations> Make(const CombinationAttrs& attrs) {
    ATH_RETURN_IF_ERROR(CheckType("above_borders", attrs.above_borders, DType::kF32));
    ATH_RETURN_IF_ERROR(CheckType("hashes", attrs.hashes, DType::kI64));
    ATH_RETURN_IF_ERROR(CheckType("values", attrs.values, DType::kF32));
    ATH_RETURN_IF_ERROR(CheckType("defaults", attrs.defaults, DType::kF32));
    const std::size_t count = attrs.category_counts.size();
    for (const IntList* list :
         {&attrs.above_counts, &attrs.equal_counts, &attrs.entry_counts, &attrs.value_counts}) {
      if (list->size() != count)
        return InvalidModel("the lists of {} combinations differ in length", count);
    }
    Maker maker(attrs);
    for (std::size_t i = 0; i < count; ++i) {
      Status status = maker.Add(i);
      if (!status.ok()) return std::move(status).In(fmt::format("combination {}", i));
    }
    ATH_RETURN_IF_ERROR(maker.CheckEnds());
    return std::move(maker.made_);
  }

 private:
  explicit Maker(const CombinationAttrs& attrs)
      : attrs_(attrs),
        categories_("categories", attrs.categories),
        above_features_("above_features", attrs.above_features),
        above_borders_("above_borders", attrs.above_borders.Data<float>()),
        equal_categories_("equal_categories", attrs.equal_categories),
        equal_values_("equal_values", attrs.equal_values),
        hashes_("hashes", attrs.hashes.Data<std::int64_t>()),
        values_("values", attrs.values.Data<float>()),
        defaults_("defaults", attrs.defaults.Data<float>()) {}

  static Result<std::size_t> Column(std::int64_t column, std::int64_t& columns) {
    if (column < 0 || column >= kMostColumns)
      return InvalidModel("column {} does not exist", column);
    columns = std::max(columns, column + 1);
    return static_cast<std::size_t>(column);
  }

  Status Add(std::size_t i) {
    Part part;
    ATH_TRY(const auto categories, categories_.Take(attrs_.category_counts[i]));
    for (const std::int64_t column : categories) {
      ATH_TRY(const std::size_t category, Column(column, made_.num_categories_));
      part.categories.push_back(category);
    }
    ATH_TRY(const auto features, above_features_.Take(attrs_.above_counts[i]));
    ATH_TRY(const auto borders, above_borders_.Take(attrs_.above_counts[i]));
    for (std::size_t k = 0; k < features.size(); ++k) {
      ATH_TRY(const std::size_t feature, Column(features[k], made_.num_numbers_));
      part.above.push_back({feature, borders[k]});
    }
    ATH_TRY(const auto compared, equal_categories_.Take(attrs_.equal_counts[i]));
    ATH_TRY(const auto with, equal_values_.Take(attrs_.equal_counts[i]));
    for (std::size_t k = 0; k < compared.size(); ++k) {
      ATH_TRY(const std::size_t category, Column(compared[k], made_.num_categories_));
      part.equal.push_back({category, static_cast<std::int32_t>(with[k])});
    }
    ATH_RETURN_IF_ERROR(AddEntries(i, part));
    made_.parts_.push_back(std::move(part));
    return {};
  }

  Status AddEntries(std::size_t i, Part& part) {
    ATH_TRY(const auto hashes, hashes_.Take(attrs_.entry_counts[i]));
    ATH_TRY(const auto defaults, defaults_.Take(attrs_.value_counts[i]));
    part.width = defaults.size();
    made_.num_values_ += static_cast<std::int64_t>(part.width);
    if (hashes.size() >= std::size_t{1} << 31) return InvalidModel("{} hashes", hashes.size());
    // Checked above: both factors are counts of elements in memory, so the product needs a check.
    if (part.width != 0 && hashes.size() > attrs_.values.Data<float>().size() / part.width)
      return InvalidModel("{} hashes have fewer than {} values each", hashes.size(), part.width);
    ATH_TRY(const auto values, values_.Take(static_cast<std::int64_t>(hashes.size() * part.width)));
    part.values.assign(values.begin(), values.end());
    part.values.insert(part.values.end(), defaults.begin(), defaults.end());
    part.places.resize(std::bit_ceil(2 * hashes.size() + 1));
    for (std::size_t k = 0; k < hashes.size(); ++k) {
      const auto hash = static_cast<std::uint64_t>(hashes[k]);
      std::size_t at = hash & (part.places.size() - 1);
      for (; part.places[at].entry != 0; at = (at + 1) & (part.places.size() - 1)) {
        if (part.places[at].hash == hash) return InvalidModel("hash {} stands twice", hash);
      }
      part.places[at] = {hash, static_cast<std::uint32_t>(k + 1)};
    }
    return {};
  }

  Status CheckEnds() const {
    for (const Status& status :
         {categories_.End(), above_features_.End(), above_borders_.End(), equal_categories_.End(),
          equal_values_.End(), hashes_.End(), values_.End(), defaults_.End()})
      ATH_RETURN_IF_ERROR(status);
    return {};
  }

  const CombinationAttrs& attrs_;
  Rest<std::int64_t> categories_, above_features_;
  Rest<float> above_borders_;
  Rest<std::int64_t> equal_categories_, equal_values_, hashes_;
  Rest<float> values_, defaults_;
  Combinations made_;
};

Result<Combinations> Combinations::Of(const AttrMap& attributes) {
  return Maker::Make(ReadAttributes<CombinationAttrs>(attributes));
}

std::uint64_t Combinations::HashOf(const Part& part, std::span<const std::int32_t> categories,
                                   std::span<const float> numbers) {
  std::uint64_t hash = 0;
  for (const std::size_t category : part.categories) hash = Mix(hash, Wide(categories[category]));
  for (const Above& above : part.above)
    hash = Mix(hash, numbers[above.feature] > above.border ? 1 : 0);
  for (const Equal& equal : part.equal)
    hash = Mix(hash, categories[equal.category] == equal.value ? 1 : 0);
  return hash;
}

void Combinations::Find(std::span<const std::int32_t> categories, std::span<const float> numbers,
                        std::span<float> values) const {
  float* to = values.data();
  for (const Part& part : parts_) {
    const std::uint64_t hash = HashOf(part, categories, numbers);
    const std::size_t mask = part.places.size() - 1;
    std::size_t at = hash & mask;
    while (part.places[at].entry != 0 && part.places[at].hash != hash) at = (at + 1) & mask;
    // The values of an unknown hash stand behind those of all entries.
    const std::uint32_t found = part.places[at].entry;
    const std::size_t last = part.values.size() - part.width;
    const float* from = part.values.data() + (found == 0 ? last : (found - 1) * part.width);
    to = std::copy_n(from, part.width, to);
  }
}

namespace {

Status InferCombinations(InferCtx& ctx) {
  ATH_TRY(const Combinations combinations, Combinations::Of(ctx.attributes()));
  const auto check = [&](std::size_t input, DType dtype, std::int64_t columns) -> Status {
    if (ctx.InDType(input) != dtype)
      return InvalidModel("input {} is {}; {} is expected", input, Name(ctx.InDType(input)),
                          Name(dtype));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(input, 2));
    const Type& type = ctx.In(input);
    if (type.HasRank() && type.dim(1).IsConst() && type.dim(1).value() < columns)
      return InvalidModel("input {} has {} columns; {} are looked at", input, type.dim(1).value(),
                          columns);
    return {};
  };
  ATH_RETURN_IF_ERROR(check(0, DType::kI32, combinations.num_categories()));
  if (ctx.Has(1)) ATH_RETURN_IF_ERROR(check(1, DType::kF32, combinations.num_numbers()));
  if (!ctx.Has(1) && combinations.num_numbers() > 0)
    return InvalidModel("numbers are compared, but there are none");
  const Dim rows = ctx.In(0).HasRank() ? ctx.In(0).dim(0) : Dim::Unknown();
  ctx.out[0] = Type::Tensor(DType::kF32, {rows, combinations.num_values()});
  return {};
}

Status CombinationsReference(RefCtx& ctx) {
  ATH_TRY(const Combinations combinations, Combinations::Of(ctx.attributes()));
  const Tensor& categories = ctx.In(0);
  const auto row_of = [](const auto& data, std::int64_t row, std::int64_t columns) {
    return data.subspan(static_cast<std::size_t>(row * columns), static_cast<std::size_t>(columns));
  };
  const std::int64_t rows = categories.dim(0);
  const std::int64_t numbers = ctx.Has(1) ? ctx.In(1).dim(1) : 0;
  if (ctx.Has(1) && ctx.In(1).dim(0) != rows)
    return InvalidModel("{} rows of categories, {} of numbers", rows, ctx.In(1).dim(0));
  const std::span<const float> all = ctx.Has(1) ? ctx.Data<float>(1) : std::span<const float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    combinations.Find(row_of(ctx.Data<std::int32_t>(0), row, categories.dim(1)),
                      row_of(all, row, numbers),
                      row_of(ctx.OutData<float>(0), row, combinations.num_values()));
  }
  return {};
}

Status InferCategoryHash(InferCtx& ctx) {
  if (ctx.InDType(0) != DType::kString)
    return InvalidModel("x is {}; string is expected", Name(ctx.InDType(0)));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kI32;
  return {};
}

Status CategoryHashReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<std::int32_t>(0);
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(CityHash64(x[i])));
  return {};
}

}  // namespace

OpDef CategoryHash() {
  return {
      .name = "CategoryHash",
      .summary =
          "The lower 32 bits of CityHash64 (version 1.0) of each string, as CatBoost knows "
          "categories.",
      .inputs = {{"x", "string"}},
      .outputs = {{"y", "i32, shape of x"}},
      .infer = InferCategoryHash,
      .reference = CategoryHashReference,
  };
}

OpDef CombinationStatistics() {
  return {
      .name = "CombinationStatistics",
      .summary =
          "Values looked up by a hash of several categories and of answers to comparisons, for "
          "each "
          "of a list of combinations. The hash h, first 0, becomes f * (h + f * k) modulo 2^64, f "
          "= "
          "0x4906ba494954cb65, for each category's hash k, then 1 or 0 for each number that is "
          "above "
          "its border or not, then for each category that equals its value or not.",
      .inputs = {{"categories", "i32[rows, columns], from CategoryHash"},
                 {"numbers", "f32[rows, columns]", kOptionalPort}},
      .outputs = {{"values", "f32[rows, sum of value_counts]"}},
      .attributes = Describe<CombinationAttrs>(),
      .infer = InferCombinations,
      .reference = CombinationsReference,
  };
}

}  // namespace athanor::ops
