#include "tools/input_fault.h"

namespace athanor::tools {

Status InputFault(Status status) {
  constexpr int kModelIsWrong = 2;
  if (Describe(status.code()).exit_code != kModelIsWrong) return status;
  std::string fix = status.fix();
  if (fix.empty() && status.code() == ErrorCode::kCorruptFile)
    fix = "compare its size with that of the original and copy it again";
  return Status(ErrorCode::kInvalidInput, status.message()).In(status.where()).Fix(fix);
}

}  // namespace athanor::tools
