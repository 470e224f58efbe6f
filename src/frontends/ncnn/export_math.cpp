// Elementwise operators, softmax and reductions as ncnn layers.
#include <algorithm>
#include <limits>

#include "frontends/ncnn/layer_export.h"

namespace athanor::ncnn {
namespace {

using Params = LayerExport::Params;

std::function<Status(LayerExport&)> Same(std::string_view type) {
  return [type](LayerExport& ctx) -> Status {
    ctx.Emit(type, {ctx.Blob()});
    return {};
  };
}

std::function<Status(LayerExport&)> Unary(std::int64_t code) {
  return [code](LayerExport& ctx) -> Status {
    ctx.Emit("UnaryOp", {ctx.Blob()}, {{0, Int(code)}});
    return {};
  };
}

Status Clip(LayerExport& ctx) {
  constexpr float kMost = std::numeric_limits<float>::max();
  ATH_TRY(const float low, ctx.ConstantFloat(1, -kMost));
  ATH_TRY(const float high, ctx.ConstantFloat(2, kMost));
  // An infinite limit is none.
  ctx.Emit("Clip", {ctx.Blob()},
           {{0, Real(std::clamp(low, -kMost, kMost))}, {1, Real(std::clamp(high, -kMost, kMost))}});
  return {};
}

Status Elu(LayerExport& ctx) {
  ctx.Emit("ELU", {ctx.Blob()}, {{0, Real(ctx.Attribute("alpha", 1.0F))}});
  return {};
}

Status Gelu(LayerExport& ctx) {
  const bool fast = ctx.Attribute<std::string>("approximate", "none") == "tanh";
  ctx.Emit("GELU", {ctx.Blob()}, {{0, Int(fast ? 1 : 0)}});
  return {};
}

Status HardSigmoid(LayerExport& ctx) {
  ctx.Emit("HardSigmoid", {ctx.Blob()},
           {{0, Real(ctx.Attribute("alpha", 0.2F))}, {1, Real(ctx.Attribute("beta", 0.5F))}});
  return {};
}

Status HardSwish(LayerExport& ctx) {
  ctx.Emit("HardSwish", {ctx.Blob()}, {{0, Real(1.0F / 6)}, {1, Real(0.5F)}});
  return {};
}

Status LeakyRelu(LayerExport& ctx) {
  ctx.Emit("ReLU", {ctx.Blob()}, {{0, Real(ctx.Attribute("alpha", 0.01F))}});
  return {};
}

Status Selu(LayerExport& ctx) {
  ctx.Emit("SELU", {ctx.Blob()},
           {{0, Real(ctx.Attribute("alpha", 1.67326319F))},
            {1, Real(ctx.Attribute("gamma", 1.05070102F))}});
  return {};
}

Status Softmax(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.BlobAxis(ctx.Attribute<std::int64_t>("axis", -1)));
  // Parameter 1 says that the axis is meant as it is written.
  ctx.Emit("Softmax", {ctx.Blob()}, {{0, Int(axis)}, {1, Int(1)}});
  return {};
}

Status Swish(LayerExport& ctx) {
  if (ctx.Attribute("alpha", 1.0F) != 1) return Unsupported("alpha other than 1 is not written");
  return Same("Swish")(ctx);
}

// A constant operand as a blob of as many axes as the other one.
Result<std::string> ConstantBlob(LayerExport& ctx, std::size_t i, std::int64_t rank) {
  ATH_TRY(const Tensor tensor, ctx.Weight(i, "operand"));
  Dims dims = tensor.dims();
  if (static_cast<std::int64_t>(dims.size()) == rank + 1) {
    if (dims[0] != 1) return Unsupported("a constant with a batch is not written");
    dims.erase(dims.begin());
  }
  if (static_cast<std::int64_t>(dims.size()) > rank)
    return Unsupported("a constant of {} axes is not written", dims.size());
  while (static_cast<std::int64_t>(dims.size()) < rank) dims.insert(dims.begin(), 1);
  constexpr int kIds[][4] = {{0}, {1, 0}, {2, 1, 0}, {2, 11, 1, 0}};
  Params params;
  for (std::size_t a = 0; a < dims.size(); ++a) params[kIds[rank - 1][a]] = Int(dims[a]);
  ctx.file.weights.Raw(tensor);
  return ctx.Make("MemoryData", {}, std::move(params));
}

// `code`, and `swapped` for (constant number) - x and the like.
std::function<Status(LayerExport&)> Binary(std::int64_t code, std::int64_t swapped) {
  return [code, swapped](LayerExport& ctx) -> Status {
    if (!ctx.IsBlob(0) && !ctx.IsBlob(1)) return Unsupported("both operands are constants");
    if (ctx.node.inputs.size() != 2) return Unsupported("two operands are written");
    if (ctx.IsBlob(0) && ctx.IsBlob(1)) {
      if (ctx.InType(0).rank() != ctx.InType(1).rank())
        return Unsupported("operands of {} and {} are not written", ctx.InType(0).ToString(),
                           ctx.InType(1).ToString());
      ctx.Emit("BinaryOp", {ctx.Blob(0), ctx.Blob(1)}, {{0, Int(code)}});
      return {};
    }
    const std::size_t blob = ctx.IsBlob(0) ? 0 : 1, constant = 1 - blob;
    ATH_TRY(const std::int64_t rank, ctx.BlobRank(blob));
    if (ctx.Constant(constant)->count() == 1) {
      ATH_TRY(const float number, ctx.ConstantFloat(constant, 0));
      ctx.Emit("BinaryOp", {ctx.Blob(blob)},
               {{0, Int(blob == 0 ? code : swapped)}, {1, Int(1)}, {2, Real(number)}});
      return {};
    }
    ATH_TRY(std::string other, ConstantBlob(ctx, constant, rank));
    std::vector<std::string> bottoms = {ctx.Blob(blob), std::move(other)};
    if (blob == 1) std::swap(bottoms[0], bottoms[1]);
    ctx.Emit("BinaryOp", std::move(bottoms), {{0, Int(code)}});
    return {};
  };
}

// Max, Min and Sum of any number of operands.
std::function<Status(LayerExport&)> Several(std::int64_t code, std::int64_t eltwise) {
  return [code, eltwise](LayerExport& ctx) -> Status {
    if (ctx.node.inputs.size() == 1) return Same("Noop")(ctx);
    if (ctx.node.inputs.size() == 2) return Binary(code, code)(ctx);
    if (eltwise < 0) return Unsupported("more than two operands are not written");
    std::vector<std::string> bottoms;
    for (std::size_t i = 0; i < ctx.node.inputs.size(); ++i) {
      if (!ctx.IsBlob(i) || !(ctx.InType(i) == ctx.InType(0)))
        return Unsupported("more than two operands are written if all have one shape");
      bottoms.push_back(ctx.Blob(i));
    }
    ctx.Emit("Eltwise", std::move(bottoms), {{0, Int(eltwise)}});
    return {};
  };
}

std::function<Status(LayerExport&)> Reduction(std::int64_t code) {
  return [code](LayerExport& ctx) -> Status {
    ATH_TRY(const std::int64_t rank, ctx.BlobRank());
    if (!ctx.Has(1)) return Unsupported("a reduction over the batch is not written");
    ATH_TRY(const std::vector<std::int64_t> said, ctx.ConstantInts(1, "axes"));
    std::vector<std::int64_t> axes;
    for (const std::int64_t axis : said) {
      ATH_TRY(const std::int64_t blob_axis, ctx.BlobAxis(axis));
      axes.push_back(blob_axis);
    }
    const auto keep = ctx.Attribute<std::int64_t>("keepdims", 1);
    if (axes.empty() || (keep == 0 && static_cast<std::int64_t>(axes.size()) == rank))
      return Unsupported("a blob keeps at least one axis");
    // Parameter 5 says that the axes are meant as they are written.
    ctx.Emit("Reduction", {ctx.Blob()},
             {{0, Int(code)}, {1, Int(0)}, {3, Ints(axes)}, {4, Int(keep)}, {5, Int(1)}});
    return {};
  };
}

}  // namespace

std::vector<ExportRow> MathExportRows() {
  return {
      {"Abs", Unary(0)},
      {"Acos", Unary(13)},
      {"Add", Binary(0, 0)},
      {"Asin", Unary(12)},
      {"Atan", Unary(14)},
      {"Ceil", Unary(3)},
      {"Clip", Clip},
      {"Cos", Unary(10)},
      {"Div", Binary(3, 8)},
      {"Elu", Elu},
      {"Exp", Unary(7)},
      {"Floor", Unary(2)},
      {"Gelu", Gelu},
      {"HardSigmoid", HardSigmoid},
      {"HardSwish", HardSwish},
      {"LeakyRelu", LeakyRelu},
      {"Log", Unary(8)},
      {"Max", Several(4, 2)},
      {"Min", Several(5, -1)},
      {"Mish", Same("Mish")},
      {"Mul", Binary(2, 2)},
      {"Neg", Unary(1)},
      {"Pow", Binary(6, 9)},
      {"Reciprocal", Unary(15)},
      {"ReduceL1", Reduction(7)},
      {"ReduceL2", Reduction(8)},
      {"ReduceLogSum", Reduction(9)},
      {"ReduceLogSumExp", Reduction(10)},
      {"ReduceMax", Reduction(4)},
      {"ReduceMean", Reduction(3)},
      {"ReduceMin", Reduction(5)},
      {"ReduceProd", Reduction(6)},
      {"ReduceSum", Reduction(0)},
      {"ReduceSumSquare", Reduction(2)},
      {"Relu", Same("ReLU")},
      {"Round", Unary(18)},
      {"Selu", Selu},
      {"Sigmoid", Same("Sigmoid")},
      {"Sin", Unary(9)},
      {"Softmax", Softmax},
      {"Softplus", Same("Softplus")},
      {"Sqrt", Unary(5)},
      {"Sub", Binary(1, 7)},
      {"Sum", Several(0, 1)},
      {"Swish", Swish},
      {"Tan", Unary(11)},
      {"Tanh", Same("TanH")},
  };
}

}  // namespace athanor::ncnn
