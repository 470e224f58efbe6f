// For verbs that run until they are told to end: Ctrl-C and SIGTERM are waited for, not handled.
#pragma once

namespace athanor::tools {

class StopSignal {
 public:
  // Blocks the signals in this thread and those it makes: before any thread starts. A connection
  // that the other side has closed does not end the program either.
  StopSignal();
  // Until one of them comes. A second one does not wait: it ends the program.
  void Wait();
};

}  // namespace athanor::tools
