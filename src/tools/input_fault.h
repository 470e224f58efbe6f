// A file of data that cannot be read is a fault of the input: the libraries that read it cannot
// know that it is no model, and would let the program end as if the model were wrong.
#pragma once

#include "core/status.h"

namespace athanor::tools {

// The same problem as one of the input (exit code 1); limits and other usage errors stay.
Status InputFault(Status status);

template <class T>
Result<T> AsInput(Result<T> read) {
  if (read.ok()) return read;
  return InputFault(std::move(read).status());
}

}  // namespace athanor::tools
