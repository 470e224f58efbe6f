#include "api/lent_tensors.h"

#include <array>

namespace athanor {
namespace {

// One check of struct_size and one of contents serve both.
static_assert(offsetof(ath_buffer, data) == offsetof(ath_tensor, data));

Status MissingArray(const char* what) { return Error(ErrorCode::kUsage, "{} is NULL", what); }

// An array of callers' structs, which are longer where they were compiled against a later header:
// it is walked by the size that its elements state. each(element), which gives a Status, for all.
template <class S, class Place, class F>
Status ForEach(const char* type, const char* array, const S* structs, std::int32_t count,
               const Place& place_of, const F& each) {
  if (count < 0) return Error(ErrorCode::kUsage, "num_{} is {}", array, count);
  if (count > 0 && structs == nullptr) return MissingArray(array);
  const std::uint32_t stride = count > 0 ? structs->struct_size : 0;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (stride < kTensorSize) return CheckStructSize(type, stride, kTensorSize).In(place_of(at));
    const auto* bytes = reinterpret_cast<const std::byte*>(structs) + at * stride;
    const auto& element = *reinterpret_cast<const S*>(bytes);
    if (stride % alignof(S) != 0 || element.struct_size != stride)
      return Error(ErrorCode::kUsage, "struct_size is {}; all {} state the same one", stride, array)
          .In(place_of(at));
    Status status = each(element);
    if (!status.ok()) return std::move(status).In(place_of(at));
  }
  return {};
}

template <class F>
Status ForEachInput(const Graph& graph, const ath_tensor* tensors, std::int32_t count,
                    const F& each) {
  const auto place = [&](std::size_t i) {
    return i < graph.inputs().size()
               ? fmt::format("input {} \"{}\"", i, graph.value(graph.inputs()[i]).name)
               : fmt::format("input {}", i);
  };
  return ForEach("ath_tensor", "inputs", tensors, count, place, each);
}

// Of types whose elements may have any bits, where they must lie; 0 of the others.
constexpr std::array<std::uint8_t, ATH_C128 + 1> kAlignments = [] {
  std::array<std::uint8_t, ATH_C128 + 1> alignments = {};
  for (const int dtype : {ATH_F64, ATH_I64, ATH_U64, ATH_C128}) alignments[dtype] = 8;
  for (const int dtype : {ATH_F32, ATH_I32, ATH_U32, ATH_C64}) alignments[dtype] = 4;
  for (const int dtype : {ATH_F16, ATH_BF16, ATH_I16, ATH_U16}) alignments[dtype] = 2;
  for (const int dtype :
       {ATH_F8E4M3, ATH_F8E4M3FNUZ, ATH_F8E5M2, ATH_F8E5M2FNUZ, ATH_F8E8M0, ATH_I8, ATH_U8})
    alignments[dtype] = 1;
  return alignments;
}();

std::size_t AlignmentOf(std::int32_t dtype) {
  return dtype >= 0 && dtype <= ATH_C128 ? kAlignments[static_cast<std::size_t>(dtype)] : 0;
}

// What CheckTensor asks of it, as most tensors answer it: few dimensions, too small to overflow.
template <class S>
bool IsPlain(const S& tensor) {
  constexpr int kMostRank = 2, kMostBits = 28;
  const std::size_t alignment = AlignmentOf(tensor.dtype);
  if (alignment == 0 || tensor.rank < 0 || tensor.rank > kMostRank || tensor.data == nullptr ||
      (tensor.rank > 0 && tensor.dims == nullptr))
    return false;
  std::uint64_t bits = 0;
  for (std::int32_t i = 0; i < tensor.rank; ++i) bits |= static_cast<std::uint64_t>(tensor.dims[i]);
  return bits >> kMostBits == 0 &&
         (reinterpret_cast<std::uintptr_t>(tensor.data) & (alignment - 1)) == 0;
}

}  // namespace

Status Lend(const Graph& graph, const ath_tensor* tensors, std::int32_t count,
            FewOf<LentTensor>& lent) {
  lent.Reserve(count < 0 ? 0 : static_cast<std::size_t>(count));
  return ForEachInput(graph, tensors, count, [&](const ath_tensor& tensor) -> Status {
    if (!IsPlain(tensor)) ATH_RETURN_IF_ERROR(CheckTensor(tensor));
    if (AlignmentOf(tensor.dtype) != 0)
      lent.Add({tensor.dims, tensor.data, tensor.rank, static_cast<DType>(tensor.dtype)});
    return {};
  });
}

Status Lend(const Graph& graph, const ath_buffer* buffers, std::int32_t count,
            FewOf<AnswerRoom>& rooms) {
  rooms.Reserve(count < 0 ? 0 : static_cast<std::size_t>(count));
  const auto place = [&](std::size_t i) {
    return i < graph.outputs().size() ? fmt::format("output {} \"{}\"", i, graph.outputs()[i].name)
                                      : fmt::format("output {}", i);
  };
  return ForEach(
      "ath_buffer", "outputs", buffers, count, place, [&](const ath_buffer& buffer) -> Status {
        if (!IsPlain(buffer)) {
          ATH_RETURN_IF_ERROR(
              CheckTensor({kTensorSize, buffer.dtype, buffer.rank, buffer.dims, buffer.data}));
        }
        rooms.Add({buffer.dims, buffer.data, buffer.rank, static_cast<DType>(buffer.dtype)});
        return {};
      });
}

Result<std::vector<Datum>> ImportAll(const Graph& graph, const ath_tensor* tensors,
                                     std::int32_t count) {
  std::vector<Datum> data;
  data.reserve(graph.inputs().size());
  ATH_RETURN_IF_ERROR(ForEachInput(graph, tensors, count, [&](const ath_tensor& tensor) -> Status {
    ATH_TRY(Tensor imported, ImportTensor(tensor));
    data.emplace_back(std::move(imported));
    return {};
  }));
  return data;
}

}  // namespace athanor
