// What people read on the terminal: lines, tables, colours, the next step; and the JSON document.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/verb.h"

namespace athanor::tools {

inline constexpr int kSchemaVersion = 1;

// Results for people: stdout, or stderr when stdout carries JSON.
void PrintText(const Common& common, std::string_view text);
template <class... Args>
void Say(const Common& common, fmt::format_string<Args...> format, Args&&... args) {
  PrintText(common, fmt::format(format, std::forward<Args>(args)...) + "\n");
}
// Remarks on the way: stderr, silent with --quiet.
void PrintNote(const Common& common, std::string_view text);
template <class... Args>
void Note(const Common& common, fmt::format_string<Args...> format, Args&&... args) {
  PrintNote(common, fmt::format(format, std::forward<Args>(args)...));
}
// The last line: "next: athanor ...", with the path of the program where its name is not found and
// with the options of this call that the next one needs as well (--threads, --weights ...).
void Next(const Common& common, std::string_view command);
// " --threads 1 --weights random": what this call was given and `command` ("bench MODEL") takes as
// well.
std::string RepeatedOptions(const Common& common, std::string_view command);
// Adds schema_version and prints; nothing without --json. Once per run.
void PrintJson(const Common& common, nlohmann::json document);

// True when the human stream is a terminal that shows colours.
bool UseColour(const Common& common);
std::string Green(const Common& common, std::string_view text);
std::string Red(const Common& common, std::string_view text);

// Columns aligned with two spaces between them; numbers (cells marked right) to the right.
class Table {
 public:
  // A header that starts with '>' is right-aligned.
  explicit Table(std::vector<std::string> header);
  void Add(std::vector<std::string> row);
  std::string ToString() const;
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::string> header_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// Longer text is cut in the middle of "...": names in models can be very long.
std::string Shorten(std::string_view text, std::size_t width);

// A word as a shell reads it back: quoted when it needs to be.
std::string ShellWord(std::string_view text);

}  // namespace athanor::tools
