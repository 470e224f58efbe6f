// The same network through several file formats, and whether it stays the same.
#include <algorithm>
#include <filesystem>

#include "core/text.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "tools/demo/demo.h"

namespace athanor::tools::demo {
namespace {

struct Format {
  const char* name;
  const char* what;
  const char* file;
  const char* more;  // a second file that belongs to it
};

constexpr Format kFormats[] = {
    {"ONNX", "as trained", "digits.onnx", nullptr},
    {"ath", "one mapped file", "digits.ath", nullptr},
    {"ncnn", ".param and .bin", "digits.param", "digits.bin"},
    {"text", "for people and tests", "digits.copy.txt", nullptr},
};

double FileSize(const State& state, const char* name) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(state.File(name), error);
  return error ? 0 : static_cast<double>(bytes);
}

}  // namespace

Result<Outcome> Formats(State& state) {
  ATH_TRY(const auto session, Session::Create(state.raw->Clone(), {}));
  ATH_TRY(const Scores measure, ScoreAll(*session, state.held_out));
  std::vector<Bar> bars;
  std::vector<std::string> names;
  nlohmann::json figures = nlohmann::json::array();
  double worst = 0;
  for (const Format& format : kFormats) {
    // The first is the file that the others are made from.
    if (&format != kFormats) ATH_RETURN_IF_ERROR(SaveModel(*state.raw, state.File(format.file)));
    ATH_TRY(Graph graph, LoadModel(state.File(format.file)));
    ATH_TRY(const auto other, Session::Create(std::move(graph), {}));
    ATH_TRY(const Scores scores, ScoreAll(*other, state.held_out));
    const double difference = MaxDifference(scores.logits, measure.logits);
    worst = std::max(worst, difference);
    const double bytes =
        FileSize(state, format.file) + (format.more ? FileSize(state, format.more) : 0);
    bars.push_back({format.name, format.what, bytes,
                    fmt::format("{}, largest difference {:.1g}", HumanBytes(bytes), difference)});
    names.emplace_back(format.name);
    figures.push_back({{"format", format.name},
                       {"bytes", bytes},
                       {"max_difference", difference},
                       {"accuracy", scores.accuracy}});
  }
  Outcome outcome;
  outcome.what = fmt::format("{}: largest difference {:.1g} on {} pictures", Join(names, ", "),
                             worst, state.held_out.labels.size());
  outcome.section = {
      .id = "formats",
      .title = "One network, four files",
      .finding = fmt::format(
          "Written in each format, read back, and run on {} held-out pictures: the scores differ "
          "by at most {:.1g}.",
          state.held_out.labels.size(), worst),
      .figures = {{BarChart(bars, {.label_width = 210}),
                   "Size of the files, and the largest difference between their scores and those "
                   "of digits.onnx."}},
      .commands = {fmt::format("athanor convert {} -o {}", state.File("digits.onnx"),
                               state.File("digits.param")),
                   fmt::format("athanor compare {} {}", state.File("digits.onnx"),
                               state.File("digits.param"))}};
  outcome.figures = {{"formats", std::move(figures)}, {"max_difference", worst}};
  return outcome;
}

}  // namespace athanor::tools::demo
