#include "tools/inputs.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "io/csv.h"
#include "io/npy.h"
#include "io/wav.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/fit_type.h"
#include "tools/input_fault.h"
#include "tools/open_model.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRandom = "random";

std::string Extension(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool IsPictureName(const std::string& path) {
  constexpr std::string_view kNames[] = {".jpg",  ".jpeg", ".png", ".bmp",
                                         ".webp", ".pgm",  ".ppm", ".pnm"};
  return std::find(std::begin(kNames), std::end(kNames), Extension(path)) != std::end(kNames);
}

std::vector<std::string> InputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  return names;
}

std::optional<std::size_t> Position(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

Status UnknownInput(std::string_view name, const std::vector<std::string>& names) {
  return Error(ErrorCode::kUnknownName, "the model has no input \"{}\"{}; it has: {}", name,
               DidYouMean(name, names), Join(names, ", "));
}

// Files of a folder in the order of their names.
Result<std::vector<std::string>> FolderItems(const std::string& folder) {
  std::vector<std::string> items;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    if (IsPictureName(path) || Extension(path) == ".npy") items.push_back(path);
  }
  if (error) return Error(ErrorCode::kFileNotFound, "{}: {}", folder, error.message());
  if (items.empty())
    return Error(ErrorCode::kFileNotFound, "{}: the folder holds no pictures and no .npy files",
                 folder);
  std::sort(items.begin(), items.end());
  return items;
}

Result<Tensor> ReadText(const std::string& path, const Type& type) {
  ATH_TRY(std::string text, ReadTextFile(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  Dims dims(type.HasRank() ? type.shape->size() : 1, 1);
  if (type.dtype == DType::kString) return Tensor::FromVector<std::string>(dims, {text});
  if (type.dtype == DType::kU8) {
    if (!dims.empty()) dims.back() = static_cast<std::int64_t>(text.size());
    if (dims.empty() && text.size() != 1)
      return Error(ErrorCode::kInvalidInput, "{}: a single byte is expected", path);
    return Tensor::FromVector<std::uint8_t>(dims, {text.begin(), text.end()});
  }
  return Error(ErrorCode::kInvalidInput,
               "{}: text fits an input of strings or of bytes (u8), not {}", path, type.ToString())
      .Fix("turn the text into token numbers first and save them with np.save");
}

Result<Tensor> ReadSound(const std::string& path, const Type& type) {
  ATH_TRY(const io::Sound sound, AsInput(io::ReadWav(path)));
  const Tensor& samples = sound.samples;
  if (type.HasRank() && type.rank() == 1 && samples.dim(0) == 1)
    return samples.Reshaped({samples.dim(1)});
  if (type.HasRank() && type.rank() == 3)
    return samples.Reshaped({1, samples.dim(0), samples.dim(1)});
  return samples;
}

// An input of one element from the number itself; nothing when either is none.
Result<std::optional<Tensor>> ReadNumber(const std::string& text, const Type& type) {
  const std::optional<Dims> dims = type.IsTensor() ? type.StaticDims() : std::nullopt;
  const bool one = dims && std::all_of(dims->begin(), dims->end(), [](auto d) { return d == 1; });
  const auto parse = [&](auto value) -> std::optional<Tensor> {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end) return std::nullopt;
    return Tensor::FromVector(*dims, std::vector{value});
  };
  std::optional<Tensor> number;
  if (one && IsInteger(type.dtype)) number = parse(std::int64_t{0});
  if (one && IsFloat(type.dtype)) number = parse(0.0);
  if (!number) return number;
  ATH_TRY(number, FitType(*number, type));
  return number;
}

}  // namespace

void AddInputOptions(Arguments app, InputOptions& options, bool positional) {
  if (positional) {
    app.Option("inputs", options.sources,
               "pictures, .npy, .npz, .csv, .wav, .txt, a folder, or \"random\"");
  }
  app.Option("--input,-i", options.sources,
             "NAME=FILE, NAME=random, NAME=NUMBER or FILE; may be repeated")
      .Repeated();
  app.Option("--drop", options.drop, "a column of the table that is no feature").Repeated();
  app.Option("--seed", options.seed, "of random inputs").ShowDefault();
  AddImageOptions(app, options.image);
}

Result<InputPlan> InputPlan::Make(const Graph& graph, const InputOptions& options) {
  ATH_RETURN_IF_ERROR(ToPreprocess(options.image).status());
  InputPlan plan(graph, options);
  plan.fixed_.resize(graph.inputs().size());
  plan.random_.assign(graph.inputs().size(), options.sources.empty());
  plan.pictures_.resize(graph.inputs().size());
  plan.drawn_.resize(graph.inputs().size());
  ATH_RETURN_IF_ERROR(plan.Assign(options.sources));
  return plan;
}

std::optional<std::size_t> InputPlan::FirstFree() const {
  for (std::size_t i = 0; i < fixed_.size(); ++i) {
    const bool taken = !items_.empty() && item_input_ == i;
    if (fixed_[i].IsAbsent() && !random_[i] && !taken) return i;
  }
  return std::nullopt;
}

Status InputPlan::BindArchive(const std::string& path) {
  ATH_TRY(const io::NamedTensors arrays, AsInput(io::ReadNpz(path)));
  const std::vector<std::string> names = InputNames(*graph_);
  std::size_t bound = 0;
  for (const auto& [name, tensor] : arrays) {
    const std::optional<std::size_t> input = Position(names, name);
    if (!input) continue;
    fixed_[*input] = tensor;
    ++bound;
  }
  if (bound > 0) return {};  // expected outputs often stand in the same file
  if (arrays.size() == 1) {
    if (const auto free = FirstFree()) {
      fixed_[*free] = arrays[0].second;
      return {};
    }
  }
  std::vector<std::string> given;
  for (const auto& [name, tensor] : arrays) given.push_back(name);
  return Error(ErrorCode::kUnknownName,
               "{}: none of its arrays ({}) is an input; the model has: {}", path,
               Join(given, ", "), Join(names, ", "));
}

namespace {

// The cells of one column, as an input of this type wants them.
Result<Tensor> ColumnTensor(const std::vector<io::CsvCell>& cells, const Type& type) {
  Dims dims = {static_cast<std::int64_t>(cells.size())};
  if (!type.HasRank() || type.rank() == 2) dims.push_back(1);
  if (type.dtype == DType::kString) {
    std::vector<std::string> texts;
    for (const io::CsvCell& cell : cells) texts.push_back(cell.missing ? "" : cell.text);
    return Tensor::FromVector(dims, texts);
  }
  std::vector<double> numbers;
  for (const io::CsvCell& cell : cells) {
    std::optional<double> number = cell.Number();
    if (cell.text == "TRUE" || cell.text == "true") number = 1;
    if (cell.text == "FALSE" || cell.text == "false") number = 0;
    if (!number) {
      return Error(ErrorCode::kInvalidInput, "row {}: {} is not a number", numbers.size() + 1,
                   Quote(cell.text.substr(0, 40)));
    }
    numbers.push_back(*number);
  }
  return FitType(Tensor::FromVector(dims, numbers), type);
}

}  // namespace

// Columns that are called as inputs are fill them. False when there are none.
Result<bool> InputPlan::BindColumns(const std::string& path) {
  ATH_TRY(io::CsvReader reader, io::CsvReader::Open(path));
  const std::vector<std::string> names = InputNames(*graph_);
  std::vector<std::pair<std::size_t, std::size_t>> bound;  // input, column
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto column = reader.Column(names[i])) bound.emplace_back(i, *column);
  }
  if (bound.empty()) return false;
  std::vector<std::vector<io::CsvCell>> cells(bound.size());
  for (;;) {
    Result<std::optional<io::CsvRow>> row = reader.Next();
    if (!row.ok()) return std::move(row).status().In(path);
    if (!*row) break;
    for (std::size_t i = 0; i < bound.size(); ++i) cells[i].push_back((**row)[bound[i].second]);
  }
  for (std::size_t i = 0; i < bound.size(); ++i) {
    const Value& input = graph_->value(graph_->inputs()[bound[i].first]);
    Result<Tensor> tensor = ColumnTensor(cells[i], input.type);
    if (!tensor.ok())
      return std::move(tensor).status().In(fmt::format("{}: column {}", path, Quote(input.name)));
    fixed_[bound[i].first] = *std::move(tensor);
  }
  return true;
}

// A table fills one matrix input, or one input per column when the names agree.
Status InputPlan::BindTable(const std::string& path) {
  ATH_TRY(const bool named, BindColumns(path));
  if (named) return {};
  ATH_TRY(io::CsvMatrix table, AsInput(io::ReadCsvMatrix(path)));
  std::vector<std::size_t> keep;
  for (const std::string& name : options_.drop) {
    if (!Position(table.columns, name)) {
      return Error(ErrorCode::kUnknownName, "{}: there is no column \"{}\"{}", path, name,
                   DidYouMean(name, table.columns));
    }
  }
  const auto columns = static_cast<std::size_t>(table.values.dim(1));
  for (std::size_t c = 0; c < columns; ++c) {
    const bool dropped = c < table.columns.size() && Position(options_.drop, table.columns[c]);
    if (!dropped) keep.push_back(c);
  }
  const auto rows = static_cast<std::size_t>(table.values.dim(0));
  const auto cells = table.values.Data<float>();
  const auto take = [&](std::span<const std::size_t> wanted) {
    std::vector<float> values;
    for (std::size_t r = 0; r < rows; ++r) {
      for (const std::size_t c : wanted) values.push_back(cells[r * columns + c]);
    }
    return Tensor::FromVector<float>(
        {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(wanted.size())}, values);
  };
  const auto free = FirstFree();
  if (!free) return Error(ErrorCode::kUsage, "{}: every input has a value already", path);
  const Type& type = graph_->value(graph_->inputs()[*free]).type;
  if (type.HasRank() && type.rank() == 2 && type.dim(1).IsConst() &&
      type.dim(1).value() != static_cast<std::int64_t>(keep.size())) {
    const std::string last = table.columns.empty() ? "NAME" : table.columns.back();
    return Error(ErrorCode::kInvalidInput, "{}: the table has {} columns, the model reads {}", path,
                 keep.size(), type.dim(1).value())
        .Fix(fmt::format("--drop {} leaves a column out", last));
  }
  ATH_TRY(fixed_[*free], FitType(take(keep), type));
  return {};
}

Status InputPlan::Assign(const std::vector<std::string>& sources) {
  const std::vector<std::string> names = InputNames(*graph_);
  std::vector<std::string> unnamed;
  for (const std::string& source : sources) {
    const std::size_t equals = source.find('=');
    const bool is_file = fs::exists(source);
    if (equals == std::string::npos || (is_file && !Position(names, source.substr(0, equals)))) {
      unnamed.push_back(source);
      continue;
    }
    ATH_RETURN_IF_ERROR(AssignNamed(source.substr(0, equals), source.substr(equals + 1)));
  }
  for (const std::string& source : unnamed) ATH_RETURN_IF_ERROR(AssignUnnamed(source));
  if (const auto free = FirstFree()) {
    return Error(ErrorCode::kInvalidInput, "input \"{}\" {} has no value", names[*free],
                 graph_->value(graph_->inputs()[*free]).type.ToString())
        .Fix(fmt::format("--input {}=FILE or --input {}=random", names[*free], names[*free]));
  }
  return {};
}

Status InputPlan::AssignNamed(const std::string& name, const std::string& path) {
  const std::vector<std::string> names = InputNames(*graph_);
  const std::optional<std::size_t> input = Position(names, name);
  if (!input) return UnknownInput(name, names);
  if (random_[*input] || !fixed_[*input].IsAbsent())
    return Error(ErrorCode::kUsage, "input \"{}\" is given twice", name);
  if (path == kRandom) {
    random_[*input] = true;
    return {};
  }
  ATH_TRY(fixed_[*input], ReadNamed(path, *input));
  pictures_[*input] = IsPictureName(path);
  first_name_ = fs::path(path).filename().string();
  return {};
}

Result<Tensor> InputPlan::ReadNamed(const std::string& path, std::size_t input) const {
  if (fs::exists(path)) return ReadFile(path, input);
  const Value& value = graph_->value(graph_->inputs()[input]);
  Result<std::optional<Tensor>> number = ReadNumber(path, value.type);
  if (number.ok() && *number) return **number;
  Status status = number.ok() ? MappedFile::Open(path).status()  // which is not there
                              : std::move(number).status();
  return std::move(status).In(fmt::format("input \"{}\"", value.name));
}

Status InputPlan::AssignUnnamed(const std::string& source) {
  if (source == kRandom) {
    random_.assign(random_.size(), true);
    return {};
  }
  if (!fs::exists(source)) return MappedFile::Open(source).status();  // says what is near
  first_name_ = fs::path(source).filename().string();
  if (Extension(source) == ".npz") return BindArchive(source);
  if (Extension(source) == ".csv") return BindTable(source);
  const bool repeats = fs::is_directory(source) || IsPictureName(source);
  if (repeats && !items_.empty()) {
    if (fs::is_directory(source))
      return Error(ErrorCode::kUsage, "{}: one folder at a time", source);
    items_.push_back(source);  // another picture: another run
    return {};
  }
  const auto free = FirstFree();
  if (!free) {
    return Error(ErrorCode::kUsage, "{}: every input has a value already; the model has: {}",
                 source, Join(InputNames(*graph_), ", "));
  }
  if (!repeats) {
    ATH_TRY(fixed_[*free], ReadFile(source, *free));
    return {};
  }
  item_input_ = *free;
  return AssignItems(source);
}

// A picture, or what a folder holds: one run each.
Status InputPlan::AssignItems(const std::string& source) {
  items_ = {source};
  if (fs::is_directory(source)) {
    ATH_TRY(items_, FolderItems(source));
  }
  pictures_[item_input_] = std::any_of(items_.begin(), items_.end(), IsPictureName);
  return {};
}

Result<Tensor> InputPlan::ReadFile(const std::string& path, std::size_t input) const {
  const Value& value = graph_->value(graph_->inputs()[input]);
  const std::string extension = Extension(path);
  const auto read = [&]() -> Result<Tensor> {
    if (extension == ".npy") {
      ATH_TRY(const Tensor tensor, AsInput(io::ReadNpy(path)));
      return FitType(tensor, value.type);
    }
    if (extension == ".npz") {
      ATH_TRY(const io::NamedTensors arrays, AsInput(io::ReadNpz(path)));
      for (const auto& [name, tensor] : arrays) {
        if (name == value.name || arrays.size() == 1) return FitType(tensor, value.type);
      }
      return Error(ErrorCode::kUnknownName, "{}: there is no array of this name", path);
    }
    if (extension == ".csv") {
      ATH_TRY(const io::CsvMatrix table, AsInput(io::ReadCsvMatrix(path)));
      return FitType(table.values, value.type);
    }
    if (extension == ".wav") return ReadSound(path, value.type);
    if (extension == ".txt" || extension == ".text") return ReadText(path, value.type);
    return ReadNetworkImage(path, value.type, options_.image);
  };
  Result<Tensor> tensor = read();
  if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("input \"{}\"", value.name));
  return tensor;
}

bool InputPlan::DrawWithin(std::size_t input, const RealRange& range) {
  if (!random_[input] || !fixed_[input].IsAbsent()) return false;
  drawn_[input] = {range.low, range.high};
  return true;
}

bool InputPlan::counts_symbols_as_one() const {
  for (std::size_t i = 0; i < fixed_.size(); ++i) {
    const Type& type = graph_->value(graph_->inputs()[i]).type;
    const bool from_items = !items_.empty() && item_input_ == i;
    if (fixed_[i].IsAbsent() && !from_items && !type.StaticDims()) return true;
  }
  return false;
}

std::vector<std::string> InputPlan::RawPictureInputs() const {
  std::vector<std::string> names;
  if (!KeepsRange(options_.image)) return names;
  for (std::size_t i = 0; i < pictures_.size(); ++i) {
    const Value& input = graph_->value(graph_->inputs()[i]);
    if (pictures_[i] && IsFloat(input.type.dtype)) names.push_back(input.name);
  }
  return names;
}

namespace {

// An array that the input takes, as one makes it in Python.
Status WithArrayFix(Status status, const Graph& graph) {
  if (!status.fix().empty()) return status;
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    const std::string dtype = NumPyName(input.type.dtype);
    if (!status.message().starts_with(fmt::format("input \"{}\"", input.name)) &&
        !status.where().starts_with(fmt::format("input \"{}\"", input.name)))
      continue;
    if (!input.type.HasRank() || dtype.empty()) continue;
    std::vector<std::string> sizes;
    for (const Dim& dim : *input.type.shape)
      sizes.push_back(dim.IsConst() ? std::to_string(dim.value()) : "1");
    if (sizes.size() == 1) sizes.emplace_back();  // (3,)
    return std::move(status).Fix(
        fmt::format("an array that fits, in Python: np.save('x.npy', np.zeros(({}), np.{}))",
                    Join(sizes, ", "), dtype));
  }
  return status;
}

}  // namespace

Result<InputSet> InputPlan::Read(std::size_t i) const {
  InputSet set = {.name = first_name_, .values = fixed_};
  if (!items_.empty()) {
    set.name = fs::path(items_[i]).filename().string();
    ATH_TRY(set.values[item_input_], ReadFile(items_[i], item_input_));
  }
  for (std::size_t k = 0; k < set.values.size(); ++k) {
    if (!set.values[k].IsAbsent()) continue;
    const Value& value = graph_->value(graph_->inputs()[k]);
    Result<Tensor> tensor = RandomTensor(value.type, options_.seed * 1000003 + k, 1, drawn_[k]);
    if (!tensor.ok()) {
      return std::move(tensor)
          .status()
          .In(fmt::format("input \"{}\"", value.name))
          .Fix(fmt::format("--input {}=x.npy, an array of the shape the model was made for",
                           ShellWord(value.name)));
    }
    set.values[k] = *std::move(tensor);
  }
  ATH_RETURN_IF_ERROR(WithArrayFix(CheckInputs(*graph_, set.values), *graph_));
  return set;
}

}  // namespace athanor::tools
