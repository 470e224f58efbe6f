// Eight bits instead of thirty-two: what is gained and what it costs.
#include <filesystem>

#include "core/text.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "quant/quantize.h"
#include "tools/demo/demo.h"
#include "tools/samples.h"

namespace athanor::tools::demo {
namespace {

constexpr std::int64_t kSamples = 128;

// One form of the network in the comparison.
struct Form {
  const char* name;
  const char* classes;
  double bytes = 0, milliseconds = 0, accuracy = 0;
};

// Three pairs of bars beside each other, each with a scale of its own.
Drawing Compared(const Form (&forms)[2], double width) {
  struct Column {
    const char* title;
    double Form::*value;
    std::string (*text)(double);
  };
  const Column columns[] = {{"size of the file", &Form::bytes, HumanBytes},
                            {"time of a picture", &Form::milliseconds, HumanTime},
                            {"right answers", &Form::accuracy,
                             [](double share) { return fmt::format("{:.2f} %", 100 * share); }}};
  constexpr double kGap = 28, kTall = 96;
  const double wide = (width - 2 * kGap) / 3;
  Drawing drawing = {width, kTall + 60, "", "float beside int8"};
  double x = 0;
  for (const Column& column : columns) {
    drawing.body += Text(x, 14, column.title, "strong");
    const double most = std::max(forms[0].*column.value, forms[1].*column.value);
    for (std::size_t i = 0; i < 2; ++i) {
      const double bar = (wide - 16) / 2, left = x + static_cast<double>(i) * (bar + 16);
      const double tall = kTall * 0.82 * (forms[i].*column.value / most);
      drawing.body += Rectangle(left, 26 + kTall - tall, bar, tall, forms[i].classes, 4);
      drawing.body += Text(left + bar / 2, 26 + kTall - tall - 6,
                           column.text(forms[i].*column.value), "middle small");
      drawing.body += Text(left + bar / 2, 26 + kTall + 17, forms[i].name, "middle small soft");
    }
    drawing.body += Line(x, 26 + kTall + 0.5, x + wide, 26 + kTall + 0.5);
    x += wide + kGap;
  }
  return drawing;
}

Result<Graph> Quantized(const State& state, quant::QuantizeReport& report) {
  ATH_TRY(const Samples samples,
          Samples::Open(*state.plain, state.File("calib.npz"), {.std = "255"}, kSamples));
  return quant::QuantizeGraph(
      *state.plain, samples.count(), [&](std::size_t i) { return samples.Read(i); }, {}, report);
}

std::int64_t Agreeing(const Scores& a, const Scores& b) {
  constexpr std::ptrdiff_t kClasses = 10;
  std::int64_t same = 0;
  for (auto x = a.logits.begin(), y = b.logits.begin(); x != a.logits.end();
       x += kClasses, y += kClasses)
    same += std::max_element(x, x + kClasses) - x == std::max_element(y, y + kClasses) - y ? 1 : 0;
  return same;
}

}  // namespace

Result<Outcome> Int8(State& state) {
  quant::QuantizeReport report;
  ATH_TRY(const Graph quantized, Quantized(state, report));
  ATH_RETURN_IF_ERROR(SaveModel(quantized, state.File("digits.int8.ath")));
  // What was written is what is measured.
  ATH_TRY(Graph written, LoadModel(state.File("digits.int8.ath")));
  ATH_TRY(const auto before, Session::Create(state.raw->Clone(), {.threads = 1}));
  ATH_TRY(const auto after, Session::Create(std::move(written), {.threads = 1}));
  ATH_TRY(const std::vector<Times> times,
          TimeInTurn({before.get(), after.get()}, state.held_out, state.seconds));
  ATH_TRY(const Scores was, ScoreAll(*before, state.held_out));
  ATH_TRY(const Scores is, ScoreAll(*after, state.held_out));
  const std::int64_t same = Agreeing(was, is);
  const auto pictures = static_cast<std::int64_t>(state.held_out.labels.size());
  std::error_code error;
  const auto size = [&](const char* name) {
    return static_cast<double>(std::filesystem::file_size(state.File(name), error));
  };
  const Form forms[] = {{"float", "gold", size("digits.ath"), times[0].median(), was.accuracy},
                        {"int8", "fire", size("digits.int8.ath"), times[1].median(), is.accuracy}};
  const double smaller = forms[0].bytes / forms[1].bytes,
               faster = forms[0].milliseconds / forms[1].milliseconds;
  state.ladder.push_back({"int8, 1 thread", "8-bit weights and activations", times[1].median(),
                          is.accuracy, MaxDifference(is.logits, state.expected)});
  state.highlights.emplace_back("8 bits instead of 32", Compared(forms, kHighlightWidth));
  state.tiles.emplace_back(
      fmt::format("1 / {:.1f}", smaller),
      fmt::format("of the size as int8, {:.1f} x as fast on one thread, {:.2f} % right", faster,
                  100 * is.accuracy));
  Outcome outcome;
  outcome.what = fmt::format(
      "{:.1f} x smaller, {:.1f} x as fast (1 thread), {:.2f} % right, same "
      "class on {} of {}",
      smaller, faster, 100 * is.accuracy, same, pictures);
  outcome.section = {
      .id = "int8",
      .title = "Eight bits instead of thirty-two",
      .finding = fmt::format(
          "{} of {} nodes compute on integers after calibration on {} training pictures. The file "
          "is {:.1f} times smaller, one picture takes {} instead of {} on one thread, and {:.2f} % "
          "of the held-out pictures are right instead of {:.2f} %: both name the same digit on {} "
          "of {}.",
          report.quantized, report.nodes, kSamples, smaller, HumanTime(forms[1].milliseconds),
          HumanTime(forms[0].milliseconds), 100 * is.accuracy, 100 * was.accuracy, same, pictures),
      .figures = {{Compared(forms, 720),
                   "Both networks on one thread, measured in turn in the same seconds."}},
      .commands = {fmt::format("athanor quantize {} --calib {} --std 255 --data {} -o {}",
                               state.File("digits.onnx"), state.File("calib.npz"),
                               state.File("heldout.npz"), state.File("digits.int8.ath"))}};
  outcome.figures = {{"quantized_nodes", report.quantized},
                     {"bytes", {forms[0].bytes, forms[1].bytes}},
                     {"milliseconds", {forms[0].milliseconds, forms[1].milliseconds}},
                     {"accuracy", {was.accuracy, is.accuracy}},
                     {"same_class", same},
                     {"pictures", pictures}};
  return outcome;
}

}  // namespace athanor::tools::demo
