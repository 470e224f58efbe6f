// Where results go, looked at before the work that makes them: what cannot be written is told at
// once, not after minutes.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::tools {

// Fails where writing `path` would: its folder is not there or closed, or it is no regular file.
// Writes nothing. An empty path, an option that was not given, is ok.
Status CheckOutput(const std::string& path);
// The same, and the name ends in one of `endings`; `option` is named in the error.
Status CheckOutput(const std::string& path, const std::string& option,
                   const std::vector<std::string>& endings);
// Fails where one of the files `written` is one of those `read`, by whatever name; the error says
// that it is the `made_of`.
Status CheckNotRead(const std::vector<std::string>& written, const std::vector<std::string>& read,
                    const std::string& made_of = "model");
// As CheckOutput for a model, in any format that is written, and its file of weights. None may
// be the file `from`, the model it is made of: what cannot be made again is not replaced. The other
// files of `from` are known when it is read: OpenModel looks at those.
Status CheckModelOutput(const std::string& path, const std::string& from);
// The same for any file that is made of `from`.
Status CheckOutputOf(const std::string& path, const std::string& from);

}  // namespace athanor::tools
