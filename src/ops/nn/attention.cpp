#include <cmath>
#include <limits>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct AttentionAttrs {
  bool is_causal = false;
  std::int64_t kv_num_heads = 0;
  std::int64_t left_window_size = -1;
  std::int64_t q_num_heads = 0;
  std::int64_t qk_matmul_output_mode = 0;
  std::int64_t right_window_size = -1;
  std::optional<float> scale;
  float softcap = 0.0F;
  std::optional<DType> softmax_precision;
  template <class V>
  void Visit(V& v) {
    v("is_causal", is_causal, "a query sees no key after its own place");
    v("kv_num_heads", kv_num_heads, "heads of key and value; needed for inputs of rank 3");
    v("left_window_size", left_window_size, "how many keys before its place a query sees; -1: all");
    v("q_num_heads", q_num_heads, "heads of the query; needed for inputs of rank 3");
    v("qk_matmul_output_mode", qk_matmul_output_mode,
      "what qk is: 0 the product, 1 after the soft cap, 2 after the mask, 3 after the softmax");
    v("right_window_size", right_window_size,
      "how many keys after its place a query sees; -1: all");
    v("scale", scale, "of the product; 1 / sqrt(head size) when absent");
    v("softcap", softcap, "c: the product becomes c * tanh(product / c); 0: no cap");
    v("softmax_precision", softmax_precision, "element type of the softmax; never less exact");
  }
};

enum Input : std::size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

// Sizes of one of q, k, v, whichever way it is laid out.
struct Heads {
  Dim batch, heads, length, size;
};

Result<Heads> Split(const Type& type, std::int64_t heads) {
  if (!type.HasRank()) return Heads{};
  const Shape& s = *type.shape;
  if (s.size() == 4) return Heads{s[0], s[1], s[2], s[3]};
  if (s.size() != 3) return InvalidModel("rank 3 or 4 is expected, {} is given", type.ToString());
  if (heads < 1) return InvalidModel("q_num_heads and kv_num_heads are needed for rank 3");
  if (s[2].IsConst() && s[2].value() % heads != 0)
    return InvalidModel("{} values cannot be divided into {} heads", s[2].value(), heads);
  return Heads{s[0], heads, s[1], FloorDiv(s[2], heads)};
}

Status Agree(std::string_view what, const Dim& a, const Dim& b) {
  if (!a.IsConst() || !b.IsConst() || a == b) return {};
  return InvalidModel("{} differ: {} and {}", what, a.value(), b.value());
}

Status CheckAttributes(const AttentionAttrs& attrs) {
  if (attrs.left_window_size < -1 || attrs.right_window_size < -1)
    return InvalidModel("window sizes must be -1 or more");
  if (attrs.qk_matmul_output_mode < 0 || attrs.qk_matmul_output_mode > 3)
    return InvalidModel("qk_matmul_output_mode is {}; 0 to 3 is expected",
                        attrs.qk_matmul_output_mode);
  return {};
}

Status CheckHeads(const Heads& q, const Heads& k, const Heads& v) {
  ATH_RETURN_IF_ERROR(Agree("batch sizes", q.batch, k.batch));
  ATH_RETURN_IF_ERROR(Agree("batch sizes", q.batch, v.batch));
  ATH_RETURN_IF_ERROR(Agree("head sizes of query and key", q.size, k.size));
  ATH_RETURN_IF_ERROR(Agree("heads of key and value", k.heads, v.heads));
  ATH_RETURN_IF_ERROR(Agree("lengths of key and value", k.length, v.length));
  const bool known = q.heads.IsConst() && k.heads.IsConst();
  if (known && (k.heads.value() < 1 || q.heads.value() % k.heads.value() != 0))
    return InvalidModel("{} query heads cannot share {} key heads", q.heads.value(),
                        k.heads.value());
  return {};
}

// The mask broadcasts to [batch, heads, queries, keys]; its last dimension may be shorter.
Status CheckMask(const InferCtx& ctx, const Shape& target) {
  if (!ctx.Has(kMask)) return {};
  if (ctx.InDType(kMask) != DType::kBool) ATH_RETURN_IF_ERROR(ExpectFloat(ctx, kMask));
  if (!ctx.In(kMask).HasRank()) return {};
  const Shape& mask = *ctx.In(kMask).shape;
  if (mask.empty() || mask.size() > 4)
    return InvalidModel("the mask must have rank 1 to 4, not {}", mask.size());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const Dim &given = mask[i], &wanted = target[4 - mask.size() + i];
    const bool last = i + 1 == mask.size();
    if (!given.IsConst() || !wanted.IsConst() || given == wanted || (!last && given.Is(1)))
      continue;
    if (!last || given.value() > wanted.value())
      return InvalidModel("the mask {} does not broadcast to {}", ToString(mask), ToString(target));
  }
  return {};
}

Status CheckPast(const InferCtx& ctx, const Heads& k, const Heads& v) {
  if (ctx.Has(kPastKey) != ctx.Has(kPastValue))
    return InvalidModel("past_key and past_value go together");
  for (const Input i : {kPastKey, kPastValue}) {
    const Heads& now = i == kPastKey ? k : v;
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 4));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, now.batch));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1, now.heads));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 3, now.size));
  }
  if (ctx.Has(kPastKey) && ctx.In(kPastKey).HasRank())
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kPastValue, 2, ctx.In(kPastKey).dim(2)));
  if (!ctx.Has(kLengths)) return {};
  if (ctx.Has(kPastKey)) return InvalidModel("nonpad_kv_seqlen and past_key exclude each other");
  if (ctx.InDType(kLengths) != DType::kI64) return InvalidModel("nonpad_kv_seqlen must be i64");
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(kLengths, 1));
  return ExpectDim(ctx, kLengths, 0, k.batch);
}

Status InferAttention(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<AttentionAttrs>();
  ATH_RETURN_IF_ERROR(CheckAttributes(attrs));
  for (const Input i : {kQ, kK, kV}) ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  const Type& q_type = ctx.In(kQ);
  if (q_type.HasRank()) {
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(kK, q_type.rank()));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(kV, q_type.rank()));
  }
  ATH_TRY(const Heads q, Split(q_type, attrs.q_num_heads));
  ATH_TRY(const Heads k, Split(ctx.In(kK), attrs.kv_num_heads));
  ATH_TRY(const Heads v, Split(ctx.In(kV), attrs.kv_num_heads));
  ATH_RETURN_IF_ERROR(CheckHeads(q, k, v));
  ATH_RETURN_IF_ERROR(CheckPast(ctx, k, v));
  Dim past = 0;
  if (ctx.Has(kPastKey))
    past = ctx.In(kPastKey).HasRank() ? ctx.In(kPastKey).dim(2) : Dim::Unknown();
  const Dim total = past + k.length;
  ATH_RETURN_IF_ERROR(CheckMask(ctx, {q.batch, q.heads, q.length, total}));
  if (!q_type.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(q_type.dtype);
  } else if (q_type.rank() == 4) {
    ctx.out[0] = Type::Tensor(q_type.dtype, {q.batch, q.heads, q.length, v.size});
  } else {
    ctx.out[0] = Type::Tensor(q_type.dtype, {q.batch, q.length, q.heads * v.size});
  }
  const Type more[] = {Type::Tensor(ctx.InDType(kK), {k.batch, k.heads, total, k.size}),
                       Type::Tensor(ctx.InDType(kV), {v.batch, v.heads, total, v.size}),
                       Type::Tensor(q_type.dtype, {q.batch, q.heads, q.length, total})};
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) ctx.out[i] = more[i - 1];
  return {};
}

// Numbers as [batch, heads, length, size].
template <class Number>
struct Block {
  std::int64_t batch = 0, heads = 0, length = 0, size = 0;
  std::vector<Number> data;
  const Number* Row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return data.data() + ((b * heads + h) * length + i) * size;
  }
  Number* Row(std::int64_t b, std::int64_t h, std::int64_t i) {
    return data.data() + ((b * heads + h) * length + i) * size;
  }
};

template <class Number>
Result<Block<Number>> Load(const Tensor& tensor, std::int64_t heads) {
  ATH_TRY(std::vector<Number> values, ReadAs<Number>(tensor));
  const Dims& d = tensor.dims();
  if (d.size() == 4) return Block<Number>{d[0], d[1], d[2], d[3], std::move(values)};
  Block<Number> block{d[0], heads, d[1], d[2] / heads, {}};
  block.data.resize(values.size());
  const Number* from = values.data();
  for (std::int64_t b = 0; b < block.batch; ++b)
    for (std::int64_t i = 0; i < block.length; ++i)
      for (std::int64_t h = 0; h < heads; ++h, from += block.size)
        std::copy_n(from, block.size, block.Row(b, h, i));
  return block;
}

// `past` before `now`, along the length.
template <class Number>
Block<Number> Append(const Block<Number>& past, const Block<Number>& now) {
  Block<Number> all{now.batch, now.heads, past.length + now.length, now.size, {}};
  all.data.resize(static_cast<std::size_t>(all.batch * all.heads * all.length * all.size));
  for (std::int64_t b = 0; b < all.batch; ++b) {
    for (std::int64_t h = 0; h < all.heads; ++h) {
      std::copy_n(past.Row(b, h, 0), past.length * all.size, all.Row(b, h, 0));
      std::copy_n(now.Row(b, h, 0), now.length * all.size, all.Row(b, h, past.length));
    }
  }
  return all;
}

// What is added to the product of a query and a key: 0, the mask's number, or minus infinity.
template <class Number>
struct Bias {
  static constexpr Number kNever = -std::numeric_limits<Number>::infinity();
  AttentionAttrs attrs;
  std::vector<Number> mask;           // empty: none
  Dims mask_dims;                     // of rank 4
  std::vector<std::int64_t> lengths;  // valid keys per image; empty: all
  std::int64_t offset = 0;            // keys before the first query

  Number At(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j,
            std::int64_t queries) const {
    std::int64_t place = i + offset;
    if (!lengths.empty()) {
      const std::int64_t valid = lengths[static_cast<std::size_t>(b)];
      if (j >= valid) return kNever;
      place = i + valid - queries;
    }
    if (attrs.is_causal && j > place) return kNever;
    if (attrs.left_window_size >= 0 && place - j > attrs.left_window_size) return kNever;
    if (attrs.right_window_size >= 0 && j - place > attrs.right_window_size) return kNever;
    if (mask.empty()) return 0;
    if (j >= mask_dims[3]) return kNever;
    const std::int64_t row =
        ((mask_dims[0] == 1 ? 0 : b) * mask_dims[1] + (mask_dims[1] == 1 ? 0 : h)) * mask_dims[2] +
        (mask_dims[2] == 1 ? 0 : i);
    return mask[static_cast<std::size_t>(row * mask_dims[3] + j)];
  }
};

template <class Number>
Result<Bias<Number>> ReadBias(RefCtx& ctx, const AttentionAttrs& attrs, std::int64_t past) {
  Bias<Number> bias = {attrs, {}, {}, {}, past};
  if (ctx.Has(kMask)) {
    const Tensor& mask = ctx.In(kMask);
    if (mask.dtype() == DType::kBool) {
      for (const bool allowed : mask.Data<bool>())
        bias.mask.push_back(allowed ? Number(0) : Bias<Number>::kNever);
    } else {
      ATH_TRY(bias.mask, ReadAs<Number>(mask));
    }
    bias.mask_dims = mask.dims();
    bias.mask_dims.insert(bias.mask_dims.begin(), 4 - bias.mask_dims.size(), 1);
    // A mask without elements hides everything.
    if (bias.mask.empty()) bias.mask.push_back(0);
  }
  if (ctx.Has(kLengths)) {
    const auto lengths = ctx.Data<std::int64_t>(kLengths);
    bias.lengths.assign(lengths.begin(), lengths.end());
    for (const std::int64_t length : lengths) {
      if (length < 0 || length > ctx.In(kK).count())
        return DataError("nonpad_kv_seqlen {} is out of range", length);
    }
  }
  return bias;
}

// In place; a row without any key becomes zeros.
template <class Number>
void Softmax(std::span<Number> row) {
  Number largest = Bias<Number>::kNever, sum = 0;
  for (const Number x : row) largest = std::max(largest, x);
  for (Number& x : row) {
    x = largest == Bias<Number>::kNever ? Number(0) : std::exp(x - largest);
    sum += x;
  }
  for (Number& x : row) x = sum == 0 ? Number(0) : x / sum;
}

// Everything one query's row of scores depends on.
template <class Number>
struct Scores {
  const Block<Number>& q;
  const Block<Number>& k;
  const Bias<Number>& bias;
  Number scale, cap;
  std::int64_t kept_stage;  // qk_matmul_output_mode: which stage `kept` holds

  // Fills `row` with the weights of the keys for query i, and `kept` with the stage asked for.
  void Fill(std::int64_t b, std::int64_t h, std::int64_t i, std::vector<Number>& row,
            std::vector<Number>& kept) const {
    const auto keep = [&](std::int64_t stage) {
      if (stage == kept_stage) kept.insert(kept.end(), row.begin(), row.end());
    };
    const std::int64_t shared = h / (q.heads / k.heads);
    for (std::int64_t j = 0; j < k.length; ++j) {
      Number dot = 0;
      for (std::int64_t c = 0; c < q.size; ++c) dot += q.Row(b, h, i)[c] * k.Row(b, shared, j)[c];
      row[static_cast<std::size_t>(j)] = dot * scale;
    }
    keep(0);
    if (cap > 0) {
      for (Number& x : row) x = cap * std::tanh(x / cap);
    }
    keep(1);
    for (std::int64_t j = 0; j < k.length; ++j)
      row[static_cast<std::size_t>(j)] += bias.At(b, h, i, j, q.length);
    keep(2);
    Softmax<Number>(row);
    keep(3);
  }
};

template <class Number>
Status Run(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<AttentionAttrs>();
  ATH_TRY(const Block<Number> q, Load<Number>(ctx.In(kQ), attrs.q_num_heads));
  ATH_TRY(Block<Number> k, Load<Number>(ctx.In(kK), attrs.kv_num_heads));
  ATH_TRY(Block<Number> v, Load<Number>(ctx.In(kV), attrs.kv_num_heads));
  std::int64_t past_length = 0;
  if (ctx.Has(kPastKey)) {
    past_length = ctx.In(kPastKey).dim(2);
    ATH_TRY(const Block<Number> past_key, Load<Number>(ctx.In(kPastKey), 0));
    ATH_TRY(const Block<Number> past_value, Load<Number>(ctx.In(kPastValue), 0));
    k = Append(past_key, k);
    v = Append(past_value, v);
  }
  ATH_TRY(const Bias<Number> bias, ReadBias<Number>(ctx, attrs, past_length));
  const Number scale =
      attrs.scale ? static_cast<Number>(*attrs.scale) : 1 / std::sqrt(static_cast<Number>(q.size));
  const bool keeps = ctx.num_outputs() > 3;
  const Scores<Number> scores = {q,
                                 k,
                                 bias,
                                 scale,
                                 static_cast<Number>(attrs.softcap),
                                 keeps ? attrs.qk_matmul_output_mode : -1};
  Block<Number> y{q.batch, q.heads, q.length, v.size, {}};
  y.data.resize(static_cast<std::size_t>(ctx.Out(0).count()));
  const bool rank3 = ctx.In(kQ).rank() == 3;
  std::vector<Number> row(static_cast<std::size_t>(k.length)), kept;
  for (std::int64_t b = 0; b < q.batch; ++b) {
    for (std::int64_t h = 0; h < q.heads; ++h) {
      const std::int64_t shared = h / (q.heads / k.heads);
      for (std::int64_t i = 0; i < q.length; ++i) {
        scores.Fill(b, h, i, row, kept);
        // Rank 3 has the heads of one query side by side.
        Number* out =
            rank3 ? y.data.data() + ((b * q.length + i) * q.heads + h) * v.size : y.Row(b, h, i);
        for (std::int64_t j = 0; j < k.length; ++j) {
          const Number weight = row[static_cast<std::size_t>(j)];
          if (weight == 0) continue;  // a hidden key counts for nothing, even when it is NaN
          for (std::int64_t c = 0; c < v.size; ++c) out[c] += weight * v.Row(b, shared, j)[c];
        }
      }
    }
  }
  ATH_RETURN_IF_ERROR(WriteAs(ctx.Out(0), y.data));
  const std::vector<Number>* const more[] = {&k.data, &v.data, &kept};
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) {
    if (ctx.out[i].IsTensor()) ATH_RETURN_IF_ERROR(WriteAs(ctx.Out(i), *more[i - 1]));
  }
  return {};
}

Status AttentionReference(RefCtx& ctx) {
  return ctx.In(kQ).dtype() == DType::kF64 ? Run<double>(ctx) : Run<float>(ctx);
}

Dim AttentionCost(const CostCtx& ctx) {
  const auto attrs = ReadAttributes<AttentionAttrs>(ctx.attributes);
  const Result<Heads> q = Split(*ctx.in[kQ], attrs.q_num_heads);
  const Result<Heads> k = Split(*ctx.in[kK], attrs.kv_num_heads);
  const Result<Heads> v = Split(*ctx.in[kV], attrs.kv_num_heads);
  if (!q.ok() || !k.ok() || !v.ok()) return Dim::Unknown();
  Dim keys = k->length;
  if (ctx.in.size() > kPastKey && ctx.in[kPastKey] != nullptr)
    keys = ctx.in[kPastKey]->HasRank() ? keys + ctx.in[kPastKey]->dim(2) : Dim::Unknown();
  return q->batch * q->heads * q->length * keys * ((q->size + v->size) * Dim(2) + Dim(5));
}

}  // namespace

OpDef Attention() {
  return {
      .name = "Attention",
      .summary =
          "softmax(scale * q k^T + mask) v, head by head; several query heads may share one key "
          "head. Keys and values of earlier calls can be put before the new ones.",
      .inputs = {{"q", "[batch, heads, queries, size] or [batch, queries, heads * size]"},
                 {"k", "[batch, kv_heads, keys, size] or [batch, keys, kv_heads * size]"},
                 {"v", "like k, its head size may differ"},
                 {"attn_mask",
                  "bool (true: seen) or a number to add; broadcasts to "
                  "[batch, heads, queries, all keys], the end may be missing",
                  kOptionalPort},
                 {"past_key", "[batch, kv_heads, past, size]", kOptionalPort},
                 {"past_value", "[batch, kv_heads, past, value size]", kOptionalPort},
                 {"nonpad_kv_seqlen", "i64[batch], how many keys are valid", kOptionalPort}},
      .outputs = {{"y", "laid out like q, with the value's head size"},
                  {"present_key", "past_key and k", kOptionalPort},
                  {"present_value", "past_value and v", kOptionalPort},
                  {"qk_matmul_output", "[batch, heads, queries, all keys]", kOptionalPort}},
      .attributes = Describe<AttentionAttrs>(),
      .infer = InferAttention,
      .reference = AttentionReference,
      .flops = AttentionCost,
  };
}

}  // namespace athanor::ops
