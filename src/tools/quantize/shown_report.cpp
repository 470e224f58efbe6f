#include "tools/quantize/shown_report.h"

#include <filesystem>

#include "core/file.h"
#include "serve/json_tensor.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

Status CheckReport(const std::string& text) {
  const auto wrong = [](std::string_view what) {
    return Error(ErrorCode::kInvalidInput, "{}; report.json of athanor quantize is expected", what)
        .Fix("athanor quantize MODEL --calib SAMPLES -o OUT --report FOLDER");
  };
  simdjson::dom::parser parser;
  ATH_TRY(const simdjson::dom::element document, serve::ParseJson(parser, text));
  simdjson::dom::object before;
  std::string_view model, out;
  std::int64_t version = 0;
  if (document["float"].get(before) != simdjson::SUCCESS ||
      document["model"].get(model) != simdjson::SUCCESS ||
      document["out"].get(out) != simdjson::SUCCESS)
    return wrong("there is no \"float\", \"model\" or \"out\"");
  if (document["schema_version"].get(version) != simdjson::SUCCESS || version != kSchemaVersion)
    return wrong(fmt::format("schema_version is not {}", kSchemaVersion));
  return {};
}

}  // namespace

Result<std::string> ReadQuantizeReport(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string path =
      fs::is_directory(name, error) ? (fs::path(name) / "report.json").string() : name;
  ATH_TRY(std::string text, ReadTextFile(path));
  Status status = CheckReport(text);
  if (!status.ok()) return std::move(status).In(path);
  return text;
}

}  // namespace athanor::tools
