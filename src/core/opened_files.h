// Which files this thread opens to read, for those who must not replace one of them.
#pragma once

#include <string>
#include <vector>

namespace athanor {

// Notes the files that this thread opens as MappedFile while the object lives. One may lie in
// another's life; the inner one notes then.
class OpenedFiles {
 public:
  OpenedFiles();
  ~OpenedFiles();
  OpenedFiles(const OpenedFiles&) = delete;
  OpenedFiles& operator=(const OpenedFiles&) = delete;

  const std::vector<std::string>& paths() const { return paths_; }
  // Called by MappedFile.
  static void Note(const std::string& path);

 private:
  std::vector<std::string> paths_;
  OpenedFiles* outer_;
};

}  // namespace athanor
