// How far a run has come, in a file beside the answers: what a killed run needs to go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/status.h"

namespace athanor::score {

struct Checkpoint {
  std::uint64_t key = 0;    // of all that the answers depend on; another run does not go on here
  std::uint64_t read = 0;   // bytes of the table that are done
  std::uint64_t line = 1;   // where it goes on
  std::uint64_t wrote = 0;  // bytes of answers
  std::uint64_t wrote_errors = 0;
  std::int64_t rows = 0, bad_rows = 0;
};

// Nothing when there is none, or when it is damaged.
std::optional<Checkpoint> ReadCheckpoint(const std::string& path);
Status WriteCheckpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace athanor::score
