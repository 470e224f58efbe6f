#include "frontends/mlflow.h"

#include <filesystem>
#include <map>
#include <vector>

#include "core/text.h"

namespace athanor {
namespace {

struct Flavour {
  std::string_view name, key;
};
constexpr Flavour kFlavours[] = {
    {"catboost", "data"}, {"lightgbm", "data"},         {"onnx", "data"},
    {"pmml", "data"},     {"sklearn", "pickled_model"}, {"xgboost", "data"},
};

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

std::string_view Unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.front() == text.back();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// The scalars below "flavors:", as "FLAVOUR KEY". MLflow writes them in block form, indented by
// spaces, one a line: no other part of YAML is needed.
std::map<std::string, std::string> FlavourKeys(std::string_view text) {
  std::map<std::string, std::string> keys;
  std::string flavour;
  std::size_t flavour_indent = 0, key_indent = 0;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view words = Trim(line);
    if (words.empty() || words.starts_with('#')) continue;
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == 0) inside = words == "flavors:";
    const std::size_t colon = words.find(':');
    if (!inside || indent == 0 || colon == std::string_view::npos) continue;
    if (flavour.empty() || indent <= flavour_indent) {
      flavour = std::string(words.substr(0, colon));
      flavour_indent = indent;
      key_indent = 0;
      continue;
    }
    if (key_indent == 0) key_indent = indent;
    if (indent != key_indent) continue;  // inside a value
    keys.emplace(flavour + " " + std::string(words.substr(0, colon)),
                 Unquoted(Trim(words.substr(colon + 1))));
  }
  return keys;
}

}  // namespace

Result<std::string> MlflowModelFile(std::string_view text) {
  const std::map<std::string, std::string> keys = FlavourKeys(text);
  std::vector<std::string> names;
  for (const Flavour& flavour : kFlavours) {
    names.emplace_back(flavour.name);
    const auto found = keys.find(fmt::format("{} {}", flavour.name, flavour.key));
    if (found == keys.end() || found->second.empty() || found->second == "null") continue;
    const std::filesystem::path path(found->second);
    bool leaves = path.is_absolute();
    for (const std::filesystem::path& part : path) leaves = leaves || part == "..";
    if (leaves)
      return Error(ErrorCode::kUnsafeFile, "flavour {} names {}, which is outside of the folder",
                   flavour.name, Quote(found->second));
    return found->second;
  }
  return Unsupported("MLmodel has no flavour that is read; {} are", Join(names, ", "));
}

}  // namespace athanor
