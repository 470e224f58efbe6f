#include "ops/tensor/move.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ops/broadcast.h"

namespace athanor::ops {
namespace {

// Calls f with a word as large as one element.
template <class F>
void WithWord(DType dtype, F&& f) {
  if (dtype == DType::kString) return f(TypeTag<std::string>{});
  switch (ElementBytes(dtype)) {
    case 1:
      return f(TypeTag<std::uint8_t>{});
    case 2:
      return f(TypeTag<std::uint16_t>{});
    case 4:
      return f(TypeTag<std::uint32_t>{});
    case 8:
      return f(TypeTag<std::uint64_t>{});
    default:
      return f(TypeTag<std::array<std::uint64_t, 2>>{});
  }
}

// Drops axes of size 1 and joins neighbours that are contiguous on both sides.
struct Walk {
  Dims dims, from, to;
};
Walk Simplify(const Dims& box, const Dims& from, const Dims& to) {
  Walk walk;
  for (std::size_t i = 0; i < box.size(); ++i) {
    if (box[i] == 1) continue;
    const bool joins = !walk.dims.empty() && walk.from.back() == from[i] * box[i] &&
                       walk.to.back() == to[i] * box[i];
    if (joins) {
      walk.dims.back() *= box[i];
      walk.from.back() = from[i];
      walk.to.back() = to[i];
    } else {
      walk.dims.push_back(box[i]);
      walk.from.push_back(from[i]);
      walk.to.push_back(to[i]);
    }
  }
  if (walk.dims.empty()) walk = {{1}, {1}, {1}};
  return walk;
}

template <class Word>
void CopyLine(const Word* from, std::int64_t from_stride, Word* to, std::int64_t to_stride,
              std::int64_t count) {
  if (from_stride == 1 && to_stride == 1) {
    std::copy(from, from + count, to);
  } else if (to_stride == 1 && from_stride == 0) {
    std::fill(to, to + count, *from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <class Word>
void CopyWalk(const Word* from, Word* to, const Walk& walk) {
  const std::size_t last = walk.dims.size() - 1;
  Dims index(last, 0);
  while (true) {
    CopyLine(from, walk.from[last], to, walk.to[last], walk.dims[last]);
    std::size_t axis = last;
    while (axis > 0) {
      --axis;
      from += walk.from[axis];
      to += walk.to[axis];
      if (++index[axis] < walk.dims[axis]) break;
      from -= walk.from[axis] * walk.dims[axis];
      to -= walk.to[axis] * walk.dims[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (last == 0) return;
  }
}

// Neighbouring elements that stay neighbours.
struct Run {
  std::int64_t from = 0, to = 0, count = 0;
};
std::vector<Run> RunsOf(const Dims& map) {
  std::vector<Run> runs;
  for (std::size_t o = 0; o < map.size(); ++o) {
    if (map[o] < 0) continue;
    const auto to = static_cast<std::int64_t>(o);
    const bool joins = !runs.empty() && runs.back().from + runs.back().count == map[o] &&
                       runs.back().to + runs.back().count == to;
    if (joins) {
      ++runs.back().count;
    } else {
      runs.push_back({map[o], to, 1});
    }
  }
  return runs;
}

bool IsIdentity(const Dims& map, std::int64_t size) {
  if (static_cast<std::int64_t>(map.size()) != size) return false;
  for (std::int64_t i = 0; i < size; ++i) {
    if (map[static_cast<std::size_t>(i)] != i) return false;
  }
  return true;
}

}  // namespace

void CopyElements(const Tensor& from, std::int64_t from_at, Tensor& to, std::int64_t to_at,
                  std::int64_t count) {
  if (count <= 0) return;
  const auto source = static_cast<std::size_t>(from_at), target = static_cast<std::size_t>(to_at);
  const auto length = static_cast<std::size_t>(count);
  if (from.dtype() == DType::kString) {
    const auto strings = from.Data<std::string>().subspan(source, length);
    std::copy(strings.begin(), strings.end(),
              to.MutableData<std::string>().subspan(target).begin());
    return;
  }
  const std::size_t size = ElementBytes(from.dtype());
  std::memcpy(static_cast<std::uint8_t*>(to.mutable_raw()) + target * size,
              static_cast<const std::uint8_t*>(from.raw()) + source * size, length * size);
}

void FillElements(Tensor& to, const Tensor& value) {
  if (to.count() == 0) return;
  WithWord(to.dtype(), [&](auto tag) {
    using Word = typename decltype(tag)::Type;
    auto* out = static_cast<Word*>(to.mutable_raw());
    std::fill(out, out + to.count(), *static_cast<const Word*>(value.raw()));
  });
}

void FillZero(Tensor& to) {
  if (to.count() == 0) return;
  WithWord(to.dtype(), [&](auto tag) {
    using Word = typename decltype(tag)::Type;
    auto* out = static_cast<Word*>(to.mutable_raw());
    std::fill(out, out + to.count(), Word{});
  });
}

void CopyBox(const Tensor& from, const Placement& source, Tensor& to, const Placement& target,
             const Dims& box) {
  if (std::find(box.begin(), box.end(), 0) != box.end()) return;
  const Walk walk = Simplify(box, source.strides, target.strides);
  WithWord(from.dtype(), [&](auto tag) {
    using Word = typename decltype(tag)::Type;
    CopyWalk(static_cast<const Word*>(from.raw()) + source.offset,
             static_cast<Word*>(to.mutable_raw()) + target.offset, walk);
  });
}

void CopyMapped(const Tensor& from, const std::vector<Dims>& maps, Tensor& to) {
  if (to.count() == 0 || from.count() == 0) return;
  // Trailing axes that are copied whole make one block.
  std::size_t rank = maps.size();
  std::int64_t block = 1;
  while (rank > 0 && IsIdentity(maps[rank - 1], from.dims()[rank - 1]))
    block *= from.dims()[--rank];
  if (rank == 0) return CopyElements(from, 0, to, 0, block);
  const std::size_t last = rank - 1;
  const std::vector<Run> runs = RunsOf(maps[last]);
  const Dims from_strides = Strides(from.dims()), to_strides = Strides(to.dims());
  Dims index(last, 0);
  while (true) {
    std::int64_t from_at = 0, to_at = 0;
    bool inside = true;
    for (std::size_t axis = 0; axis < last; ++axis) {
      const std::int64_t at = maps[axis][static_cast<std::size_t>(index[axis])];
      inside = inside && at >= 0;
      from_at += at * from_strides[axis];
      to_at += index[axis] * to_strides[axis];
    }
    for (std::size_t r = 0; inside && r < runs.size(); ++r) {
      CopyElements(from, from_at + runs[r].from * block, to, to_at + runs[r].to * block,
                   runs[r].count * block);
    }
    std::size_t axis = last;
    while (axis > 0 && ++index[axis - 1] == static_cast<std::int64_t>(maps[axis - 1].size())) {
      index[--axis] = 0;
    }
    if (axis == 0) return;
  }
}

void GatherBlocks(const Tensor& from, std::span<const std::int64_t> offsets, std::int64_t block,
                  Tensor& to) {
  if (block == 0 || offsets.empty()) return;
  if (block > 1) {
    std::int64_t at = 0;
    for (const std::int64_t offset : offsets) CopyElements(from, offset, to, block * at++, block);
    return;
  }
  WithWord(from.dtype(), [&](auto tag) {
    using Word = typename decltype(tag)::Type;
    const auto* source = static_cast<const Word*>(from.raw());
    auto* target = static_cast<Word*>(to.mutable_raw());
    for (const std::int64_t offset : offsets) *target++ = source[offset];
  });
}

void ScatterBlocks(const Tensor& from, std::span<const std::int64_t> offsets, std::int64_t block,
                   Tensor& to) {
  std::int64_t at = 0;
  for (const std::int64_t offset : offsets) CopyElements(from, block * at++, to, offset, block);
}

Dims Counting(std::int64_t count) {
  Dims values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
  return values;
}

std::int64_t CountOf(std::span<const std::int64_t> dims, std::size_t first, std::size_t last) {
  std::int64_t count = 1;
  for (std::size_t i = first; i < last; ++i) count *= dims[i];
  return count;
}

Result<std::vector<std::int64_t>> NormalizeAxes(std::span<const std::int64_t> axes,
                                                std::int64_t rank) {
  std::vector<std::int64_t> normal;
  for (const std::int64_t axis : axes) {
    ATH_TRY(const std::int64_t at, NormalizeAxis(axis, rank));
    if (std::find(normal.begin(), normal.end(), at) != normal.end())
      return InvalidModel("axis {} is named twice", axis);
    normal.push_back(at);
  }
  return normal;
}

Result<std::int64_t> NormalizeIndex(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size)
    return DataError("index {} is outside [{}, {}]", index, -size, size - 1);
  return index < 0 ? index + size : index;
}

Status ExpectTensors(const InferCtx& ctx) {
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.Has(i) && !ctx.In(i).IsTensor())
      return InvalidModel("input {}: a tensor is expected, {} is given", i, ctx.In(i).ToString());
  }
  return {};
}

Status ExpectIndices(const InferCtx& ctx, std::size_t i) {
  if (!ctx.Has(i) || ctx.InDType(i) == DType::kI64 || ctx.InDType(i) == DType::kI32) return {};
  return Error(ErrorCode::kUnsupportedType, "input {}: i32 or i64 is expected, {} is given", i,
               ctx.In(i).ToString());
}

Status ExpectOutput(const RefCtx& ctx) {
  if (!ctx.out.empty() && ctx.out[0].IsTensor()) return {};
  return Error(ErrorCode::kResource, "the shape of the result has too many dimensions");
}

Result<std::vector<std::int64_t>> ElementOffsets(const Tensor& data, const Tensor& indices,
                                                 std::int64_t axis) {
  ATH_TRY(axis, NormalizeAxis(axis, data.rank()));
  ATH_TRY(std::vector<std::int64_t> offsets, ToInts(indices));
  Dims strides = Strides(data.dims());
  const std::int64_t stride = strides[static_cast<std::size_t>(axis)];
  strides[static_cast<std::size_t>(axis)] = 0;
  Dims at(indices.dims().size(), 0);
  std::int64_t base = 0;
  for (std::int64_t& offset : offsets) {
    ATH_TRY(const std::int64_t index, NormalizeIndex(offset, data.dim(axis)));
    offset = base + index * stride;
    for (std::size_t i = at.size(); i-- > 0;) {
      base += strides[i];
      if (++at[i] < indices.dims()[i]) break;
      base -= strides[i] * at[i];
      at[i] = 0;
    }
  }
  return offsets;
}

}  // namespace athanor::ops
