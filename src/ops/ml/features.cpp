// Preparation of features: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer,
// Normalizer, Scaler.
#include <algorithm>
#include <cmath>

#include "ops/ml/feature_table.h"

namespace athanor::ops {
namespace {

using MlNumbers = TypeList<float, double, std::int64_t, std::int32_t>;
using MlTypes = TypeList<float, double, std::int64_t, std::int32_t, std::string>;

Status InferSame(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(Dispatch(MlNumbers{}, ctx.InDType(0), [](auto) { return Status(); }));
  ctx.out[0] = ctx.In(0);
  return {};
}

// ---- ArrayFeatureExtractor

Status InferExtractor(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(Dispatch(MlTypes{}, ctx.InDType(0), [](auto) { return Status(); }));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  if (ctx.InDType(1) != DType::kI64)
    return InvalidModel("y is {}; i64 is expected", Name(ctx.InDType(1)));
  ctx.out[0] = Type::TensorOfUnknownRank(ctx.InDType(0));
  const Type& x = ctx.In(0);
  if (!x.HasRank()) return {};
  const Dim count = ctx.In(1).HasRank() ? ElementCount(*ctx.In(1).shape) : Dim::Unknown();
  Shape shape = *x.shape;
  // A vector counts as one row.
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  shape.back() = count;
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status ExtractorReference(RefCtx& ctx) {
  const Tensor& x = ctx.In(0);
  const auto columns = static_cast<std::size_t>(x.dim(x.rank() - 1));
  const auto wanted = ctx.Data<std::int64_t>(1);
  for (const std::int64_t column : wanted) {
    if (column < 0 || static_cast<std::size_t>(column) >= columns)
      return DataError("feature {} is asked for; x has {}", column, columns);
  }
  return Dispatch(MlTypes{}, x.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto in = ctx.Data<T>(0);
    const auto out = ctx.OutData<T>(0);
    std::size_t at = 0;
    for (std::size_t row = 0; at < out.size(); row += columns) {
      for (const std::int64_t column : wanted)
        out[at++] = in[row + static_cast<std::size_t>(column)];
    }
    return {};
  });
}

// ---- Binarizer

struct BinarizerAttrs {
  float threshold = 0;
  template <class V>
  void Visit(V& v) {
    v("threshold", threshold, "values above it give 1, the others 0");
  }
};

Status BinarizerReference(RefCtx& ctx) {
  const double threshold = ctx.Attrs<BinarizerAttrs>().threshold;
  return Dispatch(MlNumbers{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<T>(static_cast<double>(x[i]) > threshold ? 1 : 0);
    return {};
  });
}

// ---- FeatureVectorizer

struct VectorizerAttrs {
  std::vector<std::int64_t> inputdimensions;
  template <class V>
  void Visit(V& v) {
    v("inputdimensions", inputdimensions,
      "columns taken of each input; shorter inputs are filled up with 0");
  }
};

Status InferVectorizer(InferCtx& ctx) {
  const auto widths = ctx.Attrs<VectorizerAttrs>().inputdimensions;
  if (widths.size() != ctx.num_inputs()) {
    return InvalidModel("inputdimensions has {} entries for {} inputs", widths.size(),
                        ctx.num_inputs());
  }
  Dim rows;
  Dim total = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] < 0) return InvalidModel("an input cannot have {} columns", widths[i]);
    ATH_RETURN_IF_ERROR(Dispatch(MlNumbers{}, ctx.InDType(i), [](auto) { return Status(); }));
    total = total + Dim(widths[i]);
    const Type& type = ctx.In(i);
    if (!type.HasRank()) continue;
    if (type.rank() < 1 || type.rank() > 2)
      return InvalidModel("input {} is {}; rank 1 or 2 is expected", i, type.ToString());
    if (rows.IsConst() && type.dim(0).IsConst() && rows.value() != type.dim(0).value())
      return InvalidModel("the inputs have {} and {} rows", rows.value(), type.dim(0).value());
    if (!rows.IsConst()) rows = type.dim(0);
  }
  ctx.out[0] = Type::Tensor(DType::kF32, {rows, total});
  return {};
}

Status VectorizerReference(RefCtx& ctx) {
  const auto widths = ctx.Attrs<VectorizerAttrs>().inputdimensions;
  const auto y = ctx.OutData<float>(0);
  const auto total = static_cast<std::size_t>(ctx.Out(0).dim(1));
  std::fill(y.begin(), y.end(), 0.0F);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const Tensor& x = ctx.In(i);
    // A vector is a column.
    const auto columns = static_cast<std::size_t>(x.rank() == 1 ? 1 : x.dim(1));
    const auto width = static_cast<std::size_t>(widths[i]);
    ATH_TRY(const std::vector<double> values, ToDoubles(x));
    for (std::size_t row = 0; row < static_cast<std::size_t>(x.dim(0)); ++row) {
      for (std::size_t column = 0; column < std::min(columns, width); ++column)
        y[row * total + begin + column] = static_cast<float>(values[row * columns + column]);
    }
    begin += width;
  }
  return {};
}

// ---- Imputer

struct ImputerAttrs {
  std::vector<float> imputed_value_floats;
  std::vector<std::int64_t> imputed_value_int64s;
  float replaced_value_float = 0;
  std::int64_t replaced_value_int64 = 0;
  template <class V>
  void Visit(V& v) {
    v("imputed_value_floats", imputed_value_floats, "what to put in: one, or one per feature");
    v("imputed_value_int64s", imputed_value_int64s, "the same for integer x");
    v("replaced_value_float", replaced_value_float, "what is replaced; may be NaN");
    v("replaced_value_int64", replaced_value_int64, "the same for integer x");
  }
};

Status InferImputer(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferSame(ctx));
  const auto attrs = ctx.Attrs<ImputerAttrs>();
  const bool integer = IsInteger(ctx.InDType(0));
  const std::size_t count =
      integer ? attrs.imputed_value_int64s.size() : attrs.imputed_value_floats.size();
  const char* name = integer ? "imputed_value_int64s" : "imputed_value_floats";
  if (count == 0) return InvalidModel("{} is missing for x of {}", name, Name(ctx.InDType(0)));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  const Type& x = ctx.In(0);
  if (count == 1 || !x.HasRank() || !x.shape->back().IsConst()) return {};
  if (static_cast<std::int64_t>(count) != x.shape->back().value()) {
    return InvalidModel("{} has {} values; 1 or one for each of {} features is expected", name,
                        count, x.shape->back().value());
  }
  return {};
}

Status ImputerReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ImputerAttrs>();
  return Dispatch(MlNumbers{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    const auto fill = [&](const auto& values, auto replaced) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        bool hit = x[i] == static_cast<T>(replaced);
        if constexpr (std::is_floating_point_v<T>)
          hit = hit || (std::isnan(replaced) && std::isnan(x[i]));
        y[i] = hit ? static_cast<T>(values[i % values.size()]) : x[i];
      }
    };
    if constexpr (std::is_floating_point_v<T>) {
      fill(attrs.imputed_value_floats, attrs.replaced_value_float);
    } else {
      fill(attrs.imputed_value_int64s, attrs.replaced_value_int64);
    }
    return {};
  });
}

// ---- Normalizer

struct NormalizerAttrs {
  std::string norm = "MAX";
  template <class V>
  void Visit(V& v) {
    v("norm", norm, "MAX, L1 or L2");
  }
};

Status InferNormalizer(InferCtx& ctx) {
  const std::string norm = ctx.Attrs<NormalizerAttrs>().norm;
  if (norm != "MAX" && norm != "L1" && norm != "L2")
    return InvalidModel("norm is \"{}\"; MAX, L1 or L2 is expected", norm);
  const Result<FeatureDims> dims = InferFeatures(ctx);
  if (!dims.ok()) return dims.status();
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kF32;
  return {};
}

Status NormalizerReference(RefCtx& ctx) {
  const std::string norm = ctx.Attrs<NormalizerAttrs>().norm;
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  const auto y = ctx.OutData<float>(0);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::span<const double> x = table.Row(row);
    double length = 0;
    for (const double value : x) {
      if (norm == "MAX") length = std::max(length, std::abs(value));
      if (norm == "L1") length += std::abs(value);
      if (norm == "L2") length += value * value;
    }
    if (norm == "L2") length = std::sqrt(length);
    // A row of zeros stays one.
    if (length == 0) length = 1;
    for (std::size_t i = 0; i < x.size(); ++i)
      y[static_cast<std::size_t>(row) * x.size() + i] = static_cast<float>(x[i] / length);
  }
  return {};
}

// ---- Scaler

struct ScalerAttrs {
  std::vector<float> offset, scale;
  template <class V>
  void Visit(V& v) {
    v("offset", offset, "subtracted first: one, or one per feature");
    v("scale", scale, "multiplied with then: one, or one per feature");
  }
};

Status InferScaler(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ScalerAttrs>();
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  for (const std::size_t count : {attrs.offset.size(), attrs.scale.size()}) {
    const bool fits =
        !dims.columns.IsConst() || static_cast<std::int64_t>(count) == dims.columns.value();
    if (count != 1 && (count == 0 || !fits)) {
      return InvalidModel("offset and scale have {} and {} values; 1 or {} is expected",
                          attrs.offset.size(), attrs.scale.size(), dims.columns.ToString());
    }
  }
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kF32;
  return {};
}

Status ScalerReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ScalerAttrs>();
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  const auto y = ctx.OutData<float>(0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double offset = attrs.offset[i % attrs.offset.size()];
    const double scale = attrs.scale[i % attrs.scale.size()];
    y[i] = static_cast<float>((table.values[i] - offset) * scale);
  }
  return {};
}

}  // namespace

OpDef ArrayFeatureExtractor() {
  return {
      .name = "ArrayFeatureExtractor",
      .summary = "The chosen entries of the last dimension.",
      .inputs = {{"x", "numbers or strings, rank 1 or more"}, {"y", "i64: entries to take"}},
      .outputs = {{"z", "[..., as many as y has]; a vector counts as one row"}},
      .traits = kPure | kDataMovement,
      .infer = InferExtractor,
      .reference = ExtractorReference,
  };
}

OpDef Binarizer() {
  return {
      .name = "Binarizer",
      .summary = "1 where x is above the threshold, else 0.",
      .inputs = {{"x", "f32, f64, i32 or i64"}},
      .outputs = {{"y", "type and shape of x"}},
      .attributes = Describe<BinarizerAttrs>(),
      .traits = kPure | kElementwise,
      .infer = InferSame,
      .reference = BinarizerReference,
  };
}

OpDef FeatureVectorizer() {
  return {
      .name = "FeatureVectorizer",
      .summary = "Columns of several tables side by side, as f32.",
      .inputs = {{"x", "[samples, features] or [samples]", kVariadicPort}},
      .outputs = {{"y", "f32[samples, sum of inputdimensions]"}},
      .attributes = Describe<VectorizerAttrs>(),
      .infer = InferVectorizer,
      .reference = VectorizerReference,
  };
}

OpDef Imputer() {
  return {
      .name = "Imputer",
      .summary = "Replaces one value, for instance NaN, by a constant for each feature.",
      .inputs = {{"x", "[samples, features]"}},
      .outputs = {{"y", "type and shape of x"}},
      .attributes = Describe<ImputerAttrs>(),
      .infer = InferImputer,
      .reference = ImputerReference,
  };
}

OpDef Normalizer() {
  return {
      .name = "Normalizer",
      .summary = "Divides each sample by its largest absolute value, its L1 or its L2 norm.",
      .inputs = {{"x", "[samples, features]"}},
      .outputs = {{"y", "f32, shape of x"}},
      .attributes = Describe<NormalizerAttrs>(),
      .infer = InferNormalizer,
      .reference = NormalizerReference,
  };
}

OpDef Scaler() {
  return {
      .name = "Scaler",
      .summary = "(x - offset) * scale, with one pair or one per feature.",
      .inputs = {{"x", "[samples, features]"}},
      .outputs = {{"y", "f32, shape of x"}},
      .attributes = Describe<ScalerAttrs>(),
      .infer = InferScaler,
      .reference = ScalerReference,
  };
}

}  // namespace athanor::ops
