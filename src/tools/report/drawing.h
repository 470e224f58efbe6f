// Drawings as SVG text: pure functions from numbers to shapes, without scripts and fonts to fetch.
// The colours are class names of palette.css, so that a page and a picture by itself look alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace athanor::tools {

// Shapes in the rectangle from (0, 0) to (width, height), in pixels.
struct Drawing {
  double width = 720, height = 0;
  std::string body = {};
  std::string label = {};  // what it shows, for those who cannot see it
};

// As an element of a page, as wide as the page lets it be.
std::string ToSvg(const Drawing& drawing);
// As a file of its own, with its colours.
std::string ToSvgFile(const Drawing& drawing);

// Text that is safe between tags and inside quoted attributes.
std::string Escape(std::string_view text);

// ---- shapes; every class is one of palette.css

std::string Text(double x, double y, std::string_view text, std::string_view classes = "");
std::string Rectangle(double x, double y, double width, double height, std::string_view classes,
                      double radius = 2);
std::string Line(double x1, double y1, double x2, double y2, std::string_view classes = "axis");
// The drawing with its upper left corner at (x, y).
std::string Place(const Drawing& drawing, double x, double y);

// How wide the text is about, at this size: drawings cannot measure letters.
double TextWidth(std::string_view text, double size = 13);
// With "..." at the end when it is wider than that.
std::string FitText(std::string_view text, double width, double size = 13);

// ---- numbers

// Round numbers from `low` to `high`, about `count` of them.
std::vector<double> Ticks(double low, double high, int count);
// "62.1 us", "4.30 ms", "1.20 s"
std::string HumanTime(double milliseconds);

}  // namespace athanor::tools
