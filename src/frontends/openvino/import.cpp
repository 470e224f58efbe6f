#include "frontends/openvino/import.h"

#include <cstring>
#include <filesystem>
#include <map>

#include "core/checked.h"
#include "core/file.h"
#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/openvino/element_type.h"
#include "frontends/openvino/layer_import.h"
#include "ops/catalog.h"

namespace athanor::openvino {
namespace {

constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxProblems = 100;

// Layers that the import reads itself, not through the table.
bool IsPlain(const Layer& layer) {
  return layer.type == "Parameter" || layer.type == "Const" || layer.type == "Result";
}

// Layers of one type that is not read.
struct UnknownLayers {
  const Layer* first = nullptr;
  std::size_t count = 0;
};

// Everything that is not read, of bodies too.
void CheckLayers(const Network& network, std::map<std::string, UnknownLayers>& unknown,
                 std::vector<Status>& problems) {
  for (const Layer& layer : network.layers) {
    for (const Body& body : layer.bodies) CheckLayers(body.network, unknown, problems);
    if (IsPlain(layer)) continue;
    const Row* row = RowOf(layer);
    if (row == nullptr) {
      UnknownLayers& uses = unknown[layer.type];
      if (uses.count++ == 0) uses.first = &layer;
      continue;
    }
    const auto inputs = static_cast<int>(layer.inputs.size());
    if (inputs >= row->least && (row->most < 0 || inputs <= row->most)) continue;
    problems.push_back(
        InvalidModel("{} inputs are given; {} to {} are expected", inputs, row->least, row->most)
            .In(Place(layer)));
  }
}

// Each type once.
Status CheckLayers(const Network& network) {
  std::map<std::string, UnknownLayers> unknown;
  std::vector<Status> problems;
  CheckLayers(network, unknown, problems);
  std::vector<std::string> names;
  for (const Row& known : Table()) names.emplace_back(known.type);
  for (const auto& [type, uses] : unknown) {
    if (problems.size() >= kMaxProblems) break;
    Status problem =
        Error(ErrorCode::kUnknownOperator, "this layer is not read ({} {}){}", uses.count,
              uses.count == 1 ? "use" : "uses",
              Reads(type) ? ": it is of no operator set of OpenVINO" : DidYouMean(type, names))
            .In(Place(*uses.first));
    if (!Reads(type)) problem = std::move(problem).Fix(ForeignFix("openvino", type));
    problems.push_back(std::move(problem));
  }
  return Status::All(std::move(problems));
}

class NetImport {
 public:
  NetImport(std::span<const std::uint8_t> weights, std::shared_ptr<const void> owner)
      : weights_(weights),
        owner_(std::move(owner)),
        copies_left_(4 * weights.size() + (1U << 26)) {}

  Result<Graph> Run(const Network& network) {
    Graph graph(ops::Standard());
    LayerImport::Values parameters;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      if (layer.type != "Parameter") continue;
      Result<Type> type = ParameterType(layer);
      if (!type.ok()) return std::move(type).status().In(Place(layer));
      parameters[i] = graph.AddInput(TensorName(layer, 0), *std::move(type));
    }
    ATH_TRY(const LayerImport::Values results, Fill(network, graph, std::move(parameters)));
    for (const std::size_t i : network.results)
      graph.AddOutput(ResultName(network, i), results.at(i));
    if (graph.outputs().empty()) return InvalidModel("the network has no Result");
    return graph;
  }

 private:
  // Adds the layers of a network to a graph that has its inputs; gives what its Results read.
  Result<LayerImport::Values> Fill(const Network& network, Graph& graph,
                                   LayerImport::Values parameters) {
    std::vector<std::vector<ValueId>> values(network.layers.size());
    LayerImport::Values results;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      std::vector<ValueId> inputs;
      for (const Source& source : layer.inputs)
        inputs.push_back(values[source.layer][source.output]);
      if (layer.type == "Result") {
        if (inputs.size() != 1)
          return InvalidModel("it has {} inputs", inputs.size()).In(Place(layer));
        results[i] = inputs[0];
        continue;
      }
      Result<std::vector<ValueId>> made = Make(graph, layer, std::move(inputs), parameters, i);
      if (!made.ok()) return std::move(made).status().In(Place(layer));
      if (made->size() < layer.output_ports.size())
        return Unsupported("{} outputs are read; the layer has {}", made->size(),
                           layer.output_ports.size())
            .In(Place(layer));
      values[i] = *std::move(made);
      for (std::size_t o = 0; o < layer.output_ports.size(); ++o)
        NameValue(graph, layer, o, values[i]);
    }
    return results;
  }

  static void NameValue(Graph& graph, const Layer& layer, std::size_t output,
                        const std::vector<ValueId>& values) {
    const Value& value = graph.value(values[output]);
    if (value.producer != kNoNode && value.name.empty())
      graph.SetName(values[output], TensorName(layer, output));
  }

  Result<std::vector<ValueId>> Make(Graph& graph, const Layer& layer, std::vector<ValueId> inputs,
                                    const LayerImport::Values& parameters, std::size_t index) {
    LayerImport ctx(graph, layer, std::move(inputs),
                    [this](const Network& network, Graph& body, LayerImport::Values values) {
                      return Fill(network, body, std::move(values));
                    });
    if (layer.type == "Parameter") {
      const auto given = parameters.find(index);
      if (given == parameters.end()) return InvalidModel("nothing is said of where it comes from");
      return std::vector<ValueId>{given->second};
    }
    if (layer.type == "Const") {
      ATH_TRY(Tensor tensor, ReadConstant(ctx));
      return std::vector<ValueId>{graph.AddConstant(std::move(tensor), TensorName(layer, 0))};
    }
    Status status = RowOf(layer)->make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    ATH_RETURN_IF_ERROR(status);
    return std::move(ctx.outputs);
  }

  Result<Tensor> ReadConstant(const LayerImport& ctx) {
    ATH_TRY(const DType dtype, ctx.TypeAttribute("element_type", ""));
    const Dims dims = ctx.List("shape");
    const std::int64_t offset = ctx.Int("offset", -1), size = ctx.Int("size", -1);
    ATH_RETURN_IF_ERROR(ctx.problem());
    const std::optional<std::int64_t> count = CheckedCount(dims);
    const auto bits = CheckedMul<std::int64_t>(count.value_or(-1), ElementBits(dtype));
    if (!count || !bits || dims.size() > kMaxRank)
      return InvalidModel("a constant cannot have the shape {}", ToString(dims));
    // OpenVINO writes one byte for a constant without elements.
    const std::int64_t needed = (*bits + 7) / 8;
    if (size != needed && (*count != 0 || size != 1))
      return InvalidModel("{} of shape {} has {} bytes of data", Name(dtype), ToString(dims), size);
    const auto all = static_cast<std::int64_t>(weights_.size());
    if (offset < 0 || size > all || offset > all - size) {
      return Error(ErrorCode::kCorruptFile,
                   "{} bytes at {} are asked of the .bin file, which has {}", size, offset, all)
          .Fix("put the .bin file that was made together with this .xml file beside it");
    }
    const auto data =
        weights_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(needed));
    const bool packed = ElementBits(dtype) < 8;
    if (!packed && reinterpret_cast<std::uintptr_t>(data.data()) % ElementBytes(dtype) == 0)
      return Tensor::View(dtype, dims, data.data(), owner_);
    // Many layers may name the same bytes: what is copied of them is bounded.
    const std::size_t copied = static_cast<std::size_t>(*count) * ElementBytes(dtype);
    if (copied > copies_left_)
      return Error(ErrorCode::kResource, "constants share the .bin file's bytes too often");
    copies_left_ -= copied;
    if (packed) return UnpackBits(dtype, dims, data);
    ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, dims));
    if (!data.empty()) std::memcpy(tensor.mutable_raw(), data.data(), data.size());
    return tensor;
  }

  // "1,3,?,1..224": an open size is "?", "-1" or a range.
  static Result<Type> ParameterType(const Layer& layer) {
    std::string_view text, element = "f32";
    for (const auto& [name, value] : layer.attributes) {
      if (name == "shape") text = value;
      if (name == "element_type") element = value;
    }
    const std::optional<DType> dtype = DTypeOf(element);
    if (!dtype)
      return Error(ErrorCode::kUnsupportedType, "element type {} is not read",
                   Quote(element.substr(0, 40)));
    if (text == "...") return Type::TensorOfUnknownRank(*dtype);
    Shape shape;
    for (const std::string_view word : SplitWords(text)) {
      const auto size = ParseInts(word);
      if (size && size->size() == 1 && (*size)[0] >= 0) {
        shape.push_back((*size)[0]);
      } else if (word == "?" || word == "-1" || word.find("..") != std::string_view::npos) {
        shape.push_back(
            Dim::Symbol(fmt::format("{}_{}", TensorName(layer, 0).substr(0, 100), shape.size())));
      } else {
        return InvalidModel("a size of {} in its shape", Quote(word.substr(0, 40)));
      }
    }
    if (shape.size() > kMaxRank) return Unsupported("rank {} is not read", shape.size());
    return Type::Tensor(*dtype, std::move(shape));
  }

  // A tensor is called by its own name; one without is called after its layer.
  static std::string TensorName(const Layer& layer, std::size_t output) {
    if (output < layer.output_names.size() && !layer.output_names[output].empty())
      return layer.output_names[output];
    return layer.output_ports.size() < 2 ? layer.name : fmt::format("{}.{}", layer.name, output);
  }

  static std::string ResultName(const Network& network, std::size_t result) {
    const Layer& layer = network.layers[result];
    const auto said = layer.attributes.find("output_names");
    if (said != layer.attributes.end() && !said->second.empty()) return said->second;
    const Source& source = layer.inputs[0];
    return TensorName(network.layers[source.layer], source.output);
  }

  std::span<const std::uint8_t> weights_;
  std::shared_ptr<const void> owner_;
  std::size_t copies_left_;
};

}  // namespace

std::string WeightsPath(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".bin").string();
}

Result<Graph> Import(std::string_view xml, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner) {
  ATH_TRY(const Network network, ParseNetwork(xml));
  ATH_RETURN_IF_ERROR(CheckLayers(network));
  ATH_TRY(Graph graph, NetImport(weights, std::move(owner)).Run(network));
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

Result<Graph> ImportBeside(std::string_view xml, const std::string& path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(WeightsPath(path));
  if (!file.ok()) return Import(xml, {}, nullptr);
  return Import(xml, (*file)->bytes(), *file);
}

}  // namespace athanor::openvino
