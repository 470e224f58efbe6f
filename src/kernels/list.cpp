#include "kernels/list.h"

#include <algorithm>
#include <map>

#include "kernels/attention/attention.h"
#include "kernels/bf16/bf16.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/learned.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/blocked.h"
#include "kernels/elementwise/cast.h"
#include "kernels/elementwise/element.h"
#include "kernels/elementwise/unary.h"
#include "kernels/elementwise/variadic.h"
#include "kernels/gemm/mat_mul.h"
#include "kernels/int8/dynamic_product.h"
#include "kernels/int8/int8.h"
#include "kernels/layout.h"
#include "kernels/move/copy.h"
#include "kernels/move/fill.h"
#include "kernels/move/index.h"
#include "kernels/move/reorder.h"
#include "kernels/move/select.h"
#include "kernels/move/view.h"
#include "kernels/norm/rows.h"
#include "kernels/plane/plane.h"
#include "kernels/recurrent/recurrent.h"
#include "kernels/reduce/reduce.h"
#include "kernels/signal/signal.h"
#include "kernels/through_f32.h"
#include "kernels/tree/forest.h"
#include "kernels/vision/vision.h"

namespace athanor::kernels {
namespace {

constexpr std::vector<KernelDef> (*kLists[])() = {
    AlongAxisKernels,
    AttentionKernels,
    Bf16ConvKernels,
    Bf16MatMulKernels,
    Bf16WinogradKernels,
    BinaryKernels,
    BlockedConcatKernels,
    BlockedElementwiseKernels,
    BlockedWindowKernels,
    Col2ImKernels,
    CombinationKernels,
    ConvGemmKernels,
    ConvTransposeKernels,
    CopyKernels,
    DeformConvKernels,
    DepthwiseKernels,
    DetKernels,
    DirectConvKernels,
    CastKernels,
    ChannelNormKernels,
    DynamicProductKernels,
    DynamicQuantizeKernels,
    ElementKernels,
    FillKernels,
    ForestKernels,
    FourierKernels,
    GatherKernels,
    Int8BinaryKernels,
    Int8BlockedConvKernels,
    Int8BlockedWindowKernels,
    Int8ConvertKernels,
    Int8ConvKernels,
    Int8DepthwiseKernels,
    Int8GemmKernels,
    Int8LookupKernels,
    Int8PoolKernels,
    Int8ResizeKernels,
    Int8WinogradKernels,
    IntMatMulKernels,
    LossKernels,
    MatMulKernels,
    NmsKernels,
    PoolKernels,
    RealOfIntKernels,
    ReorderKernels,
    RecurrentKernels,
    ReduceKernels,
    ResizeKernels,
    RoiKernels,
    RotaryKernels,
    RowKernels,
    SampleKernels,
    ScatterKernels,
    SelectKernels,
    ShrinkKernels,
    SoftmaxKernels,
    SpectrumWindowKernels,
    TileKernels,
    TopKKernels,
    UnaryKernels,
    VariadicKernels,
    ViewKernels,
    VolumeKernels,
    WeightKernels,
    WinogradKernels,
    WindowKernels,
};

std::vector<KernelDef> Make() {
  std::vector<KernelDef> all;
  for (const auto list : kLists) {
    std::vector<KernelDef> some = list();
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  // The new ones point to the old, which may no longer move.
  const std::size_t plain = all.size();
  all.reserve(2 * plain);
  for (KernelDef& def : ThroughF32Kernels(all)) all.push_back(std::move(def));
  return all;
}

using Index = std::multimap<std::string, const KernelDef*, std::less<>>;

bool HasHalf(const KernelQuery& query) {
  const auto half = [](const PortInfo& port) { return port.dtype == DType::kF16; };
  return std::any_of(query.in.begin(), query.in.end(), half) ||
         std::any_of(query.out.begin(), query.out.end(), half);
}

const Index& ByOperator() {
  static const Index index = [] {
    Index made;
    for (const KernelDef& def : AllKernels()) made.emplace(def.op, &def);
    return made;
  }();
  return index;
}

void Estimate(const KernelQuery& query, Candidate& candidate) {
  const KernelDef& def = *query.def;
  if (def.more_bytes != nullptr) candidate.more_bytes = def.more_bytes(query);
  constexpr std::int64_t kFree = std::int64_t{256} << 10;  // stay in a second-level cache
  const std::int64_t priced = std::max<std::int64_t>(0, candidate.more_bytes - kFree);
  candidate.price_ns = query.memory_price * static_cast<double>(priced);
  if (def.cost_ns != nullptr) candidate.cost_ns = def.cost_ns(query);
  if (query.selector == Selector::kLearned || query.selector == Selector::kMeasured)
    candidate.cost_ns = LearnedNs(query, candidate.cost_ns);
  if (query.selector != Selector::kRule) return;
  // Wider vectors before any rule.
  constexpr int kUnnamed = 1, kPlaces = 100;
  candidate.rule = def.rule != nullptr ? def.rule(query) : kUnnamed;
  candidate.rule -= kPlaces * static_cast<int>(def.isa);
}

}  // namespace

bool Candidate::Precedes(const Candidate& other) const {
  if (fit.yes() != other.fit.yes()) return fit.yes();
  if (!fit.yes()) return false;
  if ((measured_ns > 0) != (other.measured_ns > 0)) return measured_ns > 0;
  if (rule != other.rule) return rule < other.rule;
  if (total_ns() != other.total_ns()) return total_ns() < other.total_ns();
  return def->isa > other.def->isa;
}

const std::vector<KernelDef>& AllKernels() {
  static const std::vector<KernelDef> all = Make();
  return all;
}

std::vector<Candidate> Candidates(KernelQuery query, Isa isa) {
  std::vector<Candidate> candidates;
  const bool half = HasHalf(query);
  const auto [first, last] = ByOperator().equal_range(query.op->name);
  for (auto at = first; at != last; ++at) {
    const KernelDef& def = *at->second;
    // Of no interest to who asks why: a node is quantised or it is not.
    if (def.quantized != (query.quant != nullptr) || (def.inner != nullptr && !half)) continue;
    if (def.isa > isa) {
      candidates.push_back({&def, Fit::No(fmt::format("needs {}", Name(def.isa)))});
      continue;
    }
    if (half && def.blocked) {
      candidates.push_back({&def, Fit::No("f16 does not lie in blocks of channels")});
      continue;
    }
    if (query.block() != (def.blocked ? BlockOf(def.isa) : 0)) {
      candidates.push_back(
          {&def,
           Fit::No(def.blocked ? fmt::format("needs channels in blocks of {}", BlockOf(def.isa))
                               : "needs row-major tensors")});
      continue;
    }
    if (!query.epilogue.empty() && !def.takes_epilogue) {
      candidates.push_back({&def, Fit::No("does not take fused operators")});
      continue;
    }
    query.def = &def;
    query.isa = def.isa;
    Candidate candidate = {&def, def.fits(query)};
    if (candidate.fit.yes()) Estimate(query, candidate);
    candidates.push_back(std::move(candidate));
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.Precedes(b); });
  return candidates;
}

bool AnyKernel(const OpDef& op) { return ByOperator().contains(op.name); }

bool TakesQuantized(const OpDef& op) {
  const auto [first, last] = ByOperator().equal_range(op.name);
  return std::any_of(first, last, [](const auto& entry) { return entry.second->quantized; });
}

std::optional<std::int64_t> MostFound(const KernelQuery& query) {
  const auto [first, last] = ByOperator().equal_range(query.op->name);
  for (auto at = first; at != last; ++at) {
    if (at->second->most != nullptr) return at->second->most(query);
  }
  return std::nullopt;
}

std::optional<EpilogueStep> AsEpilogue(const KernelQuery& query, std::size_t through) {
  std::vector<Tensor> constants;
  constexpr std::int64_t kBounds = 1;  // the constants that an epilogue reads
  if (const std::optional<KernelQuery> wide = WidenedQuery(query, kBounds, constants))
    return AsEpilogue(*wide, through);
  if (std::optional<EpilogueStep> step = UnaryEpilogue(query, through)) return step;
  return BinaryEpilogue(query, through);
}

}  // namespace athanor::kernels
