#include "tools/classify.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/text.h"
#include "io/csv.h"
#include "tools/input_fault.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

std::size_t ColumnOf(const io::CsvReader& reader, std::span<const std::string_view> names,
                     std::size_t otherwise) {
  for (const std::string_view name : names) {
    if (const auto column = reader.Column(name)) return *column;
  }
  return otherwise;
}

// A whole number that every floating-point type holds; no NaN.
bool IsClass(double number) {
  constexpr double kLargest = 1 << 24;
  return std::abs(number) <= kLargest && number == std::floor(number);
}

// Names in the labels are relative to the folder or to its parent. A picture beside the folder is
// not in the set, though the table may name it: one table often serves two folders.
std::string Find(const fs::path& folder, const std::string& name) {
  std::error_code error;
  fs::path inside = fs::absolute(folder, error).lexically_normal();
  if (!inside.has_filename()) inside = inside.parent_path();  // "images/"
  for (const fs::path& base : {inside, inside.parent_path()}) {
    const fs::path path = (base / name).lexically_normal();
    const auto [rest, at] = std::mismatch(inside.begin(), inside.end(), path.begin(), path.end());
    if (rest == inside.end() && fs::is_regular_file(path, error)) return path.string();
  }
  return "";
}

}  // namespace

Result<std::vector<LabelledPicture>> ReadLabelled(const std::string& folder,
                                                  const std::string& labels) {
  if (!fs::is_directory(folder))
    return Error(ErrorCode::kFileNotFound, "{}: no such folder", folder);
  ATH_TRY(io::CsvReader reader, AsInput(io::CsvReader::Open(labels)));
  constexpr std::string_view kFile[] = {"filename", "file", "image", "path"};
  constexpr std::string_view kClass[] = {"class", "label", "target"};
  const std::size_t file = ColumnOf(reader, kFile, 0), label = ColumnOf(reader, kClass, 1);
  std::vector<LabelledPicture> rows;
  for (;;) {
    Result<std::optional<io::CsvRow>> next = reader.Next();
    if (!next.ok()) return std::move(next).status().In(labels);
    if (!*next) return rows;
    const io::CsvRow& cells = **next;
    const auto number =
        file < cells.size() && label < cells.size() ? cells[label].Number() : std::nullopt;
    if (!number || !IsClass(*number)) {
      return Error(ErrorCode::kInvalidInput,
                   "{}: line {}: two columns are expected, a file name and a class number", labels,
                   reader.line());
    }
    rows.push_back(
        {cells[file].text, Find(folder, cells[file].text), static_cast<std::int64_t>(*number)});
  }
}

Result<std::size_t> ScoreOutput(const Graph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    names.push_back(graph.outputs()[i].name);
    if (names.back() == name) return i;
  }
  if (!name.empty()) {
    return Error(ErrorCode::kUnknownName, "the model has no output \"{}\"{}; it has: {}", name,
                 DidYouMean(name, names), Join(names, ", "));
  }
  if (names.size() == 1) return std::size_t{0};
  return Error(ErrorCode::kUsage, "the model has several outputs: {}", Join(names, ", "))
      .Fix("--output NAME says which holds the scores of the classes");
}

Result<std::int64_t> RankOf(const Tensor& scores, std::int64_t label) {
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  if (values.size() < 2)
    return Error(ErrorCode::kInvalidInput, "the output has {} values, not one per class",
                 values.size());
  if (label < 0 || label >= static_cast<std::int64_t>(values.size())) {
    return Error(ErrorCode::kInvalidInput, "class {} is beyond the {} classes of the model", label,
                 values.size())
        .Fix("--label-offset N is added to every class of the labels");
  }
  const double own = values[static_cast<std::size_t>(label)];
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(values.size()); ++i) {
    const double other = values[static_cast<std::size_t>(i)];
    if (other > own || (other == own && i < label)) ++rank;
  }
  return rank;
}

Result<Tensor> ClassScores(Session& session, std::size_t output, const LabelledPicture& picture,
                           const ImageFlags& image) {
  const Graph& graph = session.graph();
  ATH_TRY(Tensor input, ReadNetworkImage(picture.path, graph.value(graph.inputs()[0]).type, image));
  ATH_TRY(const std::vector<Datum> outputs, session.Run({std::move(input)}));
  if (!outputs[output].IsTensor())
    return Error(ErrorCode::kInvalidInput, "the output is no tensor");
  return outputs[output].tensor();
}

Status AddToScore(const LabelledPicture& picture, const Tensor& scores, std::int64_t label_offset,
                  ClassifyScore& score) {
  const std::int64_t label = picture.label + label_offset;
  ATH_TRY(const std::int64_t rank, RankOf(scores, label));
  const auto is_best = [&scores](std::int64_t other) {
    if (other < 0 || other >= scores.count()) return false;
    const Result<std::int64_t> found = RankOf(scores, other);
    return found.ok() && *found == 0;
  };
  score.one_more += is_best(label + 1) ? 1 : 0;
  score.one_less += is_best(label - 1) ? 1 : 0;
  ++score.n;
  score.top1 += rank < 1 ? 1 : 0;
  score.top5 += rank < 5 ? 1 : 0;
  if (rank >= 1) score.bad += fmt::format("{},{},{}\n", picture.file, picture.label, rank + 1);
  return {};
}

}  // namespace athanor::tools
