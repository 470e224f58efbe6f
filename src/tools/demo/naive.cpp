// The network as written, in plain loops: the yardstick of everything that follows.
#include <algorithm>

#include "tools/demo/demo.h"

namespace athanor::tools::demo {
namespace {

// How often each digit was taken for each: rows are what the picture shows, columns the answer.
Drawing Confusion(const std::vector<float>& logits, const std::vector<std::int64_t>& labels) {
  constexpr std::size_t kClasses = 10;
  constexpr double kCell = 25, kLeft = 150, kTop = 42;
  std::vector<int> counts(kClasses * kClasses);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * kClasses);
    const auto best = std::max_element(row, row + kClasses) - row;
    ++counts[static_cast<std::size_t>(labels[i]) * kClasses + static_cast<std::size_t>(best)];
  }
  Drawing drawing = {720, kTop + kCell * kClasses + 4, "", "which digit is taken for which"};
  drawing.body += Text(kLeft, 12, "the answer", "small soft");
  drawing.body += Text(kLeft - 34, kTop + 16, "the picture shows", "small soft right");
  const int most = *std::max_element(counts.begin(), counts.end());
  for (std::size_t shown = 0; shown < kClasses; ++shown) {
    const double y = kTop + kCell * static_cast<double>(shown);
    const double head = kLeft + 1.9 * kCell * static_cast<double>(shown) + 0.95 * kCell;
    drawing.body += Text(kLeft - 10, y + 17, std::to_string(shown), "strong right");
    drawing.body += Text(head, kTop - 10, std::to_string(shown), "strong middle");
    for (std::size_t answer = 0; answer < kClasses; ++answer) {
      const int count = counts[shown * kClasses + answer];
      const double x = kLeft + 1.9 * kCell * static_cast<double>(answer);
      const char* const colour = count == 0 ? "pale" : shown == answer ? "gold" : "fire";
      const double opacity = count == 0 ? 0.35 : 0.45 + 0.55 * count / most;
      drawing.body += fmt::format(
          "<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' rx='3' class='{}' "
          "opacity='{:.2f}'/>",
          x + 1, y + 1, 1.9 * kCell - 2, kCell - 2, colour, opacity);
      if (count > 0)
        drawing.body += Text(x + 0.95 * kCell, y + 17, std::to_string(count), "small middle");
    }
  }
  return drawing;
}

}  // namespace

Result<Outcome> Naive(State& state) {
  ATH_TRY(const Rung rung,
          AddReferenceRung(state, *state.raw, "as written", "plain loops over every element"));
  Outcome outcome;
  outcome.what =
      fmt::format("{} a picture, {:.2f} % of {} held-out pictures right",
                  HumanTime(rung.milliseconds), 100 * rung.accuracy, state.held_out.labels.size());
  outcome.section = {
      .id = "naive",
      .title = "The yardstick: plain loops",
      .finding = fmt::format(
          "The reference device runs every operator as its definition says, slow and right: {} "
          "for one picture, {:.2f} % of {} held-out pictures right. Everything below is compared "
          "with these scores.",
          HumanTime(rung.milliseconds), 100 * rung.accuracy, state.held_out.labels.size()),
      .figures = {{Confusion(state.expected, state.held_out.labels),
                   "Which digit is taken for which, on the held-out pictures."}},
      .commands = {
          fmt::format("athanor bench {} --device reference --time 2", state.File("digits.onnx"))}};
  outcome.figures = ToJson(rung);
  return outcome;
}

}  // namespace athanor::tools::demo
