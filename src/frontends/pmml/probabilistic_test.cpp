// Gaussian processes, Bayesian networks, texts, time series and sequences. Expected values were
// computed from the formulas by a few lines of Python (elimination for the processes, sums over all
// states for the network), or by hand; that of the sprinkler is the textbooks' 0.3577.
#include <gtest/gtest.h>

#include "frontends/pmml/answers_for_test.h"
#include "frontends/pmml/small_documents_for_test.h"

namespace athanor::pmml {
namespace {

constexpr double kPrinted = 1e-9;  // relative; expected values have ten digits

void ExpectNumber(const Row& row, const std::string& name, double expected) {
  ASSERT_TRUE(row.contains(name)) << name;
  ASSERT_FALSE(row.at(name).empty()) << name;
  EXPECT_NEAR(std::stod(row.at(name)), expected, kPrinted * std::max(1.0, std::abs(expected)))
      << name;
}

std::string Refusal(const std::string& document) {
  const Result<Graph> graph = Read(document);
  return graph.ok() ? "" : graph.status().ToString();
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void ExpectRefusal(const std::string& document, const std::string& sentence) {
  EXPECT_NE(Refusal(document).find(sentence), std::string::npos) << Refusal(document);
}

TEST(PmmlGaussianProcess, GivesMeanAndDeviationByEachKernel) {
  const Row row = {{"x", "0.5"}, {"y", "0.25"}};
  const std::string attributes = R"( gamma="1.5" noiseVariance="0.1")";
  const std::string lambda = R"(><Lambda><Array n="2" type="real">0.8 2</Array></Lambda></)";
  struct Case {
    std::string kernel;
    double mean, deviation;
  };
  for (const Case& c : std::vector<Case>{
           {"<RadialBasisKernel" + attributes + R"( lambda="0.8"/>)", 2.177188681, 0.4736922981},
           {"<ARDSquaredExponentialKernel" + attributes + lambda + "ARDSquaredExponentialKernel>",
            2.371293183, 0.4123003529},
           {"<AbsoluteExponentialKernel" + attributes + lambda + "AbsoluteExponentialKernel>",
            1.432404366, 0.9903126002},
           {R"(<GeneralizedExponentialKernel degree="1.5")" + attributes + lambda +
                "GeneralizedExponentialKernel>",
            1.857667876, 0.8389871172}}) {
    const Row answers = Answers(GaussianProcessFile(c.kernel), row);
    ExpectNumber(answers, "mean", c.mean);
    ExpectNumber(answers, "deviation", c.deviation);
  }
  for (const char* name : {"mean", "deviation"})
    EXPECT_EQ(Answers(GaussianProcessFile(), {{"x", "1"}}).at(name), "");
}

TEST(PmmlGaussianProcess, RefusesWhatItCannotFactorize) {
  const std::string good = GaussianProcessFile();
  ExpectRefusal(Replaced(good, "<RadialBasisKernel", "<UnheardKernel"), "no kernel");
  ExpectRefusal(Replaced(good, "lambda=\"0.8\"", "lambda=\"0\""), "a positive number");
  ExpectRefusal(Replaced(good, "<c>3</c>", ""), "lacks a number of \"out\"");
  ExpectRefusal(Replaced(good, "regression", "classification"), "functionName \"classification\"");
  // Two equal instances without noise say the same twice.
  ExpectRefusal(Replaced(Replaced(good, "<a>1</a><b>0.5</b>", "<a>0</a><b>0</b>"),
                         "noiseVariance=\"0.1\"", "noiseVariance=\"0\""),
                "not positive definite");
  ExpectRefusal(
      GaussianProcessFile(
          R"(<AbsoluteExponentialKernel><Lambda><Array>1 2 3</Array></Lambda></AbsoluteExponentialKernel>)"),
      "3 numbers for 2 fields");
}

TEST(PmmlBayesianNetwork, SumsOverWhatIsNotSeen) {
  const auto rain = [](const Row& row) { return Answers(BayesianNetworkFile(), row); };
  ExpectNumber(rain({{"t", "wet"}}), "probability(y)", 0.3576876756);
  ExpectNumber(rain({{"t", "wet"}, {"s", "off"}}), "probability(y)", 1);
  ExpectNumber(rain({{"x", "7"}}), "probability(y)", 0.2);  // halfway between both means
  ExpectNumber(rain({{"t", "wet"}, {"x", "8"}}), "probability(y)", 0.7139375846);
  ExpectNumber(rain({}), "probability(y)", 0.2);
  ExpectNumber(rain({{"t", "dry"}, {"s", "on"}}), "probability(y)", 0.000624609619);
  EXPECT_EQ(rain({{"t", "wet"}, {"x", "8"}}).at("out"), "y");
  EXPECT_EQ(rain({{"t", "wet"}}).at("out"), "n");
  EXPECT_EQ(rain({{"t", "damp"}}).at("out"), "");  // a value that the network does not know
}

TEST(PmmlBayesianNetwork, ExpectsANumberOfAContinuousTarget) {
  // 10 and 4 by the probability of rain.
  ExpectNumber(Answers(BayesianNetworkFile("x"), {{"t", "wet"}}), "x", 6.146126054);
  ExpectNumber(Answers(BayesianNetworkFile("x"), {{"out", "y"}}), "x", 10);
}

TEST(PmmlBayesianNetwork, TakesADerivedFieldAsParentAndExpressionsAsParameters) {
  // A second gauge y that reads what the first does, and one more; above 6 counts as high.
  const std::string nodes =
      R"(<ContinuousNode name="y"><ContinuousDistribution><NormalDistributionForBN><Mean><Apply function="+"><FieldRef field="x"/><Constant>1</Constant></Apply></Mean><Variance><Constant>4</Constant></Variance></NormalDistributionForBN></ContinuousDistribution></ContinuousNode>
<DiscreteNode name="day_kind"><DerivedField name="level" optype="categorical" dataType="string"><Discretize field="x" defaultValue="low" dataType="string"><DiscretizeBin binValue="high"><Interval closure="openOpen" leftMargin="6"/></DiscretizeBin></Discretize></DerivedField>
<DiscreteConditionalProbability><ParentValue parent="level" value="high"/><ParentValue parent="out" value="y"/><ValueProbability value="bad" probability="1"/><ValueProbability value="good" probability="0"/></DiscreteConditionalProbability>
<DiscreteConditionalProbability><ParentValue parent="level" value="high"/><ParentValue parent="out" value="n"/><ValueProbability value="bad" probability="0.5"/><ValueProbability value="good" probability="0.5"/></DiscreteConditionalProbability>
<DiscreteConditionalProbability><ParentValue parent="level" value="low"/><ValueProbability value="bad" probability="0.25"/><ValueProbability value="good" probability="0.75"/></DiscreteConditionalProbability></DiscreteNode></BayesianNetworkNodes>)";
  std::string file = Replaced(BayesianNetworkFile(), "</BayesianNetworkNodes>", nodes);
  file =
      Replaced(file, R"(<MiningField name="x"/>)",
               R"(<MiningField name="x"/><MiningField name="y"/><MiningField name="day_kind"/>)");
  file = Replaced(file, "</DataDictionary>", DataField("day_kind", "string") + "</DataDictionary>");
  // At x = 7 both rains are as likely as before; y does not tell them apart; "bad" is 1 : 0.5.
  const Row answers = Answers(file, {{"x", "7"}, {"y", "9"}, {"day_kind", "bad"}});
  ExpectNumber(answers, "probability(y)", 0.2 / (0.2 + 0.8 * 0.5));
  ExpectNumber(Answers(file, {{"x", "7"}, {"day_kind", "good"}}), "probability(y)", 0);
}

TEST(PmmlBayesianNetwork, RefusesCirclesAndWhatItCannotSum) {
  const std::string good = BayesianNetworkFile();
  ExpectRefusal(
      Replaced(
          good, R"(<DiscreteNode name="out">)",
          R"(<DiscreteNode name="out"><DiscreteConditionalProbability><ParentValue parent="t" value="wet"/><ValueProbability value="y" probability="1"/></DiscreteConditionalProbability>)"),
      "go in a circle");
  ExpectRefusal(Replaced(good, R"(probability="0.99")", R"(probability="1.99")"),
                "a probability is 1.99");
  ExpectRefusal(Replaced(good, R"(parent="s" value="on")", R"(parent="s" value="onn")"),
                "did you mean \"on\"");
  ExpectRefusal(Replaced(good, R"(<DiscreteNode name="s">)", R"(<DiscreteNode name="t">)"),
                "two nodes");
  ExpectRefusal(Replaced(Replaced(good, "<NormalDistributionForBN", "<TriangularDistributionForBN"),
                         "</NormalDistributionForBN", "</TriangularDistributionForBN"),
                "<TriangularDistributionForBN> is not implemented");
  std::string large;
  for (int i = 0; i < 13; ++i)
    large += fmt::format(
        R"(<DiscreteNode name="n{}"><ValueProbability value="a" probability="0.5"/><ValueProbability value="b" probability="0.5"/></DiscreteNode>)",
        i);
  ExpectRefusal(Replaced(good, "</BayesianNetworkNodes>", large + "</BayesianNetworkNodes>"),
                "more than 4096 states");
}

TEST(PmmlText, FindsTheMostSimilarDocument) {
  const Row row = {{"s", "(Cat, dog and cat.)"}};
  const auto answers = [&](const std::string& normalization, const std::string& similarity) {
    return Answers(TextModelFile(normalization, similarity), row);
  };
  const Row cosine = answers("", "cosine");
  ExpectNumber(cosine, "a", 0.8);
  ExpectNumber(cosine, "b", 0.4472135955);
  ExpectNumber(cosine, "c", 0.7745966692);
  EXPECT_EQ(cosine.at("best"), "A");
  EXPECT_EQ(cosine.at("second"), "C");
  const Row far = answers("", "euclidean");
  ExpectNumber(far, "a", 0.573414255);
  ExpectNumber(far, "b", 1.14682851);
  const Row logarithmic = answers(R"(localTermWeights="logarithmic")", "euclidean");
  ExpectNumber(logarithmic, "a", 0.3974604741);
  ExpectNumber(logarithmic, "c", 0.325600087);
  EXPECT_EQ(logarithmic.at("best"), "C");
  const Row unit =
      answers(R"(globalTermWeights="none" documentNormalization="cosine")", "euclidean");
  ExpectNumber(unit, "a", 0.632455532);
  ExpectNumber(unit, "b", 1.051462224);
  ExpectNumber(unit, "c", 0.671421374);
}

TEST(PmmlText, RefusesAMatrixThatIsNotThatOfItsDocuments) {
  const std::string good = TextModelFile();
  ExpectRefusal(Replaced(good, ">2 0 1<", ">2 0<"), "2 frequencies for 3 terms");
  ExpectRefusal(Replaced(good, R"(<TextDocument id="C"/>)", ""), "2 documents, but 3 rows");
  ExpectRefusal(Replaced(good, ">2 0 1<", ">2 0 -1<"), "stands -1 times");
  ExpectRefusal(Replaced(good, "cat dog fish", ""), "no terms");
  ExpectRefusal(Replaced(good, "\"cosine\"", "\"manhattan\""), "similarityType \"manhattan\"");
  ExpectRefusal(TextModelFile(R"(localTermWeights="loud")"), "localTermWeights \"loud\"");
}

TEST(PmmlTimeSeries, ContinuesLevelTrendAndSeason) {
  // The last time is 24, a step is 2: x = 30 is three steps ahead.
  const auto at = [](const std::string& x, const std::string& smoothing,
                     const std::string& attributes = "") {
    return Answers(TimeSeriesFile(smoothing, attributes), {{"x", x}});
  };
  const std::string level = R"(<Level alpha="0.3" smoothedValue="100"/>)";
  const auto trend = [&](const std::string& kind, const std::string& value) {
    return level + R"(<Trend_ExpoSmooth trend=")" + kind + R"(" phi="0.9" smoothedValue=")" +
           value + R"("/>)";
  };
  ExpectNumber(at("30", level), "out", 100);
  ExpectNumber(at("30", trend("additive", "2")), "out", 106);
  ExpectNumber(at("30", trend("damped_additive", "2")), "out", 104.878);
  ExpectNumber(at("30", trend("damped_multiplicative", "1.02")), "out", 104.9483993);
  const std::string season =
      R"(<Seasonality_ExpoSmooth type="multiplicative" period="4"><Array n="4" type="real">0.9 1 1.1 1.2</Array></Seasonality_ExpoSmooth>)";
  ExpectNumber(at("30", trend("additive", "2") + season), "out", 116.6);
  ExpectNumber(at("30", trend("multiplicative", "1.02") + season), "out", 116.73288);
  ExpectNumber(at("38", level + season), "out", 110);  // seven steps: the third place again
  // The last value stood at the third place: the next is the fourth.
  ExpectNumber(at("26", level + Replaced(season, "period=\"4\"", "period=\"4\" phase=\"3\"")),
               "out", 120);
  ExpectNumber(at("28", R"(<Level smoothedValue="4.6"/><Trend_ExpoSmooth smoothedValue="0.02"/>)",
                  R"(transformation="logarithmic")"),
               "out", 103.5443476);
  ExpectNumber(
      at("32",
         R"(<Level smoothedValue="10"/><Trend_ExpoSmooth smoothedValue="0.5"/><Seasonality_ExpoSmooth type="additive"><Array>-1</Array></Seasonality_ExpoSmooth>)",
         R"(transformation="squareroot")"),
      "out", 121);
  for (const char* none : {"24", "20", "27", ""}) EXPECT_EQ(at(none, level).at("out"), "") << none;
}

TEST(PmmlTimeSeries, NamesTheAlgorithmsThatAreMissing) {
  const std::string good = TimeSeriesFile();
  ExpectRefusal(Replaced(good, "bestFit=\"ExponentialSmoothing\"", "bestFit=\"GARCH\""),
                "time series by \"GARCH\"");
  ExpectRefusal(Replaced(good, "damped_additive", "polynomial_exponential"),
                "trend \"polynomial_exponential\"");
  ExpectRefusal(Replaced(good, "phi=\"0.9\"", "phi=\"2\""), "phi is 2");
  ExpectRefusal(Replaced(good, "stepsize=\"2\"", "stepsize=\"0\""), "stepsize of time is 0");
  ExpectRefusal(Replaced(good, R"(<MiningField name="x" usageType="order"/>)",
                         R"(<MiningField name="x"/><MiningField name="y"/>)"),
                "2 fields may hold the time");
  ExpectRefusal(
      TimeSeriesFile(
          R"(<Level smoothedValue="1"/><Seasonality_ExpoSmooth type="additive" period="3"><Array>1 2</Array></Seasonality_ExpoSmooth>)"),
      "a season of 3 steps has 2 factors");
}

TEST(PmmlSequence, RulesApplyWhereTheirSetsFollowEachOther) {
  const auto row = [](const std::string& sequence) {
    return Answers(SequenceFile(), {{"s", sequence}});
  };
  EXPECT_EQ(row("tea>milk>cake").at("all"), "{tea}>{cake}->{tea,milk}");
  EXPECT_EQ(row("tea>milk>cake").at("next"), "{tea,milk}");
  EXPECT_EQ(row("cake>tea").at("all"), "");  // the wrong order
  EXPECT_EQ(row("tea|cake").at("all"), "");  // one set is no sequence of two
  EXPECT_EQ(row("milk | tea").at("next"), "{cake}");
  EXPECT_EQ(row("milk|tea|x>cake").at("all"), "{tea,milk}->{cake}|{tea}>{cake}->{tea,milk}");
  EXPECT_EQ(row("milk|tea|x>cake").at("next"), "");  // both consequents are there
  EXPECT_EQ(row("").at("all"), "");
}

TEST(PmmlSequence, RefusesWhatItsTablesLack) {
  const std::string good = SequenceFile();
  ExpectRefusal(Replaced(good, "seqId=\"tm\"", "seqId=\"q\""), "no sequence \"q\"");
  ExpectRefusal(Replaced(good, "setId=\"c\"", "setId=\"q\""), "no itemset \"q\"");
  ExpectRefusal(Replaced(good, "itemRef=\"3\"", "itemRef=\"9\""), "no item \"9\"");
  ExpectRefusal(Replaced(good, "gap=\"unknown\"", "gap=\"false\""), "without gap");
  ExpectRefusal(Replaced(good, "<Itemset id=\"c\">", "<SetPredicate id=\"p\"/><Itemset id=\"c\">"),
                "<SetPredicate> is not implemented");
}

}  // namespace
}  // namespace athanor::pmml
