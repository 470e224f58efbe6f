#include "frontends/mxnet/import.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/file.h"
#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/mxnet/input_shape.h"
#include "frontends/mxnet/op_import.h"
#include "frontends/unread_kinds.h"
#include "ops/catalog.h"

namespace athanor::mxnet {
namespace {

constexpr std::size_t kMaxProblems = 100;

class Importer : public Values {
 public:
  Importer(const Symbol& symbol, const Parameters& parameters)
      : symbol_(symbol),
        parameters_(parameters),
        graph_(ops::Standard(), "mxnet"),
        values_(symbol.nodes.size()),
        outputs_read_(symbol.nodes.size(), 1) {
    for (const Node& node : symbol.nodes) CountOutputs(node.inputs);
    CountOutputs(symbol.heads);
  }

  Result<Graph> Run() {
    ATH_RETURN_IF_ERROR(CheckOperators());
    for (std::size_t i = 0; i < symbol_.nodes.size(); ++i) {
      if (problems_.size() >= kMaxProblems) break;
      if (!symbol_.nodes[i].IsVariable()) AddNode(i);
    }
    ATH_RETURN_IF_ERROR(Status::All(std::move(problems_)));
    ATH_RETURN_IF_ERROR(AddOutputs());
    graph_.ReleaseUnusedConstants();
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

  Result<ValueId> Find(const Entry& entry) override {
    std::vector<ValueId>& outputs = values_[entry.node];
    const Node& node = symbol_.nodes[entry.node];
    if (node.IsVariable() && outputs.empty()) {
      ATH_TRY(const ValueId variable, AddVariable(entry.node));
      outputs = {variable};
    }
    if (entry.output >= outputs.size() || outputs[entry.output] == kNoValue)
      return Unsupported("output {} of {} is not read", entry.output,
                         Quote(node.name.substr(0, 100)));
    return outputs[entry.output];
  }

  const Node& NodeOf(const Entry& entry) const override { return symbol_.nodes[entry.node]; }

  std::size_t OutputsRead(const Node& node) const override {
    return outputs_read_[static_cast<std::size_t>(&node - symbol_.nodes.data())];
  }

  const Tensor* Parameter(std::string_view name) const override {
    const auto found = parameters_.find(name);
    return found == parameters_.end() ? nullptr : &found->second;
  }

 private:
  void CountOutputs(const std::vector<Entry>& entries) {
    constexpr std::size_t kMostOutputs = 1 << 16;  // of a node that a plug-in reads
    for (const Entry& entry : entries) {
      std::size_t& read = outputs_read_[entry.node];
      read = std::max(read, std::min(entry.output + 1, kMostOutputs));
    }
  }

  // Every operator that is not read, each kind once.
  Status CheckOperators() const {
    UnreadKinds unread;
    for (const Node& node : symbol_.nodes) {
      if (!node.IsVariable() && RowOf(node) == nullptr) unread.Add(ForeignName(node));
    }
    return unread.Problems("operator", Names(), [](const std::string& op) {
      return "mx.onnx.export_model writes ONNX, if it knows the operator; or " +
             ForeignFix("mxnet", op);
    });
  }

  Result<ValueId> AddVariable(std::size_t number) {
    const Node& node = symbol_.nodes[number];
    Result<ValueId> value = [&]() -> Result<ValueId> {
      ATH_TRY(const Shape said, SaidShape(node));
      if (const Tensor* parameter = Parameter(node.name)) {
        ATH_RETURN_IF_ERROR(CheckSizes(said, *parameter));
        return graph_.AddConstant(*parameter, node.name);
      }
      ATH_TRY(Type type, TypeOfInput(symbol_, parameters_, number));
      return graph_.AddInput(node.name, std::move(type));
    }();
    if (value.ok()) return value;
    return std::move(value).status().In(
        fmt::format("variable {}", Quote(node.name.substr(0, 100))));
  }

  static Status CheckSizes(const Shape& said, const Tensor& parameter) {
    const bool fits =
        said.empty() ||
        std::equal(said.begin(), said.end(), parameter.dims().begin(), parameter.dims().end(),
                   [](const Dim& a, std::int64_t b) { return !a.IsConst() || a.value() == b; });
    if (fits) return {};
    return InvalidModel("its shape is not the {} that the .params file holds",
                        ToString(parameter.dims()))
        .Fix("take the .params file that was saved together with the symbol");
  }

  void AddNode(std::size_t number) {
    const Node& node = symbol_.nodes[number];
    const auto is_lost = [&](const Entry& entry) { return lost_.count(entry.node) != 0; };
    Status status;
    const bool waits = std::any_of(node.inputs.begin(), node.inputs.end(), is_lost);
    if (!waits) status = AddOne(node, values_[number]);
    if (!waits && status.ok()) return;
    lost_.insert(number);
    if (waits) return;
    problems_.push_back(std::move(status).In(
        fmt::format("node {} ({})", Quote(node.name.substr(0, 100)), node.op)));
  }

  Status AddOne(const Node& node, std::vector<ValueId>& outputs) {
    const Row& row = *RowOf(node);
    const auto count = static_cast<std::int64_t>(node.inputs.size());
    if (count < row.least || (row.most >= 0 && count > row.most))
      return InvalidModel("{} inputs are given; {} to {} are expected", count, row.least,
                          row.most < 0 ? "any number" : std::to_string(row.most));
    for (std::size_t i = row.parameters_from; i < node.inputs.size(); ++i) {
      const Node& source = symbol_.nodes[node.inputs[i].node];
      if (source.IsVariable() && Parameter(source.name) == nullptr)
        return InvalidModel("parameter {} is not in the .params file",
                            Quote(source.name.substr(0, 100)))
            .Fix("take the .params file that was saved together with the symbol");
    }
    OpImport ctx(graph_, *this, node, row);
    row.make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    outputs = std::move(ctx.outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      const Value& value = graph_.value(outputs[i]);
      if (value.producer != kNoNode && value.name.empty())
        graph_.SetName(outputs[i], OutputName(node, i, outputs.size()));
    }
    return {};
  }

  static std::string OutputName(const Node& node, std::size_t i, std::size_t count) {
    if (node.IsVariable()) return node.name;
    return count == 1 ? node.name + "_output" : fmt::format("{}_output{}", node.name, i);
  }

  Status AddOutputs() {
    if (symbol_.heads.empty()) return InvalidModel("the network gives no results");
    std::set<std::string> names;
    for (const Entry& head : symbol_.heads) {
      Result<ValueId> value = Find(head);
      if (!value.ok()) return std::move(value).status().In("\"heads\"");
      const std::string name =
          OutputName(symbol_.nodes[head.node], head.output, values_[head.node].size());
      if (!names.insert(name).second)
        return Unsupported("{} is given twice", Quote(name.substr(0, 100))).In("\"heads\"");
      graph_.AddOutput(name, *value);
    }
    return {};
  }

  const Symbol& symbol_;
  const Parameters& parameters_;
  Graph graph_;
  std::vector<std::vector<ValueId>> values_;  // outputs of each node
  std::vector<std::size_t> outputs_read_;     // of each node
  std::set<std::size_t> lost_;                // nodes with a problem, and what reads them
  std::vector<Status> problems_;
};

Result<Graph> ImportSymbol(const Symbol& symbol, Bytes parameters,
                           const std::shared_ptr<const void>& owner) {
  Result<Parameters> tensors = ReadParameters(parameters, owner);
  if (!tensors.ok()) return std::move(tensors).status().In("parameters");
  return Importer(symbol, *tensors).Run();
}

// NAME-symbol.json: NAME-0012.params, whatever the number is, if there is one only.
Result<std::string> ParametersBeside(const std::filesystem::path& path) {
  std::string stem = path.stem().string();
  if (stem.ends_with("-symbol")) stem.resize(stem.size() - std::string_view("-symbol").size());
  std::vector<std::string> found;
  std::error_code ignored;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".params" || !name.starts_with(stem)) continue;
    const std::string epoch = entry.path().stem().string().substr(stem.size());
    const bool is_number = epoch.starts_with('-') && epoch.size() > 1 &&
                           epoch.find_first_not_of("0123456789", 1) == std::string::npos;
    if (epoch.empty() || is_number) found.push_back(entry.path().string());
  }
  if (found.size() == 1) return found[0];
  if (found.empty())
    return Error(ErrorCode::kFileNotFound, "{}: the parameters of {} are not there",
                 (folder / (stem + "-0000.params")).string(), path.filename().string())
        .Fix("put the .params file beside the symbol, or say --weights FILE");
  std::sort(found.begin(), found.end());
  return Error(ErrorCode::kUsage, "{} files of parameters lie beside it: {}", found.size(),
               Join(found, ", "))
      .Fix(fmt::format("say which: --weights {}", found.back()));
}

}  // namespace

bool IsMxnet(Bytes bytes) { return IsSymbol(bytes) || IsParameters(bytes); }

Result<Graph> Import(Bytes symbol, Bytes parameters, std::shared_ptr<const void> owner) {
  ATH_TRY(const Symbol read, ReadSymbol(symbol));
  return ImportSymbol(read, parameters, owner);
}

Result<Graph> ImportBeside(Bytes symbol, const std::string& path, const std::string& weights) {
  if (IsParameters(symbol))
    return Error(ErrorCode::kUsage, "these are the parameters of a network of MXNet")
        .Fix("give the -symbol.json file: NAME-symbol.json --weights NAME-0000.params");
  ATH_TRY(const Symbol read, ReadSymbol(symbol));
  std::string file_name = weights;
  if (file_name.empty()) {
    ATH_TRY(file_name, ParametersBeside(path));
  }
  ATH_TRY(const auto file, MappedFile::Open(file_name));
  return ImportSymbol(read, file->bytes(), file);
}

}  // namespace athanor::mxnet
