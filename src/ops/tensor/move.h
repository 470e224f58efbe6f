// Copying elements without knowing their type: what every data-movement operator is made of.
//
// Elements are 1, 2, 4, 8 or 16 bytes, or strings. Offsets, strides and counts are in elements.
// Nothing here checks bounds: operators check shapes and indices before they copy.
#pragma once

#include <span>
#include <vector>

#include "ir/op_def.h"

namespace athanor::ops {

// Copies `count` neighbouring elements. Both tensors have one element type.
void CopyElements(const Tensor& from, std::int64_t from_at, Tensor& to, std::int64_t to_at,
                  std::int64_t count);

// Every element becomes element 0 of `value`, or zero (an empty string).
void FillElements(Tensor& to, const Tensor& value);
void FillZero(Tensor& to);

// Where a box of elements lies inside a tensor.
struct Placement {
  std::int64_t offset = 0;
  Dims strides = {};  // one per axis of the box; 0 repeats, negative walks backwards
};

// to[target + i] = from[source + i] for every index i of the box.
void CopyBox(const Tensor& from, const Placement& source, Tensor& to, const Placement& target,
             const Dims& box);

// to[o0, o1, ...] = from[maps[0][o0], maps[1][o1], ...]; an element with a negative index on any
// axis is left as it is. One map per axis, as long as that axis of `to`.
void CopyMapped(const Tensor& from, const std::vector<Dims>& maps, Tensor& to);

// Block i of `to` = the `block` elements of `from` that start at offsets[i]; and the other way
// round.
void GatherBlocks(const Tensor& from, std::span<const std::int64_t> offsets, std::int64_t block,
                  Tensor& to);
void ScatterBlocks(const Tensor& from, std::span<const std::int64_t> offsets, std::int64_t block,
                   Tensor& to);

// 0, 1, ..., count - 1
Dims Counting(std::int64_t count);

// The product of dims [first, last). The tensor exists, so it does not overflow.
std::int64_t CountOf(std::span<const std::int64_t> dims, std::size_t first, std::size_t last);

// Axes in [-rank, rank) made non-negative; fails outside the range and on duplicates.
Result<std::vector<std::int64_t>> NormalizeAxes(std::span<const std::int64_t> axes,
                                                std::int64_t rank);

// An index in [-size, size) made non-negative; a DataError outside.
Result<std::int64_t> NormalizeIndex(std::int64_t index, std::int64_t size);

// No followed integer tensor is longer than this: shapes are short, hostile ranges are not.
inline constexpr std::int64_t kMaxFollowed = 1024;

// Inputs that are given must be tensors, not sequences or optionals.
Status ExpectTensors(const InferCtx& ctx);
// Input i must be i32 or i64, when it is given.
Status ExpectIndices(const InferCtx& ctx, std::size_t i);
// Inference sees every value at run time; it gives up only on absurd ones (a shape of thousands of
// dimensions). Then the output is not there and the operator stops here.
Status ExpectOutput(const RefCtx& ctx);

// Where in `data` each element of `indices` points: its own position, but for `axis`, where it is
// the index itself. Fails on an axis or index outside. For GatherElements and ScatterElements.
Result<std::vector<std::int64_t>> ElementOffsets(const Tensor& data, const Tensor& indices,
                                                 std::int64_t axis);

}  // namespace athanor::ops
