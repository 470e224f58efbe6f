#include "core/opened_files.h"

namespace athanor {
namespace {

thread_local OpenedFiles* noting = nullptr;

}  // namespace

OpenedFiles::OpenedFiles() : outer_(noting) { noting = this; }

OpenedFiles::~OpenedFiles() { noting = outer_; }

void OpenedFiles::Note(const std::string& path) {
  if (noting != nullptr) noting->paths_.push_back(path);
}

}  // namespace athanor
