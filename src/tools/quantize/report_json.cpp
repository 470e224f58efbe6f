#include <filesystem>

#include "core/file.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/quantize/report.h"

namespace athanor::tools {
namespace {

constexpr std::size_t kBars = 64;  // of a tensor's distribution

double Share(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

nlohmann::json FormJson(const Form& form, bool labelled) {
  nlohmann::json json = {{"bytes", form.bytes}, {"median_ms", form.milliseconds}};
  if (!form.verdict) return json;
  const ClassifyScore& score = form.verdict->score;
  if (labelled) {
    json["top1"] = Share(score.top1, score.n);
    json["top5"] = Share(score.top5, score.n);
  } else {
    json["agreement"] = form.verdict->value;
  }
  return json;
}

nlohmann::json Products(const QuantizeFindings& findings) {
  const Choice& choice = *findings.choice;
  const Graph& graph = findings.prepared->graph;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [id, bits] : choice.made.report.bits)
    list.push_back({{"node", quant::NameOf(graph, id)},
                    {"op", graph.node(id).op->name},
                    {"weight_bits", bits}});
  return list;
}

nlohmann::json Decision(const QuantizeFindings& findings) {
  const Choice& choice = *findings.choice;
  nlohmann::json trials = nlohmann::json::array(), ranked = nlohmann::json::array();
  for (const Choice::Trial& trial : choice.trials) {
    trials.push_back(
        {{"in_float", trial.in_float}, {"value", trial.value}, {"integer_share", trial.saved}});
    if (trial.milliseconds) trials.back()["estimated_ms"] = *trial.milliseconds;
  }
  for (std::size_t i = 0; i < choice.ranked.size(); ++i) {
    const quant::RankedProduct& one = choice.ranked[i];
    nlohmann::json row = {{"node", one.name},
                          {"error", one.error},
                          {"saved", one.saved},
                          {"in_float", i < choice.in_float}};
    const auto times = choice.times.find(one.node);
    if (times != choice.times.end()) {
      row["float_ms"] = times->second.real / kNsPerMs;
      row["int8_ms"] = times->second.integers / kNsPerMs;
    }
    ranked.push_back(std::move(row));
  }
  return {{"max_drop", *findings.request->drop}, {"met", choice.met},
          {"in_float", choice.in_float},         {"evaluations", findings.evaluations},
          {"trials", std::move(trials)},         {"ranked", std::move(ranked)}};
}

nlohmann::json Tensors(const QuantizeFindings& findings) {
  nlohmann::json list = nlohmann::json::array();
  const quant::Prepared& prepared = *findings.prepared;
  std::map<ValueId, const quant::LayerError*> errors;
  for (const quant::LayerError& one : findings.layers) errors[one.value] = &one;
  for (const auto& [id, value] : prepared.calibration) {
    const quant::ByteScale by = quant::ScaleFor(value.range);
    nlohmann::json row = {{"tensor", quant::NameOf(prepared.graph, id)},
                          {"low", value.seen.all.low},
                          {"high", value.seen.all.high},
                          {"range", {value.range.low, value.range.high}},
                          {"method", value.method},
                          {"scale", by.scale},
                          {"zero_point", value.range.symmetric ? 0 : by.zero}};
    std::vector<std::int64_t> bars(value.seen.histogram.counts().empty() ? 0 : kBars, 0);
    for (std::size_t i = 0; !bars.empty() && i < quant::Histogram::kBins; ++i)
      bars[i * kBars / quant::Histogram::kBins] += value.seen.histogram.counts()[i];
    row["histogram"] = std::move(bars);
    const auto found = errors.find(id);
    if (found != errors.end()) {
      row["sqnr_db"] = found->second->sqnr;
      row["cosine"] = found->second->cosine;
    }
    list.push_back(std::move(row));
  }
  return list;
}

void AddAblation(const QuantizeFindings& findings, nlohmann::json& json) {
  json["ablation"] = nlohmann::json::array();
  for (const AblationRow& row : findings.ablation) {
    nlohmann::json entry = {{"name", row.name}, {"sqnr_db", row.sqnr}};
    if (row.value) entry["value"] = *row.value;
    json["ablation"].push_back(std::move(entry));
  }
}

nlohmann::json SkippedJson(const std::vector<quant::Skipped>& skipped) {
  nlohmann::json list = nlohmann::json::array();
  for (const quant::Skipped& s : skipped)
    list.push_back({{"node", s.node}, {"op", s.op}, {"reason", s.reason}});
  return list;
}

void AddDynamic(const QuantizeFindings& findings, nlohmann::json& json) {
  json["weight_ranges"] = findings.request->weight_ranges;
  json["products"] = findings.dynamic.products;
  json["stored_convolutions"] = findings.dynamic.stored;
  json["recurrent_matrices"] = findings.recurrent;
  json["float_products"] = SkippedJson(findings.dynamic.skipped);
  if (findings.decibels) json["sqnr_db"] = *findings.decibels;
}

// Both times of every product.
nlohmann::json Times(const Worth& worth) {
  nlohmann::json products = nlohmann::json::array();
  for (const Worth::Product& one : worth.products)
    products.push_back({{"node", one.name},
                        {"op", one.op},
                        {"float_ms", one.float_ms},
                        {"int8_ms", one.int8_ms},
                        {"conversions_ms", one.conversions_ms},
                        {"on_integers", one.on_integers},
                        {"pays", one.pays},
                        {"returned", worth.returned.contains(one.node)}});
  nlohmann::json json = {{"measured", worth.measured},
                         {"float_ms", worth.float_ms},
                         {"int8_ms", worth.int8_ms},
                         {"products", std::move(products)}};
  if (worth.change)
    json["change"] = {{"before_ms", worth.change->before_ms},
                      {"after_ms", worth.change->after_ms},
                      {"float_ms", worth.change->float_ms}};
  return json;
}

// How activations were quantised, and what that cost where.
void AddChoice(const QuantizeFindings& findings, nlohmann::json& json) {
  const quant::QuantizeReport& report = findings.choice->made.report;
  json["method"] = findings.request->method;
  json["ranges"] = findings.request->ranges;
  json["weight_ranges"] = findings.request->weight_ranges;
  for (const TriedRecipe& one : findings.tried)
    json["tried"].push_back(
        {{"method", one.method}, {"correct", one.correct}, {"sqnr_db", one.sqnr}});
  json["quantized_nodes"] = report.quantized;
  json["recurrent_matrices"] = findings.recurrent;
  json["nodes"] = report.nodes;
  json["always_zero"] = report.constant;
  json["products"] = Products(findings);
  json["float_products"] = SkippedJson(report.skipped);
  json["dead_channels"] = nlohmann::json::array();
  for (const quant::DeadChannels& d : report.dead)
    json["dead_channels"].push_back({{"node", d.node}, {"channels", d.channels}});
  const quant::EqualizeReport& equalized = findings.prepared->equalized;
  json["equalized"] = {{"pairs", equalized.pairs},
                       {"clips_to_relu", equalized.clips},
                       {"limits_per_channel", equalized.limits},
                       {"absorbed_channels", equalized.absorbed},
                       {"spread_channels", equalized.spread},
                       {"smoothed", equalized.smoothed}};
  json["times"] = Times(findings.choice->worth);
  json["tensors"] = Tensors(findings);
  AddAblation(findings, json);
  if (findings.request->drop) json["decision"] = Decision(findings);
  if (const auto& spared = findings.choice->spared)
    json["spared"] = {{"products", findings.choice->in_float},
                      {"work", spared->work},
                      {"sqnr_db_before", spared->before},
                      {"sqnr_db", spared->after}};
}

}  // namespace

std::string FormName(const QuantizeFindings& findings) {
  const QuantizeRequest& request = *findings.request;
  if (request.fits_size()) return "coded";
  if (request.halves()) return request.weights;
  return findings.prepared == nullptr && request.weight_bits() == 4 ? "int4" : "int8";
}

bool WeightsAlone(const QuantizeFindings& findings) {
  return findings.request->activations == "float" ||
         (findings.choice != nullptr && findings.choice->weights_alone);
}

std::string FormLabel(const QuantizeFindings& findings) {
  return FormName(findings) + (WeightsAlone(findings) ? " weights" : "");
}

namespace {

// What the judged rows say.
void AddVerdicts(const QuantizeFindings& findings, nlohmann::json& json) {
  if (findings.rows > 0) {
    json["n"] = findings.rows;
    json["evaluations"] = findings.evaluations;
    json["agreement"] = findings.has_classes
                            ? Share(findings.after.verdict->same_class, findings.rows)
                            : findings.after.verdict->value;
  }
  if (findings.labelled) {
    const Paired paired =
        ComparePaired(findings.before.verdict->right, findings.after.verdict->right);
    json["mcnemar"] = {{"only_float_right", paired.only_first},
                       {"only_int8_right", paired.only_second},
                       {"p", paired.p}};
  }
}

}  // namespace

nlohmann::json FindingsJson(const QuantizeFindings& findings) {
  const QuantizeRequest& request = *findings.request;
  nlohmann::json json = {{"model", request.model.path},
                         {"out", request.out},
                         {"samples", findings.samples},
                         {"task", Name(findings.task)},
                         {"weight_bits", request.weight_bits()},
                         {"corrections", request.correct},
                         {"float", FormJson(findings.before, findings.labelled)},
                         {FormName(findings), FormJson(findings.after, findings.labelled)},
                         {"pass", findings.pass}};
  AddVerdicts(findings, json);
  for (const quant::FittedProduct& one : findings.fitted.products) {
    json["products"].push_back({{"node", one.name},
                                {"weights", one.weights},
                                {"levels", one.levels},
                                {"bytes", one.bytes},
                                {"noise", one.noise}});
  }
  for (const StoredWeights& one : findings.stored)
    json["stored_weights"].push_back({{"node", one.node},
                                      {"op", one.op},
                                      {"type", Name(one.type)},
                                      {"weights", one.count},
                                      {"bytes", one.bytes}});
  // Those of integers have their values in "tensors".
  for (std::size_t i = 0; findings.prepared == nullptr && i < findings.layers.size(); ++i) {
    const quant::LayerError& one = findings.layers[i];
    json["layers"].push_back({{"tensor", one.name}, {"sqnr_db", one.sqnr}, {"cosine", one.cosine}});
  }
  if (findings.fitted.tuned)
    json["tuned"] = {{"before", findings.fitted.tuned->before},
                     {"after", findings.fitted.tuned->after}};
  for (const Rung& rung : findings.rungs) {
    json["rungs"].push_back(
        {{"name", rung.name}, {"bytes", rung.bytes}, {"value", rung.value}, {"met", rung.met}});
    if (!rung.reason.empty()) json["rungs"].back()["reason"] = rung.reason;
  }
  if (findings.request->halves()) {
    json["stored"] = {{"type", findings.request->weights},
                      {"tensors", findings.halves.stored},
                      {"kept", findings.halves.kept}};
    return json;
  }
  if (findings.request->fits_size()) {
    json["float_products"] = SkippedJson(findings.fitted.skipped);
    return json;
  }
  if (request.dynamic()) {
    AddDynamic(findings, json);
    return json;
  }
  if (findings.prepared == nullptr) {
    json["products"] = findings.weights_only.products;
    AddAblation(findings, json);
    return json;
  }
  AddChoice(findings, json);
  return json;
}

Status CheckReportName(const std::string& name) {
  namespace fs = std::filesystem;
  if (name.empty()) return {};
  const fs::path path(name.ends_with('/') && name.size() > 1 ? name.substr(0, name.size() - 1)
                                                             : name);
  const std::string ending = path.extension().string();
  if (ending == ".html" || ending == ".json") return CheckOutput(path, "--report");
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_directory(path, error))
    return Error(ErrorCode::kFileWrite,
                 "{}: a folder, or a name that ends in .html or .json, is expected", name);
  // The folder of the report is made; one that it would lie in is not, as of every other result.
  const fs::path within = fs::absolute(path, error).parent_path();
  if (!fs::exists(within, error))
    return Error(ErrorCode::kFileWrite, "{}: there is no folder {}", name, within.string())
        .Fix(fmt::format("mkdir -p {}", ShellWord(within.string())));
  fs::create_directory(path, error);
  if (error) return Error(ErrorCode::kFileWrite, "{}: {}", path.string(), error.message());
  return {};
}

Status WriteReport(const QuantizeFindings& findings, const std::string& name) {
  namespace fs = std::filesystem;
  const std::string ending = fs::path(name).extension().string();
  const auto page = [&](const std::string& path) {
    return WriteFileAtomically(path, std::string_view(RenderPage(FindingsPage(findings))));
  };
  const auto document = [&](const std::string& path) {
    nlohmann::json json = FindingsJson(findings);
    json["schema_version"] = 1;
    return WriteFileAtomically(path, std::string_view(json.dump(1) + "\n"));
  };
  if (ending == ".html") return page(name);
  if (ending == ".json") return document(name);
  ATH_RETURN_IF_ERROR(page((fs::path(name) / "report.html").string()));
  return document((fs::path(name) / "report.json").string());
}

}  // namespace athanor::tools
