#include "core/status.h"

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace athanor {
namespace {

const std::string kEmpty;
const std::vector<Status> kNoOthers;

}  // namespace

Status::Status(ErrorCode code, std::string message)
    : info_(std::make_shared<Info>(Info{code, std::move(message), {}, {}, {}})) {}

const std::string& Status::message() const { return info_ ? info_->message : kEmpty; }
const std::string& Status::where() const { return info_ ? info_->where : kEmpty; }
const std::string& Status::fix() const { return info_ ? info_->fix : kEmpty; }
const std::vector<Status>& Status::others() const { return info_ ? info_->others : kNoOthers; }

Status Status::In(std::string_view place) && {
  if (!info_) return {};
  auto info = std::make_shared<Info>(*info_);
  info->where =
      info->where.empty() ? std::string(place) : fmt::format("{}: {}", place, info->where);
  for (Status& other : info->others) other = std::move(other).In(place);
  info_ = std::move(info);
  return std::move(*this);
}

Status Status::Fix(std::string_view fix) && {
  if (!info_) return {};
  auto info = std::make_shared<Info>(*info_);
  info->fix = fix;
  info_ = std::move(info);
  return std::move(*this);
}

Status Status::All(std::vector<Status> problems) {
  if (problems.empty()) return {};
  Status first = std::move(problems.front());
  if (problems.size() == 1) return first;
  auto info = std::make_shared<Info>(*first.info_);
  info->others.assign(std::make_move_iterator(problems.begin() + 1),
                      std::make_move_iterator(problems.end()));
  first.info_ = std::move(info);
  return first;
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

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "athanor: internal error at %s:%d: %s does not hold (%s)\n", file, line,
               condition, why);
  std::abort();
}

}  // namespace athanor
