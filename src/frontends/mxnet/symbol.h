// The network as MXNet writes it down in a -symbol.json file: nodes in an order in which each
// follows what it reads. Operators name their parameters as text.
// Source: nnvm's pass saveload_json.cc and MXNet 1.9's legacy_json_util.cc.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::mxnet {

using Bytes = std::span<const std::uint8_t>;
using IntList = std::vector<std::int64_t>;

// An output of a node.
struct Entry {
  std::size_t node = 0, output = 0;
};

struct Node {
  std::string op;  // "null": a variable
  std::string name;
  std::map<std::string, std::string, std::less<>> attributes;
  std::vector<Entry> inputs;

  bool IsVariable() const { return op == "null"; }
  const std::string* Find(std::string_view attribute) const;
};

struct Symbol {
  std::vector<Node> nodes;
  std::vector<Entry> heads;
};

bool IsSymbol(Bytes bytes);
Result<Symbol> ReadSymbol(Bytes bytes);

// "(2, 3)", "[2, 3]", "7" as a list of one, "None" in a list as `none`.
Result<IntList> ParseInts(std::string_view text, std::int64_t none);
Result<double> ParseReal(std::string_view text);

}  // namespace athanor::mxnet
