// A report: one HTML page that needs nothing else, no network, in light and dark; and no script
// either, except to sort rows where a table asks for that.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/report/drawing.h"

namespace athanor::tools {

struct Figure {
  Drawing drawing;
  std::string caption = {};
};

// Rows of text; a heading that starts with '>' marks a column of numbers.
struct Rows {
  std::string title;  // what one opens to see it
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  bool sortable = false;  // by a click on a heading
  bool open = false;      // without being asked
};

struct Section {
  std::string id, title;  // "int8", "Eight bits instead of thirty-two"
  std::string finding;    // what was measured, in a sentence or two
  std::vector<Figure> figures = {};
  std::vector<Rows> tables = {};
  std::vector<std::string> commands = {};  // that give these figures again
};

struct Page {
  std::string title, verdict;
  std::vector<std::pair<std::string, std::string>> tiles = {};  // "x 34", "faster than ..."
  std::vector<Section> sections = {};
  std::vector<std::pair<std::string, std::string>> environment = {};  // "processor" -> "..."
};

std::string RenderPage(const Page& page);

}  // namespace athanor::tools
