#include "tools/samples.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>

#include "core/checked.h"
#include "core/text.h"
#include "io/csv.h"
#include "io/npy.h"
#include "tools/console.h"
#include "tools/fit_type.h"
#include "tools/input_fault.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLabels = "labels";  // the array of an archive that is no input

bool IsTable(const std::string& path) { return fs::path(path).extension() == ".csv"; }

// Of an .npy the one array, without a name.
Result<io::NamedTensors> ReadArrays(const std::string& path) {
  if (fs::path(path).extension() != ".npy") return io::ReadNpz(path);
  ATH_TRY(Tensor array, io::ReadNpy(path));
  return io::NamedTensors{{"", std::move(array)}};
}

// Numbers of one sample of an input whose sizes, but for the first, are known.
std::optional<std::int64_t> RowLength(const Type& type) {
  if (!type.HasRank()) return std::nullopt;
  std::int64_t length = 1;
  for (std::int64_t i = type.rank() > 1 ? 1 : 0; i < type.rank(); ++i) {
    if (!type.dim(i).IsConst()) return std::nullopt;
    const auto product = CheckedMul(length, type.dim(i).value());
    if (!product) return std::nullopt;
    length = *product;
  }
  return length;
}

// The columns of a table of numbers, in the order of `columns`, as `dtype`.
Result<Tensor> TakeColumns(const io::CsvMatrix& table, const std::vector<std::size_t>& columns,
                           DType dtype) {
  const std::int64_t rows = table.values.dim(0);
  const auto width = static_cast<std::size_t>(table.values.dim(1));
  const auto cells = table.values.Data<float>();
  std::vector<float> values;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    for (const std::size_t column : columns) {
      const float value = cells[row * width + column];
      const auto place = [&] { return fmt::format("row {}, column {}", row + 1, column + 1); };
      if (std::isnan(value))
        return Error(ErrorCode::kInvalidInput, "{}: there is no number", place());
      if (!IsFloat(dtype) && (value != std::floor(value) || std::abs(value) > 1 << 24))
        return Error(ErrorCode::kInvalidInput, "{}: {} is no integer that fits", place(), value);
      values.push_back(value);
    }
  }
  const Dims dims = {rows, static_cast<std::int64_t>(columns.size())};
  if (IsFloat(dtype)) return Tensor::FromVector<float>(dims, values);
  return Tensor::FromVector<std::int64_t>(dims,
                                          std::vector<std::int64_t>(values.begin(), values.end()));
}

}  // namespace

Result<Samples> Samples::Open(const Graph& graph, const std::string& name, const ImageFlags& image,
                              std::int64_t most) {
  Samples samples(graph, name, image, most);
  const fs::path path(name);
  std::error_code error;
  if (!fs::exists(path, error))
    return Error(ErrorCode::kFileNotFound, "{}: there is no such file or folder", name);
  if (fs::is_directory(path, error)) {
    InputOptions input;
    input.sources = {name};
    input.image = image;
    ATH_TRY(InputPlan plan, InputPlan::Make(graph, input));
    samples.available_ = plan.size();
    samples.plan_.emplace(std::move(plan));
  } else if (path.extension() == ".npz" || path.extension() == ".npy") {
    ATH_RETURN_IF_ERROR(samples.OpenArchive());
  } else if (path.extension() == ".csv") {
    ATH_RETURN_IF_ERROR(samples.OpenTable());
  } else {
    return Error(ErrorCode::kUsage,
                 "{}: a folder of pictures or arrays, or an .npz, .npy or .csv file with one row "
                 "per sample, is expected",
                 name);
  }
  if (samples.available_ == 0)
    return Error(ErrorCode::kInvalidInput, "{}: there are no samples", name);
  return samples;
}

std::vector<std::string> Samples::RawPictureInputs() const {
  if (plan_) return plan_->RawPictureInputs();
  std::vector<std::string> names;
  if (!KeepsRange(image_)) return names;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Value& input = graph_->value(graph_->inputs()[i]);
    if (rows_[i].dtype() == DType::kU8 && IsFloat(input.type.dtype)) names.push_back(input.name);
  }
  return names;
}

bool Samples::ReadPixels() const {
  if (plan_) return true;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Type& type = graph_->value(graph_->inputs()[i]).type;
    if (rows_[i].dtype() == DType::kU8 && type.dtype == DType::kF32) return true;
  }
  return false;
}

Result<InputSet> Samples::ReadNamed(std::size_t i) const {
  const std::size_t at = i * available_ / count();
  if (plan_) return plan_->Read(at);
  InputSet set = {.name = fmt::format("{}: row {}", name_, at + 1), .values = {}};
  for (std::size_t input = 0; input < rows_.size(); ++input) {
    ATH_TRY(Tensor row, RowOf(input, static_cast<std::int64_t>(at)));
    set.values.emplace_back(std::move(row));
  }
  return set;
}

Result<std::vector<Datum>> Samples::Read(std::size_t i) const {
  ATH_TRY(InputSet set, ReadNamed(i));
  return std::move(set.values);
}

Result<std::vector<Datum>> Samples::ReadFinite(std::size_t i) const {
  ATH_TRY(InputSet set, ReadNamed(i));
  for (std::size_t input = 0; input < set.values.size(); ++input) {
    const Datum& value = set.values[input];
    if (!value.IsTensor() || value.tensor().dtype() != DType::kF32) continue;
    const auto numbers = value.tensor().Data<float>();
    const auto bad = std::ranges::find_if(numbers, [](float x) { return !std::isfinite(x); });
    if (bad != numbers.end())
      return Error(ErrorCode::kInvalidInput, "{}: input \"{}\" holds {}, which is no finite number",
                   set.name, graph_->value(graph_->inputs()[input]).name, *bad);
  }
  return std::move(set.values);
}

Status Samples::OpenArchive() {
  ATH_TRY(io::NamedTensors arrays, ReadArrays(name_));
  std::erase_if(arrays, [this](const auto& array) {
    if (array.first == kLabels) labels_ = array.second;
    return array.first == kLabels;
  });
  for (const ValueId id : graph_->inputs()) {
    const std::string& name = graph_->value(id).name;
    const Tensor* found = nullptr;
    for (const auto& [given, tensor] : arrays) {
      if (given == name || (arrays.size() == 1 && graph_->inputs().size() == 1)) found = &tensor;
    }
    if (found == nullptr) {
      std::vector<std::string> names;
      for (const auto& [given, tensor] : arrays) names.push_back(given);
      return Error(ErrorCode::kUnknownName, "{}: there is no array \"{}\"{}; it has: {}", name_,
                   name, DidYouMean(name, names), Join(names, ", "));
    }
    if (found->rank() == 0)
      return Error(ErrorCode::kInvalidInput, "{}: array \"{}\" has no first axis of samples", name_,
                   name);
    const auto count = static_cast<std::size_t>(found->dim(0));
    if (!rows_.empty() && count != available_)
      return Error(ErrorCode::kInvalidInput, "{}: the arrays have {} and {} samples", name_,
                   available_, count);
    available_ = count;
    rows_.push_back(*found);
  }
  return {};
}

// One input reads all columns; of several each reads the column with its name.
Status Samples::OpenTable() {
  ATH_TRY(const io::CsvMatrix table, AsInput(io::ReadCsvMatrix(name_)));
  if (table.values.dim(1) == 0 || table.values.dim(0) == 0)
    return Error(ErrorCode::kInvalidInput, "{}: there are no samples", name_);
  std::vector<std::size_t> features;
  for (std::size_t i = 0; i < static_cast<std::size_t>(table.values.dim(1)); ++i) {
    const std::string& name = i < table.columns.size() ? table.columns[i] : "";
    if (name != kLabels) {
      features.push_back(i);
      continue;
    }
    Result<Tensor> labels = TakeColumns(table, {i}, DType::kI64);
    if (!labels.ok()) return std::move(labels).status().In(name_);
    labels_ = *std::move(labels);
  }
  const bool one = graph_->inputs().size() == 1;
  for (const ValueId id : graph_->inputs()) {
    const Value& input = graph_->value(id);
    std::vector<std::size_t> columns = features;
    if (!one) {
      const auto at = std::ranges::find(table.columns, input.name);
      if (at == table.columns.end())
        return Error(ErrorCode::kUnknownName, "{}: there is no column \"{}\"{}", name_, input.name,
                     DidYouMean(input.name, table.columns))
            .Fix("an .npz with one array per input");
      columns = {static_cast<std::size_t>(at - table.columns.begin())};
    }
    const auto wanted = RowLength(input.type);
    if (wanted && *wanted != std::ssize(columns))
      return Error(ErrorCode::kInvalidInput,
                   "{}: rows have {} numbers, \"{}\" of the model reads {}{}", name_,
                   columns.size(), input.name, *wanted,
                   labels_ ? "" : "; a column of classes is called labels");
    Result<Tensor> rows = TakeColumns(table, columns, input.type.dtype);
    if (!rows.ok()) return std::move(rows).status().In(name_);
    rows_.push_back(*std::move(rows));
  }
  available_ = static_cast<std::size_t>(table.values.dim(0));
  return {};
}

Result<Tensor> Samples::RowOf(std::size_t input, std::int64_t at) const {
  const Tensor& all = rows_[input];
  const Type& type = graph_->value(graph_->inputs()[input]).type;
  Dims dims = all.dims();
  dims[0] = 1;
  if (type.shape) {
    Dims wanted;
    for (const Dim& dim : *type.shape) wanted.push_back(dim.IsConst() ? dim.value() : 1);
    const auto product = [](const Dims& d) {
      return std::accumulate(d.begin(), d.end(), std::int64_t{1}, std::multiplies<>());
    };
    if (product(wanted) == product(dims)) dims = wanted;
  }
  const std::size_t bytes = all.bytes() / static_cast<std::size_t>(all.dim(0));
  const auto* from =
      static_cast<const std::byte*>(all.raw()) + static_cast<std::size_t>(at) * bytes;
  const Tensor row = Tensor::View(all.dtype(), dims, from, all.owner());
  if (row.dtype() != DType::kU8 || type.dtype != DType::kF32) return FitType(row, type);
  return Normalize(row, type);
}

Result<Tensor> Samples::Normalize(const Tensor& pixels, const Type& type) const {
  ATH_TRY(const io::Preprocess steps, ToPreprocess(image_));
  const std::size_t axis =
      type.shape && type.shape->size() == 4 && !type.shape->back().Is(3) ? 1 : 3;
  std::int64_t inner = 1, channels = 1;
  if (pixels.rank() == 4) {
    channels = pixels.dim(static_cast<std::int64_t>(axis));
    for (std::size_t i = axis + 1; i < 4; ++i) inner *= pixels.dim(static_cast<std::int64_t>(i));
  }
  const auto pick = [](const std::vector<double>& values, std::int64_t channel, double otherwise) {
    if (values.empty()) return otherwise;
    return values.size() == 1 ? values[0]
                              : values[static_cast<std::size_t>(channel) % values.size()];
  };
  ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, pixels.dims()));
  const auto in = pixels.Data<std::uint8_t>();
  const auto out = real.MutableData<float>();
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int64_t channel = static_cast<std::int64_t>(i) / inner % channels;
    out[i] =
        static_cast<float>((in[i] - pick(steps.mean, channel, 0)) / pick(steps.std, channel, 1));
  }
  return real;
}

Result<bool> HoldLabels(const std::string& path) {
  if (IsTable(path)) {
    ATH_TRY(const io::CsvReader reader, io::CsvReader::Open(path));
    return reader.Column(kLabels).has_value();
  }
  if (fs::path(path).extension() != ".npz") return false;
  ATH_TRY(const io::NamedTensors arrays, io::ReadNpz(path));
  return std::ranges::any_of(arrays, [](const auto& array) { return array.first == kLabels; });
}

namespace {

Result<std::vector<std::int64_t>> ClassesOf(const Tensor& labels) {
  const Result<std::vector<double>> numbers = ToDoubles(labels);
  if (!numbers.ok())
    return Error(ErrorCode::kInvalidInput, "labels: numbers of classes are expected, not {}",
                 Name(labels.dtype()));
  for (std::size_t i = 0; i < numbers->size(); ++i) {
    if ((*numbers)[i] != std::floor((*numbers)[i]))
      return Error(ErrorCode::kInvalidInput, "labels, row {}: {} is no number of a class", i + 1,
                   (*numbers)[i]);
  }
  return ToInts(labels);
}

}  // namespace

Status CheckLabelledOptions(const std::string& data, const std::string& labels) {
  const bool archive = fs::path(data).extension() == ".npz" || IsTable(data);
  if (archive != labels.empty())
    return Error(
        ErrorCode::kUsage,
        "--data is a folder with --labels, or an .npz or .csv that holds the labels itself");
  return {};
}

Result<LabelledSet> OpenLabelled(const Graph& graph, const std::string& data,
                                 const std::string& labels, const ImageFlags& image,
                                 std::int64_t limit) {
  LabelledSet set;
  if (!labels.empty()) {
    ATH_TRY(set.rows, ReadLabelled(data, labels));
    set.missing = static_cast<std::int64_t>(
        std::erase_if(set.rows, [](const LabelledPicture& row) { return row.path.empty(); }));
  } else {
    ATH_TRY(Samples archive,
            Samples::Open(graph, data, image, std::numeric_limits<std::int64_t>::max()));
    if (archive.labels() == nullptr)
      return Error(ErrorCode::kInvalidInput, "{}: there is no {} \"labels\"", data,
                   IsTable(data) ? "column" : "array")
          .Fix("--labels FILE.csv when --data is a folder of pictures");
    Result<std::vector<std::int64_t>> read = ClassesOf(*archive.labels());
    if (!read.ok()) return std::move(read).status().In(data);
    const std::vector<std::int64_t>& classes = *read;
    if (classes.size() != archive.count())
      return Error(ErrorCode::kInvalidInput, "{}: {} samples and {} labels", data, archive.count(),
                   classes.size());
    for (std::size_t i = 0; i < classes.size(); ++i)
      set.rows.push_back({fmt::format("row {}", i), "", classes[i]});
    set.archive.emplace(std::move(archive));
  }
  if (limit > 0 && std::ssize(set.rows) > limit) set.rows.resize(static_cast<std::size_t>(limit));
  if (set.rows.empty())
    return Error(ErrorCode::kInvalidInput, "none of the files named in {} is in {}", labels, data)
        .Fix("names in the table are relative to --data or to the folder that holds it");
  return set;
}

void NoteLeftOut(const Common& common, const LabelledSet& set, const std::string& labels,
                 const std::string& data) {
  if (set.missing == 0) return;
  Note(common, "{} row{} of {} {} left out: no such file in {}", set.missing,
       set.missing == 1 ? "" : "s", labels, set.missing == 1 ? "is" : "are", data);
}

Result<Tensor> ScoresOf(Session& session, std::size_t output, const LabelledSet& set,
                        std::size_t row, const ImageFlags& image) {
  if (!set.archive) return ClassScores(session, output, set.rows[row], image);
  ATH_TRY(std::vector<Datum> inputs, set.archive->Read(row));
  ATH_TRY(std::vector<Datum> outputs, session.Run(std::move(inputs)));
  if (!outputs[output].IsTensor())
    return Error(ErrorCode::kInvalidInput, "the output is no tensor");
  return std::move(outputs[output].tensor());
}

}  // namespace athanor::tools
