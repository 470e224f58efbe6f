// What a row of the export table sees of one node: its inputs as blobs, and the network to add
// layers and weights to.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <unordered_map>

#include "frontends/caffe/message.h"
#include "frontends/node_view.h"

namespace athanor::caffe {

struct Dialect {
  std::string_view name;
  std::vector<std::string_view> layers;  // beside those of BVLC's Caffe; "*": all that are known
  // How pooling is told to round down, which old forks cannot: "" if not at all.
  std::string_view round_down = "";
};
const std::vector<Dialect>& Dialects();

// What all layers of one file share.
class FileExport {
 public:
  FileExport(const Graph& graph, const Dialect& dialect) : graph(graph), dialect(dialect) {}

  const Graph& graph;
  const Dialect& dialect;
  Message net;
  std::unordered_map<ValueId, std::string> blobs;

  // A name that no blob has, or no layer, made from `wish`: the two do not get in each other's way.
  std::string UniqueName(std::string_view wish) { return Unique(wish, blob_names_); }
  std::string LayerName(std::string_view wish) { return Unique(wish, layer_names_); }
  // Keeps a tensor until the file is written.
  const Tensor& Keep(Tensor tensor) { return kept_.emplace_back(std::move(tensor)); }

 private:
  static std::string Unique(std::string_view wish, std::map<std::string, int>& names);

  std::map<std::string, int> blob_names_, layer_names_;
  std::list<Tensor> kept_;
};

class LayerExport : public NodeView {
 public:
  LayerExport(FileExport& file, const Node& node) : NodeView(file.graph, node), file(file) {}

  FileExport& file;

  // Sizes of an input or output; the batch is 1 where it is a symbol.
  Result<Dims> InDims(std::size_t i = 0) const { return DimsOf(InType(i)); }
  Result<Dims> OutDims(std::size_t i = 0) const { return DimsOf(OutType(i)); }
  // Axis `axis` of input 0, which may count from the end, from the front.
  Result<std::int64_t> Axis(std::int64_t axis) const;

  const std::string& Blob(std::size_t i = 0) const { return file.blobs.at(node.inputs[i]); }
  // Adds a layer that makes this node's outputs; fails if the dialect has no such layer.
  Result<Message*> Emit(std::string_view type, std::vector<std::string> bottoms);
  // Adds a layer that makes `tops` new blobs, and gives their names.
  Result<Message*> Make(std::string_view type, std::vector<std::string> bottoms,
                        std::vector<std::string>& tops, std::size_t count = 1);
  // Power: (shift + scale x) ^ power; a new blob.
  Result<std::string> MakePower(const std::string& bottom, float power, float scale, float shift);
  Status EmitPower(const std::string& bottom, float power, float scale, float shift);
  // A weight of the layer, f32.
  void AddBlob(Message& layer, const Tensor& tensor);
  // The blob, reshaped to sizes of which the first may be 0: as it is.
  Result<std::string> MakeReshape(const std::string& bottom, const Dims& dims);

 private:
  static Result<Dims> DimsOf(const Type& type);
  Result<Message*> Add(std::string_view type, std::vector<std::string> bottoms);
};

struct ExportRow {
  std::string_view op;
  std::function<Status(LayerExport&)> make;
};

// The rows by topic, alphabetical within each.
std::vector<ExportRow> MathExportRows();
std::vector<ExportRow> NnExportRows();
std::vector<ExportRow> TensorExportRows();
// All of them, by operator.
const std::vector<ExportRow>& ExportTable();
const ExportRow* FindExportRow(std::string_view op);

}  // namespace athanor::caffe
