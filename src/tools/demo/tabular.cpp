// Boosted trees on a table, from the same command line.
#include <cmath>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "frontends/load.h"
#include "io/csv.h"
#include "ops/ml/tree_ensemble.h"
#include "score/score.h"
#include "tools/demo/demo.h"

namespace athanor::tools::demo {
namespace {

// A table of numbers with the answer in its last column.
struct Rowset {
  std::vector<std::string> names;           // of the features
  std::vector<std::vector<float>> columns;  // one per feature
  std::vector<std::int64_t> labels;
  std::int64_t count() const { return std::ssize(labels); }
};

Result<Rowset> ReadRowset(const std::string& path) {
  ATH_TRY(const io::CsvMatrix table, io::ReadCsvMatrix(path));
  const std::size_t width = table.columns.size();
  Rowset set;
  set.names.assign(table.columns.begin(), table.columns.end() - 1);
  set.columns.resize(width - 1);
  const auto cells = table.values.Data<float>();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i % width + 1 < width)
      set.columns[i % width].push_back(cells[i]);
    else
      set.labels.push_back(static_cast<std::int64_t>(cells[i]));
  }
  return set;
}

// What the ONNX file takes: all features side by side.
Tensor AsMatrix(const Rowset& set) {
  std::vector<float> values;
  for (std::size_t row = 0; row < set.labels.size(); ++row) {
    for (const std::vector<float>& column : set.columns) values.push_back(column[row]);
  }
  return Tensor::FromVector<float>({set.count(), std::ssize(set.columns)}, values);
}

// What the XGBoost file takes: one input per feature, by name.
Result<std::vector<Datum>> AsColumns(const Graph& graph, const Rowset& set) {
  std::vector<std::pair<std::string, Datum>> named;
  for (std::size_t i = 0; i < set.names.size(); ++i)
    named.emplace_back(set.names[i], Tensor::FromVector<float>({set.count(), 1}, set.columns[i]));
  return OrderInputs(graph, std::move(named));
}

// How often the trees look at each feature, most often first.
Result<std::vector<Bar>> FeatureBars(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<std::size_t> looks(names.size());
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    if (!ops::ForestFiguresOf(*node.op, node.attributes)) continue;
    ATH_TRY(const ops::Forest forest, ops::ForestOf(node.attributes));
    for (const ops::Forest::Node& split : forest.nodes()) {
      if (split.feature < looks.size()) ++looks[split.feature];
    }
  }
  std::vector<Bar> bars;
  for (std::size_t i = 0; i < names.size(); ++i)
    bars.push_back(
        {names[i], "", static_cast<double>(looks[i]), std::to_string(looks[i]), "steel"});
  std::stable_sort(bars.begin(), bars.end(),
                   [](const Bar& a, const Bar& b) { return a.value > b.value; });
  return bars;
}

// The published rows again and again, from csv to csv; gives rows per second.
Result<double> ScoreLongTable(const State& state, std::int64_t repeats) {
  ATH_TRY(const std::string text, ReadTextFile(state.File("rows.csv")));
  const std::size_t head = text.find('\n') + 1;
  std::string table = text;
  for (std::int64_t i = 1; i < repeats; ++i) table += text.substr(head);
  const std::string in = state.File("many-rows.csv"), out = state.File("many-scores.csv");
  ATH_RETURN_IF_ERROR(WriteFileAtomically(in, std::string_view(table)));
  ATH_TRY(const score::ScoreReport report,
          score::Score({.model = state.File("fraud.json"), .input = in, .output = out}));
  std::error_code error;
  std::filesystem::remove(in, error);
  std::filesystem::remove(out, error);
  return static_cast<double>(report.rows) / report.seconds;
}

struct Answers {
  std::vector<double> fraud;  // probability of each row
  double difference = 0;      // between the two files
  std::int64_t right = 0;
  double microseconds = 0;  // a row, of the ONNX file
};

Result<Answers> Answer(const Rowset& rows, Session& native, Session& onnx, double seconds) {
  ATH_TRY(std::vector<Datum> columns, AsColumns(native.graph(), rows));
  ATH_TRY(const std::vector<Datum> a, native.Run(std::move(columns)));
  const Tensor matrix = AsMatrix(rows);
  ATH_TRY(const std::vector<Datum> b, onnx.Run({matrix}));
  const auto left = a[1].tensor().Data<float>(), right = b[1].tensor().Data<float>();
  Answers answers;
  for (std::size_t row = 0; row < rows.labels.size(); ++row) {
    const float p = right[2 * row + 1];
    answers.fraud.push_back(p);
    answers.difference =
        std::max(answers.difference,
                 std::fabs(static_cast<double>(p) - static_cast<double>(left[2 * row + 1])));
    answers.right += (p > 0.5F) == (rows.labels[row] == 1) ? 1 : 0;
  }
  const Clock::time_point begin = Clock::now();
  std::int64_t runs = 0;
  for (; runs < 3 || Seconds(begin) < seconds; ++runs)
    ATH_RETURN_IF_ERROR(onnx.Run({matrix}).status());
  answers.microseconds =
      1e6 * Seconds(begin) / static_cast<double>(runs) / static_cast<double>(rows.count());
  return answers;
}

}  // namespace

Result<Outcome> Tabular(State& state) {
  ATH_TRY(const Rowset rows, ReadRowset(state.File("rows.csv")));
  ATH_TRY(Graph xgboost, LoadModel(state.File("fraud.json")));
  ATH_TRY(std::vector<Bar> features, FeatureBars(xgboost, rows.names));
  ATH_TRY(const auto native, Session::Create(std::move(xgboost), {}));
  ATH_TRY(Graph matrix, LoadModel(state.File("fraud.onnx")));
  ATH_TRY(const auto onnx, Session::Create(std::move(matrix), {}));
  ATH_TRY(const Answers answers, Answer(rows, *native, *onnx, state.seconds / 4));
  ATH_TRY(const double rate, ScoreLongTable(state, state.fast ? 100 : 500));
  Group honest = {"honest", "steel", {}}, fraud = {"fraud", "fire", {}};
  for (std::size_t row = 0; row < rows.labels.size(); ++row)
    (rows.labels[row] == 1 ? fraud : honest).shares.push_back(answers.fraud[row]);
  const double accuracy = static_cast<double>(answers.right) / static_cast<double>(rows.count());
  Outcome outcome;
  outcome.what = fmt::format(
      "XGBoost file and ONNX differ by {:.1g}; {:.2f} us a row, {} rows/s from csv to csv, {:.1f} "
      "% "
      "right",
      answers.difference, answers.microseconds, HumanCount(rate), 100 * accuracy);
  outcome.section = {
      .id = "tabular",
      .title = "Trees on a table",
      .finding = fmt::format(
          "A boosted-tree model of card payments, read from XGBoost's own file and from ONNX: the "
          "probabilities of {} rows differ by at most {:.1g}, {:.1f} % of the rows are right. "
          "{:.2f} "
          "us a row in memory, {} rows a second from a csv file to a csv file.",
          rows.count(), answers.difference, 100 * accuracy, answers.microseconds, HumanCount(rate)),
      .figures = {{DotRows({honest, fraud}, "probability of fraud", 720),
                   "Each point is a row of the table, in the group it belongs to."},
                  {BarChart(features, {.label_width = 170}),
                   "How often the trees look at each column."}},
      .commands = {fmt::format("athanor score {} {} -o scores.csv", state.File("fraud.json"),
                               state.File("rows.csv"))}};
  outcome.figures = {{"rows", rows.count()},
                     {"max_difference", answers.difference},
                     {"accuracy", accuracy},
                     {"us_per_row", answers.microseconds},
                     {"rows_per_second", rate}};
  return outcome;
}

}  // namespace athanor::tools::demo
