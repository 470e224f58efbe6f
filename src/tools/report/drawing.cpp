#include "tools/report/drawing.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/report/files.h"

namespace athanor::tools {

std::string ToSvg(const Drawing& drawing) {
  return fmt::format("<svg viewBox='0 0 {:g} {:g}' role='img' aria-label='{}'>{}</svg>\n",
                     drawing.width, drawing.height, Escape(drawing.label), drawing.body);
}

std::string ToSvgFile(const Drawing& drawing) {
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:g} {1:g}' width='{0:g}' "
      "height='{1:g}' role='img' aria-label='{2}'><style>{3}</style>{4}</svg>\n",
      drawing.width, drawing.height, Escape(drawing.label), ReportFile("palette.css"),
      drawing.body);
}

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n')
      out += c;
  }
  return out;
}

std::string Text(double x, double y, std::string_view text, std::string_view classes) {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' class='{}'>{}</text>", x, y, classes,
                     Escape(text));
}

std::string Rectangle(double x, double y, double width, double height, std::string_view classes,
                      double radius) {
  return fmt::format(
      "<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' rx='{:g}' class='{}'/>", x, y,
      std::max(0.0, width), std::max(0.0, height), radius, classes);
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view classes) {
  return fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' class='{}'/>", x1, y1,
                     x2, y2, classes);
}

std::string Place(const Drawing& drawing, double x, double y) {
  return fmt::format("<g transform='translate({:.1f} {:.1f})'>{}</g>", x, y, drawing.body);
}

// Half a letter's height is the mean width of letters and digits in the fonts at hand.
double TextWidth(std::string_view text, double size) {
  return 0.54 * size * static_cast<double>(text.size());
}

std::string FitText(std::string_view text, double width, double size) {
  if (TextWidth(text, size) <= width) return std::string(text);
  const auto keep = static_cast<std::size_t>(std::max(0.0, width / (0.54 * size) - 2));
  return std::string(text.substr(0, keep)) + "..";
}

std::vector<double> Ticks(double low, double high, int count) {
  std::vector<double> ticks;
  if (!(high > low) || count < 1) return ticks;
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  // Counted, so that rounding neither loses nor repeats one.
  const auto first = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(high / step + 1e-9));
  for (std::int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string HumanTime(double milliseconds) {
  if (milliseconds < 1) return fmt::format("{:.1f} us", milliseconds * 1000);
  if (milliseconds < 1000) return fmt::format("{:.2f} ms", milliseconds);
  return fmt::format("{:.2f} s", milliseconds / 1000);
}

}  // namespace athanor::tools
