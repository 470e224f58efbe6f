// A folder for files of the moment: only this user may look into it, and it goes with its owner.
#pragma once

#include <string>
#include <utility>

#include "core/status.h"

namespace athanor::tools {

class ScratchFolder {
 public:
  static Result<ScratchFolder> Make();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  // Removes what is in it.
  ~ScratchFolder();

  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;  // "": nothing to remove
};

}  // namespace athanor::tools
