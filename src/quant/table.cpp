#include "quant/table.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "quant/quantize.h"
#include "quant/weights.h"

namespace athanor::quant {
namespace {

constexpr std::string_view kCacheMark = "TRT-";
constexpr std::string_view kWeights = "_param_0";
constexpr std::size_t kLongestLine = std::size_t{1} << 20;

float LargestOf(Range range) { return std::max(std::abs(range.low), std::abs(range.high)); }

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view NextWord(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

Status Malformed(std::size_t line, std::string_view expected) {
  return Error(ErrorCode::kCorruptFile, "line {}: {} is expected", line, expected);
}

bool IsScale(float value) { return std::isfinite(value) && value > 0; }

// "name: 3c010a14"; a name may hold colons and spaces.
Status ReadCacheLine(std::string_view line, std::size_t number, CalibrationTable& table) {
  const std::size_t colon = line.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return Malformed(number, "\"name: scale\"");
  std::string_view rest = line.substr(colon + 1);
  const std::string_view hex = NextWord(rest);
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
  const auto scale = std::bit_cast<float>(bits);
  if (error != std::errc() || end != hex.data() + hex.size() || hex.empty() || !IsScale(scale))
    return Malformed(number, "a positive f32 as 8 hexadecimal digits");
  table.largest[std::string(line.substr(0, colon))] = scale * 127;
  return {};
}

Status ReadNcnnLine(std::string_view line, std::size_t number, CalibrationTable& table) {
  const std::string name(NextWord(line));
  if (name.ends_with(kWeights)) return {};  // ours follow from the weights
  const std::string_view word = NextWord(line);
  float scale = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), scale);
  if (error != std::errc() || end != word.data() + word.size() || !IsScale(scale))
    return Malformed(number, "a node's name and a positive scale");
  table.largest[name] = 127 / scale;
  return {};
}

}  // namespace

Result<CalibrationTable> ParseTable(std::string_view text) {
  CalibrationTable table;
  table.by_node = !text.starts_with(kCacheMark);
  std::size_t number = 0;
  while (!text.empty()) {
    const std::string_view line = NextLine(text);
    ++number;
    if (line.size() > kLongestLine && table.by_node &&
        line.find(kWeights) == std::string_view::npos)
      return Malformed(number, "a shorter line");
    if (line.empty() || (number == 1 && !table.by_node)) continue;
    ATH_RETURN_IF_ERROR(table.by_node ? ReadNcnnLine(line, number, table)
                                      : ReadCacheLine(line, number, table));
  }
  if (table.largest.empty()) return Error(ErrorCode::kCorruptFile, "the table names no tensor");
  return table;
}

Result<std::string> FormatCache(const Graph& graph, const Calibration& calibration) {
  std::string text = "TRT-8601-EntropyCalibration2\n";
  for (const auto& [id, value] : calibration) {
    const std::string name = NameOf(graph, id);
    if (name.empty() || name.find('\n') != std::string::npos)
      return Unsupported("a tensor named \"{}\" cannot stand in a calibration cache", name);
    // What was 0 on every sample has no range; 1 stands for it.
    const float largest = LargestOf(value.range);
    const float scale = largest > 0 ? largest / 127 : 1.0F;
    text += fmt::format("{}: {:08x}\n", name, std::bit_cast<std::uint32_t>(scale));
  }
  return text;
}

Result<std::string> FormatNcnnTable(const Graph& graph, const Candidates& candidates,
                                    const Calibration& calibration) {
  std::string weights, inputs;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    const Node& node = graph.node(c.node);
    if (node.name.empty() || node.name.find_first_of(" \t\n") != std::string::npos)
      return Unsupported("a node named \"{}\" cannot stand in an ncnn table", node.name);
    const Tensor& w = *graph.Constant(node.inputs[*c.weights]);
    const WeightMatrix matrix(w, c);
    ATH_TRY(const IntWeights scaled, ScaleWeights(w, matrix, {}, {}));
    weights += node.name + std::string(kWeights);
    for (const float scale : scaled.scales) weights += fmt::format(" {:.9g}", 1 / scale);
    weights += '\n';
    const auto found = calibration.find(node.inputs[c.activations[0]]);
    const float largest = found == calibration.end() ? 0 : LargestOf(found->second.range);
    inputs += fmt::format("{} {:.9g}\n", node.name, largest > 0 ? 127 / largest : 1.0F);
  }
  return weights + inputs;
}

Result<std::size_t> ApplyTable(const CalibrationTable& table, const Graph& graph,
                               const Candidates& candidates, Calibration& calibration) {
  std::map<ValueId, float> largest;
  if (table.by_node) {
    for (const Candidate& c : candidates.nodes) {
      const Node& node = graph.node(c.node);
      const auto found = table.largest.find(node.name);
      if (c.weights && found != table.largest.end())
        largest[node.inputs[c.activations[0]]] = found->second;
    }
  } else {
    for (const auto& [id, value] : calibration) {
      const auto found = table.largest.find(NameOf(graph, id));
      if (found != table.largest.end()) largest[id] = found->second;
    }
  }
  for (const auto& [id, most] : largest) {
    const auto at = calibration.find(id);
    if (at == calibration.end()) continue;
    const Range all = at->second.seen.all;
    Range& range = at->second.range;
    range = {all.low < 0 ? -most : 0, all.high > 0 ? most : 0, range.symmetric};
    if (range.symmetric) range = Mirrored(range);
    at->second.method = "table";
  }
  if (!largest.empty()) return largest.size();
  return Error(ErrorCode::kInvalidInput,
               "the table names none of the model's {}; it begins with \"{}\"",
               table.by_node ? "nodes" : "tensors", table.largest.begin()->first);
}

}  // namespace athanor::quant
