#include "score/checkpoint.h"

#include <array>
#include <charconv>

#include "core/digest.h"
#include "core/file.h"
#include "core/opened_files.h"

namespace athanor::score {
namespace {

constexpr std::string_view kMark = "athanor score 1";
constexpr std::size_t kNumbers = 7;

std::uint64_t DigestOf(std::string_view text) {
  return Digest64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace

// The mark, the numbers, and a digest of both: a file that was not written to its end is none.
std::optional<Checkpoint> ReadCheckpoint(const std::string& path) {
  const OpenedFiles apart;  // it is there to be replaced
  const Result<std::string> file = ReadTextFile(path);
  if (!file.ok() || !file->starts_with(kMark)) return std::nullopt;
  std::array<std::uint64_t, kNumbers + 1> numbers = {};
  const char* at = file->data() + kMark.size();
  const char* const end = file->data() + file->size();
  std::size_t covered = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (at == end || *at != ' ') return std::nullopt;
    if (i == kNumbers) covered = static_cast<std::size_t>(at - file->data());
    const auto [next, error] = std::from_chars(at + 1, end, numbers[i]);
    if (error != std::errc()) return std::nullopt;
    at = next;
  }
  if (numbers[kNumbers] != DigestOf(std::string_view(*file).substr(0, covered)))
    return std::nullopt;
  return Checkpoint{.key = numbers[0],
                    .read = numbers[1],
                    .line = numbers[2],
                    .wrote = numbers[3],
                    .wrote_errors = numbers[4],
                    .rows = static_cast<std::int64_t>(numbers[5]),
                    .bad_rows = static_cast<std::int64_t>(numbers[6])};
}

Status WriteCheckpoint(const std::string& path, const Checkpoint& c) {
  std::string text = fmt::format("{} {} {} {} {} {} {} {}", kMark, c.key, c.read, c.line, c.wrote,
                                 c.wrote_errors, c.rows, c.bad_rows);
  text += fmt::format(" {}\n", DigestOf(text));
  return WriteFileAtomically(path, text);
}

}  // namespace athanor::score
