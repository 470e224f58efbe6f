#include "plan/measured.h"

#include <charconv>
#include <cmath>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/opened_files.h"
#include "core/text.h"

namespace athanor {
namespace {

// Grows when kernels change so that old times say nothing any more.
constexpr int kVersion = 1;

std::string Header() {
  return fmt::format("athplan {}\t{}\t{}", kVersion, ProcessorName(), Name(BestIsa()));
}

std::uint64_t DigestOf(std::string_view text) {
  return Digest64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// Takes the text up to the next `end`, which is dropped.
std::string_view Take(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(text.size(), at + 1));
  return part;
}

Status Refused(const std::string& path, std::string_view why) {
  return Error(ErrorCode::kCorruptFile,
               "{}: {}; it is a cache and is ignored: athanor tune makes it anew", path, why);
}

}  // namespace

std::optional<double> MeasuredTimes::Find(const std::string& signature,
                                          const std::string& kernel) const {
  const std::scoped_lock lock(mutex_);
  const auto found = times_.find({signature, kernel});
  if (found == times_.end()) return std::nullopt;
  return found->second;
}

void MeasuredTimes::Set(const std::string& signature, const std::string& kernel, double ns) {
  const std::scoped_lock lock(mutex_);
  times_[{signature, kernel}] = ns;
}

std::size_t MeasuredTimes::size() const {
  const std::scoped_lock lock(mutex_);
  return times_.size();
}

Status MeasuredTimes::Load(const std::string& path) {
  const OpenedFiles apart;  // a cache is there to be replaced
  ATH_TRY(const std::string file, ReadTextFile(path));
  std::string_view text = file;
  const std::string_view digest = Take(text, '\n');
  if (digest != fmt::format("{:016x}", DigestOf(text))) return Refused(path, "it is damaged");
  if (Take(text, '\n') != Header())
    return Refused(path, "it was measured on another processor or by another version");
  std::map<std::pair<std::string, std::string>, double> times;
  while (!text.empty()) {
    std::string_view line = Take(text, '\n');
    const std::string_view signature = Take(line, '\t'), kernel = Take(line, '\t');
    double ns = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), ns);
    if (error != std::errc() || end != line.data() + line.size() || !std::isfinite(ns) || ns <= 0)
      return Refused(path, "it is damaged");
    times[{std::string(signature), std::string(kernel)}] = ns;
  }
  const std::scoped_lock lock(mutex_);
  times_.merge(times);
  return {};
}

Status MeasuredTimes::Save(const std::string& path) const {
  std::string text = Header() + "\n";
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, ns] : times_)
      text += fmt::format("{}\t{}\t{:.0f}\n", key.first, key.second, std::max(1.0, ns));
  }
  return WriteFileAtomically(path, fmt::format("{:016x}\n{}", DigestOf(text), text));
}

}  // namespace athanor
