#include "tools/report/charts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "tools/describe.h"

namespace athanor::tools {
namespace {

// Where a value stands on an axis.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

// The length of each bar, 0..1.
std::vector<double> Lengths(const std::vector<Bar>& bars, bool logarithmic) {
  double least = INFINITY, most = 0;
  for (const Bar& bar : bars) {
    if (bar.value > 0) least = std::min(least, bar.value);
    most = std::max(most, bar.value);
  }
  std::vector<double> lengths;
  for (const Bar& bar : bars) {
    double length = most > 0 ? bar.value / most : 0;
    // The least bar keeps a fourteenth of the width: on this axis 0 is nowhere.
    if (logarithmic && bar.value > 0 && most > least)
      length = (std::log(bar.value / least) / std::log(most / least) + 0.08) / 1.08;
    lengths.push_back(length);
  }
  return lengths;
}

// "name note" with the note in a softer colour.
std::string NameAndNote(double x, double y, const Bar& bar, std::string_view classes) {
  return fmt::format(
      "<text x='{:.1f}' y='{:.1f}' class='{}'><tspan class='strong'>{}</tspan> <tspan "
      "class='soft'>{}</tspan></text>",
      x, y, classes, Escape(bar.name), Escape(bar.note));
}

}  // namespace

Drawing BarChart(const std::vector<Bar>& bars, const BarOptions& options) {
  const bool above = options.label_width == 0;
  const double row = above ? 42 : 24, left = above ? 0 : options.label_width;
  double text_width = 0;
  for (const Bar& bar : bars) text_width = std::max(text_width, TextWidth(bar.text) + 12);
  const double span = options.width - left - text_width;
  const std::vector<double> lengths = Lengths(bars, options.logarithmic);
  Drawing drawing = {options.width, row * static_cast<double>(bars.size()), "", "bars"};
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double y = row * static_cast<double>(i), length = span * lengths[i];
    const double bar_y = above ? y + 20 : y + 4;
    drawing.body +=
        above ? NameAndNote(0, y + 14, bars[i], "") : NameAndNote(0, y + 16, bars[i], "");
    drawing.body += Rectangle(left, bar_y, std::max(1.5, length), 15, bars[i].classes, 3);
    drawing.body += Text(left + std::max(1.5, length) + 8, bar_y + 12.5, bars[i].text);
  }
  return drawing;
}

namespace {

// 1, 2 and 5 of each power of ten between the two.
std::vector<double> LogTicks(double low, double high) {
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (const double lead : {1.0, 2.0, 5.0}) {
      if (lead * power >= low && lead * power <= high) ticks.push_back(lead * power);
    }
  }
  return ticks;
}

}  // namespace

Drawing HistogramChart(std::vector<double> values, double width, double height) {
  constexpr std::size_t kBins = 48;
  Drawing drawing = {width, height + 64, "", "histogram of times"};
  if (values.empty()) return drawing;
  std::sort(values.begin(), values.end());
  // Logarithmic, because late answers are late by a factor.
  const double low = std::max(values.front(), 1e-6) * 0.95,
               high = std::max(Percentile(values, 0.995), low) * 1.1;
  const auto share = [&](double value) { return std::log(value / low) / std::log(high / low); };
  std::vector<int> bins(kBins, 0);
  for (const double value : values) {
    if (value >= low && value <= high)
      ++bins[std::min(kBins - 1, static_cast<std::size_t>(share(value) * kBins))];
  }
  const double most = *std::max_element(bins.begin(), bins.end()), step = width / kBins;
  for (std::size_t i = 0; i < kBins; ++i) {
    const double tall = height * bins[i] / most;
    if (bins[i] > 0)
      drawing.body += Rectangle(static_cast<double>(i) * step + 0.75, height - tall, step - 1.5,
                                tall, "gold", 1.5);
  }
  drawing.body += Line(0, height + 0.5, width, height + 0.5);
  // A mark would strike through a number that stands close to it.
  const double marks[] = {share(Percentile(values, 0.5)) * width,
                          share(Percentile(values, 0.9)) * width,
                          share(Percentile(values, 0.99)) * width};
  for (const double tick : LogTicks(low, high)) {
    const double at = share(tick) * width;
    const bool struck = std::any_of(std::begin(marks), std::end(marks),
                                    [&](double mark) { return std::fabs(mark - at) < 26; });
    if (struck || at < 20 || at > width - 20) continue;
    drawing.body +=
        Text(at, height + 14,
             tick < 1 ? fmt::format("{:g} us", tick * 1000) : fmt::format("{:g} ms", tick),
             "small soft middle");
  }
  double line = 31;
  for (const auto& [part, name] : {std::pair(0.5, "median"), {0.9, "p90"}, {0.99, "p99"}}) {
    const double at = share(Percentile(values, part)) * width;
    const bool turn = at > width * 0.72;
    // It ends above the numbers, whichever of them stands below it.
    drawing.body += Line(at, 0, at, height + 20, "rule dash");
    drawing.body += Text(at + (turn ? -5 : 5), height + line,
                         fmt::format("{} {}", name, HumanTime(Percentile(values, part))),
                         turn ? "right small" : "small");
    line += 15;
  }
  return drawing;
}

namespace {

// The corners of what is drawn, and the axes around it.
struct Frame {
  Scale x, y;
  std::string axes;
};

Frame MakeFrame(const std::vector<Series>& series, const LineOptions& options) {
  double x1 = INFINITY, x2 = -INFINITY, y1 = INFINITY, y2 = -INFINITY;
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      x1 = std::min(x1, x), x2 = std::max(x2, x), y1 = std::min(y1, y), y2 = std::max(y2, y);
    }
  }
  if (options.from_zero) y1 = 0;
  if (!(x2 > x1)) x2 = x1 + 1;
  if (!(y2 > y1)) y2 = y1 + 1;
  const double top = 22, bottom = options.height - 40, left = 58, right = options.width - 14;
  Frame frame = {{x1, x2, left, right}, {y1, y2 + 0.06 * (y2 - y1), bottom, top}, ""};
  for (const double tick : Ticks(frame.y.low, frame.y.high, 4)) {
    frame.axes += Line(left, frame.y(tick), right, frame.y(tick));
    frame.axes += Text(left - 8, frame.y(tick) + 4, options.y_text(tick), "small soft right");
  }
  // Few points that are shown one by one are their own marks.
  std::vector<double> ticks = Ticks(x1, x2, 8);
  if (series[0].dots) {
    ticks.clear();
    for (const auto& [x, y] : series[0].points) ticks.push_back(x);
  }
  for (const double tick : ticks)
    // What ends at the frame's edge would be cut off there.
    frame.axes += Text(frame.x(tick), bottom + 16, options.x_text(tick),
                       frame.x(tick) > right - 1 ? "small soft right" : "small soft middle");
  frame.axes += Text((left + right) / 2, bottom + 34, options.x, "small soft middle");
  frame.axes += Text(0, 10, options.y, "small soft");
  return frame;
}

}  // namespace

Drawing LineChart(const std::vector<Series>& series, const LineOptions& options) {
  const Frame frame = MakeFrame(series, options);
  Drawing drawing = {options.width, options.height, frame.axes, options.y + " over " + options.x};
  double legend = options.width - 14;
  for (const Series& one : series) {
    std::string path;
    for (const auto& [x, y] : one.points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.x(x), frame.y(y));
    drawing.body += fmt::format("<path d='{}' class='curve {}'/>", path, one.classes);
    for (const auto& [x, y] : one.points) {
      if (one.dots)
        drawing.body += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='4' class='{}'/>",
                                    frame.x(x), frame.y(y), one.classes);
    }
    if (one.name.empty()) continue;
    legend -= TextWidth(one.name, 11) + 26;
    const std::string colour = one.classes.substr(0, one.classes.find(' '));
    drawing.body +=
        Rectangle(legend, 2, 12, 8, colour, 2) + Text(legend + 17, 10, one.name, "small");
  }
  return drawing;
}

Drawing BlockMap(const std::vector<Block>& blocks, const MapOptions& options) {
  const char* const kColours[] = {"gold", "steel", "leaf", "fire", "plum"};
  double steps = 1;
  for (const Block& block : blocks) steps = std::max(steps, block.x2);
  const double top = 8, bottom = options.height - 36, left = 64, right = options.width - 6;
  const Scale x = {0, steps, left, right}, y = {0, options.top, bottom, top};
  Drawing drawing = {options.width, options.height, "", "what lies where, and when"};
  for (const double tick : Ticks(0, options.top, 4)) {
    drawing.body += Line(left, y(tick), right, y(tick));
    drawing.body += Text(left - 8, y(tick) + 4, options.y_text(tick), "small soft right");
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    const double wide = x(block.x2) - x(block.x1) - 2, tall = y(block.y1) - y(block.y2) - 1;
    drawing.body += Rectangle(x(block.x1) + 1, y(block.y2) + 0.5, wide, std::max(1.5, tall),
                              kColours[i % std::size(kColours)], 3);
    if (tall < 13 || wide < 26) continue;
    drawing.body +=
        Text(x(block.x1) + 6, y(block.y2) + 14, FitText(block.name, wide - 8, 11), "inside strong");
    if (tall > 28)
      drawing.body +=
          Text(x(block.x1) + 6, y(block.y2) + 27, FitText(block.note, wide - 8, 11), "inside");
  }
  for (const double tick : Ticks(0, steps, 12)) {
    if (tick < steps)
      drawing.body +=
          Text(x(tick + 0.5), bottom + 15, fmt::format("{:g}", tick + 1), "small soft middle");
  }
  drawing.body += Text((left + right) / 2, bottom + 31, options.x, "small soft middle");
  return drawing;
}

Drawing FlowChart(const std::vector<Stop>& stops, double width) {
  constexpr double kGap = 22, kTall = 50, kLine = 66;
  Drawing drawing = {width, 0, "", "stages"};
  double x = 0, y = 1;
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const double wide =
        std::max({TextWidth(stops[i].name), TextWidth(stops[i].note, 11), 44.0}) + 22;
    if (x > 0 && x + wide > width) x = 0, y += kLine;
    drawing.body += Rectangle(x + 0.6, y, wide - 1.2, kTall, "box", 8);
    drawing.body += Text(x + wide / 2, y + 21, stops[i].name, "strong middle");
    drawing.body += Text(x + wide / 2, y + 38, stops[i].note, "small soft middle");
    if (i + 1 < stops.size())
      drawing.body += fmt::format("<path d='M{0:.1f} {1:.1f}l7 4.5l-7 4.5z' class='gold'/>",
                                  x + wide + 7, y + kTall / 2 - 4.5);
    x += wide + kGap;
  }
  drawing.height = y + kTall + 1;
  return drawing;
}

Drawing DotRows(const std::vector<Group>& groups, std::string_view axis, double width) {
  constexpr double kRow = 46, kLeft = 108;
  Drawing drawing = {width, kRow * static_cast<double>(groups.size()) + 40, "", "points per group"};
  const Scale x = {0, 1, kLeft + 8, width - 10};
  const double bottom = kRow * static_cast<double>(groups.size());
  for (const double tick : Ticks(0, 1, 5)) {
    drawing.body += Line(x(tick), 0, x(tick), bottom);
    drawing.body += Text(x(tick), bottom + 15, fmt::format("{:g}", tick), "small soft middle");
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const double y = kRow * (static_cast<double>(i) + 0.5);
    drawing.body += Text(0, y - 1, groups[i].name, "strong");
    drawing.body += Text(0, y + 13, fmt::format("{} rows", groups[i].shares.size()), "small soft");
    // Spread up and down in a fixed pattern, so that equal values do not hide each other.
    for (std::size_t k = 0; k < groups[i].shares.size(); ++k) {
      const double lift = (static_cast<double>(k * 7 % 13) - 6) * 2.4;
      drawing.body +=
          fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3' class='{}' opacity='.55'/>",
                      x(groups[i].shares[k]), y + lift, groups[i].classes);
    }
  }
  drawing.body += Text((kLeft + width) / 2, bottom + 33, axis, "small soft middle");
  return drawing;
}

std::string Image(double x, double y, double width, double height, std::string_view mime,
                  std::span<const std::uint8_t> file, std::string_view label) {
  return fmt::format(
      "<image x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' aria-label='{}' "
      "href='data:{};base64,{}'/>",
      x, y, width, height, Escape(label), mime, EncodeBase64(file));
}

}  // namespace athanor::tools
