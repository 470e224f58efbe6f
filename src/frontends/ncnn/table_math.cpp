// Elementwise layers, softmax and reductions.
#include <cmath>
#include <limits>

#include "frontends/ncnn/layer_import.h"

namespace athanor::ncnn {
namespace {

// The operator of the same meaning, without attributes.
std::function<Status(LayerImport&)> Same(std::string_view op) {
  return [op](LayerImport& ctx) { return ctx.Give(ctx.Add(op, {ctx.In()})); };
}

Status Clip(LayerImport& ctx) {
  constexpr float kMost = std::numeric_limits<float>::max();
  return ctx.Give(ctx.Add(
      "Clip", {ctx.In(), ctx.Scalar(ctx.Float(0, -kMost)), ctx.Scalar(ctx.Float(1, kMost))}));
}

Status Elu(LayerImport& ctx) {
  return ctx.Give(ctx.Add("Elu", {ctx.In()}, {{"alpha", ctx.Float(0, 0.1F)}}));
}

Status Gelu(LayerImport& ctx) {
  const std::string form = ctx.Int(0, 0) != 0 ? "tanh" : "none";
  return ctx.Give(ctx.Add("Gelu", {ctx.In()}, {{"approximate", form}}));
}

Result<ValueId> MakeHardSigmoid(LayerImport& ctx) {
  return ctx.Add("HardSigmoid", {ctx.In()},
                 {{"alpha", ctx.Float(0, 0.2F)}, {"beta", ctx.Float(1, 0.5F)}});
}

Status HardSigmoid(LayerImport& ctx) { return ctx.Give(MakeHardSigmoid(ctx)); }

Status HardSwish(LayerImport& ctx) {
  // Files print 1/6 with six or seven digits.
  constexpr float kRounding = 1e-6F;
  if (std::abs(ctx.Float(0, 0.2F) - 1.0F / 6) < kRounding && ctx.Float(1, 0.5F) == 0.5F)
    return ctx.Give(ctx.Add("HardSwish", {ctx.In()}));
  ATH_TRY(const ValueId gate, MakeHardSigmoid(ctx));
  return ctx.Give(ctx.Add("Mul", {ctx.In(), gate}));
}

Status Relu(LayerImport& ctx) {
  const float slope = ctx.Float(0, 0);
  if (slope == 0) return ctx.Give(ctx.Add("Relu", {ctx.In()}));
  return ctx.Give(ctx.Add("LeakyRelu", {ctx.In()}, {{"alpha", slope}}));
}

Status Selu(LayerImport& ctx) {
  return ctx.Give(
      ctx.Add("Selu", {ctx.In()},
              {{"alpha", ctx.Float(0, 1.67326324F)}, {"gamma", ctx.Float(1, 1.050700987F)}}));
}

// x * scale + shift, leaving out what changes nothing.
Result<ValueId> ScaleAndShift(LayerImport& ctx, float scale, float shift) {
  ValueId x = ctx.In();
  if (scale != 1) {
    ATH_TRY(x, ctx.Add("Mul", {x, ctx.Scalar(scale)}));
  }
  if (shift != 0) {
    ATH_TRY(x, ctx.Add("Add", {x, ctx.Scalar(shift)}));
  }
  return x;
}

Status Power(LayerImport& ctx) {
  ATH_TRY(ValueId x, ScaleAndShift(ctx, ctx.Float(1, 1), ctx.Float(2, 0)));
  const float power = ctx.Float(0, 1);
  if (power != 1) {
    ATH_TRY(x, ctx.Add("Pow", {x, ctx.Scalar(power)}));
  }
  return ctx.Give(x);
}

// base -1 stands for e.
Status Exp(LayerImport& ctx) {
  const float base = ctx.Float(0, -1);
  ATH_TRY(const ValueId x, ScaleAndShift(ctx, ctx.Float(1, 1), ctx.Float(2, 0)));
  if (base == -1) return ctx.Give(ctx.Add("Exp", {x}));
  return ctx.Give(ctx.Add("Pow", {ctx.Scalar(base), x}));
}

Status Log(LayerImport& ctx) {
  const float base = ctx.Float(0, -1);
  ATH_TRY(const ValueId x, ScaleAndShift(ctx, ctx.Float(1, 1), ctx.Float(2, 0)));
  ATH_TRY(const ValueId y, ctx.Add("Log", {x}));
  if (base == -1) return ctx.Give(y);
  return ctx.Give(ctx.Add("Mul", {y, ctx.Scalar(1 / std::log(base))}));
}

Status Dropout(LayerImport& ctx) {
  ATH_TRY(const ValueId y, ScaleAndShift(ctx, ctx.Float(0, 1), 0));
  return ctx.Give(y);
}

Status Softmax(LayerImport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int(0, 0)));
  return ctx.Give(ctx.Add("Softmax", {ctx.In()}, {{"axis", axis}}));
}

Status Eltwise(LayerImport& ctx) {
  const std::int64_t op = ctx.Int(0, 0);
  const std::vector<float> factors = ctx.Floats(1);
  std::vector<ValueId> in(ctx.inputs);
  if (op == 1) {
    if (!factors.empty() && factors.size() != in.size())
      return InvalidModel("{} coefficients for {} inputs", factors.size(), in.size());
    for (std::size_t i = 0; i < factors.size(); ++i) {
      if (factors[i] != 1) {
        ATH_TRY(in[i], ctx.Add("Mul", {in[i], ctx.Scalar(factors[i])}));
      }
    }
  }
  constexpr std::string_view kPairwise[] = {"Mul", "Add", "Max"};
  if (op < 0 || op > 2) return Unsupported("operation {} is not known; 0 to 2 are", op);
  ValueId y = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) {
    ATH_TRY(y, ctx.Add(kPairwise[op], {y, in[i]}));
  }
  return ctx.Give(y);
}

// Gives the input with fewer axes the axes of the other. A row goes along the channels when their
// number fits, else along the width; a matrix lies channels by height when that fits.
Result<ValueId> Spread(LayerImport& ctx, std::size_t small, std::size_t large) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank(small));
  ATH_TRY(const std::int64_t target, ctx.BlobRank(large));
  if (rank >= target) return ctx.In(small);
  const Type &a = ctx.InType(small), &b = ctx.InType(large);
  bool front = true;
  for (std::int64_t axis = 1; axis <= rank; ++axis) {
    const Dim &given = a.dim(axis), &wanted = b.dim(axis);
    if (given.IsConst() && wanted.IsConst() && !(given == wanted)) front = false;
  }
  std::vector<std::int64_t> axes;
  for (std::int64_t i = 0; i < target - rank; ++i) axes.push_back(front ? rank + 1 + i : 1 + i);
  return ctx.Unsqueeze(ctx.In(small), axes);
}

struct Binary {
  std::string_view op;
  bool swapped = false;
};

Status BinaryOp(LayerImport& ctx) {
  constexpr Binary kOperations[] = {{"Add"}, {"Sub"}, {"Mul"},       {"Div"},       {"Max"},
                                    {"Min"}, {"Pow"}, {"Sub", true}, {"Div", true}, {"Pow", true}};
  const std::int64_t code = ctx.Int(0, 0);
  if (code < 0 || code >= static_cast<std::int64_t>(std::size(kOperations)))
    return Unsupported("operation {} is not read; 0 to 9 are", code);
  const Binary binary = kOperations[code];
  const bool scalar = ctx.Int(1, 0) != 0;
  if (ctx.inputs.size() != (scalar ? 1U : 2U))
    return InvalidModel("{} inputs are given", ctx.inputs.size());
  ValueId a = ctx.In(0), b = kNoValue;
  if (scalar) {
    b = ctx.Scalar(ctx.Float(2, 0));
  } else {
    ATH_TRY(a, Spread(ctx, 0, 1));
    ATH_TRY(b, Spread(ctx, 1, 0));
  }
  if (binary.swapped) std::swap(a, b);
  return ctx.Give(ctx.Add(binary.op, {a, b}));
}

Status UnaryOp(LayerImport& ctx) {
  enum Composed : std::int64_t { kSquare = 4, kRsqrt = 6, kLog10 = 17, kTrunc = 19 };
  constexpr std::string_view kOperations[] = {
      "Abs", "Neg", "Floor", "Ceil", "",     "Sqrt",       "",     "Exp", "Log",   "Sin",
      "Cos", "Tan", "Asin",  "Acos", "Atan", "Reciprocal", "Tanh", "",    "Round", ""};
  const std::int64_t code = ctx.Int(0, 0);
  if (code < 0 || code >= static_cast<std::int64_t>(std::size(kOperations)))
    return Unsupported("operation {} is not known; 0 to 19 are", code);
  const ValueId x = ctx.In();
  if (!kOperations[code].empty()) return ctx.Give(ctx.Add(kOperations[code], {x}));
  if (code == kSquare) return ctx.Give(ctx.Add("Mul", {x, x}));
  if (code == kRsqrt) {
    ATH_TRY(const ValueId root, ctx.Add("Sqrt", {x}));
    return ctx.Give(ctx.Add("Reciprocal", {root}));
  }
  if (code == kLog10) {
    ATH_TRY(const ValueId log, ctx.Add("Log", {x}));
    return ctx.Give(ctx.Add("Mul", {log, ctx.Scalar(1 / std::log(10.0F))}));
  }
  ATH_TRY(const ValueId size, ctx.Add("Abs", {x}));
  ATH_TRY(const ValueId whole, ctx.Add("Floor", {size}));
  ATH_TRY(const ValueId sign, ctx.Add("Sign", {x}));
  return ctx.Give(ctx.Add("Mul", {sign, whole}));
}

Status Reduction(LayerImport& ctx) {
  constexpr std::string_view kOperations[] = {
      "ReduceSum",  "ReduceL1", "ReduceSumSquare", "ReduceMean",   "ReduceMax",      "ReduceMin",
      "ReduceProd", "ReduceL1", "ReduceL2",        "ReduceLogSum", "ReduceLogSumExp"};
  enum Linear : std::int64_t { kSum = 0, kL1 = 1, kMean = 3 };
  const std::int64_t code = ctx.Int(0, 0);
  if (code < 0 || code >= static_cast<std::int64_t>(std::size(kOperations)))
    return Unsupported("operation {} is not known; 0 to 10 are", code);
  const float factor = ctx.Float(2, 1);
  if (factor != 1 && code != kSum && code != kL1 && code != kMean)
    return Unsupported("a coefficient is read for sums and means only");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  std::vector<std::int64_t> axes;
  if (ctx.Int(1, 1) != 0) {
    for (std::int64_t axis = 1; axis <= rank; ++axis) axes.push_back(axis);
  } else {
    for (const std::int64_t axis : ctx.Ints(3)) {
      ATH_TRY(const std::int64_t normal, ctx.Axis(axis));
      axes.push_back(normal);
    }
  }
  const bool keep = ctx.Int(4, 0) != 0;
  ATH_TRY(ValueId y, ctx.Add(kOperations[code], {ctx.In(), ctx.ConstantInts(axes)},
                             {{"keepdims", std::int64_t{keep}}}));
  // A blob has at least one axis.
  if (!keep && static_cast<std::int64_t>(axes.size()) == rank) {
    ATH_TRY(y, ctx.Unsqueeze(y, {1}));
  }
  if (factor != 1) {
    ATH_TRY(y, ctx.Add("Mul", {y, ctx.Scalar(factor)}));
  }
  return ctx.Give(y);
}

Status MatMul(LayerImport& ctx) {
  if (ctx.Int(0, 0) != 0) return Unsupported("a transposed second matrix is not read");
  return ctx.Give(ctx.Add("MatMul", {ctx.In(0), ctx.In(1)}));
}

}  // namespace

std::vector<Row> MathRows() {
  return {
      {"AbsVal", 1, 1, Same("Abs")},
      {"BinaryOp", -1, 1, BinaryOp},
      {"Clip", 1, 1, Clip},
      {"Dropout", 1, 1, Dropout},
      {"ELU", 1, 1, Elu},
      {"Eltwise", -1, 1, Eltwise},
      {"Exp", 1, 1, Exp},
      {"GELU", 1, 1, Gelu},
      {"HardSigmoid", 1, 1, HardSigmoid},
      {"HardSwish", 1, 1, HardSwish},
      {"Log", 1, 1, Log},
      {"MatMul", 2, 1, MatMul},
      {"Mish", 1, 1, Same("Mish")},
      {"Power", 1, 1, Power},
      {"ReLU", 1, 1, Relu},
      {"Reduction", 1, 1, Reduction},
      {"SELU", 1, 1, Selu},
      {"Sigmoid", 1, 1, Same("Sigmoid")},
      {"Softmax", 1, 1, Softmax},
      {"Softplus", 1, 1, Same("Softplus")},
      {"Swish", 1, 1, Same("Swish")},
      {"TanH", 1, 1, Same("Tanh")},
      {"UnaryOp", 1, 1, UnaryOp},
  };
}

}  // namespace athanor::ncnn
