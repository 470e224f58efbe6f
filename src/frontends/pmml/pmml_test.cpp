// Every model type, function and treatment of PMML on documents small enough to be computed by
// hand, or taken from the examples of the specification. The data set's models are in
// tests/tabular_test.py.
#include "frontends/pmml/pmml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontends/pmml/answers_for_test.h"
#include "frontends/pmml/small_documents_for_test.h"

namespace athanor::pmml {
namespace {

// The value of an expression over the fields.
std::string ValueOf(const std::string& expression, const Row& row = {},
                    const std::string& transformations = "") {
  const std::string model = R"(<RegressionModel functionName="regression">)" + kSchema +
                            R"(<Output><OutputField name="value" feature="transformedValue">)" +
                            expression +
                            "</OutputField></Output><RegressionTable/></RegressionModel>";
  return Answers(Document(model, transformations, "double"), row)["value"];
}

std::string Call(const std::string& function, const std::string& arguments,
                 const std::string& attributes = "") {
  return fmt::format(R"(<Apply function="{}" {}>{}</Apply>)", function, attributes, arguments);
}
std::string Ref(const std::string& field) {
  return fmt::format(R"(<FieldRef field="{}"/>)", field);
}
std::string Text(const std::string& text) {
  return fmt::format(R"(<Constant dataType="string">{}</Constant>)", text);
}
std::string Num(const std::string& number) { return "<Constant>" + number + "</Constant>"; }

TEST(PmmlFunctions, GiveWhatTheSpecificationSays) {
  const Row row = {{"x", "7"}, {"y", "-3.5"}, {"s", "aBc9x"}, {"t", "  trim me "}};
  EXPECT_EQ(ValueOf(Call("substring", Ref("s") + Num("2") + Num("3")), row), "Bc9");
  EXPECT_EQ(ValueOf(Call("uppercase", Ref("s")), row), "ABC9X");
  EXPECT_EQ(ValueOf(Call("lowercase", Ref("s")), row), "abc9x");
  EXPECT_EQ(ValueOf(Call("trimBlanks", Ref("t")), row), "trim me");
  EXPECT_EQ(ValueOf(Call("stringLength", Ref("s")), row), "5");
  EXPECT_EQ(ValueOf(Call("concat", Num("2") + Text("-") + Num("2000"))), "2-2000");
  EXPECT_EQ(ValueOf(Call("replace", Ref("s") + Text("B+") + Text("c")), {{"s", "BBBB"}}), "c");
  EXPECT_EQ(ValueOf(Call("matches", Ref("s") + Text("ar?y")), {{"s", "February"}}), "1");
  EXPECT_EQ(ValueOf(Call("matches", Ref("s") + Text("^ar?y")), {{"s", "February"}}), "0");
  EXPECT_EQ(ValueOf(Call("formatNumber", Num("2") + Text("%3d"))), "  2");
  EXPECT_EQ(ValueOf(Call("formatNumber", Ref("y") + Text("%08.2f")), row), "-0003.50");
  EXPECT_EQ(ValueOf(Call("formatDatetime", Ref("day") + Text("%m/%d/%y")), {{"day", "2004-08-20"}}),
            "08/20/04");
  EXPECT_EQ(ValueOf(Call("dateDaysSinceYear", Ref("day") + Num("1960")), {{"day", "2003-04-01"}}),
            "15796");
  EXPECT_EQ(ValueOf(Call("dateSecondsSinceMidnight", Ref("clock")), {{"clock", "05:23:30"}}),
            "19410");
  EXPECT_EQ(
      ValueOf(Call("dateSecondsSinceYear", Ref("day") + Num("1960")), {{"day", "1960-01-03"}}),
      "172800");
  EXPECT_EQ(ValueOf(Call("modulo", Num("-11") + Num("7"))), "3");
  EXPECT_EQ(ValueOf(Call("round", Num("2.5"))), "3");
  EXPECT_EQ(ValueOf(Call("rint", Num("2.5"))), "2");
  EXPECT_EQ(ValueOf(Call("threshold", Ref("x") + Num("6")), row), "1");
  EXPECT_EQ(ValueOf(Call("isIn", Ref("s") + Text("q") + Text("aBc9x")), row), "1");
  EXPECT_EQ(ValueOf(Call("isNotIn", Ref("x") + Num("7") + Num("8")), row), "0");
  EXPECT_EQ(ValueOf(Call("equal", Ref("s") + Ref("t")), {{"s", "a"}, {"t", "a"}}), "1");
  EXPECT_EQ(ValueOf(Call("notEqual", Ref("s") + Text("b")), {{"s", "a"}}), "1");
  EXPECT_EQ(ValueOf(Call("stdNormalCDF", Num("0"))), "0.5");
  // The 97.5 % point, from the tables.
  EXPECT_NEAR(std::stod(ValueOf(Call("stdNormalIDF", Num("0.975")))), 1.959963984540054, 1e-8);
  EXPECT_NEAR(std::stod(ValueOf(Call("normalIDF", Num("0.025") + Num("10") + Num("2")))),
              10 - 2 * 1.959963984540054, 1e-7);
  EXPECT_EQ(ValueOf(Call("hypot", Num("3") + Num("4"))), "5");
  EXPECT_EQ(
      ValueOf(Call("if", Call("lessThan", Ref("x") + Num("8")) + Text("low") + Text("high")), row),
      "low");
}

// Each had a formula that left the range of numbers, or lost their digits. Values of Python's math.
TEST(PmmlFunctions, HoldForLargeAndSmallNumbers) {
  const auto number = [](const char* function, const std::string& arguments) {
    return std::stod(ValueOf(Call(function, arguments)));
  };
  // What is printed has nine digits.
  EXPECT_DOUBLE_EQ(number("hypot", Num("3e200") + Num("-4e200")), 5e200);
  EXPECT_DOUBLE_EQ(number("hypot", Num("3e-200") + Num("4e-200")), 5e-200);
  EXPECT_DOUBLE_EQ(number("hypot", Num("0") + Num("0")), 0);
  EXPECT_EQ(ValueOf(Call("hypot", Ref("x") + Num("3"))), "");
  EXPECT_DOUBLE_EQ(number("expm1", Num("-2000")), -1);
  EXPECT_NEAR(number("expm1", Num("1e-10")), 1.00000000005e-10, 1e-18);
  EXPECT_NEAR(number("expm1", Num("1.5")), 3.481689070338065, 1e-8);
  EXPECT_NEAR(number("ln1p", Num("1e17")), 39.14394658089878, 1e-7);
  EXPECT_NEAR(number("ln1p", Num("1e-10")), 9.9999999995e-11, 1e-18);
  EXPECT_NEAR(number("ln1p", Num("-0.75")), -1.3862943611198906, 1e-8);
  EXPECT_EQ(number("round", Num("0.49999999999999994")), 0);
  EXPECT_EQ(number("round", Num("-2.5")), -2);
  EXPECT_EQ(number("stdNormalIDF", Num("0")), -INFINITY);
  EXPECT_EQ(number("stdNormalIDF", Num("1")), INFINITY);
}

TEST(PmmlFunctions, LeaveMissingArgumentsOutWhereTheyAggregate) {
  const std::string three = Ref("x") + Ref("y") + Num("4");
  EXPECT_EQ(ValueOf(Call("sum", three), {{"x", "1"}}), "5");
  EXPECT_EQ(ValueOf(Call("avg", three), {{"x", "1"}}), "2.5");
  EXPECT_EQ(ValueOf(Call("max", three), {{"x", "9"}}), "9");
  EXPECT_EQ(ValueOf(Call("min", three), {}), "4");
  EXPECT_EQ(ValueOf(Call("product", three), {{"y", "0.5"}}), "2");
  EXPECT_EQ(ValueOf(Call("median", three), {{"x", "1"}, {"y", "10"}}), "4");
  EXPECT_EQ(ValueOf(Call("median", three), {{"x", "1"}}), "2.5");
  EXPECT_EQ(ValueOf(Call("+", Ref("x") + Ref("y")), {{"x", "1"}}), "");
  EXPECT_EQ(ValueOf(Call("+", Ref("x") + Ref("y"), R"(mapMissingTo="8")"), {{"x", "1"}}), "8");
  EXPECT_EQ(ValueOf(Call("+", Ref("x") + Ref("y"), R"(defaultValue="9")"), {{"x", "1"}}), "9");
}

TEST(PmmlFunctions, OfTheDocumentMayCallThemselves) {
  const std::string power =
      R"(<DefineFunction name="POW" dataType="double"><ParameterField name="b"/><ParameterField name="n"/>)" +
      Call("if", Call("greaterThan", Ref("n") + Num("1")) +
                     Call("*", Ref("b") + Call("POW", Ref("b") + Call("-", Ref("n") + Num("1")))) +
                     Ref("b")) +
      "</DefineFunction>";
  EXPECT_EQ(ValueOf(Call("POW", Ref("x") + Ref("y")), {{"x", "2"}, {"y", "10"}}, power), "1024");
  // Further than they are written out there is no value.
  EXPECT_EQ(ValueOf(Call("POW", Ref("x") + Ref("y")), {{"x", "1"}, {"y", "99"}}, power), "");
}

TEST(PmmlExpressions, DiscretizeAndMap) {
  const std::string bins =
      R"(<Discretize field="x" defaultValue="none" mapMissingTo="gone" dataType="string">
<DiscretizeBin binValue="low"><Interval closure="closedOpen" leftMargin="0" rightMargin="5"/></DiscretizeBin>
<DiscretizeBin binValue="high"><Interval closure="closedClosed" leftMargin="5" rightMargin="9"/></DiscretizeBin>
</Discretize>)";
  EXPECT_EQ(ValueOf(bins, {{"x", "0"}}), "low");
  EXPECT_EQ(ValueOf(bins, {{"x", "5"}}), "high");
  EXPECT_EQ(ValueOf(bins, {{"x", "9.5"}}), "none");
  EXPECT_EQ(ValueOf(bins), "gone");
  const std::string map =
      R"(<MapValues outputColumn="o" defaultValue="-1" mapMissingTo="-2" dataType="double">
<FieldColumnPair field="s" column="a"/><FieldColumnPair field="x" column="b"/><InlineTable>
<row><a>red</a><b>1</b><o>10</o></row><row><a>red</a><b>2</b><o>20</o></row>
<row><a>blue</a><b>1</b><o>30</o></row></InlineTable></MapValues>)";
  EXPECT_EQ(ValueOf(map, {{"s", "red"}, {"x", "2"}}), "20");
  EXPECT_EQ(ValueOf(map, {{"s", "blue"}, {"x", "1"}}), "30");
  EXPECT_EQ(ValueOf(map, {{"s", "blue"}, {"x", "2"}}), "-1");
  EXPECT_EQ(ValueOf(map, {{"s", "mauve"}, {"x", "1"}}), "-1");
  EXPECT_EQ(ValueOf(map, {{"s", "red"}}), "-2");
}

TEST(PmmlExpressions, CountTermsOfAText) {
  const std::string index =
      R"(<TextIndex textField="s" localTermWeights="termFrequency"><Constant>sun</Constant></TextIndex>)";
  EXPECT_EQ(ValueOf(index, {{"s", "the Sun and the moon, the sun"}}), "2");
  EXPECT_EQ(ValueOf(index, {{"s", "sunny"}}), "0");
  std::string best = index;
  best.insert(best.find(" localTermWeights"), R"( countHits="bestHits")");
  EXPECT_EQ(ValueOf(best, {{"s", "sun sun"}}), "2");
}

std::string Derived(const std::string& name, const std::string& expression) {
  return fmt::format(
      R"(<DerivedField name="{}" optype="continuous" dataType="double">{}</DerivedField>)", name,
      expression);
}

TEST(PmmlTransformations, MayStandInAnyOrderButNotInACircle) {
  const std::string fields = Derived("b", Call("+", Ref("a") + Num("1"))) +
                             Derived("a", Call("*", Ref("x") + Num("2"))) +
                             Derived("self", Call("+", Ref("self") + Num("1"))) +
                             Derived("ring", Ref("gnir")) + Derived("gnir", Ref("ring"));
  EXPECT_EQ(ValueOf(Ref("b"), {{"x", "3"}}, fields), "7");
  for (const char* name : {"self", "ring"}) {
    const std::string model = R"(<RegressionModel functionName="regression">)" + kSchema +
                              R"(<RegressionTable><NumericPredictor name=")" + name +
                              R"(" coefficient="1"/></RegressionTable></RegressionModel>)";
    const Status status = Read(Document(model, fields, "double")).status();
    EXPECT_EQ(status.code(), ErrorCode::kInvalidModel);
    EXPECT_NE(status.message().find("is defined by itself"), std::string::npos)
        << status.ToString();
  }
}

TEST(PmmlTransformations, DoNotGrowWithoutBounds) {
  std::string functions;
  for (int i = 1; i < 40; ++i) {
    const std::string call = Call(fmt::format("f{}", i - 1), Ref("a"));
    functions +=
        fmt::format(R"(<DefineFunction name="f{}"><ParameterField name="a"/>{}</DefineFunction>)",
                    i, Call("+", call + call));
  }
  functions +=
      R"(<DefineFunction name="f0"><ParameterField name="a"/>)" + Ref("a") + "</DefineFunction>";
  const std::string model = R"(<RegressionModel functionName="regression">)" + kSchema +
                            R"(<Output><OutputField name="v" feature="transformedValue">)" +
                            Call("f39", Ref("x")) +
                            "</OutputField></Output><RegressionTable/></RegressionModel>";
  EXPECT_EQ(Read(Document(model, functions, "double")).status().code(), ErrorCode::kResource);
}

TEST(PmmlSchema, TreatsExtremeAndInvalidValues) {
  const auto answer = [](const std::string& treatment, const std::string& x) {
    const std::string document =
        R"(<PMML version="4.4"><DataDictionary><DataField name="x" optype="continuous" dataType="double">
<Interval closure="closedClosed" leftMargin="0" rightMargin="10"/></DataField></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x" )" +
        treatment +
        R"(/></MiningSchema><RegressionTable intercept="1"><NumericPredictor name="x" coefficient="1"/>
</RegressionTable></RegressionModel></PMML>)";
    return Answers(document, {{"x", x}})["prediction"];
  };
  EXPECT_EQ(answer("", "12"), "");
  EXPECT_EQ(answer(R"(invalidValueTreatment="asIs")", "12"), "13");
  EXPECT_EQ(answer(R"(invalidValueTreatment="asMissing" missingValueReplacement="4")", "12"), "5");
  EXPECT_EQ(answer(R"(invalidValueTreatment="asValue" invalidValueReplacement="7")", "12"), "8");
  EXPECT_EQ(answer(R"(outliers="asExtremeValues" lowValue="2" highValue="6")", "9"), "7");
  EXPECT_EQ(answer(R"(outliers="asExtremeValues" lowValue="2" highValue="6")", "1"), "3");
  EXPECT_EQ(
      answer(R"(outliers="asMissingValues" lowValue="2" highValue="6" missingValueReplacement="0")",
             "9"),
      "1");
}

TEST(PmmlModels, GeneralRegressionLinksOrderedClasses) {
  const Row answers = Answers(GeneralRegressionFile(), {{"x", "0"}});
  EXPECT_EQ(answers.at("probability(a)"), "0.5");
  EXPECT_NEAR(std::stod(answers.at("probability(b)")), 1 / (1 + std::exp(-1)) - 0.5, 1e-9);
  EXPECT_NEAR(std::stod(answers.at("probability(c)")), 1 - 1 / (1 + std::exp(-1)), 1e-9);
  EXPECT_EQ(answers.at("out"), "a");
}

// Coefficients without a category were left out: every row had the same probabilities.
TEST(PmmlModels, OrdinalCategoriesShareTheCoefficientsThatNameNone) {
  std::string shared = GeneralRegressionFile();
  const std::string each =
      R"(<PCell targetCategory="a" parameterName="p1" beta="1"/><PCell targetCategory="b" parameterName="p1" beta="1"/>)";
  ASSERT_NE(shared.find(each), std::string::npos);
  shared.replace(shared.find(each), each.size(), R"(<PCell parameterName="p1" beta="1"/>)");
  for (const char* x : {"0", "2", ""})
    EXPECT_EQ(Answers(shared, {{"x", x}}), Answers(GeneralRegressionFile(), {{"x", x}})) << x;
}

TEST(PmmlModels, ScorecardGivesPointsAndReasons) {
  const Row low = Answers(ScorecardFile(), {{"x", "1"}});
  EXPECT_EQ(low.at("out"), "23");
  EXPECT_EQ(low.at("r1"), "X");
  EXPECT_EQ(low.at("r2"), "Y");
  const Row high = Answers(ScorecardFile(), {{"x", "50"}});
  EXPECT_EQ(high.at("out"), "118");
  EXPECT_EQ(high.at("r1"), "Y");
  EXPECT_EQ(high.at("r2"), "");
}

TEST(PmmlModels, NeuralNetworkPassesLayers) {
  // Neuron 3: max(0, 1 + 2 - 1) = 2; 4: 0; 5: 0.5 + 2 + 10 = 12.5, which is (12.5 - 0.5) * 2.
  EXPECT_EQ(Answers(NeuralNetworkFile(), {{"x", "1"}, {"y", "1"}}).at("out"), "24");
}

TEST(PmmlModels, RadialBasesNeedAllTheirInputs) {
  const std::string file = Document(
      R"(<NeuralNetwork functionName="regression" activationFunction="radialBasis" width="1">)" +
          kSchema +
          R"(<NeuralInputs><NeuralInput id="1"><DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField></NeuralInput>
<NeuralInput id="2"><DerivedField optype="continuous" dataType="double"><FieldRef field="y"/></DerivedField></NeuralInput></NeuralInputs>
<NeuralLayer><Neuron id="3"><Con from="1" weight="1"/><Con from="2" weight="2"/></Neuron></NeuralLayer><NeuralOutputs><NeuralOutput outputNeuron="3">
<DerivedField optype="continuous" dataType="double"><FieldRef field="out"/></DerivedField></NeuralOutput></NeuralOutputs></NeuralNetwork>)",
      "", "double");
  EXPECT_EQ(Answers(file, {{"x", "1"}, {"y", "2"}}).at("out"), "1");
  EXPECT_EQ(Answers(file, {{"x", "1"}}).at("out"), "");
}

TEST(PmmlModels, SupportVectorsVote) {
  // 2y + 3x - 5
  EXPECT_EQ(Answers(SupportVectorFile(), {{"x", "1"}, {"y", "2"}}).at("out"), "yes");
  EXPECT_EQ(Answers(SupportVectorFile(), {{"x", "1"}, {"y", "0"}}).at("out"), "no");
  EXPECT_EQ(Answers(SupportVectorFile(), {{"x", "1"}}).at("out"), "");
}

TEST(PmmlModels, NaiveBayesMultipliesWhatIsThere) {
  EXPECT_EQ(Answers(NaiveBayesFile(), {{"s", "m"}}).at("probability(a)"), "0.75");
  EXPECT_EQ(Answers(NaiveBayesFile(), {}).at("probability(a)"), "0.5");
  // At 0.5 both densities are the same.
  EXPECT_EQ(Answers(NaiveBayesFile(), {{"s", "f"}, {"x", "0.5"}}).at("probability(b)"), "0.75");
}

TEST(PmmlModels, ClustersScaleDistancesOverMissingValues) {
  const Row both = Answers(ClusteringFile(), {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(both.at("name"), "near");
  EXPECT_EQ(both.at("d"), "9");
  EXPECT_EQ(both.at("far"), "209");
  EXPECT_EQ(Answers(ClusteringFile(), {{"y", "2"}}).at("d"), "16");
}

TEST(PmmlModels, NeighborsAverage) {
  // Distances 0 and 1, weights 1 and 1/2. The answer has ten digits.
  EXPECT_NEAR(std::stod(Answers(NeighborsFile(), {{"x", "0"}}).at("out")), 40.0 / 3, 1e-8);
}

TEST(PmmlModels, RulesChooseByTheirCriterion) {
  const auto chosen = [](const std::string& criterion, const std::string& x) {
    return Answers(
        Document(
            R"(<RuleSetModel functionName="classification">)" + kSchema +
            R"(<Output><OutputField name="id" feature="entityId"/><OutputField name="sure" feature="confidence"/></Output><RuleSet defaultScore="c"><RuleSelectionMethod criterion=")" +
            criterion +
            R"("/><SimpleRule id="1" score="a" weight="0.4" confidence="0.7"><SimplePredicate field="x" operator="greaterThan" value="0"/></SimpleRule>
<CompoundRule><SimplePredicate field="x" operator="greaterThan" value="0"/><SimpleRule id="2" score="b" weight="0.5" confidence="0.5"><SimplePredicate field="x" operator="lessThan" value="5"/></SimpleRule>
<SimpleRule id="3" score="a" weight="0.3" confidence="0.5"><True/></SimpleRule></CompoundRule></RuleSet></RuleSetModel>)"),
        {{"x", x}});
  };
  EXPECT_EQ(chosen("firstHit", "1").at("id"), "1");
  EXPECT_EQ(chosen("weightedMax", "1").at("id"), "2");
  EXPECT_EQ(chosen("weightedSum", "1").at("out"), "a");
  EXPECT_EQ(chosen("weightedSum", "1").at("id"), "1");
  EXPECT_EQ(chosen("firstHit", "-1").at("out"), "c");
  // The confidences of the winner's rules, over the number of rules that fire.
  EXPECT_EQ(chosen("weightedSum", "1").at("sure"), "0.4");
  EXPECT_EQ(chosen("weightedMax", "1").at("sure"), "0.5");
}

TEST(PmmlModels, AssociationRulesRecommend) {
  const Row answers = Answers(AssociationFile(), {{"s", "cake|tea"}});
  EXPECT_EQ(answers.at("all"), "{tea}->{cake}|{tea}->{milk}");
  EXPECT_EQ(answers.at("new"), "{milk}");
  EXPECT_EQ(Answers(AssociationFile(), {{"s", "milk"}}).at("new"), "");
}

std::string Segment(const std::string& predicate, const std::string& value) {
  return "<Segment>" + predicate +
         R"(<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema>
<RegressionTable intercept=")" +
         value + R"("/></RegressionModel></Segment>)";
}

TEST(PmmlModels, SegmentsCountWhereTheirConditionHolds) {
  const auto answer = [](const std::string& method, const std::string& x) {
    const std::string model =
        R"(<MiningModel functionName="regression">)" + kSchema +
        R"(<Segmentation multipleModelMethod=")" + method + R"(">)" +
        Segment(R"(<SimplePredicate field="x" operator="greaterThan" value="0"/>)", "10") +
        Segment(R"(<SimplePredicate field="x" operator="greaterThan" value="5"/>)", "20") +
        Segment("<True/>", "30") + "</Segmentation></MiningModel>";
    return Answers(Document(model, "", "double"), {{"x", x}}).at("out");
  };
  EXPECT_EQ(answer("sum", "1"), "40");
  EXPECT_EQ(answer("average", "1"), "20");
  EXPECT_EQ(answer("average", "9"), "20");
  EXPECT_EQ(answer("selectFirst", "9"), "10");
  EXPECT_EQ(answer("selectFirst", "-1"), "30");
  EXPECT_EQ(answer("modelChain", "9"), "30");
}

// What a segment's own schema says of invalid values was left out.
TEST(PmmlModels, SegmentsTreatInvalidValuesAsTheirSchemasSay) {
  const auto segment = [](const std::string& field, const std::string& model) {
    return "<Segment><True/><" + model.substr(0, model.find(' ')) +
           R"( functionName="regression"><MiningSchema><MiningField )" + field +
           "/></MiningSchema>" + model.substr(model.find(' ') + 1) + "</Segment>";
  };
  std::string file = Document(
      R"(<MiningModel functionName="regression"><MiningSchema><MiningField name="x" invalidValueTreatment="asIs"/>
<MiningField name="s" invalidValueTreatment="asIs"/><MiningField name="out" usageType="target"/></MiningSchema><Segmentation multipleModelMethod="sum">)" +
          segment(
              R"(name="x" invalidValueTreatment="asValue" invalidValueReplacement="3")",
              R"(RegressionModel <RegressionTable><NumericPredictor name="x" coefficient="1"/></RegressionTable></RegressionModel>)") +
          segment(
              R"(name="s" invalidValueTreatment="asMissing")",
              R"(TreeModel <Node><True/><Node score="100"><SimplePredicate field="s" operator="isMissing"/></Node><Node score="0"><True/></Node></Node></TreeModel>)") +
          "</Segmentation></MiningModel>",
      "", "double");
  const auto limit = [&](const std::string& name, const std::string& by) {
    const std::size_t end = file.find("</DataField>", file.find("<DataField name=\"" + name));
    file.insert(end, by);
  };
  limit("x", R"(<Interval closure="closedClosed" leftMargin="0" rightMargin="10"/>)");
  limit("s", R"(<Value value="red"/>)");
  EXPECT_EQ(Answers(file, {{"x", "4"}, {"s", "red"}}).at("out"), "4");
  EXPECT_EQ(Answers(file, {{"x", "11"}, {"s", "red"}}).at("out"), "3");
  EXPECT_EQ(Answers(file, {{"x", "4"}, {"s", "blue"}}).at("out"), "104");
  EXPECT_EQ(Answers(file, {{"x", "4"}}).at("out"), "104");
}

// The second of three predicts nothing; what becomes of it was ignored, and it entered medians.
TEST(PmmlModels, SegmentsThatPredictNothingAreTreatedAsTheModelSays) {
  const auto answer = [](const std::string& method, const std::string& treatment) {
    const auto segment = [](int weight, const std::string& children) {
      return fmt::format(R"(<Segment weight="{}"><True/><TreeModel functionName="regression">)",
                         weight) +
             R"(<MiningSchema><MiningField name="x"/></MiningSchema><Node><True/>)" + children +
             "</Node></TreeModel></Segment>";
    };
    const std::string model = R"(<MiningModel functionName="regression">)" + kSchema +
                              R"(<Segmentation multipleModelMethod=")" + method + "\" " +
                              treatment + ">" + segment(2, R"(<Node score="10"><True/></Node>)") +
                              segment(1, R"(<Node score="30"><False/></Node>)") +
                              segment(1, R"(<Node score="20"><True/></Node>)") +
                              "</Segmentation></MiningModel>";
    return Answers(Document(model, "", "double"), {{"x", "1"}}).at("out");
  };
  const std::string skip = R"(missingPredictionTreatment="skipSegment")";
  for (const char* method : {"sum", "average", "median", "weightedMedian", "max"}) {
    EXPECT_EQ(answer(method, ""), "") << method;
    EXPECT_EQ(answer(method, R"(missingPredictionTreatment="returnMissing")"), "") << method;
    EXPECT_EQ(answer(method, skip + R"( missingThreshold="0.2")"), "") << method;
  }
  EXPECT_EQ(answer("sum", skip), "30");
  EXPECT_EQ(answer("average", skip), "15");
  EXPECT_EQ(answer("weightedSum", skip), "40");
  EXPECT_EQ(answer("weightedSum", skip + R"( missingThreshold="0.3")"), "40");
  EXPECT_EQ(answer("median", skip), "15");
  EXPECT_EQ(answer("weightedMedian", skip), "10");
  EXPECT_EQ(answer("max", skip), "20");
}

TEST(PmmlModels, SegmentsThatPredictNothingHaveNoVote) {
  const auto vote = [](const std::string& treatment) {
    const auto segment = [](const std::string& score, const std::string& condition) {
      return R"(<Segment><True/><TreeModel functionName="classification">)" + kSchema +
             R"(<Node><True/><Node score=")" + score + R"(">)" + condition +
             "</Node></Node></TreeModel></Segment>";
    };
    const std::string model = R"(<MiningModel functionName="classification">)" + kSchema +
                              R"(<Segmentation multipleModelMethod="majorityVote" )" + treatment +
                              ">" + segment("a", "<False/>") + segment("b", "<True/>") +
                              segment("c", "<False/>") + "</Segmentation></MiningModel>";
    const Row answers = Answers(Document(model), {{"x", "1"}});
    return answers.at("out") + " " + answers.at("probability(b)");
  };
  EXPECT_EQ(vote(""), "b 1");
  EXPECT_EQ(vote(R"(missingPredictionTreatment="skipSegment")"), "b 1");
  EXPECT_EQ(vote(R"(missingThreshold="0.5")"), " ");
  EXPECT_EQ(vote(R"(missingPredictionTreatment="returnMissing")"), " ");
}

TEST(PmmlModels, TheFirstSegmentThatPredictsSomethingAnswersWhereOthersAreSkipped) {
  const auto first = [](const std::string& treatment) {
    const std::string model =
        R"(<MiningModel functionName="regression">)" + kSchema +
        R"(<Segmentation multipleModelMethod="selectFirst" )" + treatment +
        R"(><Segment><True/><TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema>)"
        R"(<Node><True/><Node score="1"><False/></Node></Node></TreeModel></Segment>)" +
        Segment("<True/>", "30") + "</Segmentation></MiningModel>";
    return Answers(Document(model, "", "double"), {{"x", "1"}}).at("out");
  };
  EXPECT_EQ(first(""), "");
  EXPECT_EQ(first(R"(missingPredictionTreatment="skipSegment")"), "30");
}

TEST(PmmlModels, TreesSpreadRowsWithMissingValues) {
  const auto tree = [](const std::string& strategy) {
    return Document(R"(<TreeModel functionName="classification" missingValueStrategy=")" +
                    strategy + R"(">)" + kSchema + R"(<Node score="a" recordCount="100"><True/>
<Node score="a" recordCount="80"><SimplePredicate field="x" operator="lessThan" value="1"/><ScoreDistribution value="a" recordCount="60" confidence="0.75"/><ScoreDistribution value="b" recordCount="20" confidence="0.25"/></Node>
<Node score="b" recordCount="20"><SimplePredicate field="x" operator="greaterOrEqual" value="1"/><ScoreDistribution value="a" recordCount="5" confidence="0.25"/><ScoreDistribution value="b" recordCount="15" confidence="0.75"/></Node></Node></TreeModel>)");
  };
  // 0.8 * 0.75 + 0.2 * 0.25 and (60 + 5) / 100.
  EXPECT_EQ(Answers(tree("weightedConfidence"), {}).at("probability(a)"), "0.65");
  EXPECT_EQ(Answers(tree("aggregateNodes"), {}).at("probability(a)"), "0.65");
  EXPECT_EQ(Answers(tree("weightedConfidence"), {{"x", "2"}}).at("probability(b)"), "0.75");
}

// Sums of scores and records were taken for no record where they were 0, and of equally likely
// classes the first was given, not the one that the leaf names.
TEST(PmmlModels, TreesThatSpreadRowsGiveWhatOneLeafSays) {
  const auto tree = [](const std::string& function, const std::string& leaf) {
    return R"(<TreeModel functionName=")" + function +
           R"(" missingValueStrategy="aggregateNodes">)" + kSchema +
           R"(<Node recordCount="2"><True/><Node recordCount="2" )" + leaf +
           R"(</Node></Node></TreeModel>)";
  };
  EXPECT_EQ(
      Answers(Document(tree("regression", R"(score="-1"><True/>)"), "", "double"), {}).at("out"),
      "-1");
  EXPECT_EQ(
      Answers(Document(tree("classification",
                            R"(score="b"><True/><ScoreDistribution value="a" recordCount="1"/>)"
                            R"(<ScoreDistribution value="b" recordCount="1"/>)")),
              {})
          .at("out"),
      "b");
}

// 0.7 in 32 bits is less than 0.7 in 64: the number of the predicate was not rounded once.
TEST(PmmlModels, TreesCompareFloatsWithFloats) {
  std::string file = Document(
      R"(<TreeModel functionName="regression">)" + kSchema +
          R"(<Node><True/><Node score="1"><SimplePredicate field="x" operator="lessThan" value="0.7"/></Node><Node score="2"><True/></Node></Node></TreeModel>)",
      "", "double");
  const std::string_view type = R"(name="x" optype="continuous" dataType="double")";
  file.replace(file.find(type), type.size(), R"(name="x" optype="continuous" dataType="float")");
  EXPECT_EQ(Answers(file, {{"x", "0.7"}})["out"], "2");
  EXPECT_EQ(Answers(file, {{"x", "0.6999999"}})["out"], "1");
}

TEST(PmmlModels, AnomalyScoresNormalizeTheDepth) {
  // The mean depth for two samples is 1: 2 ^ -3.
  EXPECT_EQ(Answers(AnomalyFile(), {{"x", "3"}}).at("prediction"), "0.125");
}

TEST(PmmlVerification, HoldsOrNamesTheRow) {
  EXPECT_TRUE(Read(VerifiedFile("5.02")).ok());
  const Status status = Read(VerifiedFile("5.2")).status();
  EXPECT_EQ(status.code(), ErrorCode::kAccuracy);
  EXPECT_NE(status.message().find("row 2"), std::string::npos) << status.ToString();
}

TEST(PmmlNames, AreSuggestedWhereTheyAreWrong) {
  const auto message = [](const std::string& table) {
    return Read(Document(R"(<RegressionModel functionName="regression">)" + kSchema + table +
                             "</RegressionModel>",
                         "", "double"))
        .status()
        .ToString();
  };
  EXPECT_NE(
      message(
          R"(<RegressionTable><NumericPredictor name="dya" coefficient="1"/></RegressionTable>)")
          .find("did you mean \"day\""),
      std::string::npos);
  EXPECT_NE(message(R"(<Output><OutputField name="q" feature="transformedValue">)" +
                    Call("substrng", Ref("s")) + "</OutputField></Output><RegressionTable/>")
                .find("did you mean \"substring\""),
            std::string::npos);
}

}  // namespace
}  // namespace athanor::pmml
