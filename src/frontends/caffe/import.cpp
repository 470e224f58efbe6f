#include "frontends/caffe/import.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/file.h"
#include "core/text.h"
#include "frontends/caffe/layer_import.h"
#include "frontends/caffe/upgrade.h"
#include "frontends/foreign.h"
#include "ops/catalog.h"

namespace athanor::caffe {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::uint8_t>;

std::string Place(const Message& layer) {
  const std::string what = fmt::format("layer \"{}\" ({})", layer.Text("name"), layer.Text("type"));
  return layer.line == 0 ? what : fmt::format("line {}, {}", layer.line, what);
}

class NetImport {
 public:
  NetImport(const Message& net, WeightSource& weights)
      : graph_(ops::Standard(), net.Text("name").empty() ? "main" : net.Text("name")),
        state_{graph_, weights} {
    for (const auto& layer : net.Children("layer")) {
      if (IsUsed(*layer, net)) layers_.push_back(layer);
    }
  }

  Result<Graph> Run() {
    std::vector<Status> problems = CheckLayers();
    if (!problems.empty()) return Status::All(std::move(problems));
    for (const auto& layer : layers_) {
      Status status = AddLayer(*layer);
      if (!status.ok()) return std::move(status).In(Place(*layer));
    }
    for (const std::string& blob : unread_) {
      ValueId value = blobs_.at(blob);
      if (graph_.Constant(value) != nullptr) {  // a node makes it, so that every format can say it
        ATH_TRY(value, graph_.Add("Identity", {value}));
      }
      if (graph_.value(value).producer != kNoNode) graph_.AddOutput(blob, value);
    }
    if (graph_.outputs().empty())
      return InvalidModel("the network has no output: every blob is read by a layer");
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  std::vector<Status> CheckLayers() const {
    std::vector<std::string> names;
    for (const Row& row : Table()) names.emplace_back(row.type);
    std::vector<Status> problems;
    for (const auto& layer : layers_) {
      const std::string type = layer->Text("type");
      const Row* row = FindRowOrForeign(type);
      const std::size_t in = layer->Texts("bottom").size(), out = layer->Texts("top").size();
      const auto wrong = [](Ports ports, std::size_t n) {
        return n < ports.least || n > ports.most;
      };
      if (row == nullptr) {
        problems.push_back(
            Error(ErrorCode::kUnknownOperator, "this layer is not read{}", DidYouMean(type, names))
                .In(Place(*layer))
                .Fix(ForeignFix("caffe", type)));
      } else if (wrong(row->inputs, in) || wrong(row->outputs, out)) {
        problems.push_back(
            Unsupported("this layer with {} inputs and {} outputs is not read", in, out)
                .In(Place(*layer)));
      }
    }
    return problems;
  }

  Status AddLayer(const Message& layer) {
    const Row& row = *FindRowOrForeign(layer.Text("type"));
    ATH_TRY(std::vector<ValueId> inputs, Inputs(layer, row));
    LayerImport ctx(state_, layer, std::move(inputs));
    const Status status = row.make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    ATH_RETURN_IF_ERROR(status);
    ATH_RETURN_IF_ERROR(ctx.CheckAllRead());
    const std::vector<std::string> bottoms = layer.Texts("bottom");
    std::vector<std::string> tops = ctx.tops;
    if (tops.empty() && !ctx.outputs.empty()) tops = {ctx.name};  // a loss need not name its result
    for (std::size_t i = 0; i < tops.size(); ++i) {
      const std::string& blob = tops[i];
      const bool in_place = std::find(bottoms.begin(), bottoms.end(), blob) != bottoms.end();
      if (!in_place && blobs_.count(blob) != 0)
        return InvalidModel("blob \"{}\" is made twice", blob);
      const ValueId value = i < ctx.outputs.size() ? ctx.outputs[i] : kNoValue;
      blobs_[blob] = value;
      if (value == kNoValue) continue;
      if (graph_.value(value).name.empty()) graph_.SetName(value, blob);
      unread_.push_back(blob);
    }
    return {};
  }

  Result<std::vector<ValueId>> Inputs(const Message& layer, const Row& row) {
    std::vector<ValueId> inputs;
    for (const std::string& blob : layer.Texts("bottom")) {
      const auto found = blobs_.find(blob);
      if (found == blobs_.end()) {
        std::vector<std::string> names;
        for (const auto& [name, value] : blobs_) names.push_back(name);
        return InvalidModel("no layer above makes the blob \"{}\"{}", blob,
                            DidYouMean(blob, names));
      }
      const bool needed = inputs.size() < row.needed;
      if (found->second == kNoValue && needed)
        return Unsupported("blob \"{}\" only exists while a network is trained", blob);
      inputs.push_back(found->second);
      if (needed) unread_.erase(std::remove(unread_.begin(), unread_.end(), blob), unread_.end());
    }
    return inputs;
  }

  std::vector<std::shared_ptr<Message>> layers_;
  Graph graph_;
  NetState state_;
  std::unordered_map<std::string, ValueId> blobs_;
  std::vector<std::string> unread_;  // in the order in which they were made
};

Result<Message> ReadNet(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  ATH_TRY(Message net, IsText(bytes) ? ParseText(text) : ParseBytes(bytes, "Net"));
  ATH_RETURN_IF_ERROR(Upgrade(net));
  if (net.Find("layer") == nullptr)
    return Error(ErrorCode::kCorruptFile, "the network has no layers");
  return net;
}

Result<std::string> FindWeights(const std::string& path) {
  constexpr std::string_view kDeploy[] = {"_deploy", ".deploy", "-deploy", "deploy_", "_test"};
  const fs::path base(path);
  std::vector<std::string> stems = {base.stem().string()};
  for (const std::string_view word : kDeploy) {
    const std::size_t at = stems[0].find(word);
    if (at != std::string::npos) stems.push_back(std::string(stems[0]).erase(at, word.size()));
  }
  std::error_code error;
  for (const std::string& stem : stems) {
    const fs::path file = base.parent_path() / (stem + ".caffemodel");
    if (fs::exists(file, error)) return file.string();
  }
  const fs::path folder = base.parent_path().empty() ? fs::path(".") : base.parent_path();
  std::vector<std::string> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".caffemodel") others.push_back(entry.path().string());
  }
  if (others.size() == 1) return others[0];
  return Error(ErrorCode::kFileNotFound, "{}: the weights of {} are not there",
               fs::path(path).replace_extension(".caffemodel").string(), base.filename().string())
      .Fix(
          "put the .caffemodel file beside the .prototxt file, or say --weights FILE; --weights "
          "random makes weights up");
}

}  // namespace

bool IsText(Bytes bytes) {
  constexpr std::string_view kFields[] = {"name",  "layer",      "layers",
                                          "input", "input_dim",  "input_shape",
                                          "state", "debug_info", "force_backward"};
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (;;) {
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return false;
    text.remove_prefix(start);
    if (text[0] != '#') break;
    text.remove_prefix(std::min(text.size(), text.find('\n')));
  }
  const std::size_t end = std::min(text.find_first_of(" \t\r\n:{"), text.size());
  const std::string_view word = text.substr(0, end);
  const std::size_t next = text.find_first_not_of(" \t\r\n", end);
  return std::find(std::begin(kFields), std::end(kFields), word) != std::end(kFields) &&
         next != std::string_view::npos && (text[next] == ':' || text[next] == '{');
}

// A network starts with its name (field 1) and goes on with a layer or an input; other protocol
// buffers that start with field 1 repeat it (TensorFlow) or have a number there (ONNX).
bool IsBytes(Bytes bytes) {
  protobuf::Cursor cursor(bytes);
  std::uint64_t tag = cursor.Varint();
  constexpr std::uint64_t kName = 1 << 3 | 2, kLayer = 100 << 3 | 2;
  constexpr std::uint64_t kLayers = 2 << 3 | 2, kInput = 3 << 3 | 2;
  if (tag == kLayer) return true;
  if (tag != kName) return false;
  cursor.LengthDelimited();
  tag = cursor.Varint();
  return !cursor.failed() && (tag == kLayer || tag == kLayers || tag == kInput);
}

Result<Graph> Import(Bytes net, const Bytes* weights, std::shared_ptr<const void> owner,
                     const std::string& weights_name) {
  ATH_TRY(const Message read, ReadNet(net));
  if (weights == nullptr) return NetImport(read, *WeightsOf(read, std::move(owner))).Run();
  Result<Message> parsed = ParseBytes(*weights, "Net");
  if (!parsed.ok()) return std::move(parsed).status().In(weights_name);
  Message model = *std::move(parsed);
  ATH_RETURN_IF_ERROR(Upgrade(model).In(weights_name));
  return NetImport(read, *WeightsOf(model, std::move(owner))).Run();
}

Result<Graph> ImportSeeded(Bytes net) {
  ATH_TRY(const Message read, ReadNet(net));
  return NetImport(read, *MadeUpWeights()).Run();
}

Result<Graph> ImportBeside(const std::string& path, const std::string& weights) {
  std::string net_path = path, weights_path = weights;
  ATH_TRY(std::shared_ptr<const MappedFile> net, MappedFile::Open(path));
  if (weights == "random") return ImportSeeded(net->bytes());
  if (!IsText(net->bytes())) {
    const std::string text = fs::path(path).replace_extension(".prototxt").string();
    std::error_code error;
    if (!fs::exists(text, error)) return Import(net->bytes(), nullptr, net);
    net_path = text;
    if (weights_path.empty()) weights_path = path;
    ATH_TRY(net, MappedFile::Open(text));
  }
  if (weights_path.empty()) {
    ATH_TRY(weights_path, FindWeights(net_path));
  }
  ATH_TRY(const std::shared_ptr<const MappedFile> model, MappedFile::Open(weights_path));
  const auto both = std::make_shared<
      std::pair<std::shared_ptr<const MappedFile>, std::shared_ptr<const MappedFile>>>(net, model);
  const Bytes bytes = model->bytes();
  return Import(net->bytes(), &bytes, both, fs::path(weights_path).filename().string());
}

}  // namespace athanor::caffe
