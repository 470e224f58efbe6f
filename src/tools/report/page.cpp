#include "tools/report/page.h"

#include <fmt/core.h>

#include <algorithm>

#include "tools/report/files.h"

namespace athanor::tools {
namespace {

// The furnace: a vessel over a flame.
constexpr const char* kMark =
    "<svg viewBox='0 0 26 26' aria-hidden='true'><path class='frame gold' d='M5 11h16l-2.4 "
    "9.4a3 3 0 0 1-2.9 2.3h-5.4a3 3 0 0 1-2.9-2.3z'/><path class='fire' d='M13 1.5c3.2 3.3 3.6 5 "
    "2.6 7.4h-5.2C9.4 6.5 11.800 5.200 13 1.500z'/></svg>";

std::string RenderRows(const Rows& table) {
  std::string html = fmt::format(
      "<details{}><summary>{}</summary><div class='scroll'><table{}><tr>",
      table.open ? " open" : "", Escape(table.title), table.sortable ? " class='sortable'" : "");
  std::vector<bool> numbers;
  for (std::string_view heading : table.header) {
    numbers.push_back(heading.starts_with('>'));
    if (numbers.back()) heading.remove_prefix(1);
    const std::string text = table.sortable
                                 ? fmt::format("<button type='button'>{}</button>", Escape(heading))
                                 : Escape(heading);
    html += fmt::format("<th{}>{}</th>", numbers.back() ? " class='n'" : "", text);
  }
  for (const std::vector<std::string>& row : table.rows) {
    html += "</tr><tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool number = i < numbers.size() && numbers[i];
      html += fmt::format("<td{}>{}</td>", number ? " class='n'" : "", Escape(row[i]));
    }
  }
  return html + "</tr></table></div></details>\n";
}

std::string RenderCommands(const std::vector<std::string>& commands) {
  if (commands.empty()) return "";
  std::string html = "<pre data-what='the same from the command line'>";
  for (std::size_t i = 0; i < commands.size(); ++i)
    html += (i == 0 ? "" : "\n") + Escape(commands[i]);
  return html + "</pre>\n";
}

std::string RenderSection(const Section& section, std::size_t number) {
  std::string html = fmt::format(
      "<section id='{}'><h2><span class='n'>{}</span>{}</h2><p class='finding'>{}</p>\n",
      Escape(section.id), number, Escape(section.title), Escape(section.finding));
  for (const Figure& figure : section.figures) {
    html += "<figure>" + ToSvg(figure.drawing);
    if (!figure.caption.empty())
      html += fmt::format("<figcaption>{}</figcaption>", Escape(figure.caption));
    html += "</figure>\n";
  }
  for (const Rows& table : section.tables) html += RenderRows(table);
  return html + RenderCommands(section.commands) + "</section>\n";
}

std::string RenderEnvironment(const Page& page) {
  std::string html =
      "<section id='machine'><h2>Measured on</h2><p class='finding'>Every figure was measured in "
      "the run that wrote this page. Figures of other machines, or of this one under load, "
      "differ.</p><figure><div class='scroll'><table>";
  for (const auto& [name, value] : page.environment)
    html += fmt::format("<tr><th>{}</th><td>{}</td></tr>", Escape(name), Escape(value));
  return html + "</table></div></figure></section>\n";
}

bool IsSortable(const Page& page) {
  return std::any_of(page.sections.begin(), page.sections.end(), [](const Section& section) {
    return std::any_of(section.tables.begin(), section.tables.end(),
                       [](const Rows& table) { return table.sortable; });
  });
}

}  // namespace

std::string RenderPage(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width,initial-scale=1'><meta name='color-scheme' content='light "
      "dark'><title>{}</title><style>\n{}{}</style></head><body><main>\n"
      "<div class='brand'>{}Athanor {}</div><h1>{}</h1><p class='verdict'>{}</p>\n",
      Escape(page.title), ReportFile("palette.css"), ReportFile("page.css"), kMark, ATHANOR_VERSION,
      Escape(page.title), Escape(page.verdict));
  if (!page.tiles.empty()) {
    html += "<div class='tiles'>";
    for (const auto& [value, what] : page.tiles)
      html += fmt::format("<div class='tile'><b>{}</b><span>{}</span></div>", Escape(value),
                          Escape(what));
    html += "</div>\n";
  }
  html += "<nav>";
  for (const Section& section : page.sections)
    html += fmt::format("<a href='#{0}'>{0}</a>", Escape(section.id));
  html += "</nav>\n";
  for (std::size_t i = 0; i < page.sections.size(); ++i)
    html += RenderSection(page.sections[i], i + 1);
  html += RenderEnvironment(page) + "</main>";
  if (IsSortable(page)) html += fmt::format("<script>{}</script>", ReportFile("sort.js"));
  return html + "</body></html>\n";
}

}  // namespace athanor::tools
