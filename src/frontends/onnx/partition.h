// A model that is read here in parts only, as stages that run one after the other: those that are
// read, and between them the nodes that are not, as files for another engine.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontends/onnx/import.h"

namespace athanor::onnx {

// A node of the outermost graph that cannot be read, or that holds one.
struct UnreadNode {
  std::string place;   // node "x" (Op)
  std::string op;      // "com.acme.Op"
  std::string reason;  // what stops it, with the nearest name that is known
  std::string fix;     // may be empty
  std::string source;  // the user's line that made it, where the exporter wrote it down
  std::string tried;   // which meanings of the name were looked for
};

struct Stage {
  std::optional<Graph> graph;  // of a stage that is read
  // The stage as a file, each node as it stood in the model.
  std::shared_ptr<const std::vector<std::uint8_t>> onnx;
  std::vector<std::string> inputs, outputs;  // values of the model by their names
  std::map<std::string, std::size_t> operators;
};

struct Partition {
  std::size_t nodes = 0;  // of the outermost graph
  std::vector<UnreadNode> unread;
  std::vector<Stage> stages;                 // in order of execution; one where everything is read
  std::vector<std::string> inputs, outputs;  // of the model
  // Values between stages of whose type the file says nothing: f32 of any shape was assumed.
  std::vector<std::string> assumed;
};

// Each node goes into the earliest stage that its inputs allow: as few stages as possible. Fails
// where the model as a whole is wrong (cycles, a damaged file), and where no node is to blame.
// Nothing of the result points into `bytes`.
Result<Partition> PartitionModel(protobuf::Bytes bytes, const ImportOptions& options);

// Whether the file may be an ONNX model: then PartitionModel can say more about it.
bool MayBePartitioned(protobuf::Bytes bytes);

}  // namespace athanor::onnx
