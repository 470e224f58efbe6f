#include "kernels/layout.h"

#include <cstring>

#include "kernels/divide.h"

namespace athanor::kernels {
namespace {

bool IsPicture(const PortInfo& port) {
  return MayLieInBlocks(port.dtype) && port.rank() == 4 && port.constant == nullptr;
}

// Calls copy(index of the row-major element, index in blocks) for every element.
template <class F>
void ForEachElement(const Dims& dims, std::int64_t block, const F& copy) {
  const std::int64_t plane = dims[2] * dims[3], blocks = CeilDivide(dims[1], block);
  for (std::int64_t n = 0; n < dims[0]; ++n) {
    for (std::int64_t c = 0; c < dims[1]; ++c) {
      const std::int64_t from = (n * dims[1] + c) * plane;
      const std::int64_t to = (n * blocks + c / block) * plane * block + c % block;
      for (std::int64_t i = 0; i < plane; ++i)
        copy(static_cast<std::size_t>(from + i), static_cast<std::size_t>(to + i * block));
    }
  }
}

}  // namespace

bool MayLieInBlocks(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kI8 || dtype == DType::kU8;
}

std::int64_t BlockOf(Isa isa) {
  constexpr std::int64_t kLanes[] = {4, 8, 16};
  return kLanes[static_cast<std::size_t>(isa)];
}

std::optional<KernelQuery> InBlocks(const KernelQuery& query, std::int64_t block,
                                    bool plain_input) {
  if (query.out.size() != 1 || !IsPicture(query.out[0]) || query.in.empty()) return std::nullopt;
  const bool alike_only = query.op->Has(kElementwise);
  if (alike_only ? plain_input : !IsPicture(query.in[0])) return std::nullopt;
  const Dims& out = query.out[0].dims;
  KernelQuery blocked = query;
  blocked.out[0].block = block;
  for (std::size_t i = 0; i < query.own_inputs; ++i) {
    PortInfo& port = blocked.in[i];
    const bool alike = IsPicture(port) && port.dims[0] == out[0] && port.dims[2] == out[2] &&
                       port.dims[3] == out[3];
    if (i == 0 && !alike_only ? !plain_input : alike) port.block = block;
  }
  for (const EpilogueStep& step : query.epilogue) {
    if (step.operand < 0 || step.spread != EpilogueStep::Spread::kSame) continue;
    PortInfo& port = blocked.in[static_cast<std::size_t>(step.operand)];
    if (port.rank() != 4) return std::nullopt;
    port.block = block;
  }
  return blocked;
}

std::string_view LayoutName(const KernelQuery& query) {
  if (query.in.empty() || query.out.empty()) return "rows";
  if (query.out[0].block == 0) return query.in[0].block == 0 ? "rows" : "blocks to rows";
  return query.in[0].block == 0 ? "rows to blocks" : "blocks";
}

void ToBlocks(const std::byte* plain, std::size_t size, const Dims& dims, std::int64_t block,
              std::byte* blocked) {
  ForEachElement(dims, block, [&](std::size_t from, std::size_t to) {
    std::memcpy(blocked + to * size, plain + from * size, size);
  });
}

void FromBlocks(const std::byte* blocked, std::size_t size, const Dims& dims, std::int64_t block,
                std::byte* plain) {
  ForEachElement(dims, block, [&](std::size_t to, std::size_t from) {
    std::memcpy(plain + to * size, blocked + from * size, size);
  });
}

}  // namespace athanor::kernels
