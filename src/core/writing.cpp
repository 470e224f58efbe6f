#include "core/writing.h"

namespace athanor {
namespace {

// Codes that blame a model that is read; where one is written, its new form is to blame.
bool IsOfForm(ErrorCode code) {
  return code == ErrorCode::kUnsupported || code == ErrorCode::kUnsupportedType ||
         code == ErrorCode::kUnknownOperator || code == ErrorCode::kInvalidModel;
}

}  // namespace

Status OfWriting(const Status& status) {
  if (status.ok()) return {};
  Status own(IsOfForm(status.code()) ? ErrorCode::kNotWritten : status.code(), status.message());
  if (!status.where().empty()) own = std::move(own).In(status.where());
  if (!status.fix().empty()) own = std::move(own).Fix(status.fix());
  std::vector<Status> all = {std::move(own)};
  for (const Status& other : status.others()) all.push_back(OfWriting(other));
  return Status::All(std::move(all));
}

}  // namespace athanor
