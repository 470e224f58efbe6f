// A model of tables as PMML 4.4: linear models, trees, forests and boosted trees.
//
// Formulas of the inputs become derived fields, each sum of trees a mining model that other models
// of a chain read, and what is computed from the sums a regression model with its link. Floats are
// written with the digits of the double that they are, so that readers which compare in 64 bits
// decide alike.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "codegen/table/printer.h"
#include "codegen/table/tables.h"
#include "ops/math/number_cast.h"

namespace athanor::codegen {
namespace {

using ops::Forest;

constexpr std::size_t kDeepestTree = 256;
constexpr int kDeepestInPmml = 24;

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\n':
        escaped += "&#10;";
        break;
      case '\t':
        escaped += "&#9;";
        break;
      case '\r':
        escaped += "&#13;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string_view DataType(DType dtype) {
  if (dtype == DType::kF32) return "float";
  if (dtype == DType::kF64) return "double";
  if (dtype == DType::kI64) return "integer";
  return dtype == DType::kBool ? "boolean" : "string";
}

std::string_view OpType(DType dtype) {
  return dtype == DType::kString || dtype == DType::kBool ? "categorical" : "continuous";
}

std::string Digits(double number) {
  std::string text = ops::PrintNumber(number);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

// constant + sum of coefficient * term.
struct LinearForm {
  double constant = 0;
  std::map<TermId, double> coefficients;

  void Add(const LinearForm& other, double factor) {
    constant += factor * other.constant;
    for (const auto& [term, coefficient] : other.coefficients)
      coefficients[term] += factor * coefficient;
  }
};

// What the outputs of the program are in PMML.
struct Prediction {
  bool classification = false;
  std::string name = {};                  // of the target
  std::string link = "none";              // a normalizationMethod
  std::vector<std::string> classes = {};  // in the order of the probabilities
  bool integer_classes = false;
  std::vector<std::string> probabilities = {};  // names of columns
  std::vector<TermId> scores = {};              // one per regression table
};

// ---- what the outputs are

class OutputReader {
 public:
  explicit OutputReader(const RowProgram& program) : program_(program) {}

  Result<Prediction> Read() {
    const auto& outputs = program_.outputs;
    const bool number = outputs.size() == 1 && outputs[0].values.size() == 1 &&
                        (outputs[0].dtype == DType::kF32 || outputs[0].dtype == DType::kF64);
    if (number) return Number();
    Prediction made = {.classification = true};
    if (outputs.size() == 2 && outputs[0].values.size() == 1 && outputs[1].values.size() > 1 &&
        IsFloat(outputs[1].dtype)) {
      made.name = outputs[0].name;
      for (std::size_t i = 0; i < outputs[1].values.size(); ++i)
        made.probabilities.push_back(ElementName(outputs[1].name, outputs[1].values.size(), i));
      const auto& values = outputs[1].values;
      const bool read = values.size() == 2 ? TwoClasses(values, made) : Softmax(values, made);
      if (read && Labels(outputs[0].values[0], made)) return made;
    }
    return Unsupported(
        "the outputs are written as PMML where they are one number, or a label and the "
        "probabilities of a logistic function or a softmax");
  }

 private:
  const Term& At(TermId id) const { return program_.terms[id]; }
  bool Is(TermId id, Fn fn) const { return At(id).kind == Term::Kind::kCall && At(id).fn == fn; }
  // Behind changes between f32 and f64.
  TermId Bare(TermId id) const {
    while (Is(id, Fn::kCast) && IsFloat(At(id).dtype) && IsFloat(At(At(id).args[0]).dtype))
      id = At(id).args[0];
    return id;
  }
  std::optional<double> ConstantAt(TermId id) const {
    if (At(id).kind != Term::Kind::kConstant) return std::nullopt;
    return At(id).number;
  }

  Prediction Number() const {
    Prediction made = {.name = program_.outputs[0].name};
    TermId score = Bare(program_.outputs[0].values[0]);
    if (Is(score, Fn::kSigmoid))
      made.link = "logit", score = At(score).args[0];
    else if (Is(score, Fn::kExp))
      made.link = "exp", score = At(score).args[0];
    made.scores = {score};
    return made;
  }

  // [1 - p, p] or [sigmoid(-z), sigmoid(z)], p = sigmoid(z).
  bool TwoClasses(const std::vector<TermId>& values, Prediction& made) {
    const TermId first = Bare(values[0]), second = Bare(values[1]);
    if (!Is(second, Fn::kSigmoid)) return Softmax(values, made);
    second_ = second;
    const TermId score = At(second).args[0];
    const bool rest = Is(first, Fn::kSub) && ConstantAt(At(first).args[0]) == 1.0 &&
                      Bare(At(first).args[1]) == second;
    const bool mirrored = Is(first, Fn::kSigmoid) && Is(At(first).args[0], Fn::kNeg) &&
                          At(At(first).args[0]).args[0] == score;
    if (!rest && !mirrored) return false;
    made.link = "logit";
    made.scores = {score};
    return true;
  }

  // exp(x - largest) / sum, each.
  bool Softmax(const std::vector<TermId>& values, Prediction& made) {
    made.link = "softmax";
    for (const TermId id : values) {
      const TermId share = Bare(id);
      if (!Is(share, Fn::kDiv)) return false;
      const TermId power = At(share).args[0];
      if (!Is(power, Fn::kExp) || !Is(At(power).args[0], Fn::kSub)) return false;
      made.scores.push_back(At(At(power).args[0]).args[0]);
    }
    return true;
  }

  // The names of the classes, where the label is that of the likeliest one.
  bool Labels(TermId label, Prediction& made) {
    std::vector<TermId> names;  // of the positions
    const Lookup* lookup = nullptr;
    if (At(label).kind == Term::Kind::kLookup) {
      lookup = &program_.lookups[At(label).index];
      label = At(label).args[0];
    }
    const std::size_t count = made.probabilities.size();
    if (!Choices(label, count, made, names)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      std::optional<std::string> name = NameAt(names[i], lookup);
      if (!name) return false;
      made.classes.push_back(*std::move(name));
    }
    made.integer_classes = program_.outputs[0].dtype == DType::kI64;
    return true;
  }

  // The label of each class, from a comparison or a chain of them.
  bool Choices(TermId label, std::size_t count, const Prediction& made,
               std::vector<TermId>& names) {
    names.assign(count, 0);
    if (Is(label, Fn::kCast) && Is(At(label).args[0], Fn::kGreater)) {
      numbered_ = true;
      return count == 2 && made.scores.size() == 1 && IsBorder(At(label).args[0], made);
    }
    for (std::size_t i = count; --i > 0;) {
      if (!Is(label, Fn::kWhere) || !Is(At(label).args[0], Fn::kGreater)) return false;
      const Term& better = At(At(label).args[0]);
      const bool of_score = made.scores.size() == count
                                ? Bare(better.args[0]) == Bare(made.scores[i])
                                : Bare(better.args[0]) == Bare(made.scores[0]);
      if (!of_score) return false;
      names[i] = At(label).args[1];
      label = At(label).args[2];
    }
    names[0] = label;
    return true;
  }

  // p > 1/2 or z > 0.
  bool IsBorder(TermId id, const Prediction& made) const {
    const TermId what = Bare(At(id).args[0]);
    const std::optional<double> border = ConstantAt(At(id).args[1]);
    return (what == second_ && border == 0.5) || (what == made.scores[0] && border == 0.0);
  }

  std::optional<std::string> NameAt(TermId id, const Lookup* lookup) {
    double position = static_cast<double>(numbered_ ? next_++ : 0);
    if (!numbered_) {
      if (At(id).kind != Term::Kind::kConstant) return std::nullopt;
      if (At(id).dtype == DType::kString) return At(id).text;
      position = At(id).number;
    }
    if (lookup == nullptr) return Digits(position);
    if (!lookup->CountsUp() || position >= static_cast<double>(lookup->keys.count()))
      return std::nullopt;
    const auto at = static_cast<std::size_t>(position);
    if (lookup->values.dtype() == DType::kString) return lookup->values.Data<std::string>()[at];
    if (lookup->values.dtype() == DType::kI64)
      return fmt::format("{}", lookup->values.Data<std::int64_t>()[at]);
    return std::nullopt;
  }

  const RowProgram& program_;
  TermId second_ = 0;
  bool numbered_ = false;  // the label is 0 or 1 itself
  std::size_t next_ = 0;
};

// ---- writing

class PmmlPrinter : public Printer {
 public:
  PmmlPrinter(const RowProgram& program, Prediction prediction)
      : Printer(program, kDeepestInPmml),
        prediction_(std::move(prediction)),
        inputs_(program.terms.size()) {}

  Result<std::string> Write() {
    ATH_RETURN_IF_ERROR(CheckNames());
    ATH_RETURN_IF_ERROR(WriteTerms());
    std::vector<LinearForm> forms;
    for (const TermId score : prediction_.scores) forms.push_back(FormOf(score));
    std::string model;
    const TermId only = forms[0].coefficients.empty() ? 0 : forms[0].coefficients.begin()->first;
    const bool plain_sum = forms.size() == 1 && prediction_.link == "none" &&
                           forms[0].coefficients.size() == 1 && forms[0].constant == 0 &&
                           forms[0].coefficients.begin()->second == 1 && segments_.contains(only);
    if (plain_sum) {
      model = TreesModel(only, "");
    } else {
      ATH_TRY(model, Chain(forms));
    }
    ATH_RETURN_IF_ERROR(status_);
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\">\n"
           "<Header><Application name=\"athanor\"/></Header>\n" +
           Dictionary() + Transformations("TransformationDictionary", derived_) + model +
           "</PMML>\n";
  }

 protected:
  std::string_view Language() const override { return "PMML"; }
  std::size_t UsesBy(const Term& reader) const override {
    return reader.kind == Term::Kind::kCall ? 1 : 2;
  }

  std::span<const Spelling> Spellings() const override {
    static constexpr Spelling kSpellings[] = {
        {Fn::kAbs, kWord, "<Apply function=\"abs\">@0</Apply>"},
        {Fn::kAcos, kWord, "<Apply function=\"acos\">@0</Apply>"},
        {Fn::kAnd, kWord, "<Apply function=\"and\">@0@1</Apply>"},
        {Fn::kAsin, kWord, "<Apply function=\"asin\">@0</Apply>"},
        {Fn::kAtan, kWord, "<Apply function=\"atan\">@0</Apply>"},
        {Fn::kCeil, kWord, "<Apply function=\"ceil\">@0</Apply>"},
        {Fn::kCos, kWord, "<Apply function=\"cos\">@0</Apply>"},
        {Fn::kCosh, kWord, "<Apply function=\"cosh\">@0</Apply>"},
        {Fn::kDiv, kWord, "<Apply function=\"/\">@0@1</Apply>"},
        {Fn::kEqual, kWord, "<Apply function=\"equal\">@0@1</Apply>"},
        {Fn::kExp, kWord, "<Apply function=\"exp\">@0</Apply>"},
        {Fn::kFloor, kWord, "<Apply function=\"floor\">@0</Apply>"},
        {Fn::kGreater, kWord, "<Apply function=\"greaterThan\">@0@1</Apply>"},
        {Fn::kGreaterOrEqual, kWord, "<Apply function=\"greaterOrEqual\">@0@1</Apply>"},
        {Fn::kIsNan, kWord, "<Apply function=\"isMissing\">@0</Apply>"},
        {Fn::kLess, kWord, "<Apply function=\"lessThan\">@0@1</Apply>"},
        {Fn::kLessOrEqual, kWord, "<Apply function=\"lessOrEqual\">@0@1</Apply>"},
        {Fn::kLog, kWord, "<Apply function=\"ln\">@0</Apply>"},
        {Fn::kMax, kWord, "<Apply function=\"max\">@0@1</Apply>"},
        {Fn::kMin, kWord, "<Apply function=\"min\">@0@1</Apply>"},
        {Fn::kMul, kWord, "<Apply function=\"*\">@0@1</Apply>"},
        {Fn::kNeg, kWord,
         "<Apply function=\"*\"><Constant dataType=\"double\">-1</Constant>@0</Apply>"},
        {Fn::kNot, kWord, "<Apply function=\"not\">@0</Apply>"},
        {Fn::kOr, kWord, "<Apply function=\"or\">@0@1</Apply>"},
        {Fn::kPow, kWord, "<Apply function=\"pow\">@0@1</Apply>"},
        {Fn::kRound, kWord, "<Apply function=\"rint\">@0</Apply>"},
        {Fn::kSigmoid, kWord,
         "<Apply function=\"/\"><Constant dataType=\"double\">1</Constant><Apply function=\"+\">"
         "<Constant dataType=\"double\">1</Constant><Apply function=\"exp\"><Apply function=\"*\">"
         "<Constant dataType=\"double\">-1</Constant>@0</Apply></Apply></Apply></Apply>",
         5},
        {Fn::kSin, kWord, "<Apply function=\"sin\">@0</Apply>"},
        {Fn::kSinh, kWord, "<Apply function=\"sinh\">@0</Apply>"},
        {Fn::kSqrt, kWord, "<Apply function=\"sqrt\">@0</Apply>"},
        {Fn::kSquare, kWord,
         "<Apply function=\"pow\">@0<Constant dataType=\"double\">2</Constant></Apply>"},
        {Fn::kSub, kWord, "<Apply function=\"-\">@0@1</Apply>"},
        {Fn::kTan, kWord, "<Apply function=\"tan\">@0</Apply>"},
        {Fn::kTanh, kWord, "<Apply function=\"tanh\">@0</Apply>"},
        {Fn::kWhere, kWord, "<Apply function=\"if\">@0@1@2</Apply>"},
        {Fn::kXor, kWord, "<Apply function=\"notEqual\">@0@1</Apply>"},
    };
    return kSpellings;
  }

  Piece SumOf(std::vector<Piece> parts) const override {
    Piece sum = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) {
      sum.text = "<Apply function=\"+\">" + sum.text + parts[i].text + "</Apply>";
      sum.depth = std::max(sum.depth, parts[i].depth) + 1;
      sum.stage = std::max(sum.stage, parts[i].stage);
    }
    return sum;
  }

  Piece Input(TermId id) override {
    const Term& column = term(id);
    const std::string& name = program_.columns[column.index].name;
    inputs_[id] = {name};
    fields_[id] = name;
    return {"<FieldRef field=\"" + Escaped(name) + "\"/>"};
  }

  Piece Constant(TermId id) override {
    const Term& constant = term(id);
    if (constant.dtype == DType::kString)
      return {"<Constant dataType=\"string\">" + Escaped(constant.text) + "</Constant>"};
    if (constant.dtype == DType::kBool)
      return {fmt::format("<Constant dataType=\"boolean\">{}</Constant>", constant.number != 0)};
    if (std::isnan(constant.number)) return {"<Constant missing=\"true\"/>"};
    return {fmt::format("<Constant dataType=\"{}\">{}</Constant>",
                        constant.dtype == DType::kI64 ? "integer" : "double",
                        Digits(constant.number))};
  }

  Result<Piece> Call(TermId id) override {
    const Term& call = term(id);
    for (const TermId arg : call.args) inputs_[id].insert(inputs_[arg].begin(), inputs_[arg].end());
    if (call.fn != Fn::kCast) return Printer::Call(id);
    const Piece& x = piece(call.args[0]);
    const DType from = term(call.args[0]).dtype;
    Piece made = x;
    ++made.depth;
    if (from == DType::kBool) {
      made.text = "<Apply function=\"if\">" + x.text +
                  "<Constant dataType=\"double\">1</Constant><Constant dataType=\"double\">0"
                  "</Constant></Apply>";
    } else if (call.dtype == DType::kI64 && from != DType::kI64) {
      made.text = "<Apply function=\"if\"><Apply function=\"lessThan\">" + x.text +
                  "<Constant dataType=\"double\">0</Constant></Apply><Apply function=\"ceil\">" +
                  x.text + "</Apply><Apply function=\"floor\">" + x.text + "</Apply></Apply>";
    } else if (call.dtype == DType::kBool) {
      made.text = "<Apply function=\"notEqual\">" + x.text +
                  "<Constant dataType=\"double\">0</Constant></Apply>";
    }
    return made;
  }

  Result<Piece> Trees(TermId id) override {
    const TreeSum& sum = program_.sums[term(id).index];
    const Forest& forest = program_.forests[sum.forest];
    for (const TermId x : program_.rows[sum.row])
      inputs_[id].insert(inputs_[x].begin(), inputs_[x].end());
    if (forest.is_linear()) {
      if (!IsOneLinearLeaf(sum))
        return Unsupported("leaves that are linear functions have no form in PMML, in {}",
                           program_.nodes[term(id).node]);
      return Piece{"", kWord, 1, 0};  // read through FormOf
    }
    if (forest.Depth() > kDeepestTree)
      return Error(ErrorCode::kResource, "trees deeper than {} are not written as PMML",
                   kDeepestTree);
    const std::string name = NewName(fmt::format("score_{}", segments_.size() + 1));
    segments_[id] = name;
    fields_[id] = name;
    return Piece{"<FieldRef field=\"" + name + "\"/>", kWord, 1, 1};
  }

  Result<Piece> Find(TermId id) override {
    const Term& find = term(id);
    inputs_[id] = inputs_[find.args[0]];
    const Lookup& lookup = program_.lookups[find.index];
    ATH_TRY(const std::string field, FieldOf(find.args[0]));
    std::string rows, missing, otherwise = Element(lookup.otherwise, 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(lookup.keys.count()); ++i) {
      const std::string key = Element(lookup.keys, i), value = Element(lookup.values, i);
      if (key.empty()) {
        missing = value;  // NaN or "" is a missing value in PMML
      } else if (!value.empty()) {
        rows += "<row><in>" + Escaped(key) + "</in><out>" + Escaped(value) + "</out></row>";
      } else if (!otherwise.empty()) {
        return Unsupported("a table with missing values, in {}", program_.nodes[find.node]);
      }
    }
    const auto attribute = [](std::string_view name, const std::string& value) {
      return value.empty() ? "" : fmt::format(" {}=\"{}\"", name, Escaped(value));
    };
    // A missing text is no key here but goes to `otherwise`; a missing number as well.
    if (missing.empty() && !HasMissingKey(lookup)) missing = otherwise;
    Piece made = {
        fmt::format("<MapValues outputColumn=\"out\" dataType=\"{}\"{}{}><FieldColumnPair "
                    "field=\"{}\" column=\"in\"/><InlineTable>{}</InlineTable></MapValues>",
                    DataType(find.dtype), attribute("defaultValue", otherwise),
                    attribute("mapMissingTo", missing), Escaped(field), rows)};
    made.stage = piece(find.args[0]).stage;
    return made;
  }

  Piece Define(TermId id, Piece formula) override {
    if (fields_.contains(id)) return formula;  // a score
    const std::string name = NewName(fmt::format("v{}", id));
    fields_[id] = name;
    const DType dtype = term(id).dtype == DType::kF32 ? DType::kF64 : term(id).dtype;
    (formula.stage == 0 ? derived_ : local_) +=
        fmt::format("<DerivedField name=\"{}\" optype=\"{}\" dataType=\"{}\">{}</DerivedField>\n",
                    name, OpType(dtype), DataType(dtype), formula.text);
    return {"<FieldRef field=\"" + name + "\"/>", kWord, 1, formula.stage};
  }

 private:
  static std::string Element(const Tensor& tensor, std::size_t i) {
    if (tensor.dtype() == DType::kString) return tensor.Data<std::string>()[i];
    if (tensor.dtype() == DType::kI64) return fmt::format("{}", tensor.Data<std::int64_t>()[i]);
    const double number =
        tensor.dtype() == DType::kF32 ? tensor.Data<float>()[i] : tensor.Data<double>()[i];
    return std::isnan(number) ? "" : Digits(number);
  }
  static bool HasMissingKey(const Lookup& lookup) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(lookup.keys.count()); ++i) {
      if (Element(lookup.keys, i).empty()) return true;
    }
    return false;
  }

  // Names of columns, answers and derived fields differ.
  Status CheckNames() {
    for (const RowProgram::Column& column : program_.columns) {
      if (!taken_.insert(column.name).second)
        return Unsupported("two columns are called \"{}\"", column.name);
    }
    for (const std::string& name : prediction_.probabilities) taken_.insert(name);
    if (taken_.insert(prediction_.name).second) return {};
    return Unsupported("a column and the answer are both called \"{}\"", prediction_.name);
  }
  std::string NewName(const std::string& wish) {
    std::string name = wish;
    for (int number = 2; !taken_.insert(name).second; ++number)
      name = fmt::format("{}_{}", wish, number);
    return name;
  }

  // The field that holds a term; a derived one is made for a formula.
  Result<std::string> FieldOf(TermId id) {
    const auto found = fields_.find(id);
    if (found != fields_.end()) return found->second;
    Define(id, piece(id));
    return fields_[id];
  }

  bool IsOneLinearLeaf(const TreeSum& sum) const {
    const Forest& forest = program_.forests[sum.forest];
    if (sum.trees.size() != 1) return false;
    const Forest::Child root = forest.roots()[sum.trees[0]];
    if (root < 0) return true;
    const Forest::Node& node = forest.nodes()[static_cast<std::size_t>(root)];
    return node.yes == node.no && node.yes < 0;
  }

  // ---- linear formulas

  LinearForm FormOf(TermId id) const {
    const Term& t = term(id);
    LinearForm form;
    if (t.kind == Term::Kind::kConstant) {
      form.constant = t.number;
      return form;
    }
    if (t.kind == Term::Kind::kTrees && program_.forests[program_.sums[t.index].forest].is_linear())
      return FormOfLeaf(program_.sums[t.index]);
    const auto constant = [&](std::size_t arg) {
      return term(t.args[arg]).kind == Term::Kind::kConstant;
    };
    if (t.kind == Term::Kind::kCall && IsFloat(t.dtype)) {
      const auto number = [&](std::size_t arg) { return term(t.args[arg]).number; };
      if (t.fn == Fn::kAdd) {
        for (const TermId arg : t.args) form.Add(FormOf(arg), 1);
        return form;
      }
      if (t.fn == Fn::kSub) {
        form.Add(FormOf(t.args[0]), 1);
        form.Add(FormOf(t.args[1]), -1);
        return form;
      }
      if (t.fn == Fn::kNeg) {
        form.Add(FormOf(t.args[0]), -1);
        return form;
      }
      if (t.fn == Fn::kMul && (constant(0) || constant(1))) {
        form.Add(FormOf(t.args[constant(0) ? 1 : 0]), number(constant(0) ? 0 : 1));
        return form;
      }
      if (t.fn == Fn::kDiv && constant(1)) {
        form.Add(FormOf(t.args[0]), 1 / number(1));
        return form;
      }
      if (t.fn == Fn::kCast && IsFloat(term(t.args[0]).dtype)) return FormOf(t.args[0]);
    }
    form.coefficients[id] = 1;
    return form;
  }

  LinearForm FormOfLeaf(const TreeSum& sum) const {
    const Forest& forest = program_.forests[sum.forest];
    const Forest::Child root = forest.roots()[sum.trees[0]];
    const Forest::Child child =
        root < 0 ? root : forest.nodes()[static_cast<std::size_t>(root)].yes;
    const auto leaf = static_cast<std::size_t>(-1 - child);
    LinearForm form = {forest.constant(leaf), {}};
    for (const Forest::Term& part : forest.Terms(leaf))
      form.coefficients[program_.rows[sum.row][part.feature]] += part.coefficient;
    return form;
  }

  // ---- parts of the document

  std::string Dictionary() const {
    std::string text = "<DataDictionary>\n";
    for (const RowProgram::Column& column : program_.columns)
      text += fmt::format("<DataField name=\"{}\" optype=\"{}\" dataType=\"{}\"/>\n",
                          Escaped(column.name), OpType(column.dtype), DataType(column.dtype));
    if (!prediction_.classification) {
      text += fmt::format("<DataField name=\"{}\" optype=\"continuous\" dataType=\"{}\"/>\n",
                          Escaped(prediction_.name), "double");
      return text + "</DataDictionary>\n";
    }
    text +=
        fmt::format("<DataField name=\"{}\" optype=\"categorical\" dataType=\"{}\">",
                    Escaped(prediction_.name), prediction_.integer_classes ? "integer" : "string");
    for (const std::string& name : prediction_.classes)
      text += "<Value value=\"" + Escaped(name) + "\"/>";
    return text + "</DataField>\n</DataDictionary>\n";
  }

  static std::string Transformations(const std::string& element, const std::string& fields) {
    if (fields.empty()) return "";
    return "<" + element + ">\n" + fields + "</" + element + ">\n";
  }

  std::string Schema(const std::set<std::string>& inputs, bool target) const {
    std::string text = "<MiningSchema>";
    if (target)
      text += "<MiningField name=\"" + Escaped(prediction_.name) + "\" usageType=\"target\"/>";
    // Columns in the order of the model, then what other models of the chain give.
    const auto add = [&](const std::string& name) {
      text += "<MiningField name=\"" + Escaped(name) + "\" invalidValueTreatment=\"asIs\"/>";
    };
    std::set<std::string> others = inputs;
    for (const RowProgram::Column& column : program_.columns)
      if (others.erase(column.name) > 0) add(column.name);
    for (const std::string& name : others) add(name);
    return text + "</MiningSchema>\n";
  }

  std::set<std::string> AllInputs() const {
    std::set<std::string> names;
    for (const RowProgram::Column& column : program_.columns) names.insert(column.name);
    return names;
  }

  // The mining model of a sum of trees. `output`: the field it fills, for the models behind it.
  std::string TreesModel(TermId id, const std::string& output) {
    const TreeSum& sum = program_.sums[term(id).index];
    const bool single = term(id).dtype == DType::kF32;
    const std::string_view math = single ? " x-mathContext=\"float\"" : "";
    const std::string answer = output.empty()
                                   ? ""
                                   : fmt::format(
                                         "<Output><OutputField name=\"{}\" optype=\"continuous\" "
                                         "dataType=\"{}\" feature=\"predictedValue\" "
                                         "isFinalResult=\"false\"/></Output>\n",
                                         output, single ? "float" : "double");
    if (sum.trees.size() == 1) return TreeModel(id, sum.trees[0], output.empty(), answer);
    std::string text = fmt::format("<MiningModel functionName=\"regression\"{}>\n", math) +
                       Schema(output.empty() ? AllInputs() : inputs_[id], output.empty()) + answer +
                       "<Segmentation multipleModelMethod=\"sum\">\n";
    for (std::size_t i = 0; i < sum.trees.size(); ++i)
      text += fmt::format("<Segment id=\"{}\"><True/>\n", i + 1) +
              TreeModel(id, sum.trees[i], false, "") + "</Segment>\n";
    return text + "</Segmentation>\n</MiningModel>\n";
  }

  std::string TreeModel(TermId id, std::size_t tree, bool target, const std::string& output) {
    const TreeSum& sum = program_.sums[term(id).index];
    std::set<std::string> inputs;
    std::string nodes;
    WriteNode(sum, program_.forests[sum.forest].roots()[tree], "<True/>", nodes, inputs);
    return fmt::format(
               "<TreeModel functionName=\"regression\" missingValueStrategy=\"none\" "
               "noTrueChildStrategy=\"returnLastPrediction\"{}>\n",
               term(id).dtype == DType::kF32 ? " x-mathContext=\"float\"" : "") +
           Schema(target ? AllInputs() : inputs, target) + output + nodes + "</TreeModel>\n";
  }

  // The first child tests so that a missing value fails where it should; the second takes the rest.
  // NOLINTNEXTLINE(misc-no-recursion): kDeepestTree bounds it
  void WriteNode(const TreeSum& sum, Forest::Child at, const std::string& predicate,
                 std::string& text, std::set<std::string>& inputs) {
    const Forest& forest = program_.forests[sum.forest];
    while (at >= 0) {  // a node whose branches meet asks nothing
      const Forest::Node& node = forest.nodes()[static_cast<std::size_t>(at)];
      if (node.yes != node.no) break;
      at = node.yes;
    }
    if (at < 0) {
      const double weight =
          RowProgram::LeafWeight(forest, static_cast<std::size_t>(-1 - at), sum.target);
      text += "<Node score=\"" + Digits(weight) + "\">" + predicate + "</Node>\n";
      return;
    }
    const Forest::Node& node = forest.nodes()[static_cast<std::size_t>(at)];
    const TermId x = program_.rows[sum.row][node.feature];
    inputs.insert(inputs_[x].begin(), inputs_[x].end());
    text += "<Node>" + predicate + "\n";
    WriteNode(sum, node.missing_is_yes ? node.no : node.yes, Predicate(node, x), text, inputs);
    WriteNode(sum, node.missing_is_yes ? node.yes : node.no, "<True/>", text, inputs);
    text += "</Node>\n";
  }

  // That a row which knows its value takes the branch where a missing value does not go.
  std::string Predicate(const Forest::Node& node, TermId x) {
    const bool yes = !node.missing_is_yes;
    Result<std::string> made = FieldOf(x);
    const std::string field = Escaped(made.ok() ? *made : "");
    if (node.mode == Forest::Mode::kMember) {
      std::string list;
      for (const double member : node.members) list += (list.empty() ? "" : " ") + Digits(member);
      return fmt::format(
          "<SimpleSetPredicate field=\"{}\" booleanOperator=\"{}\"><Array n=\"{}\" "
          "type=\"real\">{}</Array></SimpleSetPredicate>",
          field, yes ? "isIn" : "isNotIn", node.members.size(), list);
    }
    constexpr std::string_view kYes[] = {"lessOrEqual", "lessThan", "greaterOrEqual",
                                         "greaterThan", "equal",    "notEqual"};
    constexpr std::string_view kNo[] = {"greaterThan", "greaterOrEqual", "lessThan",
                                        "lessOrEqual", "notEqual",       "equal"};
    const auto mode = static_cast<std::size_t>(node.mode);
    return fmt::format("<SimplePredicate field=\"{}\" operator=\"{}\" value=\"{}\"/>", field,
                       yes ? kYes[mode] : kNo[mode], Digits(node.split));
  }

  // The sums of trees, then what is made of them.
  Result<std::string> Chain(const std::vector<LinearForm>& forms) {
    ATH_TRY(const std::string regression, Regression(forms, segments_.empty()));
    if (segments_.empty()) return regression;
    std::string text = fmt::format("<MiningModel functionName=\"{}\">\n", FunctionName()) +
                       Schema(AllInputs(), true) +
                       "<Segmentation multipleModelMethod=\"modelChain\">\n";
    int number = 0;
    for (const auto& [id, name] : segments_)
      text += fmt::format("<Segment id=\"{}\"><True/>\n", ++number) + TreesModel(id, name) +
              "</Segment>\n";
    return text + fmt::format("<Segment id=\"{}\"><True/>\n", ++number) + regression +
           "</Segment>\n</Segmentation>\n</MiningModel>\n";
  }

  std::string_view FunctionName() const {
    return prediction_.classification ? "classification" : "regression";
  }

  std::string Answers() const {
    std::string text;
    for (std::size_t i = 0; i < prediction_.probabilities.size(); ++i)
      text += fmt::format(
          "<OutputField name=\"{}\" optype=\"continuous\" dataType=\"double\" "
          "feature=\"probability\" value=\"{}\"/>",
          Escaped(prediction_.probabilities[i]), Escaped(prediction_.classes[i]));
    return text.empty() ? "" : "<Output>" + text + "</Output>\n";
  }

  Result<std::string> Regression(const std::vector<LinearForm>& forms, bool alone) {
    std::set<std::string> inputs = alone ? AllInputs() : std::set<std::string>();
    std::string tables;
    for (std::size_t i = 0; i < forms.size(); ++i) {
      // Of two classes with one score, it is that of the second.
      const std::size_t code = forms.size() == 1 && prediction_.classification ? 1 : i;
      tables += fmt::format("<RegressionTable intercept=\"{}\"", Digits(forms[i].constant));
      if (prediction_.classification)
        tables += " targetCategory=\"" + Escaped(prediction_.classes[code]) + "\"";
      tables += ">";
      for (const auto& [id, coefficient] : forms[i].coefficients) {
        ATH_TRY(const std::string field, FieldOf(id));
        if (!alone) inputs.insert(inputs_[id].begin(), inputs_[id].end());
        if (segments_.contains(id)) inputs.insert(field);
        tables += fmt::format("<NumericPredictor name=\"{}\" coefficient=\"{}\"/>", Escaped(field),
                              Digits(coefficient));
      }
      tables += "</RegressionTable>\n";
    }
    if (forms.size() == 1 && prediction_.classification)
      tables += fmt::format("<RegressionTable intercept=\"0\" targetCategory=\"{}\"/>\n",
                            Escaped(prediction_.classes[0]));
    for (const auto& [id, name] : segments_) inputs.insert(name);
    return fmt::format("<RegressionModel functionName=\"{}\" normalizationMethod=\"{}\">\n",
                       FunctionName(), prediction_.link) +
           Schema(inputs, true) + Answers() + Transformations("LocalTransformations", local_) +
           tables + "</RegressionModel>\n";
  }

  Prediction prediction_;
  std::vector<std::set<std::string>> inputs_;  // columns below each term
  std::map<TermId, std::string> fields_;
  std::map<TermId, std::string> segments_;  // sums of trees, by the field they fill
  std::set<std::string> taken_;
  std::string derived_, local_;
  Status status_;
};

}  // namespace

Result<std::string> TablePmml(const RowProgram& program) {
  ATH_TRY(Prediction prediction, OutputReader(program).Read());
  // What only the label and the link compute is PMML's own work.
  RowProgram scores = program;
  scores.outputs = {{prediction.name, DType::kF64, prediction.scores}};
  RemoveUnused(scores);
  prediction.scores = scores.outputs[0].values;
  return PmmlPrinter(scores, std::move(prediction)).Write();
}

}  // namespace athanor::codegen
