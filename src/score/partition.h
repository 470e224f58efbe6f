// What a scheduler needs around a run: folders of a date, signal files, and the mark of success.
#pragma once

#include <string>

#include "core/status.h"

namespace athanor::score {

// The template with {date} replaced, as a path below a folder: "dt={date}" -> "dt=2026-11-27".
// `date` is YYYY-MM-DD, "today" or "yesterday" (UTC). Refused: other braces, "..", a leading slash.
Result<std::string> PartitionOf(const std::string& text, const std::string& date);

// Until the file exists, or kDeadline after so many seconds.
Status WaitForFile(const std::string& path, double seconds);

// FOLDER/_SUCCESS says that FOLDER/NAME is whole: its rows, bytes and digest, as JSON.
Status RemoveSuccess(const std::string& output);
Status WriteSuccess(const std::string& output, std::int64_t rows);

}  // namespace athanor::score
