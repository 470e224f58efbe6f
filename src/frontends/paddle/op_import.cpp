#include "frontends/paddle/op_import.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace athanor::paddle {
namespace {

std::vector<std::string_view> SplitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// One place of a row: "shape=Shape,ShapeTensor".
struct Place {
  std::string_view name;
  std::vector<std::string_view> legacy;
};
std::vector<Place> PlacesOf(std::string_view text) {
  std::vector<Place> places;
  for (const std::string_view word : SplitAt(text, ' ')) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals);
    places.push_back(
        {name, equals == word.size() ? std::vector{name} : SplitAt(word.substr(equals + 1), ',')});
  }
  return places;
}

bool Contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The place of slot `i`; "" for one that the row does not read.
std::string_view PlaceOf(const std::vector<Place>& places, const Slot& slot, std::size_t i,
                         bool is_pir) {
  if (is_pir && !places.empty() && places.back().name.ends_with('*'))
    return places[std::min(i, places.size() - 1)].name;
  if (is_pir) return i < places.size() ? places[i].name : "";
  for (const Place& place : places) {
    if (Contains(place.legacy, slot.name)) return place.name;
  }
  return "";
}

// Nodes carry the name of the first variable that is made.
std::string NodeName(const Program& program, const Operator& source) {
  for (const Slot& slot : source.outputs) {
    for (const std::size_t variable : slot.variables) {
      if (variable != kNoVariable) return program.variables[variable].name;
    }
  }
  return source.type;
}

}  // namespace

OpImport::OpImport(Graph& graph, Blocks& blocks, Environment& variables, const Program& program,
                   const Operator& source, const Row& row)
    : ValueSteps(graph, NodeName(program, source)),
      blocks(blocks),
      variables(variables),
      program(program),
      source(source),
      row(row) {
  const std::vector<Place> places = PlacesOf(row.inputs);
  for (std::size_t i = 0; i < source.inputs.size(); ++i) {
    const std::string_view place = PlaceOf(places, source.inputs[i], i, program.is_pir);
    if (place.empty()) {
      if (program.is_pir)
        Fail(InvalidModel("{} inputs are given; at most {} are expected", source.inputs.size(),
                          places.size()));
      continue;
    }
    for (const std::size_t variable : source.inputs[i].variables) {
      if (variable == kNoVariable) continue;
      const auto found = variables.find(variable);
      if (found == variables.end()) {
        Fail(InvalidModel("variable {} is used before an operator makes it",
                          Quote(program.variables[variable].name)));
        return;
      }
      auto& values = inputs_[place];
      values.insert(values.end(), found->second.begin(), found->second.end());
    }
  }
}

// ---- places

const std::vector<ValueId>& OpImport::List(std::string_view place) const {
  static const std::vector<ValueId> nothing;
  const auto found = inputs_.find(place);
  return found == inputs_.end() || !problem_.ok() ? nothing : found->second;
}

ValueId OpImport::Maybe(std::string_view place) const {
  const std::vector<ValueId>& values = List(place);
  return values.empty() ? kNoValue : values[0];
}

ValueId OpImport::In(std::string_view place) {
  const ValueId value = Maybe(place);
  if (value == kNoValue) Fail(InvalidModel("input {} is missing", place));
  return value;
}

// ---- attributes

const Attribute* OpImport::Find(std::string_view name) const {
  if (program.is_pir) {
    for (const std::string_view pair : SplitAt(row.renamed, ' ')) {
      if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
        return source.Find(pair.substr(name.size() + 1));
    }
  }
  return source.Find(name);
}

std::int64_t OpImport::Int(std::string_view name, std::int64_t otherwise) const {
  const Attribute* value = Find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  // Lists of one stand for numbers in some versions.
  const auto* list = value == nullptr ? nullptr : std::get_if<IntList>(value);
  if (list != nullptr && list->size() == 1) number = list->data();
  return number == nullptr ? otherwise : std::clamp(*number, -kLargestSize, kLargestSize);
}

double OpImport::Real(std::string_view name, double otherwise) const {
  const Attribute* value = Find(name);
  if (value == nullptr) return otherwise;
  if (const auto* real = std::get_if<double>(value)) return *real;
  if (const auto* integer = std::get_if<std::int64_t>(value)) return static_cast<double>(*integer);
  return otherwise;
}

std::string OpImport::Text(std::string_view name, std::string_view otherwise) const {
  const Attribute* value = Find(name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string(otherwise) : *text;
}

IntList OpImport::IntsOf(std::string_view name) const {
  const Attribute* value = Find(name);
  IntList list;
  if (value == nullptr) return list;
  if (const auto* ints = std::get_if<IntList>(value)) list = *ints;
  if (const auto* integer = std::get_if<std::int64_t>(value)) list = {*integer};
  // Ends of slices are written as the largest number there is.
  for (std::int64_t& number : list) number = std::clamp(number, -kLargestSize, kLargestSize);
  return list;
}

RealList OpImport::RealsOf(std::string_view name) const {
  const Attribute* value = Find(name);
  if (value == nullptr) return {};
  if (const auto* reals = std::get_if<RealList>(value)) return *reals;
  if (const auto* real = std::get_if<double>(value)) return {*real};
  const IntList ints = IntsOf(name);
  return {ints.begin(), ints.end()};
}

DType OpImport::TypeOr(std::string_view name, DType otherwise) {
  const Attribute* value = Find(name);
  if (value == nullptr) return otherwise;
  DType dtype = DType::kUndefined;
  if (const auto* word = std::get_if<std::string>(value)) {
    if (word->empty() || word->starts_with("Undefined")) return otherwise;
    dtype = DTypeOfName(*word);
  } else if (const std::int64_t number = Int(name, -1); number >= 0) {
    dtype = DTypeOfVarType(number);
  } else {
    return otherwise;
  }
  if (dtype == DType::kUndefined)
    Fail(Error(ErrorCode::kUnsupportedType, "the element type that {} names is not read", name));
  return dtype;
}

// ---- numbers that are an attribute or a tensor

std::optional<IntList> OpImport::IfKnown(ValueId x) const {
  if (!problem_.ok() || x == kNoValue) return std::nullopt;
  if (const Tensor* constant = graph.Constant(x)) {
    constexpr std::int64_t kMostNumbers = 1 << 16;
    if (constant->count() > kMostNumbers) return std::nullopt;
    const Result<IntList> ints = ToInts(*constant);
    return ints.ok() ? std::optional(*ints) : std::nullopt;
  }
  const auto& known = graph.value(x).ints;
  if (!known) return std::nullopt;
  IntList ints;
  for (const Dim& dim : *known) {
    if (!dim.IsConst()) return std::nullopt;
    ints.push_back(dim.value());
  }
  return ints;
}

IntList OpImport::KnownInts(std::string_view name) {
  if (!Has(name)) return IntsOf(name);
  IntList all;
  for (const ValueId value : List(name)) {
    const std::optional<IntList> ints = IfKnown(value);
    if (!ints) {
      Fail(Unsupported("{} is computed while running; it must be known when the model is read",
                       name));
      return {};
    }
    for (const std::int64_t number : *ints)
      all.push_back(std::clamp(number, -kLargestSize, kLargestSize));
  }
  return all;
}

std::int64_t OpImport::KnownInt(std::string_view name, std::int64_t otherwise) {
  if (!Has(name)) return Int(name, otherwise);
  const IntList numbers = KnownInts(name);
  if (numbers.size() == 1) return numbers[0];
  Fail(InvalidModel("{} has {} numbers; one is expected", name, numbers.size()));
  return otherwise;
}

double OpImport::KnownReal(std::string_view name, double otherwise) {
  if (!Has(name)) return Real(name, otherwise);
  const Tensor* constant = graph.Constant(List(name)[0]);
  if (constant != nullptr && constant->count() == 1) {
    const Result<std::vector<double>> numbers = ToDoubles(*constant);
    if (numbers.ok()) return (*numbers)[0];
  }
  Fail(Unsupported("{} is computed while running; it must be known when the model is read", name));
  return otherwise;
}

ValueId OpImport::Flat(ValueId x) {
  if (!problem_.ok()) return kNoValue;
  if (const auto known = IfKnown(x)) return Ints(*known);
  const Type& type = TypeOf(x);
  const bool is_list = type.HasRank() && type.rank() == 1;
  const ValueId wide = Cast(x, DType::kI64);
  return is_list ? wide : Reshape(wide, {-1});
}

ValueId OpImport::IntsValue(std::string_view name) {
  if (!Has(name)) return Ints(IntsOf(name));
  std::vector<ValueId> parts;
  for (const ValueId value : List(name)) parts.push_back(Flat(value));
  return parts.size() == 1 ? parts[0] : Join(parts, 0);
}

ValueId OpImport::NumberValue(std::string_view name, double otherwise, DType dtype) {
  if (!Has(name)) return Number(Real(name, otherwise), dtype);
  const ValueId value = List(name)[0];
  const Tensor* constant = graph.Constant(value);
  if (constant != nullptr && constant->count() == 1) return Number(KnownReal(name), dtype);
  const bool is_scalar = TypeOf(value).HasRank() && TypeOf(value).rank() == 0;
  const ValueId number = Cast(value, dtype);
  return is_scalar ? number : Reshape(number, {});
}

// ---- values

bool OpImport::ChannelsLast() const {
  const std::string layout = Text("data_format", Text("data_layout", "NCHW"));
  return layout == "NHWC" || layout == "NDHWC" || layout == "NLC";
}

ValueId OpImport::ToFront(ValueId x) {
  const std::int64_t rank = Rank(x);
  if (!ChannelsLast() || rank < 3) return x;
  IntList perm = {0, rank - 1};
  for (std::int64_t axis = 1; axis + 1 < rank; ++axis) perm.push_back(axis);
  return Transpose(x, perm);
}

ValueId OpImport::ToBack(ValueId x) {
  const std::int64_t rank = Rank(x);
  if (!ChannelsLast() || rank < 3) return x;
  IntList perm = {0};
  for (std::int64_t axis = 2; axis < rank; ++axis) perm.push_back(axis);
  perm.push_back(1);
  return Transpose(x, perm);
}

// ---- results

Status OpImport::StoreOne(const Slot& slot, std::string_view place) {
  const auto given = results_.find(place);
  if (given == results_.end()) return {};  // used, it is missed where it is used
  const std::vector<ValueId>& values = given->second;
  if (program.is_pir) {
    if (slot.variables[0] != kNoVariable) variables[slot.variables[0]] = values;
    return {};
  }
  if (slot.variables.size() > values.size())
    return InvalidModel("{} outputs are named {}; there are {}", slot.variables.size(), place,
                        values.size());
  for (std::size_t i = 0; i < slot.variables.size(); ++i) {
    if (slot.variables[i] != kNoVariable) variables[slot.variables[i]] = {values[i]};
  }
  return {};
}

Status OpImport::Store() {
  ATH_RETURN_IF_ERROR(problem_);
  const std::vector<Place> places = PlacesOf(row.outputs);
  for (std::size_t i = 0; i < source.outputs.size(); ++i) {
    const Slot& slot = source.outputs[i];
    const std::string_view place = PlaceOf(places, slot, i, program.is_pir);
    if (!place.empty()) ATH_RETURN_IF_ERROR(StoreOne(slot, place));
  }
  return {};
}

// ---- the table

const std::vector<Row>& Table() {
  static const std::vector<Row> table = [] {
    std::vector<Row> rows;
    for (auto* topic : {ActivationRows, ArithmeticRows, ControlRows, CreateRows, DetectionRows,
                        IndexRows, LayerRows, RecurrentRows, ReduceRows, SampleRows, ShapeRows}) {
      std::vector<Row> more = topic();
      rows.insert(rows.end(), more.begin(), more.end());
    }
    return rows;
  }();
  return table;
}

const Row* FindRow(std::string_view type, bool is_pir) {
  using Index = std::unordered_map<std::string_view, const Row*>;
  static const auto index = [](bool of_pir) {
    Index rows;
    for (const Row& row : Table()) {
      for (const std::string_view name : SplitAt(of_pir ? row.pir : row.legacy, ' '))
        rows.emplace(name, &row);
    }
    return rows;
  };
  static const Index legacy = index(false), pir = index(true);
  const Index& rows = is_pir ? pir : legacy;
  const auto found = rows.find(type);
  return found == rows.end() ? nullptr : found->second;
}

std::vector<std::string> Names(bool of_pir) {
  std::vector<std::string> names;
  for (const Row& row : Table()) {
    for (const std::string_view name : SplitAt(of_pir ? row.pir : row.legacy, ' '))
      names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace athanor::paddle
