#include "tools/results.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/file.h"
#include "tools/console.h"
#include "tools/describe.h"

namespace athanor::tools {
namespace {

constexpr std::int64_t kFewValues = 16;   // shown in full as text
constexpr std::int64_t kJsonValues = 64;  // given in full as JSON

bool LooksLikeScores(const Tensor& tensor) {
  if (!IsNumeric(tensor.dtype()) || tensor.rank() < 1) return false;
  const auto large = std::count_if(tensor.dims().begin(), tensor.dims().end(),
                                   [](std::int64_t dim) { return dim > 1; });
  const bool scored = IsFloat(tensor.dtype()) || ElementBytes(tensor.dtype()) == 1;
  return large == 1 && tensor.rank() <= 4 && scored;
}

std::string Number(double value) { return fmt::format("{:.6g}", value); }

std::string Label(const ResultOptions& options, std::size_t index) {
  return index < options.labels.size() ? options.labels[index] : "";
}

std::string ClassTable(const std::vector<ClassScore>& classes, const ResultOptions& options) {
  Table table({">class", "label", ">score", ">share"});
  for (const ClassScore& c : classes) {
    table.Add({std::to_string(c.index), Shorten(Label(options, c.index), 40), Number(c.score),
               fmt::format("{:.1f} %", 100 * c.probability)});
  }
  return table.ToString();
}

std::string StringValues(const Tensor& tensor) {
  std::string text;
  std::size_t shown = 0;
  for (const std::string& value : tensor.Data<std::string>()) {
    if (shown++ == static_cast<std::size_t>(kFewValues)) return text + "  ...\n";
    text += fmt::format("  \"{}\"\n", Shorten(value, 70));
  }
  return text;
}

// Every element as JSON writes it. A double would round large integers, which may be keys.
nlohmann::json ValuesJson(const Tensor& tensor) {
  nlohmann::json list = nlohmann::json::array();
  if (tensor.dtype() == DType::kU64) {
    for (const std::uint64_t value : tensor.Data<std::uint64_t>()) list.push_back(value);
    return list;
  }
  if (!IsFloat(tensor.dtype())) {
    const Result<std::vector<std::int64_t>> values = ToInts(tensor);
    if (values.ok()) list = *values;
    return list;
  }
  const Result<std::vector<double>> values = ToDoubles(tensor);
  if (!values.ok()) return list;
  for (const double value : *values) list.push_back(NumberJson(value));
  return list;
}

std::string NumberText(const Tensor& tensor) {
  const Result<std::vector<double>> values = ToDoubles(tensor);
  if (!values.ok()) return "";
  if (tensor.count() <= kFewValues) {
    std::string text = " ";
    if (!IsFloat(tensor.dtype())) {
      for (const nlohmann::json& value : ValuesJson(tensor)) text += " " + value.dump();
    } else {
      for (const double value : *values) text += " " + Number(value);
    }
    return text + "\n";
  }
  const Statistics s = StatisticsOf(*values);
  std::string text = fmt::format("  min {}  max {}  mean {}  std {}", Number(s.min), Number(s.max),
                                 Number(s.mean), Number(s.std));
  if (s.not_finite > 0) text += fmt::format("  not finite: {}", s.not_finite);
  return text + "\n";
}

nlohmann::json ClassesJson(const std::vector<ClassScore>& classes, const ResultOptions& options) {
  nlohmann::json list = nlohmann::json::array();
  for (const ClassScore& c : classes) {
    nlohmann::json item = {{"class", c.index},
                           {"score", NumberJson(c.score)},
                           {"probability", NumberJson(c.probability)}};
    if (c.index < options.labels.size()) item["label"] = options.labels[c.index];
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

Result<std::vector<std::string>> ReadLabels(const std::string& path) {
  ATH_TRY(const std::string text, ReadTextFile(path));
  std::vector<std::string> labels;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    labels.push_back(line);
  }
  return labels;
}

std::optional<std::int64_t> NumClasses(const Tensor& tensor) {
  if (!LooksLikeScores(tensor)) return std::nullopt;
  return tensor.count();
}

std::vector<ClassScore> TopClasses(const Tensor& tensor, int top) {
  if (!LooksLikeScores(tensor)) return {};
  const Result<std::vector<double>> scores = ToDoubles(tensor);
  if (!scores.ok()) return {};
  const double sum = std::accumulate(scores->begin(), scores->end(), 0.0);
  const double low = *std::min_element(scores->begin(), scores->end());
  const double high = *std::max_element(scores->begin(), scores->end());
  const bool quantised = ElementBytes(tensor.dtype()) == 1 && IsInteger(tensor.dtype());
  const bool probabilities = low >= 0 && high <= 1 && std::fabs(sum - 1) < 1e-2;
  double total = 0;
  for (const double score : *scores) total += std::exp(score - high);
  std::vector<ClassScore> classes;
  for (std::size_t i = 0; i < scores->size(); ++i) {
    const double score = (*scores)[i];
    double share = std::exp(score - high) / total;
    if (probabilities) share = score;
    if (quantised) share = sum > 0 && low >= 0 ? score / sum : 0;
    classes.push_back({i, score, share});
  }
  const auto count = std::min(classes.size(), static_cast<std::size_t>(std::max(top, 0)));
  // Equal scores keep the order of classes, as argmax does.
  std::stable_sort(classes.begin(), classes.end(),
                   [](const ClassScore& a, const ClassScore& b) { return a.score > b.score; });
  classes.resize(count);
  return classes;
}

std::string OutputText(const std::string& name, const Datum& datum, const ResultOptions& options) {
  std::string text = fmt::format("{}: {}\n", Shorten(name, 60), Type::Of(datum).ToString());
  if (datum.IsSequence()) {
    for (std::size_t i = 0; i < std::min<std::size_t>(datum.items().size(), 4); ++i)
      text += OutputText(fmt::format("{}[{}]", name, i), datum.items()[i], options);
    return text;
  }
  if (!datum.IsTensor()) return text;
  const Tensor& tensor = datum.tensor();
  if (tensor.count() == 0) return text + "  (empty)\n";
  if (tensor.dtype() == DType::kString) return text + StringValues(tensor);
  const std::vector<ClassScore> classes = TopClasses(tensor, options.top);
  const bool show_classes = !classes.empty() && (!options.labels.empty() || tensor.count() > 2);
  return text + (show_classes ? ClassTable(classes, options) : NumberText(tensor));
}

nlohmann::json OutputJson(const std::string& name, const Datum& datum,
                          const ResultOptions& options) {
  nlohmann::json json = PortJson(name, Type::Of(datum));
  if (datum.IsSequence()) {
    json["items"] = nlohmann::json::array();
    for (const Datum& item : datum.items()) json["items"].push_back(OutputJson("", item, options));
    return json;
  }
  if (!datum.IsTensor()) return json;
  const Tensor& tensor = datum.tensor();
  if (tensor.dtype() == DType::kString) {
    const auto values = tensor.Data<std::string>();
    json["values"] = std::vector<std::string>(
        values.begin(), values.begin() + std::min<std::ptrdiff_t>(kJsonValues, tensor.count()));
    return json;
  }
  const Result<std::vector<double>> values = ToDoubles(tensor);
  if (!values.ok()) return json;
  const Statistics s = StatisticsOf(*values);
  json["statistics"] = {{"min", s.min},
                        {"max", s.max},
                        {"mean", s.mean},
                        {"std", s.std},
                        {"not_finite", s.not_finite}};
  if (tensor.count() <= kJsonValues) json["values"] = ValuesJson(tensor);
  const std::vector<ClassScore> classes = TopClasses(tensor, options.top);
  if (!classes.empty()) json["top"] = ClassesJson(classes, options);
  return json;
}

}  // namespace athanor::tools
