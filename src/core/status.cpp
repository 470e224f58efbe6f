#include "core/status.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <tuple>

namespace athanor {
namespace {

const std::string kEmpty;
const std::vector<Status> kNoOthers;

constexpr std::size_t kMostPlaces = 4;  // that a message names

// Problems that differ by their places only.
struct Alike {
  const Status* first = nullptr;
  std::vector<const Status*> rest = {};
};

void Flatten(const Status& status, std::vector<const Status*>& list) {
  list.push_back(&status);
  for (const Status& other : status.others()) Flatten(other, list);
}

// In the order of the first of each.
std::vector<Alike> AlikeOnes(const std::vector<const Status*>& list) {
  std::vector<Alike> groups;
  std::map<std::tuple<ErrorCode, std::string_view, std::string_view>, std::size_t> known;
  for (const Status* status : list) {
    const auto [at, is_new] =
        known.try_emplace({status->code(), status->message(), status->fix()}, groups.size());
    if (is_new) {
      groups.push_back({.first = status});
    } else {
      groups[at->second].rest.push_back(status);
    }
  }
  return groups;
}

// "net.onnx: node 7" beside "net.onnx: node 3": what both begin with is said once.
std::string_view OwnPlace(std::string_view place, std::string_view beside) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < std::min(place.size(), beside.size()); ++i) {
    if (place[i] != beside[i]) break;
    if (place[i] == ':' && place[i + 1] == ' ') begin = i + 2;
  }
  return place.substr(begin);
}

std::string Text(const Alike& group) {
  const Status& first = *group.first;
  std::string text = fmt::format("error ATH-{} [{}] ", static_cast<int>(first.code()),
                                 Describe(first.code()).stage);
  if (!first.where().empty()) text += first.where() + ": ";
  text += first.message();
  if (!group.rest.empty()) {
    const bool has_places = !group.rest[0]->where().empty();
    text += fmt::format("\n  {} times{}", group.rest.size() + 1, has_places ? "; also in" : "");
    for (std::size_t i = 0; has_places && i < std::min(group.rest.size(), kMostPlaces); ++i)
      text +=
          fmt::format("{} {}", i == 0 ? "" : ";", OwnPlace(group.rest[i]->where(), first.where()));
    if (has_places && group.rest.size() > kMostPlaces)
      text += fmt::format(" and {} more", group.rest.size() - kMostPlaces);
  }
  if (!first.fix().empty()) text += "\n  fix: " + first.fix();
  return text;
}

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
  info.others.insert(info.others.end(), std::make_move_iterator(problems.begin() + 1),
                     std::make_move_iterator(problems.end()));
  return Status(std::move(info));
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  std::vector<const Status*> all;
  Flatten(*this, all);
  std::string text;
  for (const Alike& group : AlikeOnes(all)) text += (text.empty() ? "" : "\n") + Text(group);
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
