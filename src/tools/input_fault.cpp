#include "tools/input_fault.h"

namespace athanor::tools {

Status InputFault(Status status) {
  constexpr int kModelIsWrong = 2;
  if (Describe(status.code()).exit_code != kModelIsWrong) return status;
  return Status(ErrorCode::kInvalidInput, status.message()).In(status.where()).Fix(status.fix());
}

}  // namespace athanor::tools
