// Where in the user's own Python a place in TorchScript's code comes from: the .debug_pkl beside
// it.
#pragma once

#include <string>

#include "frontends/pytorch/zip.h"

namespace athanor::pytorch {

struct UserPlace {
  std::string line;         // "net.py:13"; "" when nothing is known
  bool is_library = false;  // in PyTorch's own files
};

// `code`: "code/__torch__/net.py"; `at`: a byte of it. A file that cannot be read gives nothing.
UserPlace FindUserPlace(const Archive& archive, const std::string& code, std::size_t at);

}  // namespace athanor::pytorch
