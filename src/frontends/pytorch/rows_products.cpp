// Matrix products, attention, embeddings.
#include <cmath>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// x [.., in] * w [out, in]^T + b
ValueId AddLinear(OpImport& op, ValueId x, ValueId w, ValueId bias) {
  const std::int64_t rank = op.Rank(x);
  if (rank == 2 && op.Rank(w) == 2 && bias != kNoValue)
    return op.Add("Gemm", {x, w, bias}, {{"transB", std::int64_t{1}}});
  if (op.Rank(w) == 1) return op.Add("MatMul", {x, w});
  const ValueId product = op.Add("MatMul", {x, op.Permute(w, {1, 0})});
  return bias == kNoValue ? product : op.Add("Add", {product, bias});
}
Value Linear(OpImport& op) {
  return op.Give(AddLinear(op, op.Tensor("input"), op.Tensor("weight"), op.Tensor("bias")));
}

Value Product(OpImport& op) {
  const ValueId a = op.Tensor("self");
  return op.Give(op.Add("MatMul", {a, op.Tensor(op.row.op)}));
}

// beta * self + alpha * a * b
Value AddProduct(OpImport& op, std::string_view a, std::string_view b) {
  const ValueId x = op.Tensor(a), y = op.Tensor(b), c = op.Tensor("self");
  const auto alpha = static_cast<float>(op.Real("alpha")),
             beta = static_cast<float>(op.Real("beta"));
  if (op.Rank(x) == 2 && op.Rank(y) == 2)
    return op.Give(op.Add("Gemm", {x, y, c}, {{"alpha", alpha}, {"beta", beta}}));
  ValueId product = op.Add("MatMul", {x, y}), term = c;
  if (alpha != 1) product = op.Add("Mul", {product, op.Number(alpha, op.DTypeOf(product))});
  if (beta != 1) term = op.Add("Mul", {term, op.Number(beta, op.DTypeOf(term))});
  return op.Give(op.Add("Add", {product, term}));
}
Value Addmm(OpImport& op) { return AddProduct(op, "mat1", "mat2"); }
Value Addmv(OpImport& op) { return AddProduct(op, "mat", "vec"); }
Value Baddbmm(OpImport& op) { return AddProduct(op, "batch1", "batch2"); }

Value Outer(OpImport& op) {
  const ValueId a = op.Unsqueeze(op.Tensor("self"), {1});
  return op.Give(op.Add("Mul", {a, op.Unsqueeze(op.Tensor("vec2"), {0})}));
}

Value Einsum(OpImport& op) {
  return op.Give(op.Add("Einsum", op.Tensors("tensors"), {{"equation", op.Text("equation")}}));
}

// y_k = x1 W_k x2 + b_k
Value Bilinear(OpImport& op) {
  const ValueId a = op.Tensor("input1"), b = op.Tensor("input2"), w = op.Tensor("weight");
  const ValueId y = op.Add("Einsum", {a, w, b}, {{"equation", std::string("...i,kij,...j->...k")}});
  return op.Give(op.Has("bias") ? op.Add("Add", {y, op.Tensor("bias")}) : y);
}

Value Embedding(OpImport& op) {
  const ValueId table = op.Tensor("weight");
  return op.Give(op.Add("Gather", {table, op.Tensor("indices")}, {{"axis", std::int64_t{0}}}));
}

// The size of the bags when all have the same: offsets 0, n, 2n, ... known now. 0 otherwise.
std::int64_t BagSize(OpImport& op, ValueId offsets, std::int64_t total) {
  const auto& known = op.graph.value(offsets).ints;
  Ints starts;
  if (const Tensor* constant = op.graph.Constant(offsets)) {
    const Result<Ints> numbers = ToInts(*constant);
    if (numbers.ok()) starts = *numbers;
  } else if (known) {
    for (const Dim& dim : *known) starts.push_back(dim.IsConst() ? dim.value() : -1);
  }
  const std::int64_t bags = std::ssize(starts);
  if (bags == 0 || total % bags != 0) return 0;
  for (std::int64_t i = 0; i < bags; ++i) {
    if (starts[static_cast<std::size_t>(i)] != i * (total / bags)) return 0;
  }
  return total / bags;
}

// Rows of a table, reduced bag by bag.
Value EmbeddingBag(OpImport& op) {
  const ValueId table = op.Tensor("weight"), offsets = op.Tensor("offsets");
  ValueId indices = op.Tensor("indices");
  if (op.ok() && offsets != kNoValue && op.Rank(indices) == 1) {
    const std::int64_t size = BagSize(op, offsets, op.Static(indices, 0));
    if (size > 0) indices = op.Reshape(indices, {-1, size});
  }
  if (!op.Expect(op.Rank(indices) == 2 && !op.Has("per_sample_weights"),
                 "bags of different sizes or with weights are not read"))
    return {};
  static constexpr std::string_view kReductions[] = {"ReduceSum", "ReduceMean", "ReduceMax"};
  const std::int64_t mode = op.Int("mode");
  if (!op.Expect(mode >= 0 && mode < 3, "mode {}", mode)) return {};
  const ValueId rows = op.Add("Gather", {table, indices}, {{"axis", std::int64_t{0}}});
  const ValueId y = op.Reduce(kReductions[mode], rows, {1}, false);
  return op.heap.Tuple({op.Give(y), Value(), Value(), Value()});
}

// softmax(q k^T * scale + mask) v over [.., length, width]
ValueId AttentionValue(OpImport& op) {
  const ValueId q = op.Tensor("query"), k = op.Tensor("key"), v = op.Tensor("value");
  const std::int64_t rank = op.Rank(q);
  if (!op.Expect(op.Real("dropout_p") == 0, "a dropout in training mode is not read"))
    return kNoValue;
  AttrMap attributes = {{"is_causal", std::int64_t{op.Flag("is_causal") ? 1 : 0}}};
  if (op.Has("scale")) attributes.Set("scale", static_cast<float>(op.Real("scale")));
  ValueId mask = op.Tensor("attn_mask");
  if (rank == 4) return op.Add("Attention", {q, k, v, mask}, std::move(attributes));
  if (!op.Expect(rank == 3, "attention on rank {}; 3 and 4 are read", rank)) return kNoValue;
  // A head of its own.
  if (mask != kNoValue && op.Rank(mask) == 3) mask = op.Unsqueeze(mask, {1});
  const ValueId y =
      op.Add("Attention", {op.Unsqueeze(q, {1}), op.Unsqueeze(k, {1}), op.Unsqueeze(v, {1}), mask},
             std::move(attributes));
  return op.Squeeze(y, {1});
}
Value Attention(OpImport& op) { return op.Give(AttentionValue(op)); }
Value AttentionAndMore(OpImport& op) {
  return op.heap.Tuple({op.Give(AttentionValue(op)), Value()});
}

// x . y / max(|x| |y|, eps) along one axis
Value CosineSimilarity(OpImport& op) {
  const ValueId a = op.Tensor("x1"), b = op.Tensor("x2");
  const Ints axis = {op.Axis("dim", op.Rank(a))};
  const ValueId eps = op.Number(op.Real("eps"), op.DTypeOf(a));
  const ValueId dot = op.Reduce("ReduceSum", op.Add("Mul", {a, b}), axis, false);
  const ValueId length_a = op.Add("Max", {op.Reduce("ReduceL2", a, axis, false), eps});
  const ValueId length_b = op.Add("Max", {op.Reduce("ReduceL2", b, axis, false), eps});
  return op.Give(op.Add("Div", {dot, op.Add("Mul", {length_a, length_b})}));
}

// |x - y + eps| of order p along the last axis
Value PairwiseDistance(OpImport& op) {
  const ValueId a = op.Tensor("x1"), b = op.Tensor("x2");
  const double p = op.Real("p");
  if (!op.Expect(p == 1 || p == 2, "distances of order {} are not read; 1 and 2 are", p)) return {};
  const ValueId difference =
      op.Add("Add", {op.Add("Sub", {a, b}), op.Number(op.Real("eps"), op.DTypeOf(a))});
  return op.Give(op.Reduce(p == 1 ? "ReduceL1" : "ReduceL2", difference, {-1}, op.Flag("keepdim")));
}

// Distances of order 1 or 2 between all rows of two matrices.
Value Cdist(OpImport& op) {
  const ValueId a = op.Tensor("x1"), b = op.Tensor("x2");
  const double p = op.Real("p");
  if (!op.Expect(p == 1 || p == 2, "distances of order {} are not read; 1 and 2 are", p)) return {};
  const std::int64_t rank = op.Rank(a);
  const ValueId difference =
      op.Add("Sub", {op.Unsqueeze(a, {rank - 1}), op.Unsqueeze(b, {rank - 2})});
  return op.Give(op.Reduce(p == 1 ? "ReduceL1" : "ReduceL2", difference, {-1}, false));
}

}  // namespace

// clang-format off
std::vector<Row> ProductRows() {
  return {
      {"_embedding_bag(Tensor weight, Tensor indices, Tensor? offsets=None, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1)", EmbeddingBag},
      {"_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float dropout_p=0.0, bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None)", AttentionAndMore},
      {"addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)", Addmm},
      {"addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1)", Addmv},
      {"baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1)", Baddbmm},
      {"bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None)", Bilinear},
      {"bmm(Tensor self, Tensor mat2)", Product, "mat2"},
      {"cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None)", Cdist},
      {"cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08)", CosineSimilarity},
      {"dot(Tensor self, Tensor tensor)", Product, "tensor"},
      {"einsum(str equation, Tensor[] tensors, *, int[]? path=None)", Einsum},
      {"embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False)", Embedding},
      {"embedding_bag(Tensor weight, Tensor indices, Tensor? offsets=None, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None)", EmbeddingBag},
      {"linear(Tensor input, Tensor weight, Tensor? bias=None)", Linear},
      {"matmul(Tensor self, Tensor other)", Product, "other"},
      {"mm(Tensor self, Tensor mat2)", Product, "mat2"},
      {"mv(Tensor self, Tensor vec)", Product, "vec"},
      {"outer(Tensor self, Tensor vec2)", Outer},
      {"pairwise_distance(Tensor x1, Tensor x2, float p=2, float eps=1e-06, bool keepdim=False)", PairwiseDistance},
      {"scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False)", Attention},
  };
}
// clang-format on

}  // namespace athanor::pytorch
