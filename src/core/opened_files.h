// Which files this thread reads, for those who must not replace one of them.
#pragma once

#include <sys/stat.h>

#include <set>
#include <string>
#include <utility>

namespace athanor {

// Notes the files that this thread opens to read while the object lives; OutputTarget
// (core/output_path.h) refuses to write to one. One may lie in another's life: the inner one notes
// then, which keeps apart what is read in order to be replaced, such as a cache.
class OpenedFiles {
 public:
  OpenedFiles();
  ~OpenedFiles();
  OpenedFiles(const OpenedFiles&) = delete;
  OpenedFiles& operator=(const OpenedFiles&) = delete;

  // Of a file that is opened, or will be; what is not there is not noted. A file that this thread
  // wrote since may be written again.
  static void Note(const struct stat& file);
  static void Note(const std::string& path);
  // This thread has written the file.
  static void Written(const std::string& path);
  // Whether the file at the path, by whatever name, is one that is noted.
  static bool Hold(const std::string& path);

 private:
  using File = std::pair<dev_t, ino_t>;

  std::set<File> read_, written_;
  OpenedFiles* outer_;
};

}  // namespace athanor
