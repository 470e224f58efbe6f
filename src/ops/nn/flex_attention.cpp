// FlexAttention: attention whose scores and probabilities go through sub-graphs.
#include <algorithm>
#include <cmath>

#include "core/checked.h"
#include "ir/graph.h"
#include "ops/control/body.h"
#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct FlexAttentionAttrs {
  std::optional<float> scale;
  std::optional<DType> softmax_precision;
  template <class V>
  void Visit(V& v) {
    v("scale", scale, "of the product; 1 / sqrt(head size) when absent");
    v("softmax_precision", softmax_precision,
      "element type of scores and probabilities; f64 for f64, else f32 when absent");
  }
};

enum Input : std::size_t { kQ, kK, kV };
enum Body : std::size_t { kScoreMod, kProbMod };

DType Precision(const FlexAttentionAttrs& attrs, DType dtype) {
  return attrs.softmax_precision.value_or(dtype == DType::kF64 ? DType::kF64 : DType::kF32);
}

Dim DimOf(const InferCtx& ctx, std::size_t input, std::int64_t axis) {
  return ctx.Has(input) && ctx.In(input).HasRank() && ctx.In(input).rank() == 4
             ? ctx.In(input).dim(axis)
             : Dim::Unknown();
}

// [batch, query heads, queries, keys]
Type ScoreType(const InferCtx& ctx) {
  const DType dtype = ctx.Has(kQ) ? ctx.InDType(kQ) : DType::kF32;
  return Type::Tensor(Precision(ctx.Attrs<FlexAttentionAttrs>(), dtype),
                      {DimOf(ctx, kQ, 0), DimOf(ctx, kQ, 1), DimOf(ctx, kQ, 2), DimOf(ctx, kK, 2)});
}

std::vector<Type> BodyInputs(const InferCtx& ctx, std::size_t) { return {ScoreType(ctx)}; }

Status CheckBody(const Graph& body, const InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectBody(body, 1 + ctx.num_captures(), 1));
  const Type scores = ScoreType(ctx);
  const Type& given = OutputType(body, 0);
  const bool fits =
      CommonType(scores, given).has_value() && !(given.HasRank() && given.rank() != scores.rank());
  if (fits) return {};
  return InvalidModel("sub-graph \"{}\" gives {}; {} is expected", body.name(), given.ToString(),
                      scores.ToString());
}

Status InferFlexAttention(InferCtx& ctx) {
  for (const Input i : {kQ, kK, kV}) {
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(kQ, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 4));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, DimOf(ctx, kQ, 0)));
  }
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kK, 3, DimOf(ctx, kQ, 3)));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kV, 1, DimOf(ctx, kK, 1)));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kV, 2, DimOf(ctx, kK, 2)));
  const Dim heads = DimOf(ctx, kQ, 1), shared = DimOf(ctx, kK, 1);
  if (heads.IsConst() && shared.IsConst() &&
      (shared.value() < 1 || heads.value() % shared.value() != 0)) {
    return InvalidModel("{} query heads cannot share {} key heads", heads.value(), shared.value());
  }
  const DType precision = Precision(ctx.Attrs<FlexAttentionAttrs>(), ctx.InDType(kQ));
  const DType floats[] = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16};
  if (std::ranges::find(floats, precision) == std::end(floats))
    return InvalidModel("softmax_precision is {}; f64, f32, f16 or bf16 is expected",
                        Name(precision));
  for (const Graph* body : ctx.bodies()) ATH_RETURN_IF_ERROR(CheckBody(*body, ctx));
  ctx.out[0] = Type::Tensor(ctx.InDType(kQ),
                            {DimOf(ctx, kQ, 0), heads, DimOf(ctx, kQ, 2), DimOf(ctx, kV, 3)});
  return {};
}

struct Sizes {
  std::int64_t batch = 0, heads = 0, shared = 0, queries = 0, keys = 0, size = 0, value_size = 0;
  // The place of key or value head of query head `h` (of all batches).
  std::int64_t SharedHead(std::int64_t h) const {
    return h / heads * shared + h % heads / (heads / shared);
  }
};

// Row by row: all scores of one query.
template <class Real>
std::vector<Real> Multiply(const std::vector<Real>& q, const std::vector<Real>& k, const Sizes& s,
                           Real scale) {
  std::vector<Real> scores;
  for (std::int64_t h = 0; h < s.batch * s.heads; ++h) {
    for (std::int64_t i = 0; i < s.queries; ++i) {
      const Real* query = q.data() + (h * s.queries + i) * s.size;
      for (std::int64_t j = 0; j < s.keys; ++j) {
        const Real* key = k.data() + (s.SharedHead(h) * s.keys + j) * s.size;
        Real sum = 0;
        for (std::int64_t c = 0; c < s.size; ++c) sum += query[c] * key[c];
        scores.push_back(sum * scale);
      }
    }
  }
  return scores;
}

template <class Real>
void Softmax(std::vector<Real>& values, std::int64_t row) {
  for (auto begin = values.begin(); begin != values.end(); begin += row) {
    const auto end = begin + row;
    const Real most = *std::max_element(begin, end);
    Real sum = 0;
    for (auto x = begin; x != end; ++x) sum += * x = std::exp(*x - most);
    for (auto x = begin; x != end; ++x) *x /= sum;
  }
}

template <class Real>
std::vector<Real> Weigh(const std::vector<Real>& probs, const std::vector<Real>& v,
                        const Sizes& s) {
  std::vector<Real> y(static_cast<std::size_t>(s.batch * s.heads * s.queries * s.value_size));
  for (std::int64_t row = 0; row < s.batch * s.heads * s.queries; ++row) {
    const std::int64_t head = s.SharedHead(row / s.queries);
    Real* out = y.data() + row * s.value_size;
    for (std::int64_t j = 0; j < s.keys; ++j) {
      const Real prob = probs[static_cast<std::size_t>(row * s.keys + j)];
      const Real* value = v.data() + (head * s.keys + j) * s.value_size;
      for (std::int64_t c = 0; c < s.value_size; ++c) out[c] += prob * value[c];
    }
  }
  return y;
}

// Passes the values through a sub-graph, in the precision that it expects.
template <class Real>
Result<std::vector<Real>> Modify(const RefCtx& ctx, Body body, const Dims& dims, DType precision,
                                 const std::vector<Real>& values) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(precision, dims));
  ATH_RETURN_IF_ERROR(WriteAs(tensor, values));
  std::vector<Datum> inputs = {std::move(tensor)};
  for (std::size_t i = ctx.num_inputs() - ctx.num_captures(); i < ctx.num_inputs(); ++i)
    inputs.push_back(ctx.InDatum(i));
  ATH_TRY(const std::vector<Datum> results, ctx.RunBody(body, std::move(inputs)));
  if (results.size() != 1 || !results[0].IsTensor() || results[0].tensor().dims() != dims)
    return DataError("a sub-graph must keep the shape {}", ToString(dims));
  return ReadAs<Real>(results[0].tensor());
}

template <class Real>
Status Attend(RefCtx& ctx, const FlexAttentionAttrs& attrs, const Sizes& s) {
  const DType precision = Precision(attrs, ctx.In(kQ).dtype());
  const Dims dims = {s.batch, s.heads, s.queries, s.keys};
  const Real scale =
      attrs.scale ? static_cast<Real>(*attrs.scale) : 1 / std::sqrt(static_cast<Real>(s.size));
  ATH_TRY(const std::vector<Real> q, ReadAs<Real>(ctx.In(kQ)));
  ATH_TRY(const std::vector<Real> k, ReadAs<Real>(ctx.In(kK)));
  ATH_TRY(const std::vector<Real> v, ReadAs<Real>(ctx.In(kV)));
  ATH_TRY(std::vector<Real> scores,
          Modify(ctx, kScoreMod, dims, precision, Multiply(q, k, s, scale)));
  if (s.keys > 0) Softmax(scores, s.keys);
  ATH_TRY(const std::vector<Real> probs, Modify(ctx, kProbMod, dims, precision, scores));
  return WriteAs(ctx.Out(0), Weigh(probs, v, s));
}

Status FlexAttentionReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<FlexAttentionAttrs>();
  const Dims &q = ctx.In(kQ).dims(), &k = ctx.In(kK).dims(), &v = ctx.In(kV).dims();
  const Sizes sizes = {.batch = q[0],
                       .heads = q[1],
                       .shared = k[1],
                       .queries = q[2],
                       .keys = k[2],
                       .size = q[3],
                       .value_size = v[3]};
  if (k != Dims{q[0], k[1], k[2], q[3]} || v != Dims{q[0], k[1], k[2], v[3]} || k[1] < 1 ||
      q[1] % k[1] != 0) {
    return InvalidModel("q {}, k {} and v {} do not fit together", ToString(q), ToString(k),
                        ToString(v));
  }
  if (!CheckedCount(Dims{q[0], q[1], q[2], k[2]}))
    return Error(ErrorCode::kResource, "{} by {} scores are too many", q[2], k[2]);
  const bool exact = Precision(attrs, ctx.In(kQ).dtype()) == DType::kF64;
  return exact ? Attend<double>(ctx, attrs, sizes) : Attend<float>(ctx, attrs, sizes);
}

// Both products; what the sub-graphs do is not counted.
Dim FlexAttentionCost(const CostCtx& ctx) {
  const Type &q = *ctx.in[kQ], &v = *ctx.in[kV];
  if (!q.HasRank() || !v.HasRank()) return Dim::Unknown();
  const Dim scores = q.dim(0) * q.dim(1) * q.dim(2) * v.dim(2);
  return scores * (q.dim(3) + v.dim(3)) * Dim(2);
}

}  // namespace

OpDef FlexAttention() {
  return {
      .name = "FlexAttention",
      .summary =
          "prob_mod(softmax(score_mod(q * transpose(k) * scale))) * v. Groups of query heads may "
          "share a key and value head. A sub-graph that is left out changes nothing.",
      .inputs = {{"q", "[batch, query heads, queries, head size], floating point"},
                 {"k", "[batch, key heads, keys, head size]"},
                 {"v", "[batch, key heads, keys, value size]"}},
      .outputs = {{"y", "[batch, query heads, queries, value size]"}},
      .attributes = Describe<FlexAttentionAttrs>(),
      .bodies = {"score_mod", "prob_mod"},
      .infer = InferFlexAttention,
      .body_inputs = BodyInputs,
      .reference = FlexAttentionReference,
      .flops = FlexAttentionCost,
  };
}

}  // namespace athanor::ops
