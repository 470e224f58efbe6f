// A picture of the whole run, for a page that cannot hold the report.
#include "tools/demo/demo.h"

namespace athanor::tools::demo {
namespace {

constexpr double kWidth = 880, kMargin = 24, kGap = 20;

// The verdict, broken at spaces.
std::vector<std::string> Wrap(std::string_view text, double width, double size) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, space));
    if (!lines.back().empty() && TextWidth(lines.back() + " " + word, size) > width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return lines;
}

// One card with a heading and a chart.
Drawing Card(const std::string& title, const Drawing& chart, double width, double height) {
  return {width, height,
          Rectangle(0.6, 0.6, width - 1.2, height - 1.2, "box", 10) +
              Text(16, 26, title, "strong") + Place(chart, 16, 42),
          title};
}

}  // namespace

Drawing Summary(const State& state, const std::string& verdict) {
  Drawing page = {kWidth, 0, "", "athanor demo: " + verdict};
  double y = 40;
  page.body += Text(kMargin, y, "athanor demo", "head");
  for (const std::string& line : Wrap(verdict, kWidth - 2 * kMargin, 13))
    page.body += Text(kMargin, y += 22, line, "soft");
  y += 18;
  const double inner = kWidth - 2 * kMargin;
  const Drawing ladder = LadderChart(state.ladder, inner - 32);
  const double tall = ladder.height + 54;
  page.body +=
      Place(Card(fmt::format("one picture, {} ways to run the same network (logarithmic scale)",
                             state.ladder.size()),
                 ladder, inner, tall),
            kMargin, y);
  y += tall + kGap;
  // The others two in a row, a row as high as the higher of them.
  const double half = (inner - kGap) / 2;
  for (std::size_t i = 0; i < state.highlights.size(); i += 2) {
    double row = 0;
    for (std::size_t k = i; k < std::min(i + 2, state.highlights.size()); ++k)
      row = std::max(row, state.highlights[k].second.height + 56);
    for (std::size_t k = i; k < std::min(i + 2, state.highlights.size()); ++k) {
      const auto& [title, chart] = state.highlights[k];
      page.body += Place(Card(title, chart, half, row),
                         kMargin + static_cast<double>(k - i) * (half + kGap), y);
    }
    y += row + kGap;
  }
  page.height = y + 4;
  page.body = fmt::format("<rect width='{:g}' height='{:g}' rx='12' style='fill:var(--paper)'/>",
                          page.width, page.height) +
              page.body;
  return page;
}

}  // namespace athanor::tools::demo
