// Another program at the other end of a pipe: its output is read, or its input written.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::score {

// Not thread-safe.
class ChildProcess {
 public:
  enum class End : bool { kItsOutput, kItsInput };

  // Found on the PATH. ATH-1004 when it is not there. What it says goes to a message if it fails.
  static Result<ChildProcess> Start(const std::vector<std::string>& command, End end);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // ends it

  // Our end. Writing to a program that has ended is an error, no signal.
  int file() const { return file_; }
  Status Write(std::string_view text);
  // Closes our end and waits for its exit; a failure with its last words unless the code is 0.
  Status Finish();

 private:
  ChildProcess() = default;
  // Its exit code, or 128 and the signal.
  int Wait();

  pid_t process_ = -1;
  int file_ = -1, words_ = -1;
};

}  // namespace athanor::score
