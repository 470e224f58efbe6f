// What a row of the export table sees of one node: its inputs as blobs, its types without the
// batch, and the lists of layers and weights to add to.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>

#include "frontends/ncnn/param_file.h"
#include "frontends/ncnn/weights.h"
#include "frontends/node_view.h"

namespace athanor::ncnn {

// What all layers of one file share.
class FileExport {
 public:
  explicit FileExport(const Graph& graph) : graph(graph) {}

  const Graph& graph;
  std::vector<Layer> layers;
  WeightWriter weights;
  std::unordered_map<ValueId, std::string> blobs;

  // A name that no blob and no layer has, made from `wish`, without spaces.
  std::string UniqueName(std::string_view wish);

 private:
  std::map<std::string, int> names_;  // and how often each was wished for
};

// A whole number; a float is printed so that ncnn reads it as one.
Param Int(std::int64_t value);
Param Real(float value);
Param Ints(const std::vector<std::int64_t>& values);

class LayerExport : public NodeView {
 public:
  LayerExport(FileExport& file, const Node& node) : NodeView(file.graph, node), file(file) {}

  FileExport& file;

  // The axes a blob has, without the batch.
  Result<std::int64_t> BlobRank(std::size_t i = 0) const;
  // Axis `axis` of a value, which may count from the end, as an axis of its blob.
  Result<std::int64_t> BlobAxis(std::int64_t axis, std::size_t i = 0) const;
  using Params = std::map<int, Param>;
  // Adds a layer that reads the named blobs and makes this node's outputs.
  void Emit(std::string_view type, std::vector<std::string> bottoms, Params params = {});
  // Adds a layer that makes a new blob, and gives its name.
  std::string Make(std::string_view type, std::vector<std::string> bottoms, Params params = {});
  const std::string& Blob(std::size_t i = 0) const { return file.blobs.at(node.inputs[i]); }

 private:
  Layer& Add(std::string_view type, std::vector<std::string> bottoms, Params params);
};

struct ExportRow {
  std::string_view op;
  std::function<Status(LayerExport&)> make;
};

// The rows by topic, alphabetical within each.
std::vector<ExportRow> NnExportRows();
std::vector<ExportRow> MathExportRows();
std::vector<ExportRow> TensorExportRows();
const ExportRow* FindExportRow(std::string_view op);
// The row, or what writes an operator of a plug-in that is a layer of ncnn; nullptr when neither
// does.
const ExportRow* ExportRowOf(const OpDef& op);

}  // namespace athanor::ncnn
