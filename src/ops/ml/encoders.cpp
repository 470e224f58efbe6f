// Categories to numbers and back: CategoryMapper, LabelEncoder, OneHotEncoder.
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "ir/op_def.h"

namespace athanor::ops {
namespace {

// ---- LabelEncoder

struct LabelEncoderAttrs {
  Tensor keys_tensor, values_tensor, default_tensor;
  template <class V>
  void Visit(V& v) {
    v("keys_tensor", keys_tensor, "what is looked for: a vector of the type of x", kRequired);
    v("values_tensor", values_tensor, "what stands in its place: a vector of the type of y",
      kRequired);
    v("default_tensor", default_tensor, "one element of the type of y, for x that is no key",
      kRequired);
  }
};

using EncoderTypes = TypeList<std::string, std::int64_t, std::int32_t, std::int16_t, float, double>;

Status InferLabelEncoder(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<LabelEncoderAttrs>();
  const DType out = attrs.values_tensor.dtype();
  if (attrs.keys_tensor.dtype() != ctx.InDType(0)) {
    return InvalidModel("x is {}, but the keys are {}", Name(ctx.InDType(0)),
                        Name(attrs.keys_tensor.dtype()));
  }
  if (attrs.keys_tensor.count() != attrs.values_tensor.count()) {
    return InvalidModel("{} keys and {} values are given", attrs.keys_tensor.count(),
                        attrs.values_tensor.count());
  }
  if (attrs.default_tensor.dtype() != out || attrs.default_tensor.count() != 1) {
    return InvalidModel("the default is {}{}; one element of {} is expected",
                        Name(attrs.default_tensor.dtype()), ToString(attrs.default_tensor.dims()),
                        Name(out));
  }
  for (const DType dtype : {ctx.InDType(0), out})
    ATH_RETURN_IF_ERROR(Dispatch(EncoderTypes{}, dtype, [](auto) { return Status(); }));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = out;
  return {};
}

// Floats are told apart by their bits, so that NaN is a key; both zeros are one key.
template <class T>
auto KeyOf(const T& value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(value != value ? NAN : value + 0.0F);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(value != value ? static_cast<double>(NAN) : value + 0.0);
  } else {
    return value;
  }
}

// For each x the position of its key; -1 when it has none. The first of equal keys counts.
Result<std::vector<std::int64_t>> Positions(const Tensor& keys, const Tensor& x) {
  std::vector<std::int64_t> positions;
  ATH_RETURN_IF_ERROR(Dispatch(EncoderTypes{}, x.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    std::unordered_map<decltype(KeyOf(T())), std::int64_t> index;
    const auto names = keys.Data<T>();
    for (std::size_t i = 0; i < names.size(); ++i)
      index.emplace(KeyOf(names[i]), static_cast<std::int64_t>(i));
    for (const T& value : x.Data<T>()) {
      const auto found = index.find(KeyOf(value));
      positions.push_back(found == index.end() ? -1 : found->second);
    }
    return {};
  }));
  return positions;
}

Status LabelEncoderReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<LabelEncoderAttrs>();
  ATH_TRY(const std::vector<std::int64_t> positions, Positions(attrs.keys_tensor, ctx.In(0)));
  return Dispatch(EncoderTypes{}, ctx.Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto values = attrs.values_tensor.Data<T>();
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = positions[i] < 0 ? attrs.default_tensor.Data<T>()[0]
                              : values[static_cast<std::size_t>(positions[i])];
    }
    return {};
  });
}

// ---- OneHotEncoder

struct OneHotEncoderAttrs {
  std::vector<std::int64_t> cats_int64s;
  std::vector<std::string> cats_strings;
  bool zeros = true;
  template <class V>
  void Visit(V& v) {
    v("cats_int64s", cats_int64s, "categories of numeric x");
    v("cats_strings", cats_strings, "categories of x of strings");
    v("zeros", zeros, "1: an unknown category gives zeros; 0: it is an error");
  }
};

Status InferOneHot(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<OneHotEncoderAttrs>();
  const bool strings = ctx.InDType(0) == DType::kString;
  using Numbers = TypeList<std::int64_t, std::int32_t, float, double>;
  if (!strings)
    ATH_RETURN_IF_ERROR(Dispatch(Numbers{}, ctx.InDType(0), [](auto) { return Status(); }));
  const std::size_t count = strings ? attrs.cats_strings.size() : attrs.cats_int64s.size();
  if (count == 0) return InvalidModel("no categories are given for x of {}", Name(ctx.InDType(0)));
  ctx.out[0] = Type::TensorOfUnknownRank(DType::kF32);
  if (!ctx.In(0).HasRank()) return {};
  Shape shape = *ctx.In(0).shape;
  shape.push_back(static_cast<std::int64_t>(count));
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status OneHotReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<OneHotEncoderAttrs>();
  Tensor x = ctx.In(0);
  if (x.dtype() != DType::kString && x.dtype() != DType::kI64) {
    // A number counts as the integer it truncates to; what no integer holds is no category.
    ATH_TRY(const std::vector<double> values, ToDoubles(x));
    ATH_TRY(x, Tensor::Allocate(DType::kI64, ctx.In(0).dims()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool fits = values[i] > -0x1p62 && values[i] < 0x1p62;
      x.MutableData<std::int64_t>()[i] =
          fits ? static_cast<std::int64_t>(values[i]) : std::numeric_limits<std::int64_t>::min();
    }
  }
  const bool strings = x.dtype() == DType::kString;
  const std::size_t count = strings ? attrs.cats_strings.size() : attrs.cats_int64s.size();
  const Dims dims = {static_cast<std::int64_t>(count)};
  const Tensor keys = strings ? Tensor::FromVector(dims, attrs.cats_strings)
                              : Tensor::FromVector(dims, attrs.cats_int64s);
  ATH_TRY(const std::vector<std::int64_t> positions, Positions(keys, x));
  const auto y = ctx.OutData<float>(0);
  std::fill(y.begin(), y.end(), 0.0F);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] >= 0) {
      y[i * count + static_cast<std::size_t>(positions[i])] = 1.0F;
    } else if (!attrs.zeros) {
      return DataError("element {} of x is none of the {} categories", i, count);
    }
  }
  return {};
}

// ---- CategoryMapper

struct CategoryMapperAttrs {
  std::vector<std::int64_t> cats_int64s;
  std::vector<std::string> cats_strings;
  std::int64_t default_int64 = -1;
  std::string default_string = "_Unused";
  template <class V>
  void Visit(V& v) {
    v("cats_int64s", cats_int64s, "the integers");
    v("cats_strings", cats_strings, "the string of each integer");
    v("default_int64", default_int64, "for a string that is not listed");
    v("default_string", default_string, "for an integer that is not listed");
  }
};

Status InferMapper(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<CategoryMapperAttrs>();
  if (attrs.cats_int64s.size() != attrs.cats_strings.size()) {
    return InvalidModel("{} integers and {} strings are given", attrs.cats_int64s.size(),
                        attrs.cats_strings.size());
  }
  if (ctx.InDType(0) != DType::kString && ctx.InDType(0) != DType::kI64)
    return InvalidModel("x is {}; string or i64 is expected", Name(ctx.InDType(0)));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = ctx.InDType(0) == DType::kString ? DType::kI64 : DType::kString;
  return {};
}

Status MapperReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<CategoryMapperAttrs>();
  const Dims dims = {static_cast<std::int64_t>(attrs.cats_strings.size())};
  const bool from_string = ctx.In(0).dtype() == DType::kString;
  const Tensor keys = from_string ? Tensor::FromVector(dims, attrs.cats_strings)
                                  : Tensor::FromVector(dims, attrs.cats_int64s);
  ATH_TRY(const std::vector<std::int64_t> positions, Positions(keys, ctx.In(0)));
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto at = static_cast<std::size_t>(positions[i]);
    if (from_string) {
      ctx.OutData<std::int64_t>(0)[i] =
          positions[i] < 0 ? attrs.default_int64 : attrs.cats_int64s[at];
    } else {
      ctx.OutData<std::string>(0)[i] =
          positions[i] < 0 ? attrs.default_string : attrs.cats_strings[at];
    }
  }
  return {};
}

}  // namespace

OpDef CategoryMapper() {
  return {
      .name = "CategoryMapper",
      .summary = "Strings to integers, or integers to strings, through a list of pairs.",
      .inputs = {{"x", "string or i64"}},
      .outputs = {{"y", "i64 or string, shape of x"}},
      .attributes = Describe<CategoryMapperAttrs>(),
      .infer = InferMapper,
      .reference = MapperReference,
  };
}

OpDef LabelEncoder() {
  return {
      .name = "LabelEncoder",
      .summary =
          "Replaces each key by its value, anything else by a default. NaN is a key like any "
          "other.",
      .inputs = {{"x", "string, i64, i32, i16, f32 or f64"}},
      .outputs = {{"y", "type of the values, shape of x"}},
      .attributes = Describe<LabelEncoderAttrs>(),
      .infer = InferLabelEncoder,
      .reference = LabelEncoderReference,
  };
}

OpDef OneHotEncoder() {
  return {
      .name = "OneHotEncoder",
      .summary = "A vector for each element of x with 1 at its category and 0 elsewhere.",
      .inputs = {{"x", "string, i64, i32, f32 or f64"}},
      .outputs = {{"y", "f32[..., categories]"}},
      .attributes = Describe<OneHotEncoderAttrs>(),
      .infer = InferOneHot,
      .reference = OneHotReference,
  };
}

}  // namespace athanor::ops
