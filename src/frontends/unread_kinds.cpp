#include "frontends/unread_kinds.h"

#include "core/text.h"

namespace athanor {

void UnreadKinds::Add(const std::string& kind, const Words& place) {
  Uses& uses = kinds_[kind];
  if (uses.count++ == 0 && place) uses.place = place();
}

Status UnreadKinds::Problems(std::string_view what, const std::vector<std::string>& known,
                             const std::function<std::string(const std::string&)>& fix) const {
  constexpr std::size_t kMostProblems = 100, kLongest = 100;
  std::vector<Status> problems;
  for (const auto& [kind, uses] : kinds_) {
    if (problems.size() == kMostProblems) break;
    const std::string shown = kind.substr(0, kLongest);
    Status problem =
        Error(ErrorCode::kUnknownOperator, "{} {} is not read ({} {}){}", what, Quote(shown),
              uses.count, uses.count == 1 ? "use" : "uses", DidYouMean(shown, known));
    if (!uses.place.empty()) problem = std::move(problem).In(uses.place);
    if (fix) problem = std::move(problem).Fix(fix(shown));
    problems.push_back(std::move(problem));
  }
  return Status::All(std::move(problems));
}

}  // namespace athanor
