#include <algorithm>
#include <cmath>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "core/text.h"
#include "tools/quantize/report_sections.h"
#include "tools/report/charts.h"

namespace athanor::tools {
namespace {

constexpr std::size_t kMostDrawn = 24;  // tensors; the table has all

std::string ValueText(const Form& form) {
  return form.verdict ? fmt::format("{:.2f} %", 100 * form.verdict->value) : "-";
}

std::string Listed(const std::vector<std::size_t>& numbers) {
  std::vector<std::string> words;
  for (const std::size_t number : numbers) words.push_back(std::to_string(number));
  return Join(words, ", ");
}

std::string CountOf(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Section Costs(const QuantizeFindings& f) {
  const double smaller = static_cast<double>(f.before.bytes) / static_cast<double>(f.after.bytes);
  std::string finding = fmt::format("{:.2f} times smaller, {:.2f} times as fast on this machine.",
                                    smaller, f.before.milliseconds / f.after.milliseconds);
  if (f.labelled) {
    const Paired paired = ComparePaired(f.before.verdict->right, f.after.verdict->right);
    finding += fmt::format(
        " On {} rows float alone is right on {}, integers alone on {}: chance would give as much "
        "with p = {:.3f} (McNemar).",
        f.rows, paired.only_first, paired.only_second, paired.p);
  }
  Rows table = {
      .title = "before and after", .header = {"", ">KiB", ">ms"}, .rows = {}, .open = true};
  if (f.rows > 0) table.header.push_back(">" + Metric(f));
  if (f.labelled) table.header.emplace_back(">top5");
  const std::string label = FormLabel(f);
  for (const auto& [name, form] :
       {std::pair<std::string, const Form*>{"float", &f.before}, {label, &f.after}}) {
    table.rows.push_back(
        {name, KibibytesText(form->bytes), fmt::format("{:.3f}", form->milliseconds)});
    if (f.rows > 0) table.rows.back().push_back(ValueText(*form));
    if (f.labelled)
      table.rows.back().push_back(
          fmt::format("{:.2f} %", 100 * static_cast<double>(form->verdict->score.top5) /
                                      static_cast<double>(std::max<std::int64_t>(1, f.rows))));
  }
  const auto bytes = [](const Form& form) { return static_cast<double>(form.bytes); };
  return {
      .id = "cost",
      .title = "What it costs",
      .finding = std::move(finding),
      .figures =
          {{BarChart({{"float", "", bytes(f.before), KibibytesText(f.before.bytes) + " KiB"},
                      {label, "", bytes(f.after), KibibytesText(f.after.bytes) + " KiB", "fire"}},
                     {.label_width = 100}),
            "Bytes: weights of the float model, and the file."},
           {BarChart({{"float", "", f.before.milliseconds, HumanTime(f.before.milliseconds)},
                      {label, "", f.after.milliseconds, HumanTime(f.after.milliseconds), "fire"}},
                     {.label_width = 100}),
            "Time of one inference, both measured in turn."}},
      .tables = {std::move(table)}};
}

Section Decided(const QuantizeFindings& f) {
  const Choice& choice = *f.choice;
  Section section = {.id = "decision",
                     .title = "Which products stay in float",
                     .finding = fmt::format(
                         "A drop of {:.3g} % is allowed. {} of the products stay in float; that "
                         "took {} evaluations of the data.",
                         100 * *f.request->drop, choice.in_float, f.evaluations)};
  Series curve = {.name = "tried", .classes = "gold", .points = {}, .dots = true};
  for (const Choice::Trial& trial : choice.trials)
    curve.points.emplace_back(1000 * trial.milliseconds.value_or(0),
                              100 * (f.before.verdict->value - trial.value));
  std::sort(curve.points.begin(), curve.points.end());
  const auto percent = [](double x) { return fmt::format("{:.2g} %", x); };
  const auto time = [](double us) { return fmt::format("{:.3g} us", us); };
  if (curve.points.size() > 1)
    section.figures.push_back(
        {LineChart({curve},
                   {.x = "time of one run", .y = "drop", .x_text = time, .y_text = percent}),
         "Every choice that was tried: the drop of accuracy over what the cost model says of the "
         "time."});
  Rows table = {.title = "the order in which products return to float",
                .header = {"product", ">error", ">saves", ">float ms", ">int8 ms", "runs on"},
                .rows = {}};
  for (std::size_t i = 0; i < choice.ranked.size(); ++i) {
    const quant::RankedProduct& one = choice.ranked[i];
    const auto times = choice.times.find(one.node);
    const bool timed = times != choice.times.end();
    table.rows.push_back({one.name, fmt::format("{:.2e}", one.error),
                          fmt::format("{:.3g}", one.saved),
                          timed ? fmt::format("{:.4f}", times->second.real / kNsPerMs) : "-",
                          timed ? fmt::format("{:.4f}", times->second.integers / kNsPerMs) : "-",
                          i < choice.in_float ? "float: too much error for the time" : "integers"});
  }
  section.tables.push_back(std::move(table));
  return section;
}

std::string SparedText(const QuantizeFindings& f) {
  if (!f.choice->spared) return "";
  return fmt::format(
      " {} of these have {:.1f} % of the operations and most of the error: with them on integers "
      "outputs are within {}, so within {}.",
      f.choice->in_float, 100 * f.choice->spared->work, Decibels(f.choice->spared->before),
      Decibels(f.choice->spared->after));
}

Section FloatNodes(const QuantizeFindings& f) {
  const quant::QuantizeReport& report = f.choice->made.report;
  Rows table = {.title = "products in float", .header = {"node", "operator", "why"}, .rows = {}};
  for (const quant::Skipped& s : report.skipped) table.rows.push_back({s.node, s.op, s.reason});
  Rows dead = {
      .title = "dead channels", .header = {"node", "output channels without weights"}, .rows = {}};
  for (const quant::DeadChannels& d : report.dead)
    dead.rows.push_back({d.node, Listed(d.channels)});
  Rows constant = {
      .title = "tensors that were 0 on every sample", .header = {"tensor"}, .rows = {}};
  for (const std::string& name : report.constant) constant.rows.push_back({name});
  return {
      .id = "nodes",
      .title = "What computes on what",
      .finding = fmt::format("{} of {} nodes compute on integers. {} products stay in float, {} "
                             "have dead channels, {} tensors were always 0.{}",
                             report.quantized, report.nodes, report.skipped.size(),
                             report.dead.size(), report.constant.size(), SparedText(f)),
      .tables = {std::move(table), std::move(dead), std::move(constant)}};
}

// Both times of every product.
Section Times(const QuantizeFindings& f) {
  const Worth& worth = f.choice->worth;
  Rows table = {.title = "every product",
                .header = {"product", ">float ms", ">int8 ms", ">of these converting", "runs on"},
                .rows = {}};
  std::size_t slow = 0;
  for (const Worth::Product& one : worth.products) {
    const bool returned = worth.returned.contains(one.node);
    slow += one.on_integers && !one.pays && !returned ? 1 : 0;
    table.rows.push_back({one.name, fmt::format("{:.4f}", one.float_ms),
                          fmt::format("{:.4f}", one.int8_ms),
                          fmt::format("{:.4f}", one.conversions_ms),
                          returned           ? "float: its integers do not pay"
                          : !one.on_integers ? "float"
                          : one.pays         ? "integers"
                                             : "integers, which may not pay"});
  }
  std::string finding = fmt::format(
      "{} of {} with what follows each up to the next; on integers with what its integers make "
      "necessary.",
      worth.measured ? "Least measured times" : "Estimated times",
      CountOf(table.rows.size(), "product"));
  if (worth.change)
    finding +=
        fmt::format(" {} returned to float, and a run takes {} instead of {} (all in float {}).",
                    CountOf(worth.returned.size(), "product"), HumanTime(worth.change->after_ms),
                    HumanTime(worth.change->before_ms), HumanTime(worth.change->float_ms));
  if (slow > 0)
    finding += fmt::format(" Integers may not pay for {} of them: --measured tells.", slow);
  return {.id = "times",
          .title = "What integers save",
          .finding = std::move(finding),
          .tables = {std::move(table)}};
}

Section Layers(const QuantizeFindings& f) {
  Series curve = {.name = "SQNR", .classes = "steel", .points = {}, .dots = true};
  Rows table = {.title = "every tensor", .header = {"tensor", ">SQNR dB", ">cosine"}, .rows = {}};
  double least = 200;
  std::string worst;
  for (std::size_t i = 0; i < f.layers.size(); ++i) {
    const quant::LayerError& one = f.layers[i];
    curve.points.emplace_back(static_cast<double>(i), one.sqnr);
    table.rows.push_back(
        {one.name, fmt::format("{:.1f}", one.sqnr), fmt::format("{:.5f}", one.cosine)});
    if (one.sqnr >= least) continue;
    least = one.sqnr;
    worst = one.name;
  }
  Section section = {
      .id = "layers",
      .title = "The error along the network",
      .finding = fmt::format("Farthest from float is \"{}\" with {:.1f} dB.", worst, least)};
  const auto number = [](double x) { return fmt::format("{:.0f}", x); };
  if (curve.points.size() > 1)
    section.figures.push_back(
        {LineChart({curve},
                   {.x = "tensor, in order", .y = "dB", .x_text = number, .y_text = number}),
         "Energy of each tensor over that of its error, which has come together up to there."});
  section.tables.push_back(std::move(table));
  return section;
}

// The distribution of one tensor with the ends of its range.
Drawing Distribution(const quant::Calibrated& value, const std::string& name, double width) {
  constexpr double kTall = 46, kTop = 18;
  constexpr std::size_t kBars = 64;
  Drawing drawing = {width, kTop + kTall + 20, "", "distribution of " + name};
  drawing.body += Text(0, 12, FitText(name, width, 11), "small");
  std::vector<double> bars(kBars, 0.0);
  for (std::size_t i = 0; i < quant::Histogram::kBins; ++i)
    bars[i * kBars / quant::Histogram::kBins] +=
        std::log1p(static_cast<double>(value.seen.histogram.counts()[i]));
  const double most = std::max(1e-9, *std::max_element(bars.begin(), bars.end()));
  const double bar = width / kBars;
  for (std::size_t i = 0; i < kBars; ++i) {
    const double tall = kTall * bars[i] / most;
    drawing.body +=
        Rectangle(static_cast<double>(i) * bar, kTop + kTall - tall, bar - 0.6, tall, "gold", 0);
  }
  const quant::Range all = value.seen.all;
  const double span = static_cast<double>(all.high) - all.low;
  for (const float end : {value.range.low, value.range.high}) {
    const double x = std::clamp((end - all.low) / span, 0.0, 1.0) * width;
    drawing.body += Line(x, kTop - 2, x, kTop + kTall + 2, "rule");
  }
  drawing.body +=
      Text(0, kTop + kTall + 14,
           fmt::format("{:.3g} .. {:.3g}, {}", value.range.low, value.range.high, value.method),
           "small soft");
  return drawing;
}

Section Distributions(const QuantizeFindings& f) {
  constexpr double kWidth = 720, kGap = 24, kColumns = 3;
  constexpr double kWide = (kWidth - (kColumns - 1) * kGap) / kColumns, kTall = 98;
  Rows table = {.title = "every range",
                .header = {"tensor", ">least", ">largest", ">range from", ">to", "chosen by"},
                .rows = {}};
  Drawing all = {kWidth, 0, "", "distributions of tensors"};
  std::size_t drawn = 0;
  for (const auto& [id, value] : f.prepared->calibration) {
    const std::string name = quant::NameOf(f.prepared->graph, id);
    table.rows.push_back({name, fmt::format("{:.4g}", value.seen.all.low),
                          fmt::format("{:.4g}", value.seen.all.high),
                          fmt::format("{:.4g}", value.range.low),
                          fmt::format("{:.4g}", value.range.high), value.method});
    if (value.seen.histogram.counts().empty() || drawn == kMostDrawn) continue;
    const double column = static_cast<double>(drawn % 3), row = static_cast<double>(drawn / 3);
    all.body += Place(Distribution(value, name, kWide), column * (kWide + kGap), row * kTall);
    all.height = (row + 1) * kTall;
    ++drawn;
  }
  Section section = {.id = "tensors",
                     .title = "The range of each tensor",
                     .finding = fmt::format("{} tensors were observed on {} samples.",
                                            f.prepared->calibration.size(), f.samples)};
  if (drawn > 0)
    section.figures.push_back({all,
                               "How often values occur (logarithmic), from the least to the "
                               "largest; lines mark the range that 8 bits cover."});
  section.tables.push_back(std::move(table));
  return section;
}

Section Ablation(const QuantizeFindings& f) {
  Rows table = {.title = "correction by correction",
                .header = {"", ">output SQNR dB", ">" + Metric(f)},
                .rows = {}};
  std::vector<Bar> bars;
  for (const AblationRow& row : f.ablation) {
    table.rows.push_back({row.name, fmt::format("{:.2f}", row.sqnr),
                          row.value ? fmt::format("{:.2f} %", 100 * *row.value) : "-"});
    bars.push_back(
        {row.name, "", std::max(0.0, row.sqnr), fmt::format("{:.1f} dB", row.sqnr), "leaf"});
  }
  return {.id = "corrections",
          .title = "What each correction adds",
          .finding = "Each row has the corrections of the rows above and one more.",
          .figures = {{BarChart(bars, {.label_width = 130}),
                       "Energy of the outputs over that of their error."}},
          .tables = {std::move(table)}};
}

std::string VerdictText(const QuantizeFindings& f) {
  if (!f.pass) return "The allowed drop of accuracy is not met.";
  if (f.request->drop)
    return fmt::format("Within what was asked: a drop of {:g} % at most.", 100 * *f.request->drop);
  const bool known =
      f.choice != nullptr && f.choice->decibels && std::isfinite(*f.choice->decibels);
  return (known ? fmt::format("The outputs are within {:.1f} dB of those in float. ",
                              *f.choice->decibels)
                : "") +
         "No bound was asked for (--max-drop).";
}

}  // namespace

Page FindingsPage(const QuantizeFindings& f) {
  const double smaller = static_cast<double>(f.before.bytes) / static_cast<double>(f.after.bytes);
  Page page = {.title = fmt::format("{}, quantised", f.request->model.path),
               .verdict = VerdictText(f),
               .tiles = {{fmt::format("1 / {:.2f}", smaller), "of the size"},
                         {fmt::format("x {:.2f}", f.before.milliseconds / f.after.milliseconds),
                          "as fast"}}};
  if (f.rows > 0)
    page.tiles.emplace_back(ValueText(f.after), fmt::format("{}, {} in float, {} rows", Metric(f),
                                                            ValueText(f.before), f.rows));
  page.sections.push_back(AskedSection(f));
  page.sections.push_back(Costs(f));
  if (!f.rungs.empty()) page.sections.push_back(LadderSection(f));
  if (f.prepared != nullptr) {
    if (f.request->drop) page.sections.push_back(Decided(f));
    page.sections.push_back(FloatNodes(f));
    page.sections.push_back(Times(f));
  }
  if (!f.stored.empty()) page.sections.push_back(WeightsSection(f));
  if (!f.layers.empty()) page.sections.push_back(Layers(f));
  if (f.prepared != nullptr) page.sections.push_back(Distributions(f));
  if (!f.ablation.empty()) page.sections.push_back(Ablation(f));
  page.environment = {{"processor", ProcessorName()},
                      {"instruction set", std::string(Name(BestIsa()))},
                      {"threads", f.request->threads == 0 ? fmt::format("{}", Cpu().cores)
                                                          : fmt::format("{}", f.request->threads)}};
  return page;
}

}  // namespace athanor::tools
