#include "tools/console.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace athanor::tools {
namespace {

std::FILE* HumanStream(const Common& common) { return common.json ? stderr : stdout; }

std::string Colour(const Common& common, const char* code, std::string_view text) {
  return UseColour(common) ? fmt::format("\x1B[{}m{}\x1B[0m", code, text) : std::string(text);
}

// What Green and Red begin and end with. A terminal does more for other sequences: it moves, gives
// the window a name, answers.
bool IsColour(std::string_view text) {
  if (!text.starts_with("\x1B[")) return false;
  const std::size_t end = text.find_first_not_of("0123456789", 2);
  return end != std::string_view::npos && text[end] == 'm';
}

// Names come from files: bytes that would steer the terminal are shown as '?'.
std::string Printable(std::string_view text, bool keep_colours) {
  std::string clean(text);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto byte = static_cast<unsigned char>(clean[i]);
    const bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    if (control && !(keep_colours && IsColour(text.substr(i)))) clean[i] = '?';
  }
  return clean;
}

void Put(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

// Code points, near enough to columns for the scripts models are labelled in.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

template <class List>
bool Holds(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

bool HasWord(std::string_view command, const std::string& word) {
  return fmt::format("{} ", command).find(fmt::format(" {} ", word)) != std::string::npos;
}

// "run MODEL INPUT": what follows the model and is no option.
bool NamesAnInput(std::string_view command) {
  if (!command.starts_with("run ")) return false;
  const std::size_t model_ends = command.find(' ', 4);
  return model_ends != std::string_view::npos && command.substr(model_ends + 1, 1) != "-";
}

}  // namespace

void PrintText(const Common& common, std::string_view text) {
  Put(HumanStream(common), Printable(text, UseColour(common)));
}

void PrintNote(const Common& common, std::string_view text) {
  if (!common.quiet) Put(stderr, Printable(text, false) + "\n");
}

// How the machine is used holds for any model; how a model is read, for the same one only.
std::string RepeatedOptions(const Common& common, std::string_view command) {
  const CommandLine& given = common.given;
  constexpr std::string_view kMachine[] = {"--plugin", "--device", "--threads"};
  constexpr std::string_view kModel[] = {"--format", "--weights",    "--states",    "--set-dim",
                                         "--select", "--plan-cache", "--precision", "--input",
                                         "--seed",   "--drop"};
  constexpr std::string_view kPicture[] = {"--mean", "--std",    "--scale",  "--rgb",
                                           "--bgr",  "--layout", "--resize", "--crop"};
  const std::string verb(command.substr(0, command.find(' ')));
  const bool same_model =
      std::any_of(given.models.begin(), given.models.end(),
                  [&](const std::string& model) { return HasWord(command, ShellWord(model)); });
  const bool input = std::any_of(given.options.begin(), given.options.end(),
                                 [](const auto& option) { return option.name == "--input"; });
  std::string words;
  for (const auto& [name, value] : given.options) {
    const bool wanted = Holds(kMachine, name) || (same_model && Holds(kModel, name)) ||
                        (same_model && input && Holds(kPicture, name));
    if (!wanted || HasWord(command, name) || !given.takes(verb, name)) continue;
    if (name == "--input" && NamesAnInput(command)) continue;
    words += " " + name;
    if (!value.empty()) words += " " + ShellWord(value);
  }
  return words;
}

void Next(const Common& common, std::string_view command) {
  constexpr std::string_view kName = "athanor ";
  if (common.quiet) return;
  if (!command.starts_with(kName)) return Say(common, "next: {}", command);
  command.remove_prefix(kName.size());
  const std::string_view remark = command.substr(std::min(command.find("   # "), command.size()));
  command.remove_suffix(remark.size());
  Say(common, "next: {} {}{}{}", common.program, command, RepeatedOptions(common, command), remark);
}

void PrintJson(const Common& common, nlohmann::json document) {
  if (!common.json || common.json_printed) return;
  common.json_printed = true;
  document["schema_version"] = kSchemaVersion;
  // Names in files need not be UTF-8; JSON must be.
  Put(stdout, document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

bool UseColour(const Common& common) {
  const char* term = std::getenv("TERM");
  return !common.no_color && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb" && isatty(fileno(HumanStream(common))) != 0;
}

std::string Green(const Common& common, std::string_view text) {
  return Colour(common, "32", text);
}
std::string Red(const Common& common, std::string_view text) { return Colour(common, "31", text); }

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {
  for (std::string& cell : header_) {
    right_.push_back(cell.starts_with('>'));
    if (right_.back()) cell.erase(0, 1);
  }
}

void Table::Add(std::vector<std::string> row) {
  row.resize(header_.size());
  rows_.push_back(std::move(row));
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < header_.size(); ++c) {
    std::size_t width = Width(header_[c]);
    for (const auto& row : rows_) width = std::max(width, Width(row[c]));
    widths.push_back(width);
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string pad(widths[c] - Width(row[c]), ' ');
      if (c > 0) line += "  ";
      line += right_[c] ? pad + row[c] : row[c] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add(header_);
  std::vector<std::string> rule;
  for (const std::size_t width : widths) rule.emplace_back(width, '-');
  add(rule);
  for (const auto& row : rows_) add(row);
  return text;
}

std::string Shorten(std::string_view text, std::size_t width) {
  if (text.size() <= width || width < 8) return std::string(text);
  const std::size_t head = (width - 3) / 2, tail = width - 3 - head;
  return fmt::format("{}...{}", text.substr(0, head), text.substr(text.size() - tail));
}

std::string ShellWord(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("/._-+:,=@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace athanor::tools
