#include "core/opened_files.h"

#include <sys/stat.h>

namespace athanor {
namespace {

thread_local OpenedFiles* noting = nullptr;

}  // namespace

OpenedFiles::OpenedFiles() : outer_(noting) { noting = this; }

OpenedFiles::~OpenedFiles() { noting = outer_; }

void OpenedFiles::Note(const struct stat& file) {
  if (noting == nullptr) return;
  const File found = {file.st_dev, file.st_ino};
  if (!noting->written_.contains(found)) noting->read_.insert(found);
}

void OpenedFiles::Note(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) == 0) Note(file);
}

void OpenedFiles::Written(const std::string& path) {
  struct stat file = {};
  if (noting == nullptr || stat(path.c_str(), &file) != 0) return;
  noting->read_.erase({file.st_dev, file.st_ino});  // the number of a file that is gone
  noting->written_.insert({file.st_dev, file.st_ino});
}

bool OpenedFiles::Hold(const std::string& path) {
  struct stat file = {};
  return noting != nullptr && stat(path.c_str(), &file) == 0 &&
         noting->read_.contains({file.st_dev, file.st_ino});
}

}  // namespace athanor
