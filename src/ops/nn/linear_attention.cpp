#include <cmath>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct LinearAttentionAttrs {
  std::int64_t chunk_size = 64;
  std::int64_t kv_num_heads = 0;
  std::int64_t q_num_heads = 0;
  float scale = 0.0F;
  std::string update_rule = "gated_delta";
  template <class V>
  void Visit(V& v) {
    v("chunk_size", chunk_size,
      "a hint for fast implementations; the result does not depend on it");
    v("kv_num_heads", kv_num_heads, "heads of key and value", kRequired);
    v("q_num_heads", q_num_heads, "heads of the query, a multiple of kv_num_heads", kRequired);
    v("scale", scale, "of the output; 0: 1 / sqrt(key size)");
    v("update_rule", update_rule, "linear, gated, delta or gated_delta");
  }
  bool gated() const { return update_rule == "gated" || update_rule == "gated_delta"; }
  bool delta() const { return update_rule == "delta" || update_rule == "gated_delta"; }
};

enum Input : std::size_t { kQ, kK, kV, kPast, kDecay, kBeta };

Status CheckRule(const InferCtx& ctx, const LinearAttentionAttrs& attrs) {
  if (!attrs.gated() && !attrs.delta() && attrs.update_rule != "linear")
    return InvalidModel("update_rule is \"{}\"; linear, gated, delta or gated_delta is expected",
                        attrs.update_rule);
  if (attrs.kv_num_heads < 1 || attrs.q_num_heads < 1 ||
      attrs.q_num_heads % attrs.kv_num_heads != 0)
    return InvalidModel("{} query heads cannot share {} key heads", attrs.q_num_heads,
                        attrs.kv_num_heads);
  if (ctx.Has(kDecay) != attrs.gated() || ctx.Has(kBeta) != attrs.delta())
    return InvalidModel("update_rule {} {} decay and {} beta", attrs.update_rule,
                        attrs.gated() ? "needs" : "has no", attrs.delta() ? "needs" : "has no");
  return {};
}

// The last dimension of a rank-3 input divided among heads.
Result<Dim> HeadSize(const InferCtx& ctx, Input input, std::int64_t heads) {
  if (!ctx.In(input).HasRank()) return Dim::Unknown();
  const Dim& all = ctx.In(input).dim(2);
  if (all.IsConst() && all.value() % heads != 0)
    return InvalidModel("{} values cannot be divided into {} heads", all.value(), heads);
  return FloorDiv(all, heads);
}

Status ExpectLast(const InferCtx& ctx, Input input, std::int64_t small, const Dim& large) {
  if (!ctx.Has(input) || !ctx.In(input).HasRank()) return {};
  return ctx.In(input).dim(2).Is(small) ? Status() : ExpectDim(ctx, input, 2, large);
}

Status InferLinearAttention(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<LinearAttentionAttrs>();
  ATH_RETURN_IF_ERROR(CheckRule(ctx, attrs));
  for (const Input i : {kQ, kK, kV, kPast, kDecay, kBeta}) {
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, i == kPast ? 4 : 3));
    if (i != kPast && ctx.In(kQ).HasRank()) {
      ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, ctx.In(kQ).dim(0)));
      ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1, ctx.In(kQ).dim(1)));
    }
  }
  ATH_TRY(const Dim q_size, HeadSize(ctx, kQ, attrs.q_num_heads));
  ATH_TRY(const Dim k_size, HeadSize(ctx, kK, attrs.kv_num_heads));
  ATH_TRY(const Dim v_size, HeadSize(ctx, kV, attrs.kv_num_heads));
  if (q_size.IsConst() && k_size.IsConst() && !(q_size == k_size))
    return InvalidModel("head sizes of query and key differ: {} and {}", q_size.value(),
                        k_size.value());
  ATH_RETURN_IF_ERROR(
      ExpectLast(ctx, kDecay, attrs.kv_num_heads, k_size * Dim(attrs.kv_num_heads)));
  ATH_RETURN_IF_ERROR(ExpectLast(ctx, kBeta, 1, attrs.kv_num_heads));
  const Type& q = ctx.In(kQ);
  const Dim batch = q.HasRank() ? q.dim(0) : Dim::Unknown();
  const Shape state = {batch, attrs.kv_num_heads, k_size, v_size};
  for (std::size_t a = 0; a < state.size(); ++a)
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kPast, static_cast<std::int64_t>(a), state[a]));
  ctx.out[0] = Type::Tensor(
      q.dtype, {batch, q.HasRank() ? q.dim(1) : Dim::Unknown(), v_size * Dim(attrs.q_num_heads)});
  if (ctx.num_outputs() > 1)
    ctx.out[1] = Type::Tensor(ctx.Has(kPast) ? ctx.InDType(kPast) : q.dtype, state);
  return {};
}

// One head at one step: state [k, v] decays, takes in key and value, and is ready to be read.
struct Step {
  std::span<const float> key, value;
  const float* decay = nullptr;  // one, or one per key element
  std::size_t decays = 0;
  const float* beta = nullptr;
};

void Update(const Step& step, std::span<float> state) {
  const std::size_t width = step.value.size();
  for (std::size_t d = 0; d < step.key.size() && step.decay != nullptr; ++d) {
    const float keep = std::exp(step.decay[step.decays == 1 ? 0 : d]);
    for (std::size_t m = 0; m < width; ++m) state[d * width + m] *= keep;
  }
  std::vector<float> value(step.value.begin(), step.value.end());
  if (step.beta != nullptr) {
    // What the state already answers to this key is not added again.
    for (std::size_t m = 0; m < width; ++m) {
      float known = 0;
      for (std::size_t d = 0; d < step.key.size(); ++d) known += state[d * width + m] * step.key[d];
      value[m] = *step.beta * (value[m] - known);
    }
  }
  for (std::size_t d = 0; d < step.key.size(); ++d)
    for (std::size_t m = 0; m < width; ++m) state[d * width + m] += step.key[d] * value[m];
}

Status LinearAttentionReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<LinearAttentionAttrs>();
  const auto heads = static_cast<std::size_t>(attrs.kv_num_heads);
  const auto queries = static_cast<std::size_t>(attrs.q_num_heads);
  const Dims &q_dims = ctx.In(kQ).dims(), &v_dims = ctx.In(kV).dims();
  const auto batch = static_cast<std::size_t>(q_dims[0]);
  const auto length = static_cast<std::size_t>(q_dims[1]);
  const auto depth = static_cast<std::size_t>(q_dims[2]) / queries;
  const auto width = static_cast<std::size_t>(v_dims[2]) / heads;
  std::vector<float> data[6];
  for (const Input i : {kQ, kK, kV, kPast, kDecay, kBeta}) {
    if (!ctx.Has(i)) continue;
    ATH_TRY(data[i], ReadAs<float>(ctx.In(i)));
  }
  std::vector<float> state = data[kPast];
  state.resize(batch * heads * depth * width);
  const float scale = attrs.scale == 0 ? 1 / std::sqrt(static_cast<float>(depth)) : attrs.scale;
  const std::size_t decays =
      ctx.Has(kDecay) && ctx.In(kDecay).dim(2) != attrs.kv_num_heads ? depth : 1;
  const std::size_t betas = ctx.Has(kBeta) ? static_cast<std::size_t>(ctx.In(kBeta).dim(2)) : 0;
  std::vector<float> y(batch * length * queries * width);
  for (std::size_t row = 0; row < batch * length; ++row) {
    for (std::size_t h = 0; h < heads; ++h) {
      const std::span<float> memory =
          std::span(state).subspan((row / length * heads + h) * depth * width, depth * width);
      Step step = {std::span<const float>(data[kK]).subspan((row * heads + h) * depth, depth),
                   std::span<const float>(data[kV]).subspan((row * heads + h) * width, width),
                   nullptr, 0, nullptr};
      if (ctx.Has(kDecay)) step.decay = data[kDecay].data() + (row * heads + h) * decays;
      step.decays = decays;
      if (ctx.Has(kBeta)) step.beta = data[kBeta].data() + row * betas + (betas == 1 ? 0 : h);
      Update(step, memory);
      for (std::size_t g = h * (queries / heads); g < (h + 1) * (queries / heads); ++g) {
        const float* query = data[kQ].data() + (row * queries + g) * depth;
        float* out = y.data() + (row * queries + g) * width;
        for (std::size_t d = 0; d < depth; ++d)
          for (std::size_t m = 0; m < width; ++m)
            out[m] += scale * query[d] * memory[d * width + m];
      }
    }
  }
  if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor())
    ATH_RETURN_IF_ERROR(WriteAs(ctx.Out(1), state));
  return WriteAs(ctx.Out(0), y);
}

}  // namespace

OpDef LinearAttention() {
  return {
      .name = "LinearAttention",
      .summary =
          "Attention without a softmax: every key and value is added to a state of fixed "
          "size, which queries read.",
      .inputs = {{"q", "[batch, length, q_heads * key size], floating point"},
                 {"k", "[batch, length, kv_heads * key size]"},
                 {"v", "[batch, length, kv_heads * value size]"},
                 {"past_state", "[batch, kv_heads, key size, value size]; 0 when omitted",
                  kOptionalPort},
                 {"decay", "logarithm of what the state keeps, per head or per key element",
                  kOptionalPort},
                 {"beta", "rate of the delta rule, per head or one for all", kOptionalPort}},
      .outputs = {{"y", "[batch, length, q_heads * value size]"},
                  {"present_state", "like past_state", kOptionalPort}},
      .attributes = Describe<LinearAttentionAttrs>(),
      .infer = InferLinearAttention,
      .reference = LinearAttentionReference,
  };
}

}  // namespace athanor::ops
