#include "runtime/answer_room.h"

#include <algorithm>
#include <cstring>

namespace athanor {

Status CheckRoom(std::string_view output, DType dtype, std::span<const std::int64_t> dims,
                 const AnswerRoom& room) {
  const std::span<const std::int64_t> given(room.dims, static_cast<std::size_t>(room.rank));
  if (dtype == room.dtype && std::ranges::equal(dims, given)) return {};
  return Error(ErrorCode::kInvalidInput, "output \"{}\" is {}{}; there is memory for {}{}", output,
               Name(dtype), ToString(dims), Name(room.dtype), ToString(given));
}

Status CopyInto(std::string_view output, const Datum& answer, const AnswerRoom& room) {
  if (!answer.IsTensor() || answer.tensor().dtype() == DType::kString) {
    return Unsupported("output \"{}\" is {}, which has no size", output,
                       Type::Of(answer).ToString())
        .Fix("ath_session_run, which makes room for what comes");
  }
  const Tensor& tensor = answer.tensor();
  ATH_RETURN_IF_ERROR(CheckRoom(output, tensor.dtype(), tensor.dims(), room));
  if (tensor.bytes() > 0) std::memcpy(room.data, tensor.raw(), tensor.bytes());
  return {};
}

Status CheckCount(const Graph& graph, std::span<const AnswerRoom> rooms) {
  if (rooms.size() == graph.outputs().size()) return {};
  return Error(ErrorCode::kUsage, "the model has {} outputs; there is memory for {}",
               graph.outputs().size(), rooms.size());
}

}  // namespace athanor
