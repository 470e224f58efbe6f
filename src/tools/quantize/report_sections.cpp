#include "tools/quantize/report_sections.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "tools/console.h"
#include "tools/report/charts.h"

namespace athanor::tools {
namespace {

std::string PercentText(double share) { return fmt::format("{:.2f} %", 100 * share); }

// What was rounded how, where the line says nothing of it.
std::vector<std::vector<std::string>> Chosen(const QuantizeFindings& f) {
  const QuantizeRequest& request = *f.request;
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* what, std::string value) {
    rows.push_back({what, std::move(value), "chosen"});
  };
  if (request.halves()) {
    add("weights", request.weights + ", read as f32");
    return rows;
  }
  if (request.fits_size()) {
    add("weights", "integers on as many levels as each product bears, entropy coded");
    add("activations", "float");
  } else {
    add("weights", fmt::format("{} bits", request.weight_bits()));
    add("activations", WeightsAlone(f)        ? "float"
                       : f.request->dynamic() ? "8 bits, with scales from the data of each run"
                                              : "8 bits");
  }
  if (f.prepared != nullptr) add("ranges by", request.method);
  add("corrections", request.correct);
  return rows;
}

// Which products compute on integers, by name.
std::set<std::string> OnIntegers(const QuantizeFindings& f) {
  std::set<std::string> names(f.dynamic.products.begin(), f.dynamic.products.end());
  if (f.prepared == nullptr || WeightsAlone(f)) return names;
  const quant::QuantizeReport& report = f.choice->made.report;
  for (const auto& [id, bits] : report.bits) names.insert(quant::NameOf(f.prepared->graph, id));
  for (const quant::Skipped& one : report.skipped) names.erase(one.node);
  return names;
}

}  // namespace

std::string Metric(const QuantizeFindings& findings) {
  if (findings.labelled) return "top1";
  return findings.has_classes ? "the same class" : "the same energy";
}

std::string KibibytesText(std::uint64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / 1024);
}

Section AskedSection(const QuantizeFindings& f) {
  std::string command = "athanor quantize " + ShellWord(f.request->model.path);
  Rows table = {.title = "options", .header = {"what", "value", "by"}, .rows = {}};
  for (const CommandLine::Option& option : f.line->options) {
    command += " " + option.name + (option.value.empty() ? "" : " " + ShellWord(option.value));
    table.rows.push_back({option.name, option.value, "asked for"});
  }
  for (std::vector<std::string>& row : Chosen(f)) table.rows.push_back(std::move(row));
  std::string samples = f.samples == 0 ? "No samples were needed"
                                       : fmt::format("{} samples were calibrated on", f.samples);
  if (f.rows > 0) samples += fmt::format(", {} others judged", f.rows);
  return {.id = "asked",
          .title = "What was asked for",
          .finding = samples + ".",
          .tables = {std::move(table)},
          .commands = {std::move(command)}};
}

Section WeightsSection(const QuantizeFindings& f) {
  std::map<std::string, std::uint64_t> before;
  for (const StoredWeights& one : f.stored_before) before[one.node] += one.bytes;
  std::map<std::string, const quant::FittedProduct*> coded;
  for (const quant::FittedProduct& one : f.fitted.products) coded[one.name] = &one;
  const std::set<std::string> integers = OnIntegers(f);
  const bool levels = !coded.empty();
  Rows table = {.title = "every product",
                .header = {"product", "operator", ">weights", "lie as", ">bits each", ">KiB before",
                           ">KiB", "computes on"},
                .rows = {},
                .sortable = true,
                .open = true};
  if (levels) table.header.insert(table.header.begin() + 4, ">levels");
  std::uint64_t all = 0;
  for (const StoredWeights& one : f.stored) {
    const auto product = coded.find(one.node);
    const std::uint64_t bytes = product == coded.end() ? one.bytes : product->second->bytes;
    all += bytes;
    const double bits =
        8 * static_cast<double>(bytes) / static_cast<double>(std::max<std::int64_t>(1, one.count));
    std::vector<std::string> row = {
        one.node,
        one.op,
        std::to_string(one.count),
        std::string(Name(one.type)),
        bytes == 0 ? "shared" : fmt::format("{:.2f}", bits),
        before.contains(one.node) ? KibibytesText(before[one.node]) : "-",
        KibibytesText(bytes),
        integers.contains(one.node) ? "integers" : "float"};
    if (levels)
      row.insert(row.begin() + 4, product == coded.end() ? std::string("-")
                                                         : std::to_string(product->second->levels));
    table.rows.push_back(std::move(row));
  }
  Section section = {
      .id = "weights",
      .title = "What the weights became",
      .finding = fmt::format("{} matrices take {} KiB{}; the file takes {} KiB.", f.stored.size(),
                             KibibytesText(all),
                             all > f.after.bytes ? " before they are entropy coded" : "",
                             KibibytesText(f.after.bytes)),
      .tables = {std::move(table)}};
  Rows kept = {.title = "tensors that stay f32: too large or too small numbers",
               .header = {"tensor"},
               .rows = {}};
  for (const std::string& name : f.halves.kept) kept.rows.push_back({name});
  if (!kept.rows.empty()) section.tables.push_back(std::move(kept));
  Rows left = {
      .title = "products that stay f32", .header = {"node", "operator", "why"}, .rows = {}};
  for (const quant::Skipped& one : f.fitted.skipped)
    left.rows.push_back({one.node, one.op, one.reason});
  if (!left.rows.empty()) section.tables.push_back(std::move(left));
  return section;
}

Section LadderSection(const QuantizeFindings& f) {
  Rows table = {.title = "every step",
                .header = {"step", ">KiB", ">" + Metric(f), ">drop", "then"},
                .rows = {},
                .open = true};
  std::vector<Bar> bars;
  std::size_t last = 0;
  for (std::size_t i = 0; i < f.rungs.size(); ++i) last = f.rungs[i].met ? i : last;
  for (std::size_t i = 0; i < f.rungs.size(); ++i) {
    const Rung& rung = f.rungs[i];
    if (!rung.reason.empty()) {
      table.rows.push_back({rung.name, "-", "-", "-", "refused: " + rung.reason});
      continue;
    }
    const double drop = f.before.verdict->value - rung.value;
    const char* const then = i == last  ? "written"
                             : rung.met ? "met: a smaller one was tried"
                                        : "refused: it drops too much";
    table.rows.push_back({rung.name, KibibytesText(rung.bytes), PercentText(rung.value),
                          PercentText(drop + 0.0), then});
    bars.push_back(
        {rung.name, "", static_cast<double>(rung.bytes),
         fmt::format("{} KiB, {} lost", KibibytesText(rung.bytes), PercentText(drop + 0.0)),
         rung.met ? "leaf" : "fire"});
  }
  return {
      .id = "ladder",
      .title = "How far the bits went down",
      .finding = fmt::format("\"{}\" was written: the last step within the allowed drop of {:g} %.",
                             f.rungs[last].name, 100 * f.request->drop.value_or(0)),
      .figures = {{BarChart(bars, {.label_width = 110}),
                   "Size of each step's file; what is refused stands last."}},
      .tables = {std::move(table)}};
}

}  // namespace athanor::tools
