// Attention in the forms of com.microsoft, as matrix products and Softmax.
//
// Names of dimensions: B batch, S queries, T keys (past and new), N heads, D width of a head.
#include <cmath>
#include <limits>

#include "frontends/onnx/microsoft.h"
#include "frontends/onnx/quantized.h"

namespace athanor::onnx {
namespace {

// [B, S, N*D] -> [B, N, S, D]
ValueId SplitHeads(Formula& f, ValueId x, std::int64_t heads) {
  return f.Transpose(f.Reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
}
// [B, N, S, D] -> [B, S, N*D]
ValueId JoinHeads(Formula& f, ValueId x) {
  return f.Reshape(f.Transpose(x, {0, 2, 1, 3}), {0, 0, -1});
}

// 0, 1, 2, ... as i64, as many as `count` (i64[1]) says.
ValueId Count(Formula& f, ValueId count) {
  return f("Range", {f.Scalar(0, DType::kI64), f("Squeeze", {count, f.Ints({0})}),
                     f.Scalar(1, DType::kI64)});
}

ValueId Concat(Formula& f, std::vector<ValueId> parts, std::int64_t axis) {
  return f("Concat", std::move(parts), {{"axis", axis}});
}

// The lowest number of the type: what a key that must not be seen gets.
double Lowest(DType dtype) {
  return dtype == DType::kF16 ? -65504.0 : std::numeric_limits<float>::lowest();
}

struct Scores {
  ValueId values = kNoValue;   // [B, N, S, T], scaled, masks not yet applied
  ValueId queries = kNoValue;  // S as i64[1]
  ValueId keys = kNoValue;     // T as i64[1]
  DType dtype = DType::kF32;
};

// Scaled products of q [..., S, D] and k [..., T, D]. scale 0 means 1 / sqrt(D).
Scores Products(Formula& f, ValueId q, ValueId k, float scale) {
  Scores scores = {.dtype = f.DTypeOf(q)};
  const Type& type = f.TypeOf(k);
  if (!type.HasRank()) {
    f.Fail(Unsupported("the rank of the keys is not known"));
    return scores;
  }
  const std::int64_t row = type.rank() - 2;
  std::vector<std::int64_t> perm;
  for (std::int64_t i = 0; i < type.rank(); ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  scores.queries = f.Size(q, row);
  scores.keys = f.Size(k, row);
  ValueId factor = kNoValue;
  if (scale != 0) {
    factor = f.Scalar(scale, scores.dtype);
  } else if (f.TypeOf(q).HasRank() && f.TypeOf(q).dim(row + 1).IsConst()) {
    const auto width = static_cast<double>(f.TypeOf(q).dim(row + 1).value());
    factor = f.Scalar(1 / std::sqrt(width), scores.dtype);
  } else {
    factor = f("Reciprocal", {f("Sqrt", {f.Cast(f.Size(q, row + 1), scores.dtype)})});
  }
  scores.values = f("Mul", {f("MatMul", {q, f.Transpose(k, perm)}), factor});
  return scores;
}

// `filter` is added where `seen` (bool, broadcast to the scores) is false.
void AddWhereHidden(Formula& f, Scores& scores, ValueId seen, double filter) {
  const ValueId add = f("Where", {seen, f.Scalar(0, scores.dtype), f.Scalar(filter, scores.dtype)});
  scores.values = f("Add", {scores.values, add});
}

// Query i sees the keys up to its own: the last S of the T keys belong to the queries.
void HideFuture(Formula& f, Scores& scores) {
  const ValueId past = f("Sub", {scores.keys, scores.queries});
  const ValueId last = f.Unsqueeze(f("Add", {Count(f, scores.queries), past}), {1});
  const ValueId seen = f("LessOrEqual", {Count(f, scores.keys), last});
  scores.values = f("Where", {seen, scores.values, f.Scalar(Lowest(scores.dtype), scores.dtype)});
}

// Masks of Attention and MultiHeadAttention, told apart by rank: [B] lengths, [2B] ends and starts,
// [B, T], [B, S, T] and [B, 1, M, M] zeros and ones.
void ApplyMask(Formula& f, Scores& scores, ValueId mask, const Dim& batch, double filter) {
  const Type type = f.TypeOf(mask);  // a copy: nodes are added below
  if (!type.HasRank()) return f.Fail(Unsupported("the mask has an unknown rank; 1 to 4 is needed"));
  if (type.rank() == 1) {
    const bool ends_and_starts = ProvablyEqual(type.dim(0), batch * Dim(2));
    const bool lengths = ProvablyEqual(type.dim(0), batch);
    if (!ends_and_starts && !lengths) {
      return f.Fail(
          Unsupported("a mask of {} for a batch of {}; as many lengths, or twice as many "
                      "(ends, then starts), are accepted",
                      type.ToString(), batch.ToString()));
    }
    const ValueId at = f("Unsqueeze", {Count(f, scores.keys), f.Ints({0})});
    const ValueId limits =
        f.Cast(f.Reshape(mask, {ends_and_starts ? 2 : 1, -1, 1, 1, 1}), DType::kI64);
    const auto row = [&](std::int64_t i) {
      return f("Squeeze", {f.Slice(limits, 0, i, i + 1), f.Ints({0})});
    };
    ValueId seen = f("Less", {at, row(0)});
    if (ends_and_starts) seen = f("And", {seen, f("GreaterOrEqual", {at, row(1)})});
    return AddWhereHidden(f, scores, seen, filter);
  }
  ValueId seen = f("Greater", {mask, f.Scalar(0, type.dtype)});
  if (type.rank() == 2) seen = f.Unsqueeze(seen, {1, 2});
  if (type.rank() == 3) seen = f.Unsqueeze(seen, {1});
  if (type.rank() == 4) {
    // Made for the longest text: the rows of the queries and the columns of the keys are taken.
    const ValueId past = f("Sub", {scores.keys, scores.queries});
    seen = f("Slice", {seen, past, scores.keys, f.Ints({2})});
    seen = f("Slice", {seen, f.Ints({0}), scores.keys, f.Ints({3})});
  }
  if (type.rank() > 4)
    return f.Fail(Unsupported("the mask is {}; rank 1 to 4 is accepted", type.ToString()));
  AddWhereHidden(f, scores, seen, filter);
}

ValueId Attend(Formula& f, const Scores& scores, ValueId v) {
  const ValueId weights = f("Softmax", {scores.values}, {{"axis", std::int64_t{-1}}});
  return f("MatMul", {weights, v});
}

Result<std::int64_t> Heads(const NodeImport& ctx, std::string_view name) {
  const std::int64_t heads = ctx.Int(name, 0);
  if (heads >= 1 && heads <= 1 << 20) return heads;
  return InvalidModel("{} is {}; 1 or more is expected", name, heads);
}

// Widths of q, k and v in what the packed weights give.
Result<std::vector<std::int64_t>> PackedWidths(const NodeImport& ctx) {
  const auto stated = ctx.Ints("qkv_hidden_sizes");
  if (stated && stated->size() == 3) return *stated;
  if (stated && !stated->empty())
    return InvalidModel("qkv_hidden_sizes has {} entries; 3 are expected", stated->size());
  const Type& weights = ctx.InType(1);
  if (!weights.HasRank() || weights.rank() != 2 || !weights.dim(1).IsConst() ||
      weights.dim(1).value() % 3 != 0) {
    return InvalidModel(
        "the weights are {}; [width, 3 * width of q] is expected where "
        "qkv_hidden_sizes is absent",
        weights.ToString());
  }
  return std::vector<std::int64_t>(3, weights.dim(1).value() / 3);
}

struct Qkv {
  ValueId q = kNoValue, k = kNoValue, v = kNoValue;
};

// The parts of x [.., widths[0] + widths[1] + widths[2]].
Qkv SplitWidths(Formula& f, ValueId x, const std::vector<std::int64_t>& widths) {
  const std::vector<ValueId> parts =
      f.Many("Split", {x, f.Ints(widths)}, {{"axis", std::int64_t{-1}}}, 3);
  return {parts[0], parts[1], parts[2]};
}

// Index i of the first dimension, without it.
ValueId At(Formula& f, ValueId x, std::int64_t i) {
  return f("Squeeze", {f.Slice(x, 0, i, i + 1), f.Ints({0})});
}

Status RefuseAttributes(const NodeImport& ctx, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (ctx.Int(name, 0) != 0) return Unsupported("{} is not implemented; 0 is accepted", name);
  }
  return {};
}

// Where Attention and its quantised form have their inputs; past is [2, B, N, P, D].
struct AttentionInputs {
  std::size_t mask, past, bias;
};

Status CheckAttention(const NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RefuseAttributes(ctx, {"do_rotary", "past_present_share_buffer"}));
  if (ctx.num_outputs() > 2) return Unsupported("output 2 (qk) is not given; 0 and 1 are");
  if (ctx.InType(0).HasRank() && ctx.InType(0).rank() != 3)
    return InvalidModel("the input is {}; rank 3 is expected", ctx.InType(0).ToString());
  return {};
}

// `packed`: what the weights give, [B, S, widths of q, k and v].
Status AttendPacked(NodeImport& ctx, Formula& f, ValueId packed, const AttentionInputs& at) {
  ATH_TRY(const std::int64_t heads, Heads(ctx, "num_heads"));
  ATH_TRY(const std::vector<std::int64_t> widths, PackedWidths(ctx));
  Qkv qkv = SplitWidths(f, packed, widths);
  const ValueId q = SplitHeads(f, qkv.q, heads);
  ValueId k = SplitHeads(f, qkv.k, heads);
  ValueId v = SplitHeads(f, qkv.v, heads);
  if (ctx.Has(at.past)) {
    k = Concat(f, {At(f, ctx.In(at.past), 0), k}, 2);
    v = Concat(f, {At(f, ctx.In(at.past), 1), v}, 2);
  }
  Scores scores = Products(f, q, k, ctx.Float("scale", 0));
  const Dim batch = ctx.InType(0).HasRank() ? ctx.InType(0).dim(0) : Dim();
  if (ctx.Has(at.mask))
    ApplyMask(f, scores, ctx.In(at.mask), batch, ctx.Float("mask_filter_value", -10000.0F));
  if (ctx.Has(at.bias)) scores.values = f("Add", {scores.values, ctx.In(at.bias)});
  if (ctx.Int("unidirectional", 0) != 0) HideFuture(f, scores);
  const ValueId y = JoinHeads(f, Attend(f, scores, v));
  ValueId present = kNoValue;
  if (ctx.num_outputs() > 1) present = Concat(f, {f.Unsqueeze(k, {0}), f.Unsqueeze(v, {0})}, 0);
  return f.Give({y, present});
}

}  // namespace

// Inputs: x, weights, bias, mask, past, attention bias.
Status MsAttention(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  ATH_RETURN_IF_ERROR(CheckAttention(ctx));
  Formula f(ctx);
  ValueId packed = f("MatMul", {ctx.In(0), ctx.In(1)});
  if (ctx.Has(2)) packed = f("Add", {packed, ctx.In(2)});
  return AttendPacked(ctx, f, packed, {.mask = 3, .past = 4, .bias = 5});
}

// Inputs: x, weights, bias, x's scale, the weights' scale, mask, x's zero point, the weights' zero
// point, past. Integers up to the sums of the packed product, floats from there.
Status MsQAttention(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 5));
  ATH_RETURN_IF_ERROR(CheckAttention(ctx));
  Formula f(ctx);
  const auto centred = [&](std::size_t data, std::size_t zero) {
    const ValueId x = f.Cast(ctx.In(data), DType::kI32);
    return ctx.Has(zero) ? f("Sub", {x, f.Cast(ctx.In(zero), DType::kI32)}) : x;
  };
  const ValueId sum = f("MatMul", {centred(0, 6), centred(1, 7)});
  const ValueId real =
      f("Mul", {f.Cast(sum, f.DTypeOf(ctx.In(3))), f("Mul", {ctx.In(3), ctx.In(4)})});
  return AttendPacked(ctx, f, f("Add", {real, ctx.In(2)}), {.mask = 5, .past = 8, .bias = 9});
}

namespace {

// q, k and v of MultiHeadAttention as [B, N, S, D], from any of its packings, bias added.
Qkv ReadMultiHead(NodeImport& ctx, Formula& f, std::int64_t heads) {
  const auto rank = [&](std::size_t i) {
    return ctx.InType(i).HasRank() ? ctx.InType(i).rank() : 0;
  };
  // [B, S, N, parts, D] -> `parts` times [B, S, N*D]
  const auto unpack = [&](ValueId x, std::int64_t part) {
    return f.Reshape(f("Squeeze", {f.Slice(x, 3, part, part + 1), f.Ints({3})}), {0, 0, -1});
  };
  Qkv in = {ctx.In(0), ctx.In(1), ctx.In(2)};
  if (rank(0) == 5) {
    in = {unpack(ctx.In(0), 0), unpack(ctx.In(0), 1), unpack(ctx.In(0), 2)};
  } else if (ctx.Has(1) && rank(1) == 5) {
    in = {ctx.In(0), unpack(ctx.In(1), 0), unpack(ctx.In(1), 1)};
  } else if (!ctx.Has(1) || !ctx.Has(2)) {
    f.Fail(
        Unsupported("key and value are missing and query is {}; query [B, S, N, 3, D], or key "
                    "[B, L, N, 2, D], or all three are accepted",
                    ctx.InType(0).ToString()));
    return {};
  }
  const bool heads_apart = ctx.Has(1) && rank(1) == 4;  // key and value are [B, N, L, D] already
  if (ctx.Has(3)) {
    const auto width = [&](ValueId x) -> std::int64_t {
      const Type& type = f.TypeOf(x);
      return type.HasRank() && type.shape->back().IsConst() ? type.shape->back().value() : -1;
    };
    const std::int64_t q_width = width(in.q);
    const std::int64_t total = width(ctx.In(3));
    if (q_width < 0 || total < 2 * q_width) {
      f.Fail(Unsupported("the bias is {} for a query of {}; known widths are needed",
                         ctx.InType(3).ToString(), f.TypeOf(in.q).ToString()));
      return {};
    }
    const Qkv bias = SplitWidths(f, ctx.In(3), {q_width, q_width, total - 2 * q_width});
    in.q = f("Add", {in.q, bias.q});
    if (!heads_apart) {
      in.k = f("Add", {in.k, bias.k});
      in.v = f("Add", {in.v, bias.v});
    }
  }
  const ValueId q = SplitHeads(f, in.q, heads);
  if (heads_apart) return {q, in.k, in.v};
  return {q, SplitHeads(f, in.k, heads), SplitHeads(f, in.v, heads)};
}

}  // namespace

// Inputs: query, key, value, bias, key padding mask, attention bias, past key, past value.
Status MsMultiHeadAttention(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 1));
  if (ctx.Has(8) || ctx.Has(9))
    return Unsupported("past_sequence_length and cache_indirection are not implemented");
  if (ctx.num_outputs() > 3) return Unsupported("output 3 (qk) is not given; 0 to 2 are");
  ATH_TRY(const std::int64_t heads, Heads(ctx, "num_heads"));
  Formula f(ctx);
  Qkv qkv = ReadMultiHead(ctx, f, heads);
  if (ctx.Has(6) && ctx.Has(7)) {
    qkv.k = Concat(f, {ctx.In(6), qkv.k}, 2);
    qkv.v = Concat(f, {ctx.In(7), qkv.v}, 2);
  }
  Scores scores = Products(f, qkv.q, qkv.k, ctx.Float("scale", 0));
  const Dim batch = ctx.InType(0).HasRank() ? ctx.InType(0).dim(0) : Dim();
  if (ctx.Has(4)) ApplyMask(f, scores, ctx.In(4), batch, ctx.Float("mask_filter_value", -10000.0F));
  if (ctx.Has(5)) scores.values = f("Add", {scores.values, ctx.In(5)});
  if (ctx.Int("unidirectional", 0) != 0) HideFuture(f, scores);
  return f.Give({JoinHeads(f, Attend(f, scores, qkv.v)), qkv.k, qkv.v});
}

namespace {

// Rotates pairs of x [B, N, S, D] by the angles of the positions [B, S].
ValueId Rotate(NodeImport& ctx, Formula& f, ValueId x, ValueId positions, ValueId cos, ValueId sin,
               std::string_view interleaved) {
  return f("RotaryEmbedding", {x, cos, sin, positions},
           {{"interleaved", std::int64_t{ctx.Int(interleaved, 0) != 0}},
            {"rotary_embedding_dim", ctx.Int("rotary_embedding_dim", 0)}});
}

// What GroupQueryAttention knows about the texts of a batch, as i64.
struct Texts {
  ValueId past = kNoValue;       // [B] keys before the queries
  ValueId positions = kNoValue;  // [B, S] of the queries
  ValueId queries = kNoValue;    // [1]
};

Texts ReadTexts(NodeImport& ctx, Formula& f, ValueId query) {
  Texts texts = {.queries = f.Size(query, 1)};
  const ValueId last = f.Reshape(f.Cast(ctx.In(5), DType::kI64), {-1});
  const ValueId total = f("Add", {last, f.Scalar(1, DType::kI64)});
  // A first prompt may be shorter than the batch is wide: nothing lies before it.
  texts.past = f("Max", {f("Sub", {total, texts.queries}), f.Scalar(0, DType::kI64)});
  texts.positions = f("Add", {f.Unsqueeze(texts.past, {1}), Count(f, texts.queries)});
  return texts;
}

// The cache with `update` [B, N, S, D] written behind the past of each text, as long as the longest
// text or the cache.
ValueId Append(NodeImport& ctx, Formula& f, std::size_t cache, ValueId update, const Texts& texts) {
  const ValueId longest = f.Reshape(f.Cast(ctx.In(6), DType::kI64), {1});
  ValueId grown = kNoValue;
  if (ctx.Has(cache)) {
    const ValueId missing = f("Max", {f("Sub", {longest, f.Size(ctx.In(cache), 2)}), f.Ints({0})});
    const ValueId pads = Concat(f, {f.Ints({0, 0, 0, 0, 0, 0}), missing, f.Ints({0})}, 0);
    grown = f("Pad", {ctx.In(cache), pads});
    // What a text has not reached yet is 0 in the new cache.
    const ValueId at = f.Unsqueeze(Count(f, f.Size(grown, 2)), {1});
    const ValueId kept = f("Less", {at, f.Unsqueeze(texts.past, {1, 2, 3})});
    grown = f("Where", {kept, grown, f.Scalar(0, f.DTypeOf(update))});
  } else {
    const ValueId shape =
        Concat(f, {f.Size(update, 0), f.Size(update, 1), longest, f.Size(update, 3)}, 0);
    grown = f("Expand", {f.Scalar(0, f.DTypeOf(update)), shape});
  }
  return f("TensorScatter", {grown, update, texts.past}, {{"axis", std::int64_t{2}}});
}

// Keys up to the query's position, and not further back than the window.
void HideOutside(Formula& f, Scores& scores, const Texts& texts, std::int64_t window) {
  const ValueId keys = Count(f, scores.keys);
  const ValueId last = f.Unsqueeze(texts.positions, {1, 2, 4});  // [B, 1, 1, S, 1]
  ValueId seen = f("LessOrEqual", {keys, last});
  if (window > 0) {
    const ValueId first = f("Sub", {last, f.Scalar(static_cast<double>(window), DType::kI64)});
    seen = f("And", {seen, f("Greater", {keys, first})});
  }
  scores.values = f("Where", {seen, scores.values, f.Scalar(Lowest(scores.dtype), scores.dtype)});
}

// Scores of grouped queries [B, Nk, G, S, D] against keys [B, Nk, T, D], masked.
Scores GroupScores(NodeImport& ctx, Formula& f, ValueId q, ValueId keys, const Texts& texts) {
  Scores scores = Products(f, q, f.Unsqueeze(keys, {2}), ctx.Float("scale", 0));
  if (const float cap = ctx.Float("softcap", 0); cap > 0) {
    const ValueId limit = f.Scalar(cap, scores.dtype);
    scores.values = f("Mul", {f("Tanh", {f("Div", {scores.values, limit})}), limit});
  }
  if (ctx.Has(10)) {
    const Type& bias = ctx.InType(10);
    if (!bias.HasRank() || bias.rank() != 4 || !bias.dim(1).IsConst()) {
      f.Fail(
          Unsupported("the attention bias is {}; [B, heads, S, T] is expected", bias.ToString()));
      return scores;
    }
    const std::int64_t groups = bias.dim(1).value() == 1 ? 1 : f.TypeOf(q).dim(1).value();
    const ValueId shape = Concat(
        f,
        {f.Size(ctx.In(10), 0), f.Ints({groups, -1}), f.Size(ctx.In(10), 2), f.Size(ctx.In(10), 3)},
        0);
    scores.values = f("Add", {scores.values, f("Reshape", {ctx.In(10), shape})});
  }
  HideOutside(f, scores, texts, ctx.Int("local_window_size", -1));
  return scores;
}

}  // namespace

// Inputs: query, key, value, past key, past value, lengths - 1, longest length, cos, sin,
// positions, attention bias.
Status MsGroupQueryAttention(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 7, {1, 2, 3, 4}));
  ATH_RETURN_IF_ERROR(RefuseAttributes(ctx, {"smooth_softmax", "qk_output"}));
  if (ctx.num_inputs() > 11)
    return Unsupported("head_sink and quantised caches are not implemented");
  ATH_TRY(const std::int64_t heads, Heads(ctx, "num_heads"));
  ATH_TRY(const std::int64_t kv_heads, Heads(ctx, "kv_num_heads"));
  if (heads % kv_heads != 0)
    return InvalidModel("{} heads do not share {} key heads evenly", heads, kv_heads);
  Formula f(ctx);
  Qkv qkv = {ctx.In(0), ctx.In(1), ctx.In(2)};
  if (!ctx.Has(1)) {
    const Type& packed = ctx.InType(0);
    const std::int64_t rows = heads + 2 * kv_heads;
    if (!packed.HasRank() || !packed.shape->back().IsConst() ||
        packed.shape->back().value() % rows != 0) {
      return InvalidModel("the packed query is {}; [B, S, {} * D] is expected", packed.ToString(),
                          rows);
    }
    const std::int64_t width = packed.shape->back().value() / rows;
    qkv = SplitWidths(f, ctx.In(0), {heads * width, kv_heads * width, kv_heads * width});
  }
  const Texts texts = ReadTexts(ctx, f, ctx.In(0));
  ValueId q = SplitHeads(f, qkv.q, heads);
  ValueId k = SplitHeads(f, qkv.k, kv_heads);
  if (ctx.Int("do_rotary", 0) != 0) {
    ATH_RETURN_IF_ERROR(RequireInputs(ctx, 9, {1, 2, 3, 4}));
    const ValueId positions = ctx.Has(9) ? ctx.In(9) : texts.positions;
    q = Rotate(ctx, f, q, positions, ctx.In(7), ctx.In(8), "rotary_interleaved");
    k = Rotate(ctx, f, k, positions, ctx.In(7), ctx.In(8), "rotary_interleaved");
  }
  const ValueId keys = Append(ctx, f, 3, k, texts);
  const ValueId values = Append(ctx, f, 4, SplitHeads(f, qkv.v, kv_heads), texts);
  // Heads that share keys form a dimension of their own: [B, Nk, N / Nk, S, D].
  q = f.Reshape(f.Transpose(q, {0, 2, 1, 3}), {0, 0, kv_heads, heads / kv_heads, -1});
  q = f.Transpose(q, {0, 2, 3, 1, 4});
  const Scores scores = GroupScores(ctx, f, q, keys, texts);
  const ValueId y = Attend(f, scores, f.Unsqueeze(values, {2}));
  return f.Give({f.Reshape(f.Transpose(y, {0, 3, 1, 2, 4}), {0, 0, -1}), keys, values});
}

Status MsRotaryEmbedding(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 4));
  ATH_RETURN_IF_ERROR(RefuseAttributes(ctx, {"is_packed_batching"}));
  Formula f(ctx);
  const Type x = ctx.InType(0);  // a copy: nodes are added below
  const Type& given = ctx.InType(1);
  if (!x.HasRank() || (x.rank() != 3 && x.rank() != 4) || !given.HasRank())
    return Unsupported("the input is {}; a known rank of 3 or 4 is needed", x.ToString());
  ValueId positions = ctx.In(1);
  if (given.rank() == 1) {
    // The position of the first query; the others follow it.
    const ValueId row = f("Add", {positions, Count(f, f.Size(ctx.In(0), x.rank() - 2))});
    const ValueId shape = Concat(f, {f.Size(ctx.In(0), 0), f.Ints({1})}, 0);
    positions = f("Expand", {f.Unsqueeze(row, {0}), shape});
  }
  AttrMap attributes = {{"interleaved", std::int64_t{ctx.Int("interleaved", 0) != 0}},
                        {"rotary_embedding_dim", ctx.Int("rotary_embedding_dim", 0)}};
  std::int64_t heads = ctx.Int("num_heads", 0);
  const Type& cache = ctx.InType(2);
  const bool known = x.rank() == 3 && x.dim(2).IsConst() && cache.HasRank() && cache.rank() == 2 &&
                     cache.dim(1).IsConst() && cache.dim(1).value() > 0;
  // Without a number of heads, the cache says how wide one is.
  if (heads == 0 && known) heads = x.dim(2).value() / (2 * cache.dim(1).value());
  if (x.rank() == 3) attributes.Set("num_heads", heads);
  return f.Give(
      {f("RotaryEmbedding", {ctx.In(0), ctx.In(2), ctx.In(3), positions}, std::move(attributes))});
}

}  // namespace athanor::onnx
