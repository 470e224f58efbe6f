#include "frontends/mxnet/symbol.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "frontends/json_document.h"

namespace athanor::mxnet {
namespace {

using Json = simdjson::dom::element;

constexpr std::size_t kMostNodes = 300'000, kMostNumbers = 1 << 16;

// [node, output] or [node, output, version]
Result<Entry> ReadEntry(const Json& json, std::size_t nodes) {
  std::int64_t node = -1, output = -1;
  if (json.at(0).get(node) != simdjson::SUCCESS || json.at(1).get(output) != simdjson::SUCCESS)
    return InvalidModel("an input is not of the form [node, output, version]");
  if (node < 0 || static_cast<std::size_t>(node) >= nodes)
    return InvalidModel("an input is output {} of node {}, which does not stand before it", output,
                        node);
  constexpr std::int64_t kMostOutputs = 1 << 16;
  if (output < 0 || output > kMostOutputs) return InvalidModel("an input is output {}", output);
  return Entry{static_cast<std::size_t>(node), static_cast<std::size_t>(output)};
}

Result<std::string> ReadText(const Json& json, std::string_view key) {
  std::string_view text;
  if (json[key].get(text) == simdjson::SUCCESS) return std::string(text);
  return InvalidModel("\"{}\" is missing or no text", key);
}

// Operators' parameters stand under "attrs", in older files under "param" and, what users added,
// under "attr".
Result<Node> ReadNode(const Json& json, std::size_t number) {
  Node node;
  ATH_TRY(node.op, ReadText(json, "op"));
  ATH_TRY(node.name, ReadText(json, "name"));
  for (const char* key : {"attr", "param", "attrs"}) {
    simdjson::dom::object attributes;
    if (json[key].get(attributes) != simdjson::SUCCESS) continue;
    for (const auto& [name, value] : attributes) {
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS)
        return InvalidModel("its attribute {} is no text", Quote(name));
      node.attributes.insert_or_assign(std::string(name), std::string(text));
    }
  }
  simdjson::dom::array inputs;
  if (json["inputs"].get(inputs) != simdjson::SUCCESS)
    return InvalidModel("\"inputs\" is missing or no list");
  for (const Json input : inputs) {
    ATH_TRY(const Entry entry, ReadEntry(input, number));
    node.inputs.push_back(entry);
  }
  if (node.IsVariable() && !node.inputs.empty()) return InvalidModel("a variable has inputs");
  return node;
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Result<std::int64_t> ParseInt(std::string_view text) {
  if (text.ends_with('L')) text.remove_suffix(1);  // what Python 2 wrote
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size())
    return InvalidModel("{} is no integer", Quote(text.substr(0, 40)));
  return number;
}

}  // namespace

const std::string* Node::Find(std::string_view attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? nullptr : &found->second;
}

bool IsSymbol(Bytes bytes) {
  constexpr std::size_t kHead = 4096;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kHead));
  const std::size_t start = head.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || head[start] != '{') return false;
  const std::size_t key = head.find_first_not_of(" \t\r\n", start + 1);
  return key != std::string_view::npos && head.substr(key).starts_with("\"nodes\"") &&
         head.find("\"op\"") != std::string_view::npos;
}

Result<Symbol> ReadSymbol(Bytes bytes) {
  simdjson::dom::parser parser;
  ATH_TRY(const Json root,
          ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, parser));
  simdjson::dom::array nodes, heads;
  if (root["nodes"].get(nodes) != simdjson::SUCCESS ||
      root["heads"].get(heads) != simdjson::SUCCESS)
    return InvalidModel("\"nodes\" and \"heads\" are expected");
  Symbol symbol;
  for (const Json json : nodes) {
    const std::size_t number = symbol.nodes.size();
    if (number == kMostNodes)
      return Error(ErrorCode::kResource, "the network has more than {} nodes", kMostNodes);
    Result<Node> node = ReadNode(json, number);
    if (!node.ok()) return std::move(node).status().In(fmt::format("node {}", number));
    symbol.nodes.push_back(*std::move(node));
  }
  for (const Json head : heads) {
    Result<Entry> entry = ReadEntry(head, symbol.nodes.size());
    if (!entry.ok()) return std::move(entry).status().In("\"heads\"");
    symbol.heads.push_back(*entry);
  }
  return symbol;
}

Result<IntList> ParseInts(std::string_view text, std::int64_t none) {
  text = Trimmed(text);
  const bool is_list = text.starts_with('(') || text.starts_with('[');
  if (is_list) {
    if (text.size() < 2 || text.back() != (text[0] == '(' ? ')' : ']'))
      return InvalidModel("the list {} does not end", Quote(text.substr(0, 40)));
    text = Trimmed(text.substr(1, text.size() - 2));
  }
  IntList list;
  while (!text.empty()) {
    if (list.size() == kMostNumbers)
      return Error(ErrorCode::kResource, "a list has more than {} numbers", kMostNumbers);
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view word = Trimmed(text.substr(0, end));
    if (word == "None") {
      list.push_back(none);
    } else {
      ATH_TRY(const std::int64_t number, ParseInt(word));
      list.push_back(number);
    }
    text = Trimmed(text.substr(std::min(end + 1, text.size())));
  }
  return list;
}

Result<double> ParseReal(std::string_view text) {
  text = Trimmed(text);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size())
    return InvalidModel("{} is no number", Quote(text.substr(0, 40)));
  return number;
}

}  // namespace athanor::mxnet
