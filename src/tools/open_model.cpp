#include "tools/open_model.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "core/text.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/package_options.h"

namespace athanor::tools {
namespace {

Result<std::pair<std::string, std::int64_t>> ParseSetDim(const std::string& text) {
  const std::size_t equals = text.find('=');
  std::int64_t value = 0;
  if (equals != std::string::npos && equals > 0) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, value);
    if (error == std::errc() && stop == end && value >= 0)
      return std::pair(text.substr(0, equals), value);
  }
  return Error(ErrorCode::kUsage, "--set-dim {}: SYMBOL=NUMBER is expected, for example N=1", text);
}

}  // namespace

void AddModelOptions(Arguments app, ModelOptions& options) {
  app.Option("model", options.path, "the model file").Required();
  app.Option("--format", options.format, "the model's format, when it cannot be guessed");
  app.Option(
      "--weights", options.weights,
      "the file with the weights of a Caffe, darknet, MXNet or PaddlePaddle network, when it does "
      "not lie beside it; random makes them up (Caffe, darknet)");
  app.Flag("--states", options.states,
           "make every state that a TFLite network keeps between runs an input NAME and an output "
           "NAME.next; else each run begins with states of 0");
  app.Option("--set-dim", options.set_dims, "give a symbolic dimension a size: N=4").Repeated();
  app.Flag("--verify", options.verify,
           "first compare every weight of an .ath file with its digest (reads the whole file)");
}

std::vector<std::string> InputSymbols(const Graph& graph) {
  std::set<std::string> symbols;
  for (const ValueId id : graph.inputs()) {
    const Type& type = graph.value(id).type;
    if (!type.HasRank()) continue;
    std::vector<std::string> names;
    for (const Dim& dim : *type.shape) dim.CollectSymbols(names);
    symbols.insert(names.begin(), names.end());
  }
  return {symbols.begin(), symbols.end()};
}

Status SetDims(Graph& graph, const DimSizes& values) {
  if (values.empty()) return {};
  const std::vector<std::string> symbols = InputSymbols(graph);
  std::map<std::string, Dim> replace;
  for (const auto& [name, value] : values) {
    if (std::find(symbols.begin(), symbols.end(), name) == symbols.end()) {
      return Error(ErrorCode::kUnknownName, "no input has a dimension \"{}\"{}; there {}", name,
                   DidYouMean(name, symbols),
                   symbols.empty() ? "are no symbols" : "is: " + Join(symbols, ", "));
    }
    replace.insert_or_assign(name, value);
  }
  for (const ValueId id : graph.inputs()) {
    Type type = graph.value(id).type;
    if (!type.HasRank()) continue;
    for (Dim& dim : *type.shape) dim = dim.Substitute(replace);
    graph.SetInputType(id, std::move(type));
  }
  return graph.InferTypes();
}

std::optional<DimSizes> FittingDims(const Graph& graph) {
  constexpr std::int64_t kLargest = 4096;
  // Of all trials together: about a second. A model may have thousands of symbols that never fit.
  std::size_t nodes_left = 1'000'000;
  const std::vector<std::string> symbols = InputSymbols(graph);
  const auto fits = [&graph](const DimSizes& sizes) {
    Graph trial = graph.Clone();
    return SetDims(trial, sizes).ok();
  };
  DimSizes ones;
  for (const std::string& symbol : symbols) ones.emplace_back(symbol, 1);
  if (symbols.empty() || fits(ones)) return std::nullopt;
  for (std::int64_t size = 2; size <= kLargest; size *= 2) {
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const std::size_t nodes = graph.num_nodes() + symbols.size();
      if (nodes > nodes_left) return std::nullopt;
      nodes_left -= nodes;
      DimSizes sizes = ones;
      sizes[i].second = size;
      if (fits(sizes)) return sizes;
    }
  }
  return std::nullopt;
}

std::string OpenDims(const Graph& graph) {
  std::vector<std::string> options;
  for (const std::string& symbol : InputSymbols(graph))
    options.push_back(fmt::format("--set-dim {}=N", symbol));
  return Join(options, " ");
}

std::string OpenInput(const Graph& graph) {
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    if (!input.type.StaticDims()) return fmt::format("--input {}=x.npy", ShellWord(input.name));
  }
  return "";
}

Status WithDimFix(Status status, const Graph& graph, bool counted_as_one) {
  const std::vector<std::string> symbols = InputSymbols(graph);
  if (status.ok() || !counted_as_one || !status.fix().empty()) return status;
  const std::string example = OpenInput(graph);
  if (example.empty()) return status;
  if (symbols.empty())
    return std::move(status).Fix(example + ", an array of the sizes the model was made for");
  std::string fix;
  if (const std::optional<DimSizes> sizes = FittingDims(graph)) {
    for (const auto& [name, size] : *sizes) {
      if (size != 1) fix += fmt::format("--set-dim {}={}", name, size);
    }
  } else {
    fix = fmt::format("{}, N: the sizes the model was made for, or {}", OpenDims(graph), example);
  }
  return std::move(status).Fix(fmt::format("{} (counted as 1: {})", fix, Join(symbols, ", ")));
}

namespace {

// An operator that is not read is often one of several, and the rest of the model runs.
Status WithFeasibility(Status status, const ModelOptions& options) {
  const bool of_operators = status.code() == ErrorCode::kUnknownOperator ||
                            status.code() == ErrorCode::kUnsupported ||
                            status.code() == ErrorCode::kUnsupportedType;
  if (options.feasibility || !of_operators || !status.fix().empty()) return status;
  const std::string model = ShellWord(options.path);
  std::string fix = fmt::format("athanor inspect {} --feasibility lists all that stops it", model);
  if (options.path.ends_with(".onnx"))
    fix += fmt::format("; athanor convert {} -o split.ath --partition runs the rest", model);
  return std::move(status).Fix(fix);
}

}  // namespace

Result<Graph> OpenModel(const ModelOptions& options) {
  ATH_TRY(const bool is_package, IsPackage(options.path));
  if (is_package) {
    const std::string folder = std::filesystem::path(options.path).stem().string();
    return Error(ErrorCode::kUnknownFormat,
                 "{}: this is a package, and this verb reads models; run, compare, inspect, "
                 "quantize and serve read packages, and unpack takes the model out of one",
                 options.path)
        .Fix(fmt::format("athanor unpack {}, then the .ath file in {}/", ShellWord(options.path),
                         ShellWord(folder)));
  }
  Result<Graph> opened = OpenModel(options.path, {.format = options.format,
                                                  .weights = options.weights,
                                                  .check_weights = options.verify,
                                                  .states = options.states});
  if (!opened.ok()) return WithFeasibility(std::move(opened).status(), options);
  Graph graph = *std::move(opened);
  std::vector<std::pair<std::string, std::int64_t>> values;
  for (const std::string& text : options.set_dims) {
    ATH_TRY(auto value, ParseSetDim(text));
    values.push_back(std::move(value));
  }
  ATH_RETURN_IF_ERROR(SetDims(graph, values));
  return graph;
}

Result<Graph> OpenModel(const ModelOptions& options, const std::vector<std::string>& results) {
  ATH_TRY(Graph graph, OpenModel(options));
  for (const std::string& result : results) ATH_RETURN_IF_ERROR(CheckOutput(result));
  return graph;
}

}  // namespace athanor::tools
