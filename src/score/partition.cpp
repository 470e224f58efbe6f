#include "score/partition.h"

#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "core/digest.h"
#include "core/file.h"
#include "core/output_path.h"

namespace athanor::score {
namespace {

constexpr std::string_view kDate = "{date}";

Result<std::string> DateOf(const std::string& date) {
  std::array<char, 16> text = {};
  std::tm day = {};
  if (date == "today" || date == "yesterday") {
    const std::time_t now = std::time(nullptr) - (date == "today" ? 0 : 24 * 3600);
    gmtime_r(&now, &day);
    std::strftime(text.data(), text.size(), "%Y-%m-%d", &day);
    return std::string(text.data());
  }
  // Read and written again: the 30th of February comes back as another day.
  const char* end = ::strptime(date.c_str(), "%Y-%m-%d", &day);
  if (end != nullptr && *end == '\0') {
    timegm(&day);
    std::strftime(text.data(), text.size(), "%Y-%m-%d", &day);
    if (date == text.data()) return date;
  }
  return Error(ErrorCode::kUsage, "\"{}\" is no date; YYYY-MM-DD, today or yesterday is", date);
}

std::string SuccessOf(const std::string& output) {
  return (std::filesystem::path(output).parent_path() / "_SUCCESS").string();
}

}  // namespace

Result<std::string> PartitionOf(const std::string& text, const std::string& date) {
  ATH_TRY(const std::string day, DateOf(date));
  std::string path = text;
  for (std::size_t at = path.find(kDate); at != std::string::npos; at = path.find(kDate, at))
    path.replace(at, kDate.size(), day);
  if (path.find_first_of("{}") != std::string::npos)
    return Error(ErrorCode::kUsage, "--partition \"{}\": only {{date}} is replaced", text);
  const std::filesystem::path folder(path);
  bool inside = !path.empty() && folder.is_relative();
  for (const std::filesystem::path& part : folder) inside = inside && part != "..";
  if (!inside)
    return Error(ErrorCode::kUsage, "--partition \"{}\" is no folder below the output", text);
  return path;
}

Status WaitForFile(const std::string& path, double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPause = std::chrono::milliseconds(100);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!std::filesystem::exists(path)) {
    if (Clock::now() >= end)
      return Error(ErrorCode::kDeadline, "{} did not come within {} s", path, seconds);
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

Status RemoveSuccess(const std::string& output) {
  ATH_RETURN_IF_ERROR(OutputTarget(SuccessOf(output)).status());
  std::error_code error;
  std::filesystem::remove(SuccessOf(output), error);
  if (error) return Error(ErrorCode::kFileWrite, "{}: {}", SuccessOf(output), error.message());
  return {};
}

Status WriteSuccess(const std::string& output, std::int64_t rows) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(output));
  std::string name;
  for (const char c : std::filesystem::path(output).filename().string()) {
    if (c == '"' || c == '\\') name += '\\';
    name += c;
  }
  return WriteFileAtomically(
      SuccessOf(output),
      fmt::format("{{\"file\": \"{}\", \"rows\": {}, \"bytes\": {}, \"digest\": \"{:016x}\"}}\n",
                  name, rows, file->bytes().size(), Digest64(file->bytes())));
}

}  // namespace athanor::score
