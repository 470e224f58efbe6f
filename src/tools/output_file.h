// Where results go, looked at before the work that makes them: what cannot be written is told at
// once, not after minutes.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::tools {

// Fails where writing `path` would: its folder is not there or closed, it is no regular file, or
// one that this verb has read (core/opened_files.h): what cannot be made again is not replaced.
// Writes nothing. An empty path, an option that was not given, is ok. `option` says how the path is
// chosen.
Status CheckOutput(const std::string& path, const std::string& option = "-o");
// The same, and the name ends in one of `endings`.
Status CheckOutput(const std::string& path, const std::string& option,
                   const std::vector<std::string>& endings);
// As CheckOutput for a model, in any format that is written, and its file of weights. None may
// be the file `from`, the model it is made of. The other files of `from` are known when it is read:
// OpenModel looks at those.
// `others`: formats that the verb writes itself, for the message.
Status CheckModelOutput(const std::string& path, const std::string& from,
                        std::vector<std::string> others = {});
// The same for any file that is made of `from`.
Status CheckOutputOf(const std::string& path, const std::string& from);

}  // namespace athanor::tools
