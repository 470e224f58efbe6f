// Kinds of operators that a model has and its front end does not read: each is told once, with how
// often it is there, before anything else is said.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor {

class UnreadKinds {
 public:
  using Words = std::function<std::string()>;

  // One more of this kind. Of the first one the place is asked for and told.
  void Add(const std::string& kind, const Words& place = {});
  // "operator "Foo" is not read (3 uses)", of `what` they are. `known`: what is read, for a kind
  // that has nearly such a name. `fix`: what to do about a kind.
  Status Problems(std::string_view what, const std::vector<std::string>& known,
                  const std::function<std::string(const std::string& kind)>& fix = {}) const;

 private:
  struct Uses {
    std::size_t count = 0;
    std::string place;
  };
  std::map<std::string, Uses> kinds_;
};

}  // namespace athanor
