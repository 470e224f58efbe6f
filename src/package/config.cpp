#include "package/config.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

namespace athanor::package {
namespace {

constexpr int kDeepest = 16;
constexpr std::size_t kMostSettings = std::size_t{1} << 20;
constexpr std::size_t kMostNodes = std::size_t{1} << 16;
using Json = nlohmann::json;

Status TooDeep() { return Unsupported("settings are nested more than {} deep", kDeepest); }

// `count`: the nodes so far. Aliases let a short text name one node any number of times.
Result<Config> FromYaml(const YAML::Node& node, int depth, std::size_t& count) {
  if (depth > kDeepest) return TooDeep();
  if (++count > kMostNodes)
    return Error(ErrorCode::kResource, "the settings have more than {} parts", kMostNodes);
  Config config;
  config.line = node.Mark().line + 1;
  if (node.IsScalar()) {
    config.kind = Config::Kind::kText;
    config.text = node.Scalar();
  } else if (node.IsSequence()) {
    config.kind = Config::Kind::kList;
    for (const YAML::Node& item : node) {
      ATH_TRY(Config made, FromYaml(item, depth + 1, count));
      config.items.push_back(std::move(made));
    }
  } else if (node.IsMap()) {
    config.kind = Config::Kind::kMap;
    for (const auto& field : node) {
      if (!field.first.IsScalar())
        return InvalidModel("a name is expected before the colon").In(Where(config));
      ATH_TRY(Config made, FromYaml(field.second, depth + 1, count));
      if (made.line == 0) made.line = field.first.Mark().line + 1;
      config.fields.emplace_back(field.first.Scalar(), std::move(made));
    }
  }
  return config;
}

Result<Config> FromJson(const Json& json, int depth) {
  if (depth > kDeepest) return TooDeep();
  Config config;
  if (json.is_string()) {
    config.kind = Config::Kind::kText;
    config.text = json.get<std::string>();
  } else if (json.is_array()) {
    config.kind = Config::Kind::kList;
    for (const Json& item : json) {
      ATH_TRY(Config made, FromJson(item, depth + 1));
      config.items.push_back(std::move(made));
    }
  } else if (json.is_object()) {
    config.kind = Config::Kind::kMap;
    for (const auto& [name, value] : json.items()) {
      ATH_TRY(Config made, FromJson(value, depth + 1));
      config.fields.emplace_back(name, std::move(made));
    }
  } else if (!json.is_null()) {
    return Error(ErrorCode::kCorruptFile, "settings in a package are texts, lists and objects");
  }
  return config;
}

Json MakeJson(const Config& config) {
  switch (config.kind) {
    case Config::Kind::kText:
      return config.text;
    case Config::Kind::kList: {
      Json list = Json::array();
      for (const Config& item : config.items) list.push_back(MakeJson(item));
      return list;
    }
    case Config::Kind::kMap: {
      Json object = Json::object();
      for (const auto& [name, value] : config.fields) object[name] = MakeJson(value);
      return object;
    }
    default:
      return nullptr;
  }
}

}  // namespace

std::string Where(const Config& config) {
  return config.line > 0 ? fmt::format("line {}", config.line) : "the package's pipeline";
}

Result<Config> ConfigFromYaml(std::string_view text) {
  if (text.size() > kMostSettings)
    return Error(ErrorCode::kResource, "{} bytes of settings; {} are read", text.size(),
                 kMostSettings);
  try {
    std::size_t count = 0;
    return FromYaml(YAML::Load(std::string(text)), 0, count);
  } catch (const YAML::Exception& exception) {
    return InvalidModel("this is no YAML: {}", exception.msg)
        .In(fmt::format("line {}", exception.mark.line + 1));
  }
}

Result<Config> ConfigFromJson(std::string_view text) {
  if (text.size() > kMostSettings)
    return Error(ErrorCode::kResource, "{} bytes of settings; {} are read", text.size(),
                 kMostSettings);
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error(ErrorCode::kCorruptFile, "the pipeline is no JSON");
  return FromJson(json, 0);
}

std::string ToJson(const Config& config) {
  return MakeJson(config).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace athanor::package
