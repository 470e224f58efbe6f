// Work that goes on when who asked for it has left: on a few threads of its own, each for one
// piece.
#pragma once

#include <functional>
#include <memory>

namespace athanor {

class Background {
 public:
  // At most so many pieces at once.
  explicit Background(int most);
  // Tells all pieces to stop and waits until they have. A fork has those that began in it.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Runs `work` on a thread that begins as the caller's does (bound to its cores). False, and
  // nothing runs, when there are as many already or the system gives no thread.
  bool Start(std::function<void()> work);
  // Whether work shall stop.
  bool is_stopping() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace athanor
