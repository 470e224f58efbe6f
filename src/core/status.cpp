#include "core/status.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace athanor {
namespace {

const std::string kEmpty;
const std::vector<Status> kNoOthers;

}  // namespace

struct Status::Info {
  ErrorCode code = ErrorCode::kOk;
  std::string message = {};
  std::string where = {};
  std::string fix = {};
  std::vector<Status> others = {};
};

// What copies of a status share.
struct Status::Shared {
  Info info;
  std::atomic<int> holders = 1;
};

Status::Status(Info info) : shared_(new Shared{std::move(info)}) {}
Status::Status(ErrorCode code, std::string message)
    : Status(Info{.code = code, .message = std::move(message)}) {}

void Status::Hold() const { shared_->holders.fetch_add(1, std::memory_order_relaxed); }
void Status::Release() const {
  if (shared_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
}

ErrorCode Status::code() const { return shared_ ? shared_->info.code : ErrorCode::kOk; }
const std::string& Status::message() const { return shared_ ? shared_->info.message : kEmpty; }
const std::string& Status::where() const { return shared_ ? shared_->info.where : kEmpty; }
const std::string& Status::fix() const { return shared_ ? shared_->info.fix : kEmpty; }
const std::vector<Status>& Status::others() const {
  return shared_ ? shared_->info.others : kNoOthers;
}

Status Status::In(std::string_view place) && {
  if (ok()) return {};
  Info info = shared_->info;
  info.where = info.where.empty() ? std::string(place) : fmt::format("{}: {}", place, info.where);
  for (Status& other : info.others) other = std::move(other).In(place);
  return Status(std::move(info));
}

Status Status::Fix(std::string_view fix) && {
  if (ok()) return {};
  Info info = shared_->info;
  info.fix = fix;
  return Status(std::move(info));
}

Status Status::All(std::vector<Status> problems) {
  if (problems.empty()) return {};
  if (problems.size() == 1) return std::move(problems.front());
  Info info = problems.front().shared_->info;
  info.others.assign(std::make_move_iterator(problems.begin() + 1),
                     std::make_move_iterator(problems.end()));
  return Status(std::move(info));
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  std::string text =
      fmt::format("error ATH-{} [{}] ", static_cast<int>(code()), Describe(code()).stage);
  if (!where().empty()) text += where() + ": ";
  text += message();
  if (!fix().empty()) text += "\n  fix: " + fix();
  for (const Status& other : others()) text += "\n" + other.ToString();
  return text;
}

Status FormatError(ErrorCode code, fmt::string_view format, fmt::format_args args) {
  return {code, fmt::vformat(format, args)};
}

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "athanor: internal error at %s:%d: %s does not hold (%s)\n", file, line,
               condition, why);
  std::abort();
}

}  // namespace athanor
