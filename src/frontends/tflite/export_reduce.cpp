// Products, softmax, reductions and quantisation as operators of TFLite.
#include <algorithm>
#include <limits>
#include <numeric>

#include "frontends/nhwc/window.h"
#include "frontends/tflite/weights_export.h"

namespace athanor::tflite {
namespace {

using Code = schema::BuiltinOperator;
using MakeRow = std::function<Status(OpExport&)>;

// A dense layer: rows of data times weights [outputs, depth], and a bias.
struct Dense {
  TensorIndex data = kNoTensor, weights = kNoTensor, bias = kNoTensor;
};

Status EmitDense(OpExport& ctx, const Dense& dense, bool keeps_axes) {
  schema::FullyConnectedOptionsT options;
  options.activation = ctx.activation;
  options.keep_num_dims = keeps_axes;
  return ctx.Emit(schema::BuiltinOperator_FULLY_CONNECTED, {dense.data, dense.weights, dense.bias},
                  With(options));
}

// A bias that is one number per output, whatever axes of 1 it has beside.
bool IsBias(const OpExport& ctx, std::size_t i, std::int64_t outputs) {
  if (!ctx.Has(i)) return true;
  const Type& type = ctx.InType(i);
  return ctx.file.ConstantOf(ctx.node.inputs[i]) && type.rank() > 0 && type.rank() <= 2 &&
         type.shape->back().Is(outputs) && (type.rank() == 1 || type.dim(0).Is(1));
}

bool IsPlainGemm(const OpExport& ctx) {
  return ctx.Int("transA", 0) == 0 && ctx.Float("alpha", 1.0F) == 1 && ctx.Float("beta", 1.0F) == 1;
}

bool FitsGemm(const OpExport& ctx) {
  const bool transposed = ctx.Int("transB", 0) != 0;
  const std::int64_t axis = transposed ? 0 : 1;
  const Quantization& scale = ctx.file.ScaleOf(ctx.Source(1));
  const Dim outputs = ctx.InType(1).rank() == 2 ? ctx.InType(1).dim(axis) : Dim();
  return FitsWeights(ctx) && IsPlainGemm(ctx) && outputs.IsConst() &&
         IsBias(ctx, 2, outputs.value()) && (scale.scales.size() == 1 || scale.axis == axis);
}

// alpha a b + beta c
Status WriteGemm(OpExport& ctx) {
  const bool transposed = ctx.Int("transB", 0) != 0;
  const float alpha = ctx.Float("alpha", 1.0F), beta = ctx.Float("beta", 1.0F);
  TensorIndex data = ctx.In(0);
  if (ctx.Int("transA", 0) != 0) data = ctx.file.Permuted(data, {1, 0});
  Dense dense = {.data = data};
  if (transposed) {
    dense.weights = ctx.In(1);
  } else {
    ATH_TRY(dense.weights, WeightsOf(ctx, false, {1, 0}));
  }
  const Dim outputs = ctx.OutType().dim(1);
  if (!outputs.IsConst()) return Unsupported("the number of outputs must be known");
  if (alpha == 1 && beta == 1 && IsBias(ctx, 2, outputs.value())) {
    ATH_TRY(dense.bias, BiasOf(ctx, outputs.value(), 2));
    return EmitDense(ctx, dense, false);
  }
  const std::vector<float> zeros(static_cast<std::size_t>(outputs.value()));
  dense.bias = ctx.Floats({outputs.value()}, zeros);
  schema::FullyConnectedOptionsT options;
  TensorIndex product =
      ctx.Make(schema::BuiltinOperator_FULLY_CONNECTED, {dense.data, dense.weights, dense.bias},
               ctx.OutType(), With(options));
  const auto scaled = [&ctx](TensorIndex x, float factor) {
    if (factor == 1) return x;
    return ctx.Binary(schema::BuiltinOperator_MUL, x, ctx.Number(static_cast<double>(factor)));
  };
  product = scaled(product, alpha);
  if (!ctx.Has(2)) return ctx.Give(product);
  return ctx.Emit(schema::BuiltinOperator_ADD, {product, scaled(ctx.In(2), beta)},
                  ArithmeticOptions(schema::BuiltinOperator_ADD, ctx.activation));
}

bool HasConstantMatrix(const OpExport& ctx) {
  return ctx.file.ConstantOf(ctx.node.inputs[1]) && ctx.InType(1).rank() == 2 && ctx.Rank() >= 2;
}

bool FitsMatMul(const OpExport& ctx) {
  const Quantization& scale = ctx.file.ScaleOf(ctx.Source(1));
  return HasConstantMatrix(ctx) && FitsWeights(ctx) &&
         (scale.scales.size() == 1 || scale.axis == 1);
}

Status WriteMatMul(OpExport& ctx) {
  if (!ctx.on_integers && ctx.InType().dtype != DType::kF32)
    return Error(ErrorCode::kUnsupportedType, "{} is not written; f32 is",
                 Name(ctx.InType().dtype));
  if (HasConstantMatrix(ctx)) {
    Dense dense = {.data = ctx.In(0)};
    ATH_TRY(dense.weights, WeightsOf(ctx, false, {1, 0}));
    ATH_TRY(dense.bias, BiasOf(ctx, ctx.InType(1).dim(1).value(), 2));
    return EmitDense(ctx, dense, ctx.Rank() > 2);
  }
  const auto matrix = [&ctx](std::size_t i) {
    if (ctx.Rank(i) > 1) return ctx.In(i);
    Type type = ctx.InType(i);
    type.shape->insert(i == 0 ? type.shape->begin() : type.shape->end(), Dim(1));
    return ctx.Shaped(ctx.In(i), type);
  };
  const TensorIndex a = matrix(0), b = matrix(1);
  const FileExport::Options options = With(schema::BatchMatMulOptionsT());
  constexpr Code kProduct = schema::BuiltinOperator_BATCH_MATMUL;
  if (ctx.Rank(0) > 1 && ctx.Rank(1) > 1) return ctx.Emit(kProduct, {a, b}, options);
  Type type = ctx.OutType();
  if (ctx.Rank(1) == 1) type.shape->emplace_back(1);
  if (ctx.Rank(0) == 1) type.shape->insert(type.shape->end() - 1, Dim(1));
  return ctx.Give(ctx.Shaped(ctx.Make(kProduct, {a, b}, type, options), ctx.OutType()));
}

// The axes of a node in which one stands last: as they are, channels last, or with it moved.
struct LastAxis {
  Axes axes = Axes::kPlain;
  Ints perm;  // then this, which undoes itself
};

Result<LastAxis> MakeLast(const OpExport& ctx, std::int64_t axis) {
  const std::int64_t rank = ctx.Rank();
  ATH_TRY(const std::int64_t at, ctx.Axis(axis));
  if (at == rank - 1) return LastAxis{};
  if (at == 1 && ctx.Cheapest() == Axes::kLast) return LastAxis{Axes::kLast, {}};
  LastAxis last;
  last.perm.resize(static_cast<std::size_t>(rank));
  std::iota(last.perm.begin(), last.perm.end(), 0);
  std::swap(last.perm.back(), last.perm[static_cast<std::size_t>(at)]);
  return last;
}

// 1/256 of the largest byte: all that TFLite's SOFTMAX gives.
bool FitsSoftmax(const OpExport& ctx) {
  const Quantization& scale = ctx.file.ScaleOf(ctx.results[0]);
  const DType dtype = ctx.graph.value(ctx.results[0]).type.dtype;
  const Result<LastAxis> last = MakeLast(ctx, ctx.Int("axis", -1));
  return last.ok() && last->perm.empty() && scale.scales[0] == 1.0F / 256 &&
         scale.zero_points[0] == (dtype == DType::kU8 ? 0 : -128);
}

MakeRow WriteSoftmax(Code code) {
  return [code](OpExport& ctx) -> Status {
    schema::SoftmaxOptionsT softmax;
    softmax.beta = 1;
    const FileExport::Options options =
        code == schema::BuiltinOperator_SOFTMAX ? With(softmax) : FileExport::Options();
    ATH_TRY(const LastAxis last, MakeLast(ctx, ctx.Int("axis", -1)));
    TensorIndex x = ctx.In(0, last.axes);
    if (!last.perm.empty()) x = ctx.file.Permuted(x, last.perm);
    if (last.perm.empty() && ctx.Rank() <= 4) return ctx.Emit(code, {x}, options, last.axes);
    const Type type = ctx.file.TypeOf(x);
    if (ctx.Rank() > 4) {
      // TFLite takes up to 4 axes.
      Type rows = type;
      rows.shape = Shape{Dim(), type.shape->back()};
      x = ctx.Shaped(x, rows);
    }
    x = ctx.MakeLike(x, code, {x}, options);
    if (ctx.Rank() > 4) x = ctx.Shaped(x, type);
    if (!last.perm.empty()) x = ctx.file.Permuted(x, last.perm);
    return ctx.Give(x, last.axes);
  };
}

// What a reduction runs over, and in which order of axes it comes cheapest.
struct Reduction {
  Axes in = Axes::kPlain, out = Axes::kPlain;
  Ints axes;  // in the order `in`
  bool keep = true;
};

Result<Reduction> ReadReduction(const OpExport& ctx, Ints axes, bool keep) {
  const std::int64_t rank = ctx.Rank();
  for (std::int64_t& axis : axes) {
    ATH_TRY(axis, ctx.Axis(axis));
  }
  Reduction reduction = {.axes = axes, .keep = keep};
  if (ctx.Cheapest() == Axes::kPlain) return reduction;
  const auto reduced = [&axes](std::int64_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  // What is left must stand in the graph's order.
  bool some = false;
  for (std::int64_t axis = 2; axis < rank; ++axis) some |= !reduced(axis);
  if (!keep && some && !reduced(1)) return reduction;
  reduction.in = Axes::kLast;
  reduction.out = keep ? Axes::kLast : Axes::kPlain;
  for (std::int64_t& axis : reduction.axes) axis = OpExport::At(axis, rank, Axes::kLast);
  return reduction;
}

// The axes of input 1; without any, all of them.
Result<Reduction> ReductionOf(const OpExport& ctx) {
  Ints axes;
  if (ctx.Has(1)) {
    ATH_TRY(axes, ctx.ConstantInts(1, "axes"));
  }
  if (axes.empty() && ctx.Int("noop_with_empty_axes", 0) == 0) {
    axes.resize(static_cast<std::size_t>(ctx.Rank()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return ReadReduction(ctx, std::move(axes), ctx.Int("keepdims", 1) != 0);
}

Status EmitReduction(OpExport& ctx, Code code, TensorIndex x, const Reduction& reduction) {
  schema::ReducerOptionsT options;
  options.keep_dims = reduction.keep;
  return ctx.Emit(code, {x, ctx.IntsConstant(reduction.axes)}, With(options), reduction.out);
}

MakeRow WriteReduction(Code code) {
  return [code](OpExport& ctx) -> Status {
    ATH_TRY(const Reduction reduction, ReductionOf(ctx));
    return EmitReduction(ctx, code, ctx.In(0, reduction.in), reduction);
  };
}

constexpr Code kNothing = schema::BuiltinOperator_CUSTOM;

// `before` the sum, element by element, and `after` it.
MakeRow WriteComposedReduction(Code before, Code after) {
  return [before, after](OpExport& ctx) -> Status {
    ATH_TRY(const Reduction reduction, ReductionOf(ctx));
    TensorIndex x = ctx.In(0, reduction.in);
    if (before != kNothing) x = ctx.MakeLike(x, before, {x});
    if (after == kNothing) return EmitReduction(ctx, schema::BuiltinOperator_SUM, x, reduction);
    x = ctx.Reduced(schema::BuiltinOperator_SUM, x, reduction.axes, reduction.keep);
    return ctx.Emit(after, {x}, {}, reduction.out);
  };
}

// m + log(sum(exp(x - m))) with m the largest, so that nothing overflows
Status WriteLogSumExp(OpExport& ctx) {
  ATH_TRY(const Reduction reduction, ReductionOf(ctx));
  const TensorIndex x = ctx.In(0, reduction.in);
  const TensorIndex most = ctx.Reduced(schema::BuiltinOperator_REDUCE_MAX, x, reduction.axes, true);
  TensorIndex sum = ctx.Binary(schema::BuiltinOperator_SUB, x, most);
  sum = ctx.MakeLike(sum, schema::BuiltinOperator_EXP, {sum});
  sum = ctx.Reduced(schema::BuiltinOperator_SUM, sum, reduction.axes, true);
  sum = ctx.MakeLike(sum, schema::BuiltinOperator_LOG, {sum});
  sum = ctx.Binary(schema::BuiltinOperator_ADD, sum, most);
  if (reduction.keep) return ctx.Give(sum, reduction.out);
  return ctx.Give(ctx.Shaped(sum, ctx.OutType()));
}

MakeRow WriteArg(Code code) {
  return [code](OpExport& ctx) -> Status {
    if (ctx.Int("select_last_index", 0) != 0)
      return Unsupported("the last of equal ones is not written; the first is");
    const bool keep = ctx.Int("keepdims", 1) != 0;
    ATH_TRY(const Reduction reduction, ReadReduction(ctx, {ctx.Int("axis", 0)}, keep));
    schema::ArgMaxOptionsT most;
    schema::ArgMinOptionsT least;
    most.output_type = least.output_type = schema::TensorType_INT64;
    const FileExport::Options options =
        code == schema::BuiltinOperator_ARG_MAX ? With(most) : With(least);
    const std::vector<TensorIndex> inputs = {ctx.In(0, reduction.in),
                                             ctx.IntConstant(reduction.axes[0])};
    if (!keep) return ctx.Emit(code, inputs, options, reduction.out);
    Type type = ctx.file.TypeOf(inputs[0]), whole = type;
    type.dtype = DType::kI64;
    (*whole.shape)[static_cast<std::size_t>(reduction.axes[0])] = Dim(1);
    type.shape->erase(type.shape->begin() + reduction.axes[0]);
    return ctx.Give(ctx.Shaped(ctx.Make(code, inputs, type, options), whole), reduction.out);
  };
}

Status WriteCumSum(OpExport& ctx) {
  schema::CumsumOptionsT options;
  options.exclusive = ctx.Int("exclusive", 0) != 0;
  options.reverse = ctx.Int("reverse", 0) != 0;
  Type scalar = ctx.InType(1);
  scalar.shape = Shape();
  return ctx.Emit(schema::BuiltinOperator_CUMSUM, {ctx.In(0), ctx.Shaped(ctx.Ints32(1), scalar)},
                  With(options));
}

// The largest along the last axis, in order, and where they stand.
Status WriteTopK(OpExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", -1)));
  const std::int64_t rank = ctx.Rank();
  if (axis != rank - 1) return Unsupported("TopK along another axis than the last is not written");
  const bool largest = ctx.Int("largest", 1) != 0;
  TensorIndex x = ctx.In(0);
  if (!largest) x = ctx.MakeLike(x, schema::BuiltinOperator_NEG, {x});
  Type scalar = ctx.InType(1);
  scalar.shape = Shape();
  const TensorIndex count = ctx.Shaped(ctx.Ints32(1), scalar);
  Type type = ctx.node.outputs[0] != kNoValue ? ctx.OutType(0) : ctx.OutType(1), indices = type;
  type.dtype = ctx.InType().dtype;
  indices.dtype = DType::kI32;
  const TensorIndex values = ctx.file.AddTensor(ctx.node.name + "/values", type);
  const TensorIndex places = ctx.file.AddTensor(ctx.node.name + "/places", indices);
  ctx.file.AddOperator(schema::BuiltinOperator_TOPK_V2, {x, count}, {values, places});
  if (ctx.results[0] != kNoValue)
    ctx.file.Hold(ctx.results[0], Axes::kPlain,
                  largest ? values : ctx.MakeLike(values, schema::BuiltinOperator_NEG, {values}));
  if (ctx.results.size() > 1 && ctx.results[1] != kNoValue) {
    const TensorIndex wide = ctx.file.NewTensor(ctx.results[1], Axes::kPlain);
    ctx.file.AddOperator(schema::BuiltinOperator_CAST, {places}, {wide});
  }
  return {};
}

// Scales and zero points as numbers that broadcast against the data.
struct Grid {
  TensorIndex scale = kNoTensor, zero = kNoTensor;
};

Result<Grid> GridOf(OpExport& ctx) {
  const Quantization scale = ScaleOfNode(ctx.graph, ctx.node);
  if (!scale) return Unsupported("scale and zero point must be constants, without blocks");
  Dims dims;
  if (scale.scales.size() > 1) {
    dims.assign(static_cast<std::size_t>(ctx.Rank()), 1);
    dims[static_cast<std::size_t>(scale.axis)] = static_cast<std::int64_t>(scale.scales.size());
  }
  return Grid{ctx.Floats(dims, scale.scales),
              ctx.Floats(dims, {scale.zero_points.begin(), scale.zero_points.end()})};
}

Status WriteQuantize(OpExport& ctx) {
  if (ctx.file.ScaleOf(ctx.results[0]) && ctx.InType().dtype == DType::kF32) {
    ctx.on_integers = true;  // integers of another scale are read as they are
    const Axes axes = ctx.Cheapest();
    return ctx.Emit(schema::BuiltinOperator_QUANTIZE, {ctx.In(0, axes)}, {}, axes);
  }
  const DType dtype = ctx.OutType().dtype;
  if ((dtype != DType::kI8 && dtype != DType::kU8) || ctx.InType().dtype != DType::kF32)
    return Error(ErrorCode::kUnsupportedType, "{} of {} is not written; u8, i8 and i16 of f32 are",
                 Name(dtype), Name(ctx.InType().dtype));
  ATH_TRY(const Grid grid, GridOf(ctx));
  TensorIndex x = ctx.Binary(schema::BuiltinOperator_DIV, ctx.In(), grid.scale);
  x = ctx.MakeLike(x, schema::BuiltinOperator_ROUND, {x});
  x = ctx.Binary(schema::BuiltinOperator_ADD, x, grid.zero);
  const double low = dtype == DType::kU8 ? 0 : -128;
  x = ctx.Binary(schema::BuiltinOperator_MAXIMUM, x, ctx.Number(low));
  x = ctx.Binary(schema::BuiltinOperator_MINIMUM, x, ctx.Number(low + 255));
  return ctx.Emit(schema::BuiltinOperator_CAST, {x});
}

// Nothing is added as long as only operators on integers read the result.
Status WriteDequantize(OpExport& ctx) {
  if (ctx.OutType().dtype != DType::kF32)
    return Error(ErrorCode::kUnsupportedType, "{} is not written; f32 is",
                 Name(ctx.OutType().dtype));
  const ValueId integers = ctx.node.inputs[0];
  const Quantization scale = ScaleOfNode(ctx.graph, ctx.node);
  const DType dtype = ctx.InType().dtype;
  const bool bytes = dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
  if (scale && scale == ctx.file.ScaleOf(integers) &&
      (ctx.Constant(0) != nullptr || (bytes && scale.scales.size() == 1))) {
    ctx.file.stored[ctx.results[0]] = integers;
    return {};
  }
  ATH_TRY(const Grid grid, GridOf(ctx));
  TensorIndex x = ctx.Make(schema::BuiltinOperator_CAST, {ctx.In()}, ctx.OutType());
  x = ctx.Binary(schema::BuiltinOperator_SUB, x, grid.zero);
  return ctx.Emit(schema::BuiltinOperator_MUL, {x, grid.scale},
                  ArithmeticOptions(schema::BuiltinOperator_MUL, schema::Activation_NONE));
}

}  // namespace

// clang-format off
std::vector<ExportRow> ReduceExportRows() {
  return {
      {"ArgMax", WriteArg(schema::BuiltinOperator_ARG_MAX)},
      {"ArgMin", WriteArg(schema::BuiltinOperator_ARG_MIN)},
      {"CumSum", WriteCumSum},
      {"DequantizeLinear", WriteDequantize},
      {"Gemm", WriteGemm, true, Integers::kAnyScale, 2, FitsGemm},
      {"LogSoftmax", WriteSoftmax(schema::BuiltinOperator_LOG_SOFTMAX)},
      {"MatMul", WriteMatMul, false, Integers::kAnyScale, 2, FitsMatMul},
      {"QuantizeLinear", WriteQuantize},
      {"ReduceL1", WriteComposedReduction(schema::BuiltinOperator_ABS, kNothing)},
      {"ReduceL2", WriteComposedReduction(schema::BuiltinOperator_SQUARE, schema::BuiltinOperator_SQRT)},
      {"ReduceLogSum", WriteComposedReduction(kNothing, schema::BuiltinOperator_LOG)},
      {"ReduceLogSumExp", WriteLogSumExp},
      {"ReduceMax", WriteReduction(schema::BuiltinOperator_REDUCE_MAX)},
      {"ReduceMean", WriteReduction(schema::BuiltinOperator_MEAN), false, Integers::kAnyScale, 1},
      {"ReduceMin", WriteReduction(schema::BuiltinOperator_REDUCE_MIN)},
      {"ReduceProd", WriteReduction(schema::BuiltinOperator_REDUCE_PROD)},
      {"ReduceSum", WriteReduction(schema::BuiltinOperator_SUM)},
      {"ReduceSumSquare", WriteComposedReduction(schema::BuiltinOperator_SQUARE, kNothing)},
      {"Softmax", WriteSoftmax(schema::BuiltinOperator_SOFTMAX), false, Integers::kAnyScale, 1, FitsSoftmax},
      {"TopK", WriteTopK},
  };
}
// clang-format on

}  // namespace athanor::tflite
