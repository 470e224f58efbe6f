// Nodes of model files that no row of a format reads, but something that a plug-in brought does: a
// converter of that name, or an operator.
//
// Converters are known to the whole process once they are added (docs/adr/0043). Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor {

// A node of a file, as a converter sees it.
struct ForeignNode {
  Graph& graph;
  std::string op;               // as the file calls it; ONNX: "my.domain::Roll"
  std::string name;             // of the node
  std::vector<ValueId> inputs;  // kNoValue where omitted
  AttrMap attributes;           // what the file says, in its own kinds
  std::size_t num_outputs = 1;
  std::vector<ValueId> outputs = {};  // filled by the converter, one each
};

using Converter = std::function<Status(ForeignNode&)>;

// `format`: as LoadOptions names it. `replace`: one of the same name may be there.
struct NewConverter {
  std::string format, op;
  std::shared_ptr<const Converter> convert;
};
// Whether AddConverters would take it: the format has foreign nodes, and does not read `op` itself.
Status CheckConverter(const NewConverter& converter, bool replace);
void AddConverters(std::vector<NewConverter> converters);

// Whether a format reads operators of this name itself, whatever their form.
bool IsReadBy(std::string_view format, std::string_view op);

// What an operator is called in the graph that nodes `op` of the format may be: "my::Roll" where
// the format has domains, else "caffe::Roll".
std::string CustomName(std::string_view format, std::string_view op);

// What an operator of a plug-in is called in files of the format, where it belongs to that format:
// "Roll" of "tflite::Roll"; "" otherwise.
std::string_view NameInFile(std::string_view format, const OpDef& op);

// Whether something reads nodes `op` of the format that the format does not.
bool IsForeign(std::string_view format, std::string_view op);
std::shared_ptr<const Converter> FindConverter(std::string_view format, std::string_view op);

// The operator of a plug-in that nodes `op` of the format become; nullptr where a converter reads
// them, or nothing does.
const OpDef* ForeignOp(std::string_view format, std::string_view op);

// Numbers become lists of one and integers floats where the operator wants that: who writes them
// need not tell them apart.
void Widen(const OpDef& op, AttrMap& attributes);

// Converts the node, or makes it the operator of CustomName. Outputs are there when it succeeds.
Status ReadForeign(std::string_view format, ForeignNode& node);

// Says to whom `op` is not known how to make it so.
std::string ForeignFix(std::string_view format, std::string_view op);

}  // namespace athanor
