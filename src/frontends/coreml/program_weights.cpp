// Weights of ML Programs that the file holds with few bits, as places in a table or without their
// zeros: made plain when the file is read. The operations of iOS 16, and those in blocks of iOS 18.
// And the pairs of operations that put activations on bytes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/checked.h"
#include "core/small_types.h"
#include "core/text.h"
#include "frontends/coreml/program.h"

namespace athanor::coreml {
namespace {

// Not defined where it cannot be; then the step has failed.
Tensor MilKnown(ProgramStep& ctx, std::string_view key) {
  const Tensor* known = ctx.Known(key);
  return known != nullptr ? *known : Tensor();
}

Tensor MilNew(ProgramStep& ctx, DType dtype, Dims dims) {
  Result<Tensor> made = ctx.Allocate(dtype, std::move(dims));
  if (made.ok()) return *std::move(made);
  ctx.Fail(std::move(made).status());
  return {};
}

std::span<const std::uint8_t> MilRaw(const Tensor& tensor) {
  return {static_cast<const std::uint8_t*>(tensor.raw()), tensor.bytes()};
}

// ---- blocks: each axis of a tensor is cut into as many parts as `parts` says

bool MilExpectBlocks(ProgramStep& ctx, const Dims& dims, const Dims& parts) {
  bool fits = ctx.ok() && !dims.empty() && dims.size() == parts.size();
  for (std::size_t axis = 0; fits && axis < dims.size(); ++axis)
    fits = parts[axis] > 0 && dims[axis] % parts[axis] == 0;
  return ctx.Expect(fits, "{} in blocks of {}", ToString(dims), ToString(parts));
}

// Calls take(element, block) for all elements in order, with the number of the block of each.
template <class F>
void MilForEachInBlocks(const Dims& dims, const Dims& parts, F take) {
  const std::int64_t row = dims.back(), rows = row == 0 ? 0 : *CheckedCount(dims) / row;
  const std::int64_t in_part = std::max<std::int64_t>(row / parts.back(), 1);
  std::size_t element = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::int64_t block = 0, rest = i, stride = parts.back();
    for (std::size_t axis = dims.size() - 1; axis-- > 0;) {
      block += rest % dims[axis] / (dims[axis] / parts[axis]) * stride;
      rest /= dims[axis];
      stride *= parts[axis];
    }
    for (std::int64_t k = 0; k < row; ++k, ++element)
      take(element, static_cast<std::size_t>(block + k / in_part));
  }
}

// ---- scale * (data - offset)

// A number for each block.
struct MilSpread {
  DType dtype = DType::kUndefined;
  std::vector<float> numbers;
  Dims parts;
};

// Every type that weights have fits into floats.
std::vector<float> MilFloats(ProgramStep& ctx, const Tensor& tensor) {
  const Result<std::vector<double>> numbers = ToDoubles(tensor);
  if (!ctx.ok() || !ctx.Expect(numbers.ok(), "{} is no type of weights", Name(tensor.dtype())))
    return {};
  return {numbers->begin(), numbers->end()};
}

MilSpread MilSpreadOf(ProgramStep& ctx, const Tensor& tensor, Dims parts) {
  return {tensor.dtype(), MilFloats(ctx, tensor), std::move(parts)};
}

// In the arithmetic of the scale's type: of 16 bits each step is rounded, as its definition does.
Tensor MilScaled(ProgramStep& ctx, const Tensor& data, const MilSpread& scale,
                 const MilSpread* offset) {
  const bool is_half = scale.dtype == DType::kF16;
  if (!ctx.Expect(is_half || scale.dtype == DType::kF32, "a scale of {}", Name(scale.dtype)))
    return {};
  const Dims& dims = data.dims();
  if (!MilExpectBlocks(ctx, dims, scale.parts)) return {};
  Tensor made = MilNew(ctx, scale.dtype, dims);  // first, as it asks how much may be made
  if (!ctx.ok()) return {};
  std::vector<float> numbers = MilFloats(ctx, data);
  if (!ctx.ok()) return {};
  const auto rounded = [&](float x) { return is_half ? float(Half(x)) : x; };
  if (is_half) std::transform(numbers.begin(), numbers.end(), numbers.begin(), rounded);
  if (offset != nullptr) {
    if (!MilExpectBlocks(ctx, dims, offset->parts)) return {};
    MilForEachInBlocks(dims, offset->parts, [&](std::size_t i, std::size_t block) {
      numbers[i] = rounded(numbers[i] - offset->numbers[block]);
    });
  }
  MilForEachInBlocks(dims, scale.parts,
                     [&](std::size_t i, std::size_t block) { numbers[i] *= scale.numbers[block]; });
  if (is_half)
    std::transform(numbers.begin(), numbers.end(), made.MutableData<Half>().begin(),
                   [](float x) { return Half(x); });
  else
    std::copy(numbers.begin(), numbers.end(), made.MutableData<float>().begin());
  return made;
}

// One number, or one for each place along the axis.
MilSpread MilAlong(ProgramStep& ctx, const Tensor& data, std::string_view key) {
  const Tensor numbers = MilKnown(ctx, key);
  const std::int64_t axis = ctx.Axis(ctx.Whole("axis"), data.rank());
  Dims parts(data.dims().size(), 1);
  if (!ctx.ok() || !ctx.Expect(numbers.rank() <= 1, "{} has {} axes", key, numbers.rank()))
    return {};
  if (numbers.rank() == 1) {
    if (!ctx.Expect(numbers.count() == data.dim(axis), "{} {} for {} places", numbers.count(), key,
                    data.dim(axis)))
      return {};
    parts[static_cast<std::size_t>(axis)] = numbers.count();
  }
  return MilSpreadOf(ctx, numbers, std::move(parts));
}

void MilAffine(ProgramStep& ctx) {
  const Tensor data = MilKnown(ctx, "quantized_data");
  if (!ctx.ok()) return;
  const MilSpread scale = MilAlong(ctx, data, "scale"), zero = MilAlong(ctx, data, "zero_point");
  if (ctx.ok()) ctx.Give(ctx.Constant(MilScaled(ctx, data, scale, &zero)));
}

Tensor MilScaledInBlocks(ProgramStep& ctx, const Tensor& data) {
  const Tensor scale = MilKnown(ctx, "scale");
  const MilSpread spread = MilSpreadOf(ctx, scale, scale.dims());
  if (!ctx.Has("offset")) return MilScaled(ctx, data, spread, nullptr);
  const Tensor offset = MilKnown(ctx, "offset");
  const MilSpread shift = MilSpreadOf(ctx, offset, offset.dims());
  return ctx.ok() ? MilScaled(ctx, data, spread, &shift) : Tensor();
}

void MilShiftScale(ProgramStep& ctx) {
  const Tensor made = MilScaledInBlocks(ctx, MilKnown(ctx, "data"));
  if (ctx.ok()) ctx.Give(ctx.Constant(made));
}

// ---- places in a table

// table: for each block of places as many vectors as there are. The numbers of a vector follow each
// other along `axis`.
Tensor MilFromTable(ProgramStep& ctx, const Tensor& places, const Tensor& table,
                    std::int64_t axis) {
  constexpr std::int64_t kLongest = 1 << 16;
  if (!ctx.ok() ||
      !ctx.Expect(places.dtype() == DType::kU8, "places are {}", Name(places.dtype())) ||
      !ctx.Expect(table.rank() == places.rank() + 2, "a table of {} for {}", ToString(table.dims()),
                  ToString(places.dims())))
    return {};
  const Dims parts(table.dims().begin(), table.dims().end() - 2);
  const std::int64_t vectors = table.dim(table.rank() - 2), length = table.dim(table.rank() - 1);
  if (!MilExpectBlocks(ctx, places.dims(), parts) ||
      !ctx.Expect(length >= 1 && length <= kLongest, "vectors of {} numbers; 1 to {} are read",
                  length, kLongest))
    return {};
  const auto numbers = places.Data<std::uint8_t>();
  const auto highest = std::max_element(numbers.begin(), numbers.end());
  if (!ctx.Expect(highest == numbers.end() || *highest < vectors, "place {} in a table of {}",
                  highest == numbers.end() ? 0 : *highest, vectors))
    return {};
  Dims dims = places.dims();
  dims[static_cast<std::size_t>(axis)] *= length;
  std::size_t behind = 1;  // elements from one place along the axis to the next
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < dims.size(); ++i)
    behind *= static_cast<std::size_t>(dims[i]);
  Tensor made = MilNew(ctx, table.dtype(), dims);
  if (!ctx.ok()) return {};
  const std::size_t width = ElementBytes(table.dtype()), count = static_cast<std::size_t>(length);
  const std::uint8_t* from = MilRaw(table).data();
  auto* to = static_cast<std::uint8_t*>(made.mutable_raw());
  MilForEachInBlocks(places.dims(), parts, [&](std::size_t i, std::size_t block) {
    const std::size_t first = (block * static_cast<std::size_t>(vectors) + numbers[i]) * count;
    for (std::size_t k = 0; k < count; ++k)
      std::memcpy(to + ((i / behind * count + k) * behind + i % behind) * width,
                  from + (first + k) * width, width);
  });
  return made;
}

std::int64_t MilVectorAxis(ProgramStep& ctx, const Tensor& places) {
  return ctx.ok() ? ctx.Axis(ctx.Whole("vector_axis", 0), places.rank()) : 0;
}

// Numbers of `bits` bits that follow each other, of the shape that is a parameter.
Tensor MilUnpacked(ProgramStep& ctx, std::string_view key, int bits) {
  const Tensor packed = MilKnown(ctx, key);
  const Dims dims = ctx.Numbers("shape");
  const auto count = CheckedCount(dims);
  if (!ctx.ok() || !ctx.Expect(count && packed.dtype() == DType::kU8 && packed.rank() == 1,
                               "{} of {} for a shape of {}", Name(packed.dtype()),
                               ToString(packed.dims()), ToString(dims)))
    return {};
  const Result<std::vector<std::uint8_t>> plain = FromPackedBits(MilRaw(packed), bits, *count);
  if (plain.ok()) return Tensor::FromVector<std::uint8_t>(dims, *plain);
  ctx.Fail(plain.status());
  return {};
}

void MilLut(ProgramStep& ctx) {
  Tensor table = MilKnown(ctx, "lut"), places;
  if (!ctx.ok()) return;
  if (ctx.Has("shape")) {
    const auto entries = static_cast<std::uint64_t>(table.count());
    if (!ctx.Expect(
            table.rank() == 1 && std::has_single_bit(entries) && entries >= 2 && entries <= 256,
            "a table of {}", ToString(table.dims())))
      return;
    places = MilUnpacked(ctx, "indices", std::countr_zero(entries));
    Dims dims(places.dims().size(), 1);
    dims.insert(dims.end(), {table.count(), 1});
    table = table.Reshaped(dims);
  } else {
    places = MilKnown(ctx, "indices");
    if (ctx.ok())
      ctx.Expect(table.rank() < 1 || table.dims().back() == 1 || ctx.Has("vector_axis"),
                 "it lacks vector_axis");
  }
  const Tensor made = MilFromTable(ctx, places, table, MilVectorAxis(ctx, places));
  if (ctx.ok()) ctx.Give(ctx.Constant(made));
}

// ---- without zeros

// The values, in order, where the mask is not 0; 0 elsewhere.
Tensor MilDense(ProgramStep& ctx, const Tensor& mask, const Tensor& values) {
  if (!ctx.ok() || !ctx.Expect(mask.dtype() == DType::kU8, "a mask of {}", Name(mask.dtype())))
    return {};
  const auto kept = mask.Data<std::uint8_t>();
  const auto ones = std::ssize(kept) - std::count(kept.begin(), kept.end(), 0);
  if (!ctx.Expect(values.rank() == 1 && values.count() == ones, "{} values where a mask keeps {}",
                  values.count(), ones))
    return {};
  Tensor made = MilNew(ctx, values.dtype(), mask.dims());
  if (!ctx.ok()) return {};
  const std::size_t width = ElementBytes(values.dtype());
  const std::uint8_t* from = MilRaw(values).data();
  auto* to = static_cast<std::uint8_t*>(made.mutable_raw());
  for (const std::uint8_t is_kept : kept) {
    if (is_kept != 0) {
      std::memcpy(to, from, width);
      from += width;
    } else {
      std::memset(to, 0, width);
    }
    to += width;
  }
  return made;
}

// The opposite: what of it the mask keeps. Both become results of an operation.
void MilGiveSparse(ProgramStep& ctx, const Tensor& mask, const Tensor& dense) {
  if (!ctx.ok()) return;
  const auto kept = mask.Data<std::uint8_t>();
  const auto ones = std::ssize(kept) - std::count(kept.begin(), kept.end(), 0);
  Tensor values = MilNew(ctx, dense.dtype(), {ones});
  if (!ctx.ok()) return;
  const std::size_t width = ElementBytes(dense.dtype());
  auto* to = static_cast<std::uint8_t*>(values.mutable_raw());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] == 0) continue;
    std::memcpy(to, MilRaw(dense).data() + i * width, width);
    to += width;
  }
  ctx.outputs = {ctx.Constant(mask), ctx.Constant(values)};
}

void MilSparseToDense(ProgramStep& ctx) {
  const Tensor values = MilKnown(ctx, "nonzero_data");
  const Tensor mask = ctx.Has("shape") ? MilUnpacked(ctx, "mask", 1) : MilKnown(ctx, "mask");
  const Tensor made = MilDense(ctx, mask, values);
  if (ctx.ok()) ctx.Give(ctx.Constant(made));
}

void MilLutToSparse(ProgramStep& ctx) {
  const Tensor mask = MilKnown(ctx, "indices_mask"), table = MilKnown(ctx, "lut");
  const Tensor places = MilDense(ctx, mask, MilKnown(ctx, "indices_nonzero_data"));
  const std::int64_t axis = MilVectorAxis(ctx, places);
  const Tensor dense = MilFromTable(ctx, places, table, axis);
  if (!ctx.ok()) return;
  // The mask of vectors: of each place as many ones, or zeros, as a vector has numbers.
  const auto length = static_cast<std::size_t>(table.dims().back());
  Dims dims(mask.dims().size(), 1);
  dims.insert(dims.end(), {2, table.dims().back()});
  std::vector<std::uint8_t> repeat(length, 0);
  repeat.resize(2 * length, 1);
  const Tensor wide = MilFromTable(ctx, mask, Tensor::FromVector<std::uint8_t>(dims, repeat), axis);
  MilGiveSparse(ctx, wide, dense);
}

void MilSparseShiftScale(ProgramStep& ctx) {
  const Tensor mask = MilKnown(ctx, "data_mask");
  const Tensor data = MilDense(ctx, mask, MilKnown(ctx, "nonzero_data"));
  if (ctx.ok()) MilGiveSparse(ctx, mask, MilScaledInBlocks(ctx, data));
}

// ---- 16 bits that stand for 32

void MilConstantCast(ProgramStep& ctx) {
  const Tensor from = MilKnown(ctx, "source_val");
  const std::string wanted = ctx.Text("output_dtype", "");
  if (!ctx.Expect(wanted == "fp32" && from.dtype() == DType::kF16, "a cast of {} to {}",
                  Name(from.dtype()), wanted))
    return;
  ctx.Give(ctx.Constant(Tensor::FromVector<float>(from.dims(), MilFloats(ctx, from))));
}

// ---- activations on bytes (iOS 17): pairs that stay in the graph

AttrMap MilQuantAxis(ProgramStep& ctx, ValueId x) {
  AttrMap attributes;
  if (ctx.Has("axis")) attributes.Set("axis", ctx.Axis(ctx.Whole("axis"), ctx.Rank(x)));
  return attributes;
}

ValueId MilZeroPoint(ProgramStep& ctx) {
  return ctx.Has("zero_point") ? ctx.In("zero_point") : kNoValue;
}

void MilQuantize(ProgramStep& ctx) {
  const ValueId x = ctx.In("input");
  const std::string dtype = ctx.Text("output_dtype", "");
  AttrMap attributes = MilQuantAxis(ctx, x);
  ctx.Expect(dtype == "int8" || dtype == "uint8", "an output_dtype of {}", Quote(dtype));
  attributes.Set("output_dtype", dtype == "int8" ? DType::kI8 : DType::kU8);
  ctx.Give(
      ctx.Op("QuantizeLinear", {x, ctx.In("scale"), MilZeroPoint(ctx)}, std::move(attributes)));
}

void MilDequantize(ProgramStep& ctx) {
  const ValueId x = ctx.In("input");
  AttrMap attributes = MilQuantAxis(ctx, x);
  ctx.Give(
      ctx.Op("DequantizeLinear", {x, ctx.In("scale"), MilZeroPoint(ctx)}, std::move(attributes)));
}

}  // namespace

std::vector<ProgramRow> ProgramWeightRows() {
  return {
      {"constexpr_affine_dequantize", MilAffine},
      {"constexpr_blockwise_shift_scale", MilShiftScale},
      {"constexpr_cast", MilConstantCast},
      {"constexpr_lut_to_dense", MilLut},
      {"constexpr_lut_to_sparse", MilLutToSparse},
      {"constexpr_sparse_blockwise_shift_scale", MilSparseShiftScale},
      {"constexpr_sparse_to_dense", MilSparseToDense},
      {"dequantize", MilDequantize},
      {"quantize", MilQuantize},
  };
}

}  // namespace athanor::coreml
