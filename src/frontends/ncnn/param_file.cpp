#include "frontends/ncnn/param_file.h"

#include <charconv>
#include <cmath>
#include <set>

#include "core/text.h"

namespace athanor::ncnn {
namespace {

constexpr std::string_view kMagic = "7767517";
constexpr std::string_view kSpace = " \t\r";
// Lists have the id -(23300 + id); their first number is the count of the others.
constexpr int kFirstListId = -23300;
constexpr int kMaxId = 255;

std::string_view NextWord(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(kSpace);
  if (start == std::string_view::npos) {
    line = {};
    return {};
  }
  line.remove_prefix(start);
  const std::size_t end = std::min(line.find_first_of(kSpace), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

template <class T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The lines of the file that hold something.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool Next(std::string_view& line) {
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      if (line.find_first_not_of(kSpace) != std::string_view::npos) return true;
    }
    return false;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

Result<std::vector<double>> ParseValues(std::string_view text) {
  std::vector<double> values;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    double value = 0;
    if (!ParseNumber(text.substr(0, comma), value) || !std::isfinite(value)) {
      return InvalidModel("{} is not a number",
                          Quote(text.substr(0, std::min<std::size_t>(comma, 40))));
    }
    values.push_back(value);
    if (comma == text.size()) return values;
    text.remove_prefix(comma + 1);
  }
}

// "6=432", "-23300=2,-233,-233" or, in newer files, "0=1,2".
Status ParseParameter(std::string_view word, Layer& layer) {
  const std::size_t equals = word.find('=');
  int id = 0;
  if (equals == std::string_view::npos || !ParseNumber(word.substr(0, equals), id))
    return InvalidModel("{} is not ID=VALUE", Quote(word.substr(0, 40)));
  const bool counted = id <= kFirstListId;
  if (counted) id = kFirstListId - id;
  if (id < 0 || id > kMaxId)
    return InvalidModel("parameter {} does not exist; 0 to {} do", word.substr(0, equals), kMaxId);
  ATH_TRY(std::vector<double> values, ParseValues(word.substr(equals + 1)));
  Param param = {.list = counted || values.size() > 1, .values = std::move(values)};
  if (counted) {
    if (param.values[0] != static_cast<double>(param.values.size() - 1)) {
      return InvalidModel("list {} says it has {} numbers and has {}", id, param.values[0],
                          param.values.size() - 1);
    }
    param.values.erase(param.values.begin());
  }
  if (!layer.params.emplace(id, std::move(param)).second)
    return InvalidModel("parameter {} is given twice", id);
  return {};
}

Status ReadNames(std::string_view& line, std::size_t count, std::string_view what,
                 std::vector<std::string>& names) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = NextWord(line);
    if (name.empty() || name.find('=') != std::string_view::npos)
      return InvalidModel("it says it has {} {} and names {}", count, what, i);
    names.emplace_back(name);
  }
  return {};
}

Status ParseLayer(std::string_view line, Layer& layer) {
  layer.type = NextWord(line);
  layer.name = NextWord(line);
  std::size_t inputs = 0, outputs = 0;
  if (!ParseNumber(NextWord(line), inputs) || !ParseNumber(NextWord(line), outputs))
    return InvalidModel("TYPE NAME INPUTS OUTPUTS ... is expected");
  ATH_RETURN_IF_ERROR(ReadNames(line, inputs, "inputs", layer.bottoms));
  ATH_RETURN_IF_ERROR(ReadNames(line, outputs, "outputs", layer.tops));
  for (std::string_view word = NextWord(line); !word.empty(); word = NextWord(line))
    ATH_RETURN_IF_ERROR(ParseParameter(word, layer));
  return {};
}

std::string PrintNumber(const Param& param, double value) {
  return param.real || value != std::floor(value) ? fmt::format("{:.8e}", value)
                                                  : fmt::format("{:.0f}", value);
}

}  // namespace

bool IsParam(std::string_view text) {
  return text.substr(0, kMagic.size()) == kMagic && text.size() > kMagic.size() &&
         (text[kMagic.size()] == '\n' || text[kMagic.size()] == '\r');
}

std::string Place(const Layer& layer) {
  const std::string what = fmt::format("layer \"{}\" ({})", layer.name, layer.type);
  return layer.line == 0 ? what : fmt::format("line {}, {}", layer.line, what);
}

Result<std::vector<Layer>> ParseParam(std::string_view text) {
  if (!IsParam(text))
    return Error(ErrorCode::kUnknownFormat, "an ncnn text file starts with a line {}", kMagic);
  Lines lines(text);
  std::string_view line;
  lines.Next(line);
  std::size_t promised = 0, blobs = 0;
  if (!lines.Next(line) || !ParseNumber(NextWord(line), promised) ||
      !ParseNumber(NextWord(line), blobs)) {
    return Error(ErrorCode::kCorruptFile, "line 2: the numbers of layers and blobs are expected");
  }
  std::vector<Layer> layers;
  std::vector<Status> problems;
  while (lines.Next(line)) {
    Layer& layer = layers.emplace_back();
    layer.line = lines.number();
    Status status = ParseLayer(line, layer);
    if (!status.ok()) problems.push_back(std::move(status).In(Place(layer)));
  }
  if (layers.size() != promised) {
    problems.push_back(Error(ErrorCode::kCorruptFile, "the file promises {} layers and has {}",
                             promised, layers.size()));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  return layers;
}

std::string PrintParam(const std::vector<Layer>& layers) {
  std::set<std::string> blobs;
  for (const Layer& layer : layers) blobs.insert(layer.tops.begin(), layer.tops.end());
  std::string text = fmt::format("{}\n{} {}\n", kMagic, layers.size(), blobs.size());
  for (const Layer& layer : layers) {
    text += fmt::format("{:<24} {:<24} {} {}", layer.type, layer.name, layer.bottoms.size(),
                        layer.tops.size());
    for (const std::string& name : layer.bottoms) text += " " + name;
    for (const std::string& name : layer.tops) text += " " + name;
    for (const auto& [id, param] : layer.params) {
      if (param.list) {
        text += fmt::format(" {}={}", kFirstListId - id, param.values.size());
        for (const double value : param.values) text += "," + PrintNumber(param, value);
      } else {
        text += fmt::format(" {}={}", id, PrintNumber(param, param.values[0]));
      }
    }
    text += "\n";
  }
  return text;
}

}  // namespace athanor::ncnn
