// Runs every case of rules/*.txt. A file is named after one rule and holds cases apart by "----":
//
//   // what the case shows
//   graph before(...) -> (...) { ... }
//   ==>
//   graph after(...) -> (...) { ... }        or the word "unchanged"
//
// Constants of the expected graph may be written as computations; they are folded first.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "passes/fold.h"
#include "passes/pipeline.h"
#include "passes/testing.h"

namespace athanor::passes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "src/passes/rules";

const Rule* FindRule(const std::string& name) {
  for (const Pass& pass : Pipeline()) {
    for (const Rule& rule : pass.rules) {
      if (rule.name == name) return &rule;
    }
  }
  return nullptr;
}

std::vector<std::string> OperatorsOf(const Pat& pat) {
  std::vector<std::string> operators;
  if (pat.form().kind == Pat::Kind::kOp) operators.push_back(pat.form().op);
  for (const Pat& part : pat.form().parts) {
    for (std::string& op : OperatorsOf(part)) operators.push_back(std::move(op));
  }
  return operators;
}

std::vector<std::string> Split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(by, from)) != std::string::npos; from = at + by.size())
    parts.push_back(text.substr(from, at - from));
  parts.push_back(text.substr(from));
  return parts;
}

// Compares two graphs from their outputs upwards: operators, attributes, constants (nearly), inputs
// by position.
class Structure {
 public:
  Structure(const Graph& a, const Graph& b) : a_(a), b_(b) {}

  ::testing::AssertionResult Same() {
    if (a_.outputs().size() != b_.outputs().size())
      return ::testing::AssertionFailure() << "another number of outputs";
    if (a_.num_nodes() != b_.num_nodes())
      return ::testing::AssertionFailure()
             << a_.num_nodes() << " nodes, " << b_.num_nodes() << " expected";
    for (std::size_t i = 0; i < a_.outputs().size(); ++i) {
      auto same = SameValue(a_.outputs()[i].value, b_.outputs()[i].value);
      if (!same) return same;
    }
    return ::testing::AssertionSuccess();
  }

 private:
  ::testing::AssertionResult SameValue(ValueId x, ValueId y) {
    if (x == kNoValue || y == kNoValue)
      return x == y ? ::testing::AssertionSuccess()
                    : ::testing::AssertionFailure() << "an input is omitted in one";
    if (const auto seen = pairs_.find(x); seen != pairs_.end())
      return seen->second == y ? ::testing::AssertionSuccess()
                               : ::testing::AssertionFailure() << "values are shared differently";
    pairs_[x] = y;
    const Tensor* p = a_.Constant(x);
    const Tensor* q = b_.Constant(y);
    if (p != nullptr && q != nullptr) return Near(*p, *q, 1e-5) << " (a constant)";
    const NodeId m = a_.value(x).producer, n = b_.value(y).producer;
    if (m == kNoNode || n == kNoNode) {
      const auto index = [](const Graph& g, ValueId id) {
        return std::find(g.inputs().begin(), g.inputs().end(), id) - g.inputs().begin();
      };
      return m == n && p == q && index(a_, x) == index(b_, y)
                 ? ::testing::AssertionSuccess()
                 : ::testing::AssertionFailure() << "another input at " << a_.value(x).name;
    }
    return SameNode(a_.node(m), b_.node(n));
  }

  ::testing::AssertionResult SameNode(const Node& m, const Node& n) {
    if (m.op != n.op)
      return ::testing::AssertionFailure() << m.op->name << ", " << n.op->name << " expected";
    for (const AttrSpec& spec : m.op->attributes) {
      const auto p = AttributeOf(m, spec.name), q = AttributeOf(n, spec.name);
      const bool near = p && q && std::holds_alternative<float>(*p) &&
                        std::abs(std::get<float>(*p) - std::get<float>(*q)) < 1e-6F;
      if (p.has_value() != q.has_value() || (p && !near && !athanor::SameValue(*p, *q)))
        return ::testing::AssertionFailure() << m.op->name << ": attribute " << spec.name;
    }
    if (m.inputs.size() != n.inputs.size())
      return ::testing::AssertionFailure() << m.op->name << ": another number of inputs";
    for (std::size_t i = 0; i < m.inputs.size(); ++i) {
      auto same = SameValue(m.inputs[i], n.inputs[i]);
      if (!same) return same << " < " << m.op->name << " input " << i;
    }
    return ::testing::AssertionSuccess();
  }

  const Graph& a_;
  const Graph& b_;
  std::map<ValueId, ValueId> pairs_;
};

void RunCase(const Rule& rule, const std::string& text) {
  const std::vector<std::string> sides = Split(text, "\n==>");
  ASSERT_EQ(sides.size(), 2U) << "a case is BEFORE ==> AFTER\n" << text;
  const Graph before = Parse(sides[0]);
  Graph after = before.Clone();
  const bool unchanged = sides[1].find("graph") == std::string::npos;
  const Result<Counts> fired = Rewrite(after, std::span(&rule, 1));
  ASSERT_TRUE(fired.ok()) << fired.status().ToString();
  const Status valid = Verify(after);
  ASSERT_TRUE(valid.ok()) << valid.ToString();
  EXPECT_EQ(fired->empty(), unchanged) << PrintText(after);
  Graph expected = unchanged ? before.Clone() : Parse(sides[1]);
  ASSERT_TRUE(FoldConstants(expected).ok());
  Graph folded = after.Clone();
  ASSERT_TRUE(FoldConstants(folded).ok());
  if (!unchanged) {
    EXPECT_TRUE(Structure(folded, expected).Same()) << PrintText(folded);
  }
  for (unsigned seed = 1; seed <= 3; ++seed) ExpectSameResults(before, after, seed);
}

TEST(Rules, EveryCaseGivesTheGraphThatIsWritten) {
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".txt") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const Rule* rule = FindRule(entry.path().stem().string());
    ASSERT_NE(rule, nullptr) << "no rule has the name of the file";
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    for (const std::string& one : Split(text.str(), "\n----\n")) {
      SCOPED_TRACE(one);
      RunCase(*rule, one);
    }
  }
}

TEST(Rules, EveryRuleHasACaseAndKnownOperators) {
  for (const Pass& pass : Pipeline()) {
    for (const Rule& rule : pass.rules) {
      EXPECT_TRUE(fs::exists(fs::path(kFolder) / (rule.name + ".txt"))) << rule.name;
      for (const std::string& op : OperatorsOf(rule.match))
        EXPECT_NE(ops::Standard().Find(op), nullptr) << rule.name << " looks for " << op;
    }
  }
}

TEST(Rules, NamesAreUnique) {
  std::map<std::string, int> names;
  for (const Pass& pass : Pipeline()) {
    EXPECT_EQ(++names[pass.name], 1) << pass.name;
    for (const Rule& rule : pass.rules) EXPECT_EQ(++names[rule.name], 1) << rule.name;
  }
}

}  // namespace
}  // namespace athanor::passes
