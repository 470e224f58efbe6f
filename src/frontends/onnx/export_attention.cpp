// Attention in operator sets that lack it: matrix products, a Softmax and what is around them, as
// in its ONNX function body.
#include <cmath>
#include <limits>

#include "frontends/onnx/node_export.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

enum Input : std::size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

std::string Transposed(NodeExport& ctx, const std::string& x, std::vector<std::int64_t> perm) {
  std::string name = ctx.Make("Transpose", {x});
  SetInts(ctx.last(), "perm", std::move(perm));
  return name;
}

// [batch, length, heads * size] -> [batch, heads, length, size]; of rank 4 it is so already.
std::string ByHeads(NodeExport& ctx, std::size_t input, std::int64_t heads) {
  if (ctx.InType(input).rank() == 4) return ctx.inputs[input];
  const std::string split = ctx.Make("Reshape", {ctx.inputs[input], ctx.Ints({0, 0, heads, -1})});
  return Transposed(ctx, split, {0, 2, 1, 3});
}

std::string HeadsName(std::size_t input) { return input == kQ ? "q_num_heads" : "kv_num_heads"; }

// Heads, length and size of q, k or v.
struct Sizes {
  Dim heads, length, size;
};

Sizes SizesOf(const NodeExport& ctx, std::size_t input) {
  const Type& type = ctx.InType(input);
  if (type.rank() == 4) return {type.dim(1), type.dim(2), type.dim(3)};
  const auto heads = ctx.Attribute<std::int64_t>(HeadsName(input), 1);
  return {heads, type.dim(1), FloorDiv(type.dim(2), heads)};
}

bool IsAsLongAsKeys(const NodeExport& ctx) {
  const Type& mask = ctx.InType(kMask);
  return ProvablyEqual(mask.dim(mask.rank() - 1), SizesOf(ctx, kK).length);
}

Status CheckWritable(const NodeExport& ctx) {
  const auto refuse = [](std::string_view what) {
    return Unsupported("attention with {} cannot be written there", what);
  };
  if (ctx.opset() < 9) return Unsupported("Where does not exist there");
  if (ctx.Has(kPastKey) || ctx.Has(kLengths)) return refuse("keys of earlier calls");
  for (std::size_t i = 1; i < ctx.outputs.size(); ++i) {
    if (!ctx.outputs[i].empty()) return refuse("more outputs than one");
  }
  for (const std::string_view window : {"left_window_size", "right_window_size"}) {
    if (ctx.Attribute<std::int64_t>(window, -1) >= 0) return refuse("a window");
  }
  for (const Input i : {kQ, kK, kV}) {
    if (!ctx.InType(i).HasRank()) return refuse("inputs of unknown rank");
  }
  const Sizes q = SizesOf(ctx, kQ), k = SizesOf(ctx, kK);
  if (!ProvablyEqual(q.heads, k.heads)) return refuse("key heads that query heads share");
  if (!q.size.IsConst() && ctx.node.attributes.Find("scale") == nullptr)
    return refuse("heads of unknown size");
  if (!ctx.Has(kMask)) return {};
  const Type& mask = ctx.InType(kMask);
  if (!mask.HasRank() || mask.rank() < 1) return refuse("a mask of unknown rank");
  constexpr std::int64_t kPadOfBools = 13;
  if (!IsAsLongAsKeys(ctx) && ctx.opset() < kPadOfBools)
    return refuse("a mask of another length than the keys");
  return {};
}

// true where a query of a causal attention sees the key: [queries, keys].
Result<std::string> Causal(NodeExport& ctx, const std::string& scores) {
  if (ctx.opset() < 14) return Unsupported("Trilu does not exist there");
  const std::string shape = ctx.Make("Shape", {scores});
  const std::string square =
      ctx.Make("Slice", {shape, ctx.Ints({2}), ctx.Ints({4}), ctx.Ints({0})});
  const std::string zeros = ctx.Make("ConstantOfShape", {square});
  const std::string lower = ctx.Make(
      "Trilu", {ctx.Make("Add", {zeros, ctx.file.ConstantName(Tensor::Scalar(1.0F), "")})});
  SetInt(ctx.last(), "upper", 0);
  return CastTo(ctx, lower, DType::kBool);
}

std::string Hidden(NodeExport& ctx, const std::string& seen, const std::string& scores) {
  constexpr double kLowestHalf = -65504;
  const double lowest =
      ctx.InType(kQ).dtype == DType::kF16 ? kLowestHalf : std::numeric_limits<float>::lowest();
  return ctx.Make("Where", {seen, scores, ctx.Float(static_cast<float>(lowest))});
}

std::string WriteScores(NodeExport& ctx) {
  const std::string q = ByHeads(ctx, kQ, ctx.Attribute<std::int64_t>("q_num_heads", 1));
  const std::string k = ByHeads(ctx, kK, ctx.Attribute<std::int64_t>("kv_num_heads", 1));
  const Dim size = SizesOf(ctx, kQ).size;
  const double otherwise = size.IsConst() ? 1 / std::sqrt(static_cast<double>(size.value())) : 1;
  const auto scale = ctx.Attribute<float>("scale", static_cast<float>(otherwise));
  const std::string keys = Transposed(ctx, k, {0, 1, 3, 2});
  std::string scores = ctx.Make("MatMul", {q, keys});
  if (scale != 1.0F) scores = ctx.Make("Mul", {scores, ctx.Float(scale)});
  if (const auto cap = ctx.Attribute<float>("softcap", 0.0F); cap > 0) {
    const std::string inner = ctx.Make("Tanh", {ctx.Make("Div", {scores, ctx.Float(cap)})});
    scores = ctx.Make("Mul", {inner, ctx.Float(cap)});
  }
  return scores;
}

// A mask that may be shorter than the keys: what it lacks is not seen. Add and Where would repeat
// one of length 1 instead.
std::string AsLongAsKeys(NodeExport& ctx, const std::string& scores) {
  const std::string& mask = ctx.inputs[kMask];
  if (IsAsLongAsKeys(ctx)) return mask;
  const std::int64_t rank = ctx.InType(kMask).rank();
  const auto last = [&](const std::string& value, std::int64_t of) {
    const std::string shape = ctx.Make("Shape", {value});
    return ctx.Make("Slice", {shape, ctx.Ints({of - 1}), ctx.Ints({of}), ctx.Ints({0})});
  };
  const std::string lacks = ctx.Make("Sub", {last(scores, 4), last(mask, rank)});
  const std::vector<std::int64_t> others(static_cast<std::size_t>(2 * rank - 1), 0);
  const std::string pads = ctx.Make("Concat", {ctx.Ints(others), lacks});
  SetInt(ctx.last(), "axis", 0);
  const DType dtype = ctx.InType(kMask).dtype;
  const std::string nothing = dtype == DType::kBool
                                  ? ctx.file.ConstantName(Tensor::Scalar(false), "")
                                  : ctx.Float(-std::numeric_limits<float>::infinity());
  return ctx.Make("Pad", {mask, pads, nothing});
}

// Softmax over the last axis, of the axis' own in every operator set; in f32 where that is asked.
std::string WriteWeights(NodeExport& ctx, std::string scores) {
  const DType dtype = ctx.InType(kQ).dtype;
  const auto wide = ctx.Attribute<DType>("softmax_precision", dtype);
  if (wide != dtype) scores = CastTo(ctx, scores, wide);
  std::string weights = ctx.Make("Softmax", {scores});
  SetInt(ctx.last(), "axis", ctx.opset() < 13 ? 3 : -1);
  return wide == dtype ? weights : CastTo(ctx, weights, dtype);
}

Status WriteAttention(NodeExport& ctx) {
  ATH_RETURN_IF_ERROR(CheckWritable(ctx));
  std::string scores = WriteScores(ctx);
  std::vector<std::string> seen;
  if (ctx.Attribute<std::int64_t>("is_causal", 0) != 0) {
    ATH_TRY(std::string causal, Causal(ctx, scores));
    seen.push_back(std::move(causal));
  }
  if (ctx.Has(kMask)) {
    const std::string mask = AsLongAsKeys(ctx, scores);
    if (ctx.InType(kMask).dtype == DType::kBool) {
      seen.push_back(mask);
    } else {
      scores = ctx.Make("Add", {scores, mask});
    }
  }
  for (const std::string& one : seen) scores = Hidden(ctx, one, scores);
  std::string weights = WriteWeights(ctx, scores);
  // Where a query sees no key at all, its weights are 0.
  for (const std::string& one : seen)
    weights = ctx.Make("Mul", {weights, CastTo(ctx, one, ctx.InType(kQ).dtype)});
  const std::string v = ByHeads(ctx, kV, ctx.Attribute<std::int64_t>("kv_num_heads", 1));
  if (ctx.InType(kQ).rank() == 4) {
    ctx.Emit("MatMul", {weights, v}, {ctx.outputs[0]});
    return {};
  }
  const std::string y = Transposed(ctx, ctx.Make("MatMul", {weights, v}), {0, 2, 1, 3});
  ctx.Emit("Reshape", {y, ctx.Ints({0, 0, -1})}, {ctx.outputs[0]});
  return {};
}

}  // namespace

std::vector<ExportRow> AttentionRows() {
  return {{.op = "Attention", .below = 23, .make = WriteAttention}};
}

}  // namespace athanor::onnx
