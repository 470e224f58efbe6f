// TextModel: the document of a corpus that a text is most similar to.
//
// Terms are counted in a text, weighted as the model says, and compared with the weighted rows of
// the document-term matrix, by the angle or by the distance.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

// A term of a text takes about ten operators.
constexpr std::size_t kMostTerms = 4096;
constexpr std::size_t kMostMatrixCells = std::size_t{1} << 24;

class Corpus {
 public:
  Corpus(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    terms_ = ArrayWords(model_.element.child("TextDictionary").child("Array"));
    if (terms_.empty()) return InvalidModel("the dictionary has no terms");
    if (terms_.size() > kMostTerms)
      return Error(ErrorCode::kResource, "{} terms; up to {} are read", terms_.size(), kMostTerms);
    ATH_RETURN_IF_ERROR(ReadMatrix());
    ATH_RETURN_IF_ERROR(ReadGlobalWeights());
    ATH_TRY(const ValueId counts, Counts());
    ATH_TRY(const ValueId local, LocalWeights(counts));
    const ValueId text = c_.Mul(local, c_.Row(global_));
    ATH_TRY(const ValueId documents, WeightedMatrix());
    return Compare(text, documents);
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(terms_.size()); }
  Element normalization() const { return model_.element.child("TextModelNormalization"); }

  // How often each document has each term.
  Status ReadMatrix() {
    for (const Element& document : model_.element.child("TextCorpus").children("TextDocument"))
      ids_.emplace_back(Text(document, "id"));
    const Element matrix = model_.element.child("DocumentTermMatrix").child("Matrix");
    for (const Element& row : matrix.children("Array")) {
      const std::vector<std::string> words = ArrayWords(row);
      if (words.size() != terms_.size())
        return InvalidModel("a document has {} frequencies for {} terms", words.size(),
                            terms_.size());
      for (const std::string& word : words) {
        ATH_TRY(const double frequency, ParseNumber(word));
        if (!(frequency >= 0)) return InvalidModel("a term stands {} times", frequency);
        frequencies_.push_back(frequency);
      }
      if (frequencies_.size() > kMostMatrixCells)
        return Error(ErrorCode::kResource, "the document-term matrix is too large");
    }
    if (!matrix.child("Array"))
      return Unsupported("a document-term matrix that is not rows of <Array>");
    if (frequencies_.size() != terms_.size() * ids_.size())
      return InvalidModel("{} documents, but {} rows of the document-term matrix", ids_.size(),
                          frequencies_.size() / terms_.size());
    return {};
  }

  // What a term says by itself, from how the corpus uses it.
  Status ReadGlobalWeights() {
    const std::string_view kind = Text(normalization(), "globalTermWeights");
    const auto documents = static_cast<double>(ids_.size());
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      double sum = 0, squares = 0, with = 0;
      for (std::size_t d = 0; d < ids_.size(); ++d) {
        const double f = frequencies_[d * terms_.size() + t];
        sum += f;
        squares += f * f;
        with += f > 0 ? 1 : 0;
      }
      double weight = 1;
      if (kind == "inverseDocumentFrequency" || kind.empty()) {
        weight = std::log(documents / with);
      } else if (kind == "GFIDF") {
        weight = sum / with;
      } else if (kind == "normal") {
        weight = 1 / std::sqrt(squares);
      } else if (kind == "probabilisticInverse") {
        weight = std::log((documents - with) / with);
      } else if (kind != "none") {
        return InvalidModel("globalTermWeights {} is not known", Quote(kind));
      }
      // A term that no document has, or each, tells nothing.
      global_.push_back(std::isfinite(weight) ? weight : 0);
    }
    return {};
  }

  // Of one text, or of a field for each term: [rows, terms].
  Result<ValueId> Counts() {
    std::vector<std::string> active;
    for (const Element& field : model_.element.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(field, "usageType");
      if (usage.empty() || usage == "active") active.emplace_back(Text(field, "name"));
    }
    std::vector<ValueId> columns;
    if (active.size() == 1) {
      ATH_TRY(const Field text, scope_.Get(active[0]));
      if (text.text) {
        for (const std::string& term : terms_) {
          ATH_TRY(const ValueId column, CountOf(active[0], term));
          columns.push_back(column);
        }
        return c_.SideBySide(std::move(columns));
      }
    }
    for (const std::string& term : terms_) {
      if (std::find(active.begin(), active.end(), term) == active.end()) {
        return InvalidModel(
            "one active field of text is expected, or one of its count for each term: there is "
            "none for {}{}",
            Quote(term), DidYouMean(term, active));
      }
      ATH_TRY(const Field field, scope_.Get(term));
      if (field.text) return InvalidModel("field {} is text, a count is expected", Quote(term));
      columns.push_back(field.column);
    }
    return c_.SideBySide(std::move(columns));
  }

  // As <TextIndex> counts.
  Result<ValueId> CountOf(const std::string& field, const std::string& term) {
    pugi::xml_document document;
    Element index = document.append_child("TextIndex");
    index.append_attribute("textField") = field.c_str();
    // Marks at the ends of words do not belong to them.
    index.append_attribute("wordSeparatorCharacterRE") =
        R"([[:punct:]]*\s+[[:punct:]]*|^[[:punct:]]+|[[:punct:]]+$)";
    index.append_child("Constant").text().set(term.c_str());
    ATH_TRY(const Field hits, Evaluate(model_.document, scope_, index));
    return hits.column;
  }

  Result<ValueId> LocalWeights(ValueId counts) {
    const std::string_view kind = Text(normalization(), "localTermWeights");
    const ValueId there = c_.Number(c_.Op("Greater", {counts, c_.Constant(0)}));
    if (kind.empty() || kind == "termFrequency") return counts;
    if (kind == "binary") return c_.Where(c_.IsMissing(counts), counts, there);
    if (kind == "logarithmic") return c_.Op("Log", {c_.Add(counts, c_.Constant(1))});
    if (kind != "augmentedNormalizedTermFrequency")
      return InvalidModel("localTermWeights {} is not known", Quote(kind));
    const ValueId most = c_.Op("ReduceMax", {counts, c_.Index(1)});
    const ValueId divisor = c_.Where(c_.Op("Equal", {most, c_.Constant(0)}), c_.Constant(1), most);
    return c_.Mul(c_.Constant(0.5), c_.Add(there, c_.Div(counts, divisor)));
  }

  // The same weights of the documents, which are constants: [documents, terms].
  Result<ValueId> WeightedMatrix() {
    const ValueId matrix = c_.Matrix(static_cast<std::int64_t>(ids_.size()), count(), frequencies_);
    ATH_TRY(const ValueId local, LocalWeights(matrix));
    return c_.Mul(local, c_.Row(global_));
  }

  // Each row with length 1; a row of zeros stays.
  ValueId Normalized(ValueId rows) {
    const ValueId length = c_.Op("Sqrt", {c_.Sum(c_.Mul(rows, rows))});
    return c_.Div(rows, c_.Where(c_.Op("Equal", {length, c_.Constant(0)}), c_.Constant(1), length));
  }

  Result<Answer> Compare(ValueId text, ValueId documents) {
    std::string_view kind = Text(normalization(), "documentNormalization");
    if (kind == "cosine") {
      text = Normalized(text);
      documents = Normalized(documents);
    } else if (!kind.empty() && kind != "none") {
      return InvalidModel("documentNormalization {} is not known", Quote(kind));
    }
    // The schema writes it so.
    kind = Text(model_.element.child("TextModelSimiliarity"), "similarityType");
    ValueId similarity = kNoValue;
    const bool distance = kind == "euclidean";
    if (distance) {
      const ValueId off = c_.Sub(c_.Op("Unsqueeze", {text, c_.Index(1)}),
                                 c_.Op("Unsqueeze", {documents, c_.Index(0)}));
      similarity = c_.Op("Sqrt", {c_.Op("ReduceSum", {c_.Mul(off, off), c_.Index(2)},
                                        {{"keepdims", std::int64_t{0}}})});
    } else if (kind.empty() || kind == "cosine") {
      const ValueId turned =
          c_.Op("Transpose", {Normalized(documents)}, {{"perm", std::vector<std::int64_t>{1, 0}}});
      similarity = c_.Op("MatMul", {Normalized(text), turned});
    } else {
      return InvalidModel("similarityType {}; cosine and euclidean are known", Quote(kind));
    }
    Answer answer = model_.NewAnswer();
    answer.classification = true;
    answer.classes = ids_;
    answer.affinity_ids = ids_;
    answer.affinities = similarity;
    ATH_TRY(answer.ranking, RankColumns(c_, similarity, ids_.size(), distance, ids_));
    answer.value = c_.ColumnAt(answer.ranking->order, 0);
    ATH_RETURN_IF_ERROR(c_.status());
    return answer;
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<std::string> terms_, ids_;
  std::vector<double> frequencies_;  // [documents, terms]
  std::vector<double> global_;
};

}  // namespace

Result<Answer> ReadText(const Model& model, const Scope& scope, int) {
  return Corpus(model, scope).Read();
}

}  // namespace athanor::pmml
