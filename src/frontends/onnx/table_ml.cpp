// Classical models, domain ai.onnx.ml. One row per operator and change of its form.
#include "frontends/onnx/formula.h"

namespace athanor::onnx {
namespace {

std::int64_t Length(std::size_t size) { return static_cast<std::int64_t>(size); }

std::vector<std::string> StringsOf(const AttributeProto& attribute) {
  std::vector<std::string> strings;
  for (const Bytes bytes : attribute.strings)
    strings.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return strings;
}

// A list that LabelEncoder gives under one of four names: PREFIX_tensor, _strings, _int64s,
// _floats.
Result<Tensor> ListOf(const NodeImport& ctx, const std::string& prefix) {
  if (const AttributeProto* tensor = ctx.Find(prefix + "_tensor"); tensor != nullptr && tensor->t)
    return ReadTensor(*tensor->t, ctx.source());
  if (const AttributeProto* list = ctx.Find(prefix + "_strings"); list != nullptr)
    return Tensor::FromVector(Dims{Length(list->strings.size())}, StringsOf(*list));
  if (const AttributeProto* list = ctx.Find(prefix + "_int64s"); list != nullptr)
    return Tensor::FromVector(Dims{Length(list->ints.size())}, list->ints);
  if (const AttributeProto* list = ctx.Find(prefix + "_floats"); list != nullptr)
    return Tensor::FromVector(Dims{Length(list->floats.size())}, list->floats);
  return InvalidModel("{0}_tensor, {0}_strings, {0}_int64s or {0}_floats is expected", prefix);
}

// What stands for keys that are not listed, in the type of the values.
Result<Tensor> DefaultOf(const NodeImport& ctx, DType dtype) {
  if (const AttributeProto* tensor = ctx.Find("default_tensor"); tensor != nullptr && tensor->t)
    return ReadTensor(*tensor->t, ctx.source());
  if (dtype == DType::kString)
    return Tensor::Scalar<std::string>(ctx.String("default_string", "_Unused"));
  using Numbers = TypeList<std::int64_t, std::int32_t, std::int16_t, float, double>;
  Tensor made;
  ATH_RETURN_IF_ERROR(Dispatch(Numbers{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_floating_point_v<T>) {
      made = Tensor::Scalar<T>(ctx.Float("default_float", -0.0F));
    } else {
      made = Tensor::Scalar<T>(static_cast<T>(ctx.Int("default_int64", -1)));
    }
    return {};
  }));
  return made;
}

Status LabelEncoder(NodeImport& ctx) {
  ATH_TRY(Tensor keys, ListOf(ctx, "keys"));
  ATH_TRY(Tensor values, ListOf(ctx, "values"));
  ATH_TRY(Tensor otherwise, DefaultOf(ctx, values.dtype()));
  return ctx.AddSame("LabelEncoder", {{"keys_tensor", std::move(keys)},
                                      {"values_tensor", std::move(values)},
                                      {"default_tensor", std::move(otherwise)}});
}

// The first form numbers a list of strings, in the direction that x asks for.
Status LabelEncoder1(NodeImport& ctx) {
  const AttributeProto* classes = ctx.Find("classes_strings");
  if (classes == nullptr || classes->strings.empty())
    return InvalidModel("classes_strings is missing");
  const Dims dims = {Length(classes->strings.size())};
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < dims[0]; ++i) numbers.push_back(i);
  Tensor strings = Tensor::FromVector(dims, StringsOf(*classes));
  Tensor integers = Tensor::FromVector(dims, numbers);
  const bool from_string = ctx.num_inputs() > 0 && ctx.InType(0).dtype == DType::kString;
  ATH_TRY(Tensor otherwise, DefaultOf(ctx, from_string ? DType::kI64 : DType::kString));
  return ctx.AddSame("LabelEncoder", {{"keys_tensor", from_string ? strings : integers},
                                      {"values_tensor", from_string ? integers : strings},
                                      {"default_tensor", std::move(otherwise)}});
}

// Maps become columns where they come into the graph (map_inputs.h): the input is the table of what
// stands beside the keys, NaN where a map has no such key.
Result<ValueId> TableOfMap(NodeImport& ctx) {
  if (!ctx.Has(0)) return InvalidModel("input 0 is missing");
  const DType dtype = ctx.InType(0).dtype;
  if (dtype != DType::kF32 && dtype != DType::kF64) return ctx.In(0);
  ATH_TRY(const ValueId missing, ctx.Add("IsNaN", {ctx.In(0)}));
  const ValueId zero =
      ctx.Constant(dtype == DType::kF32 ? Tensor::Scalar<float>(0) : Tensor::Scalar<double>(0));
  return ctx.Add("Where", {missing, zero, ctx.In(0)});
}

Status DictVectorizer(NodeImport& ctx) { return ctx.Give(TableOfMap(ctx)); }

// Text from numbers looks as std::to_string makes it; where a key is not there, ONNX Runtime writes
// "0.f".
Result<ValueId> TextFromNumbers(NodeImport& ctx) {
  ATH_TRY(const ValueId missing, ctx.Add("IsNaN", {ctx.In(0)}));
  ATH_TRY(const ValueId wide, ctx.Add("Cast", {ctx.In(0)}, {{"to", DType::kF64}}));
  ATH_TRY(const ValueId text, ctx.Add("FormatNumber", {wide}, {{"pattern", std::string("%f")}}));
  return ctx.Add("Where", {missing, ctx.Constant(Tensor::Scalar<std::string>("0.f")), text});
}

Status CastMap(NodeImport& ctx) {
  const std::string to = ctx.String("cast_to", "TO_FLOAT");
  ATH_TRY(const ValueId table, TableOfMap(ctx));
  const bool numbers = ctx.InType(0).dtype == DType::kF32;
  if (to == "TO_STRING") return ctx.Give(numbers ? TextFromNumbers(ctx) : Result<ValueId>(table));
  if (to == "TO_FLOAT") return ctx.Give(ctx.Add("Cast", {table}, {{"to", DType::kF32}}));
  if (to == "TO_INT64") return ctx.Give(ctx.Add("Cast", {table}, {{"to", DType::kI64}}));
  return InvalidModel("cast_to is \"{}\"; TO_FLOAT, TO_STRING or TO_INT64 is expected", to);
}

// ZipMap turns a table of probabilities into a sequence of maps label -> probability, for people;
// converters of scikit-learn put it at the end of classifiers. The graph gives the table itself:
// the same numbers, columns in the order of the labels. What would take the maps apart again
// refuses the tensor by its type.
Status ZipMap(NodeImport& ctx) {
  if (!ctx.Has(0)) return InvalidModel("input 0 is missing");
  return ctx.Give(ctx.Add("Identity", {ctx.In(0)}));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MlRows() {
  return {
      {.onnx = "ArrayFeatureExtractor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Binarizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "CastMap", .domain = "ai.onnx.ml", .since = 1, .make = CastMap},
      {.onnx = "CategoryMapper", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "DictVectorizer", .domain = "ai.onnx.ml", .since = 1, .make = DictVectorizer},
      {.onnx = "FeatureVectorizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Imputer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "LabelEncoder", .domain = "ai.onnx.ml", .since = 1, .make = LabelEncoder1},
      {.onnx = "LabelEncoder", .domain = "ai.onnx.ml", .since = 2, .make = LabelEncoder},
      {.onnx = "LinearClassifier", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "LinearRegressor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Normalizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "OneHotEncoder", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "SVMClassifier", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "SVMRegressor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Scaler", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "TreeEnsemble", .domain = "ai.onnx.ml", .since = 5, .make = Same()},
      {.onnx = "TreeEnsembleClassifier", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "TreeEnsembleRegressor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "ZipMap", .domain = "ai.onnx.ml", .since = 1, .make = ZipMap},
  };
}
// clang-format on

}  // namespace athanor::onnx
