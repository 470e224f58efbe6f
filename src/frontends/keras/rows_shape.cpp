// Layers that only move elements, and attention.
#include <cmath>

#include "core/text.h"
#include "frontends/keras/layer_import.h"
#include "frontends/nhwc/window.h"

namespace athanor::keras {
namespace {

Status Flatten(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.Rank(ctx.inputs[0]));
  if (rank == 1) return ctx.Give(ctx.Add("Unsqueeze", {ctx.inputs[0], ctx.Constants({1})}));
  const bool first = ctx.Text("data_format") == "channels_first";
  const Ints perm = first ? nhwc::ChannelsLast(static_cast<std::size_t>(rank)) : Ints{};
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.inputs[0], perm));
  return ctx.Give(ctx.Add("Flatten", {x}, {{"axis", std::int64_t{1}}}));
}

// 0 keeps the size of the batch.
Status Reshape(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const Config* target = ctx.config.Find("target_shape");
  if (target == nullptr) return InvalidModel("target_shape is missing");
  ATH_TRY(const Ints sizes, LayerImport::Integers(*target));
  Ints shape = {0};
  for (const std::int64_t size : sizes) {
    if (size == 0) return Unsupported("a target_shape with a size of 0 is not read");
    shape.push_back(size);
  }
  return ctx.Give(ctx.Add("Reshape", {ctx.inputs[0], ctx.Constants(shape)}));
}

Status Permute(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const Config* dims = ctx.config.Find("dims");
  if (dims == nullptr) return InvalidModel("dims are missing");
  ATH_TRY(const Ints axes, LayerImport::Integers(*dims));
  Ints perm = {0};
  perm.insert(perm.end(), axes.begin(), axes.end());
  return ctx.Give(ctx.Permuted(ctx.inputs[0], perm));
}

Status RepeatVector(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId x, ctx.Add("Unsqueeze", {ctx.inputs[0], ctx.Constants({1})}));
  return ctx.Give(ctx.Add("Tile", {x, ctx.Constants({1, ctx.Int("n", 1), 1})}));
}

struct Heads {
  std::int64_t count = 0, key_size = 0, value_size = 0;
};

// x w + b for all heads at once: [batch, steps, depth] -> [batch, heads, steps, size].
Result<ValueId> Projected(LayerImport& ctx, ValueId x, std::string_view part,
                          std::string_view component, std::int64_t heads, std::int64_t size) {
  const Weights own = ctx.weights.Part(part, component);
  LayerImport inner(ctx.graph, ctx.name + "/" + std::string(component), ctx.info, ctx.config, own,
                    {}, ctx.depth);
  ATH_TRY(const ValueId kernel, inner.Weight(0, "kernel"));
  ATH_TRY(const ValueId w,
          ctx.Add("Reshape", {kernel, ctx.Constants({-1, heads * size})}, {}, nhwc::kAnySize));
  ATH_TRY(ValueId y, ctx.Add("MatMul", {x, w}));
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, inner.Weight(1, "bias"));
    ATH_TRY(const ValueId b, ctx.Add("Reshape", {bias, ctx.Constants({-1})}, {}, nhwc::kAnySize));
    ATH_TRY(y, ctx.Add("Add", {y, b}));
  }
  ATH_TRY(y, ctx.Add("Reshape", {y, ctx.Constants({0, 0, heads, size})}));
  return ctx.Permuted(y, {0, 2, 1, 3});
}

Status CheckAttention(const LayerImport& ctx) {
  if (ctx.inputs.size() < 2 || ctx.inputs.size() > 3)
    return Unsupported("{} inputs: a query, a value and perhaps a key are read, no masks",
                       ctx.inputs.size());
  // Keras writes the axis between batch and features when none is told.
  if (ctx.IsSet("attention_axes")) {
    const Config* axes = ctx.config.Find("attention_axes");
    ATH_TRY(const Ints list, LayerImport::Integers(*axes));
    const bool is_usual = list == Ints{1} && ctx.TypeOf(ctx.inputs[0]).HasRank() &&
                          ctx.TypeOf(ctx.inputs[0]).rank() == 3;
    if (!is_usual) return Unsupported("attention_axes other than 1 of 3 axes are not read");
  }
  for (const std::string_view key :
       {"use_causal_mask", "return_attention_scores", "attention_mask"}) {
    const Config* value = ctx.call == nullptr ? nullptr : ctx.call->Find(key);
    if (value != nullptr && value->kind != Config::Kind::kNull &&
        !(value->kind == Config::Kind::kBool && value->number == 0))
      return Unsupported("a call with {} is not read", key);
  }
  return {};
}

// softmax(q k^T / sqrt(size)) v, head by head, and a projection of all heads together.
Status MultiHeadAttention(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(CheckAttention(ctx));
  Heads heads = {ctx.Int("num_heads", 0), ctx.Int("key_dim", 0), 0};
  heads.value_size = ctx.Int("value_dim", heads.key_size);
  for (const std::int64_t size : {heads.count, heads.key_size, heads.value_size}) {
    if (size < 1 || size > 1 << 20)
      return InvalidModel("{} heads of {}", heads.count, heads.key_size);
  }
  const ValueId query = ctx.inputs[0], value = ctx.inputs[1];
  const ValueId key = ctx.inputs.size() > 2 ? ctx.inputs[2] : value;
  ATH_TRY(const ValueId q,
          Projected(ctx, query, "query_dense", "query", heads.count, heads.key_size));
  ATH_TRY(const ValueId k, Projected(ctx, key, "key_dense", "key", heads.count, heads.key_size));
  ATH_TRY(const ValueId v,
          Projected(ctx, value, "value_dense", "value", heads.count, heads.value_size));
  ATH_TRY(const ValueId turned, ctx.Permuted(k, {0, 1, 3, 2}));
  ATH_TRY(const ValueId scaled,
          ctx.Add("Mul", {q, ctx.Number(1 / std::sqrt(static_cast<double>(heads.key_size)))}));
  ATH_TRY(const ValueId scores, ctx.Add("MatMul", {scaled, turned}));
  ATH_TRY(const ValueId shares, ctx.Add("Softmax", {scores}, {{"axis", std::int64_t{-1}}}));
  ATH_TRY(ValueId y, ctx.Add("MatMul", {shares, v}));
  ATH_TRY(y, ctx.Permuted(y, {0, 2, 1, 3}));
  ATH_TRY(y, ctx.Add("Reshape", {y, ctx.Constants({0, 0, heads.count * heads.value_size})}));
  LayerImport out(ctx.graph, ctx.name + "/output", ctx.info, ctx.config,
                  ctx.weights.Part("output_dense", "attention_output"), {}, ctx.depth);
  ATH_TRY(const ValueId kernel, out.Weight(0, "kernel"));
  ATH_TRY(const ValueId w,
          ctx.Add("Reshape", {kernel, ctx.Constants({heads.count * heads.value_size, -1})}, {},
                  nhwc::kAnySize));
  ATH_TRY(y, ctx.Add("MatMul", {y, w}));
  if (ctx.Bool("use_bias", true)) {
    ATH_TRY(const ValueId bias, out.Weight(1, "bias"));
    ATH_TRY(y, ctx.Add("Add", {y, bias}));
  }
  return ctx.Give(y);
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> ShapeRows() {
  return {
      {.layer = "Flatten", .make = Flatten},
      {.layer = "MultiHeadAttention", .make = MultiHeadAttention},
      {.layer = "Permute", .make = Permute},
      {.layer = "RepeatVector", .make = RepeatVector},
      {.layer = "Reshape", .make = Reshape},
  };
}
// clang-format on

}  // namespace athanor::keras
