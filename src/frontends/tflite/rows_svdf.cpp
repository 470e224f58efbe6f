// SVDF: filters over features, whose last products are weighted over time. Real numbers become
// plain operators, integers the graph's IntegerSVDF.
#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

enum Port : std::size_t { kX, kFeature, kTime, kBias, kState };

struct Sizes {
  std::int64_t batch = 0, filters = 0, memory = 0, rank = 0;
};

Result<Sizes> ReadSizes(const OpImport& ctx, const schema::SVDFOptions& options) {
  const auto x = ctx.InType(kX).StaticDims(), time = ctx.InType(kTime).StaticDims();
  if (!x || x->size() != 2 || !time || time->size() != 2)
    return Unsupported("data of {} and weights over time of {} are not read; two known sizes are",
                       ctx.InType(kX).ToString(), ctx.InType(kTime).ToString());
  const Sizes sizes = {(*x)[0], (*time)[0], (*time)[1], options.rank()};
  if (sizes.rank < 1 || sizes.filters % sizes.rank != 0 || sizes.memory < 1)
    return InvalidModel("rank {} of {} filters that remember {} steps", sizes.rank, sizes.filters,
                        sizes.memory);
  return sizes;
}

Status OnReals(OpImport& ctx, const Sizes& sizes, schema::Activation activation) {
  ATH_TRY(const ValueId x, ctx.Real(kX));
  ATH_TRY(const ValueId feature, ctx.Real(kFeature));
  ATH_TRY(const ValueId time, ctx.Real(kTime));
  ATH_TRY(const ValueId before,
          ctx.BeginState(kState, DType::kF32, {sizes.batch, sizes.filters * sizes.memory}));
  const ValueId last = ctx.Constants({2});
  ATH_TRY(ValueId newest, ctx.Add("Gemm", {x, feature}, {{"transB", std::int64_t{1}}}));
  ATH_TRY(newest, ctx.Add("Unsqueeze", {newest, last}));
  ATH_TRY(ValueId older,
          ctx.Add("Reshape", {before, ctx.Constants({sizes.batch, sizes.filters, sizes.memory})}));
  ATH_TRY(older,
          ctx.Add("Slice", {older, ctx.Constants({1}), ctx.Constants({sizes.memory}), last}));
  ATH_TRY(const ValueId memory, ctx.Add("Concat", {older, newest}, {{"axis", std::int64_t{2}}}));
  ATH_TRY(const ValueId next,
          ctx.Add("Reshape", {memory, ctx.Constants({sizes.batch, sizes.filters * sizes.memory})}));
  ATH_RETURN_IF_ERROR(ctx.EndState(kState, next));
  ATH_TRY(ValueId y, ctx.Add("Mul", {memory, time}));
  const Ints units = {sizes.batch, sizes.filters / sizes.rank, sizes.rank * sizes.memory};
  ATH_TRY(y, ctx.Add("Reshape", {y, ctx.Constants(units)}));
  ATH_TRY(y, ctx.Add("ReduceSum", {y, last}, {{"keepdims", std::int64_t{0}}}));
  if (ctx.Has(kBias)) {
    ATH_TRY(const ValueId bias, ctx.Real(kBias));
    ATH_TRY(y, ctx.Add("Add", {y, bias}));
  }
  return ctx.Give(y, activation);
}

Status OnIntegers(OpImport& ctx, const Sizes& sizes, schema::Activation activation) {
  const Quantization &x = ctx.In(kX).quantization, &feature = ctx.In(kFeature).quantization;
  const Quantization &time = ctx.In(kTime).quantization, &y = ctx.Out(0).quantization;
  if (!ctx.IsVariable(kState)) return Unsupported("its state is no variable");
  const Quantization& state = ctx.In(kState).quantization;
  for (const Quantization* of : {&x, &feature, &time, &y, &state}) {
    if (of->scales.size() != 1) return Unsupported("quantised SVDF is read with one scale each");
  }
  for (const Quantization* of : {&feature, &time}) {
    if (of->zero_points[0] != 0) return Unsupported("weights with a zero point are not read");
  }
  // Limits are those of the bytes.
  if (activation != schema::Activation_NONE &&
      !(activation == schema::Activation_RELU && y.zero_points[0] == -128))
    return Unsupported("quantised SVDF with activation {} and zero point {} is not read",
                       schema::EnumNameActivation(activation), y.zero_points[0]);
  ATH_TRY(const ValueId before,
          ctx.BeginState(kState, ctx.In(kTime).dtype, {sizes.batch, sizes.filters * sizes.memory}));
  // Scales are multiplied as floats, as the original does.
  const AttrMap attributes = {{"rank", sizes.rank},
                              {"feature_scale", x.scales[0] * feature.scales[0] / state.scales[0]},
                              {"time_scale", state.scales[0] * time.scales[0] / y.scales[0]},
                              {"x_zero", x.zero_points[0]},
                              {"state_zero", state.zero_points[0]},
                              {"y_zero", y.zero_points[0]}};
  const ValueId bias = ctx.Has(kBias) ? ctx.Stored(kBias) : kNoValue;
  ATH_TRY(const auto outputs,
          ctx.AddMany("IntegerSVDF",
                      {ctx.Stored(kX), ctx.Stored(kFeature), ctx.Stored(kTime), before, bias},
                      attributes, 2));
  ATH_RETURN_IF_ERROR(ctx.EndState(kState, outputs[1]));
  return ctx.GiveStored(outputs[0]);
}

Status Svdf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const auto* options, OptionsOf<schema::SVDFOptions>(ctx));
  ATH_TRY(const Sizes sizes, ReadSizes(ctx, *options));
  return ctx.In(kX).quantization ? OnIntegers(ctx, sizes, options->activation())
                                 : OnReals(ctx, sizes, options->activation());
}

}  // namespace

std::vector<Row> SvdfRows() { return {{.code = schema::BuiltinOperator_SVDF, .make = Svdf}}; }

}  // namespace athanor::tflite
