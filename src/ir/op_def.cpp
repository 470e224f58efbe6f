#include "ir/op_def.h"

#include <algorithm>

#include "core/text.h"
#include "ir/quantized.h"

namespace athanor {
namespace {

// Whether an element of the type is this number. Arithmetic on elements wraps around, that on
// dimensions does not.
bool Holds(DType dtype, const Dim& number) {
  if (!number.IsConst()) {
    const bool is_wide = dtype == DType::kI64 || dtype == DType::kI32;
    return is_wide ||
           ((dtype == DType::kU64 || dtype == DType::kU32) && ProvablyNonNegative(number));
  }
  const std::int64_t value = number.value();
  if (dtype == DType::kBool) return value == 0 || value == 1;
  const int bits = ElementBits(dtype) - (IsSigned(dtype) ? 1 : 0);
  if (value < 0) return IsSigned(dtype) && (bits > 62 || value >= -(std::int64_t{1} << bits));
  return bits > 62 || value < std::int64_t{1} << bits;
}

// Forgets the numbers that elements of the outputs cannot be.
void KeepWhatFits(InferCtx& ctx) {
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (!ctx.out_ints[i]) continue;
    for (Dim& number : *ctx.out_ints[i]) {
      if (!Holds(ctx.out[i].dtype, number)) number = Dim::Unknown();
    }
  }
}

}  // namespace

std::optional<Shape> InferCtx::Ints(std::size_t i) const {
  if (!Has(i)) return std::nullopt;
  if (inputs_[i].ints != nullptr) return *inputs_[i].ints;
  const Tensor* tensor = inputs_[i].constant;
  if (tensor == nullptr || tensor->count() > 4096 ||
      !(IsInteger(tensor->dtype()) || tensor->dtype() == DType::kBool))
    return std::nullopt;
  const Result<std::vector<std::int64_t>> values = ToInts(*tensor);
  if (!values.ok()) return std::nullopt;
  const auto is_negative = [](std::int64_t value) { return value < 0; };
  if (tensor->dtype() == DType::kU64 && std::any_of(values->begin(), values->end(), is_negative))
    return std::nullopt;  // too large for this
  return Shape(values->begin(), values->end());
}

std::optional<std::vector<std::int64_t>> InferCtx::ConstInts(std::size_t i) const {
  const std::optional<Shape> ints = Ints(i);
  if (!ints) return std::nullopt;
  std::vector<std::int64_t> values;
  for (const Dim& dim : *ints) {
    if (!dim.IsConst()) return std::nullopt;
    values.push_back(dim.value());
  }
  return values;
}

Status InferCtx::ExpectRank(std::size_t input, std::int64_t rank) const {
  if (!Has(input) || !In(input).HasRank() || In(input).rank() == rank) return {};
  return InvalidModel("input {}: rank {} is expected, {} is given", input, rank,
                      In(input).ToString());
}

Status InferCtx::ExpectMinRank(std::size_t input, std::int64_t rank) const {
  if (!Has(input) || !In(input).HasRank() || In(input).rank() >= rank) return {};
  return InvalidModel("input {}: rank {} or more is expected, {} is given", input, rank,
                      In(input).ToString());
}

Status InferCtx::ExpectSameDType(std::size_t a, std::size_t b) const {
  if (!Has(a) || !Has(b) || InDType(a) == InDType(b)) return {};
  return InvalidModel("inputs {} and {} must have the same element type; {} and {} are given", a, b,
                      Name(InDType(a)), Name(InDType(b)));
}

Status RefCtx::Allocate(std::size_t i, DType dtype, Dims dims) {
  ATH_TRY(out[i], Tensor::Allocate(dtype, std::move(dims)));
  return {};
}

Status Infer(const OpDef& op, InferCtx& ctx) {
  if (HasQuantSpec(ctx.attributes())) return InferQuantized(op, ctx);
  const std::size_t own = ctx.num_inputs() - ctx.num_captures();
  for (std::size_t i = 0; !op.Has(kAnyKind) && i < own; ++i) {
    if (!ctx.Has(i) || ctx.In(i).IsTensor()) continue;
    return InvalidModel("input {} must be a tensor, {} is given", i, ctx.In(i).ToString());
  }
  ATH_RETURN_IF_ERROR(op.custom != nullptr ? op.custom->Infer(ctx) : op.infer(ctx));
  KeepWhatFits(ctx);
  return {};
}

Dim Flops(const OpDef& op, const CostCtx& ctx) {
  if (op.flops != nullptr) return op.flops(ctx);
  if (op.Has(kDataMovement)) return 0;
  Dim total = 0;
  for (const Type& type : ctx.out) {
    if (type.IsTensor()) total = total + (type.shape ? ElementCount(*type.shape) : Dim::Unknown());
  }
  return total;
}

struct Catalog::Custom {
  OpDef op;
  std::unique_ptr<const CustomOp> code;
  const Custom* before = nullptr;
};

Catalog::Catalog(std::vector<OpDef> ops) : ops_(std::move(ops)) {
  std::sort(ops_.begin(), ops_.end(),
            [](const OpDef& a, const OpDef& b) { return a.name < b.name; });
}

Catalog::~Catalog() {
  for (const Custom* at = customs_; at != nullptr;) delete std::exchange(at, at->before);
}

const OpDef* Catalog::AddCustom(OpDef op, std::unique_ptr<const CustomOp> code) {
  op.custom = code.get();
  auto* added = new Custom{std::move(op), std::move(code), customs_.load()};
  while (!customs_.compare_exchange_weak(added->before, added)) {
  }
  return &added->op;
}

const OpDef* Catalog::Find(std::string_view name) const {
  const auto at = std::lower_bound(ops_.begin(), ops_.end(), name,
                                   [](const OpDef& op, std::string_view n) { return op.name < n; });
  if (at != ops_.end() && at->name == name) return &*at;
  for (const Custom* custom = customs_; custom != nullptr; custom = custom->before) {
    if (custom->op.name == name) return &custom->op;
  }
  return nullptr;
}

Result<const OpDef*> Catalog::Lookup(std::string_view name) const {
  if (const OpDef* op = Find(name)) return op;
  Status unknown = Error(ErrorCode::kUnknownOperator, "there is no operator {}{}", Quote(name),
                         DidYouMean(name, Names()));
  if (name.find("::") == std::string_view::npos) return unknown;
  return std::move(unknown).Fix("--plugin FILE.so, of a plug-in that brings it (docs/plugins.md)");
}

std::vector<std::string> Catalog::Names() const {
  std::vector<std::string> names;
  for (const OpDef& op : ops_) names.push_back(op.name);
  for (const Custom* custom = customs_; custom != nullptr; custom = custom->before)
    names.push_back(custom->op.name);
  return names;
}

}  // namespace athanor
