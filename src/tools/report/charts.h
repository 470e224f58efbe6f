// The charts of reports. Each gives a drawing of the width asked for; times are milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "tools/report/drawing.h"

namespace athanor::tools {

struct Bar {
  std::string name, note;  // in front of the bar, or above it
  double value = 0;
  std::string text = {};  // behind the bar: the value with its unit
  std::string classes = "gold";
};
struct BarOptions {
  double width = 720;
  double label_width = 0;    // names stand in front of the bars; 0: above them
  bool logarithmic = false;  // values differ by orders of magnitude
};
Drawing BarChart(const std::vector<Bar>& bars, const BarOptions& options);

// How often values fall into each of 48 bins, up to the 99.5th percentile; marks the median, the
// 90th and the 99th.
Drawing HistogramChart(std::vector<double> milliseconds, double width = 720, double height = 130);

struct Series {
  std::string name;
  std::string classes = "gold";
  std::vector<std::pair<double, double>> points;
  bool dots = false;
};
struct LineOptions {
  double width = 720, height = 220;
  std::string x, y;  // what the axes show
  std::function<std::string(double)> x_text, y_text;
  bool from_zero = true;  // the y axis
};
Drawing LineChart(const std::vector<Series>& series, const LineOptions& options);

// Rectangles over two axes: what lies where, and when.
struct Block {
  double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
  std::string name, note;
};
struct MapOptions {
  double width = 720, height = 220;
  std::string x;  // what the horizontal axis counts
  std::function<std::string(double)> y_text;
  double top = 0;  // of the vertical axis
};
Drawing BlockMap(const std::vector<Block>& blocks, const MapOptions& options);

// Boxes with arrows between them; broken into lines where they are too many.
struct Stop {
  std::string name, note;
};
Drawing FlowChart(const std::vector<Stop>& stops, double width = 720);

// A row of points for each group, over 0..1.
struct Group {
  std::string name, classes;
  std::vector<double> shares;
};
Drawing DotRows(const std::vector<Group>& groups, std::string_view axis, double width = 720);

// A picture file (PNG or JPEG) as an element of a drawing.
std::string Image(double x, double y, double width, double height, std::string_view mime,
                  std::span<const std::uint8_t> file, std::string_view label);

}  // namespace athanor::tools
