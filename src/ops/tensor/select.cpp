// Compress, NonZero and Unique: results whose size depends on the data.
#include <algorithm>
#include <cmath>

#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct FlatAxisAttrs {
  std::optional<std::int64_t> axis;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which axis; over the flattened tensor when absent");
  }
};

Status InferCompress(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  if (ctx.InDType(1) != DType::kBool)
    return Error(ErrorCode::kUnsupportedType, "the condition must be bool, {} is given",
                 Name(ctx.InDType(1)));
  const auto attrs = ctx.Attrs<FlatAxisAttrs>();
  ctx.out[0] = Type::Tensor(ctx.InDType(0), {Dim::Unknown()});
  if (!attrs.axis) return {};
  ctx.out[0].shape = ctx.In(0).shape;
  if (!ctx.In(0).HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(*attrs.axis, ctx.In(0).rank()));
  (*ctx.out[0].shape)[static_cast<std::size_t>(axis)] = Dim::Unknown();
  return {};
}

Status CompressReference(RefCtx& ctx) {
  const Tensor& input = ctx.In(0);
  const auto condition = ctx.Data<bool>(1);
  const auto attrs = ctx.Attrs<FlatAxisAttrs>();
  Dims dims = attrs.axis ? input.dims() : Dims{input.count()};
  ATH_TRY(const std::int64_t axis,
          NormalizeAxis(attrs.axis.value_or(0), static_cast<std::int64_t>(dims.size())));
  const auto at = static_cast<std::size_t>(axis);
  Dims kept;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i]) kept.push_back(static_cast<std::int64_t>(i));
  }
  if (!kept.empty() && kept.back() >= dims[at])
    return DataError("element {} is selected, but the axis has {}", kept.back(), dims[at]);
  std::vector<Dims> maps;
  for (const std::int64_t size : dims) maps.push_back(Counting(size));
  maps[at] = kept;
  const Tensor source = input.Reshaped(dims);
  dims[at] = static_cast<std::int64_t>(kept.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, input.dtype(), std::move(dims)));
  CopyMapped(source, maps, ctx.Out(0));
  return {};
}

Status InferNonZero(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const Type& input = ctx.In(0);
  ctx.out[0] = Type::Tensor(DType::kI64,
                            {input.HasRank() ? Dim(input.rank()) : Dim::Unknown(), Dim::Unknown()});
  return {};
}

Status NonZeroReference(RefCtx& ctx) {
  const Tensor& input = ctx.In(0);
  std::vector<std::int64_t> found;
  if (input.dtype() == DType::kString) {
    const auto strings = input.Data<std::string>();
    for (std::size_t i = 0; i < strings.size(); ++i) {
      if (!strings[i].empty()) found.push_back(static_cast<std::int64_t>(i));
    }
  } else {
    ATH_TRY(const std::vector<double> values, ToDoubles(input));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] != 0) found.push_back(static_cast<std::int64_t>(i));
    }
  }
  const auto count = static_cast<std::int64_t>(found.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, DType::kI64, {input.rank(), count}));
  const auto out = ctx.OutData<std::int64_t>(0);
  const Dims strides = Strides(input.dims());
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    for (std::size_t i = 0; i < found.size(); ++i)
      out[axis * found.size() + i] = found[i] / strides[axis] % input.dims()[axis];
  }
  return {};
}

struct UniqueAttrs : FlatAxisAttrs {
  bool sorted = true;
  template <class V>
  void Visit(V& v) {
    FlatAxisAttrs::Visit(v);
    v("sorted", sorted, "1: ascending; 0: in the order of first occurrence");
  }
};

Status InferUnique(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const auto attrs = ctx.Attrs<UniqueAttrs>();
  for (Type& out : ctx.out) out = Type::Tensor(DType::kI64, {Dim::Unknown()});
  ctx.out[0].dtype = ctx.InDType(0);
  if (!attrs.axis) return {};
  ctx.out[0].shape = ctx.In(0).shape;
  if (!ctx.In(0).HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(*attrs.axis, ctx.In(0).rank()));
  (*ctx.out[0].shape)[static_cast<std::size_t>(axis)] = Dim::Unknown();
  return {};
}

// -1, 0, 1. All NaNs are equal and lie after every number, so that sorting is well defined.
template <class T>
int Order(const T& a, const T& b) {
  if constexpr (requires { std::isnan(static_cast<double>(a)); } && !std::is_integral_v<T>) {
    const auto x = static_cast<double>(a), y = static_cast<double>(b);
    if (std::isnan(x) || std::isnan(y)) return int{std::isnan(x)} - int{std::isnan(y)};
    return x < y ? -1 : int{y < x};
  } else {
    return a < b ? -1 : int{b < a};
  }
}

using Ordered =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
             std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool, std::string>;

// Which rows are equal: groups of row numbers, each ascending, in ascending order of their values.
using Groups = std::vector<std::vector<std::int64_t>>;
Result<Groups> GroupRows(const Tensor& rows, std::int64_t count, std::int64_t width) {
  Groups groups;
  ATH_RETURN_IF_ERROR(Dispatch(Ordered{}, rows.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const T* data = rows.Data<T>().data();
    const auto compare = [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t i = 0; i < width; ++i) {
        if (const int order = Order(data[a * width + i], data[b * width + i])) return order;
      }
      return 0;
    };
    std::vector<std::int64_t> order = Counting(count);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return compare(a, b) < 0; });
    for (const std::int64_t row : order) {
      if (groups.empty() || compare(groups.back().front(), row) != 0) groups.emplace_back();
      groups.back().push_back(row);
    }
    return {};
  }));
  return groups;
}

// The tensor with `axis` first, as rows.
Result<Tensor> RowsAlong(const Tensor& input, std::int64_t axis) {
  Dims dims = input.dims(), strides = Strides(input.dims());
  const auto at = axis;
  std::rotate(dims.begin(), dims.begin() + at, dims.begin() + at + 1);
  std::rotate(strides.begin(), strides.begin() + at, strides.begin() + at + 1);
  ATH_TRY(Tensor rows, Tensor::Allocate(input.dtype(), dims));
  CopyBox(input, {0, std::move(strides)}, rows, {0, Strides(dims)}, dims);
  return rows;
}

Status WriteUnique(RefCtx& ctx, const Groups& groups, std::int64_t rows) {
  std::vector<std::int64_t> first, inverse(static_cast<std::size_t>(rows)), counts;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    first.push_back(groups[g].front());
    counts.push_back(static_cast<std::int64_t>(groups[g].size()));
    for (const std::int64_t row : groups[g])
      inverse[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(g);
  }
  const std::vector<std::int64_t>* const lists[] = {&first, &inverse, &counts};
  for (std::size_t i = 1; i < std::min<std::size_t>(ctx.num_outputs(), 4); ++i) {
    const std::vector<std::int64_t>& list = *lists[i - 1];
    ctx.out[i] = Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(list.size())}, list);
  }
  return {};
}

Status UniqueReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<UniqueAttrs>();
  const Tensor input = attrs.axis ? ctx.In(0) : ctx.In(0).Reshaped({ctx.In(0).count()});
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis.value_or(0), input.rank()));
  ATH_TRY(const Tensor rows, RowsAlong(input, axis));
  const std::int64_t width = CountOf(rows.dims(), 1, rows.dims().size());
  ATH_TRY(Groups groups, GroupRows(rows, rows.dim(0), width));
  if (!attrs.sorted)
    std::sort(groups.begin(), groups.end(),
              [](const auto& a, const auto& b) { return a.front() < b.front(); });
  std::vector<Dims> maps;
  for (const std::int64_t size : input.dims()) maps.push_back(Counting(size));
  Dims& picked = maps[static_cast<std::size_t>(axis)];
  picked.clear();
  for (const auto& group : groups) picked.push_back(group.front());
  Dims dims = input.dims();
  dims[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(groups.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, input.dtype(), std::move(dims)));
  CopyMapped(input, maps, ctx.Out(0));
  return WriteUnique(ctx, groups, rows.dim(0));
}

}  // namespace

OpDef Compress() {
  return {
      .name = "Compress",
      .summary = "The slices along an axis for which a condition is true.",
      .inputs = {{"input", "any type"}, {"condition", "bool list, up to the size of the axis"}},
      .outputs = {{"output", "the selected slices"}},
      .attributes = Describe<FlatAxisAttrs>(),
      .traits = kPure | kDataMovement | kDataDependent,
      .infer = InferCompress,
      .reference = CompressReference,
  };
}

OpDef NonZero() {
  return {
      .name = "NonZero",
      .summary = "The coordinates of the elements that are not zero, in row-major order.",
      .inputs = {{"x", "any numeric type, bool or string"}},
      .outputs = {{"y", "i64[rank of x, number of such elements]"}},
      .traits = kPure | kDataMovement | kDataDependent,
      .infer = InferNonZero,
      .reference = NonZeroReference,
  };
}

OpDef Unique() {
  return {
      .name = "Unique",
      .summary = "The different elements of a tensor, or its different slices along an axis.",
      .inputs = {{"x", "numeric, bool or string"}},
      .outputs = {{"y", "each element or slice once"},
                  {"indices", "i64: where each first occurs in x", kOptionalPort},
                  {"inverse_indices", "i64: for each element of x, its place in y", kOptionalPort},
                  {"counts", "i64: how often each occurs", kOptionalPort}},
      .attributes = Describe<UniqueAttrs>(),
      .traits = kPure | kDataMovement | kDataDependent,
      .infer = InferUnique,
      .reference = UniqueReference,
  };
}

}  // namespace athanor::ops
