// PMML of every kind of model with one thing wrong.
#include <fmt/format.h>

#include "corpus.h"
#include "frontends/pmml/small_documents_for_test.h"

namespace athanor::broken {
namespace {

std::string With(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string Many(std::string_view part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

std::string Formula(const std::string& transformations, const std::string& expression) {
  return pmml::Document(R"(<RegressionModel functionName="regression">)" + pmml::kSchema +
                            R"(<Output><OutputField name="v" feature="transformedValue">)" +
                            expression +
                            "</OutputField></Output><RegressionTable/></RegressionModel>",
                        transformations, "double");
}

std::string Calls(const std::string& function, const std::string& arguments) {
  return Formula("", fmt::format(R"(<Apply function="{}">{}</Apply>)", function, arguments));
}

// Each function calls the one before twice: as the entities of the well-known bomb.
std::string FunctionBomb() {
  std::string functions =
      R"(<DefineFunction name="f0"><ParameterField name="a"/><FieldRef field="a"/></DefineFunction>)";
  for (int i = 1; i < 60; ++i) {
    functions += fmt::format(
        R"(<DefineFunction name="f{0}"><ParameterField name="a"/><Apply function="+"><Apply function="f{1}"><FieldRef field="a"/></Apply><Apply function="f{1}"><FieldRef field="a"/></Apply></Apply></DefineFunction>)",
        i, i - 1);
  }
  return Formula(functions, R"(<Apply function="f59"><FieldRef field="x"/></Apply>)");
}

// The well-known bomb itself.
std::string EntityBomb() {
  std::string entities = R"(<!ENTITY e0 "0.1 ">)";
  for (int i = 1; i < 40; ++i)
    entities += fmt::format(R"(<!ENTITY e{0} "&e{1};&e{1};">)", i, i - 1);
  return "<?xml version=\"1.0\"?><!DOCTYPE PMML [" + entities + "]>" +
         With(pmml::GaussianProcessFile(), "<c>3</c>", "<c>&e39;</c>");
}

// The same without an operator: every argument is a call, and no function looks at them.
std::string EmptyFunctionBomb() {
  std::string functions =
      R"(<DefineFunction name="f0"><ParameterField name="a"/><ParameterField name="b"/><FieldRef field="a"/></DefineFunction>)";
  for (int i = 1; i < 60; ++i) {
    const std::string call = fmt::format(
        R"(<Apply function="f{}"><FieldRef field="a"/><FieldRef field="b"/></Apply>)", i - 1);
    functions += fmt::format(
        R"(<DefineFunction name="f{}"><ParameterField name="a"/><ParameterField name="b"/><Apply function="f{}">{}{}</Apply></DefineFunction>)",
        i, i - 1, call, call);
  }
  return Formula(functions,
                 R"(<Apply function="f59"><FieldRef field="x"/><FieldRef field="y"/></Apply>)");
}

std::string LongChain(int length) {
  std::string fields;
  for (int i = 0; i < length; ++i)
    fields += fmt::format(
        R"(<DerivedField name="d{}" dataType="double"><FieldRef field="d{}"/></DerivedField>)", i,
        i + 1);
  return Formula(fields, R"(<FieldRef field="d0"/>)");
}

}  // namespace

std::vector<std::string> BrokenPmmlModels() {
  const std::string network = pmml::NeuralNetworkFile(), machine = pmml::SupportVectorFile();
  const std::string regression = pmml::GeneralRegressionFile(), card = pmml::ScorecardFile();
  const std::string bayes = pmml::NaiveBayesFile(), clusters = pmml::ClusteringFile();
  const std::string neighbors = pmml::NeighborsFile(), baskets = pmml::AssociationFile();
  const std::string anomaly = pmml::AnomalyFile();
  const std::string process = pmml::GaussianProcessFile(), belief = pmml::BayesianNetworkFile();
  const std::string corpus = pmml::TextModelFile(), series = pmml::TimeSeriesFile();
  const std::string sequence = pmml::SequenceFile();
  const std::string self =
      R"(<DerivedField name="a" dataType="double"><FieldRef field="b"/></DerivedField><DerivedField name="b" dataType="double"><FieldRef field="a"/></DerivedField>)";
  const std::string forever =
      R"(<DefineFunction name="f"><ParameterField name="a"/><Apply function="+"><Apply function="f"><FieldRef field="a"/></Apply><Apply function="f"><FieldRef field="a"/></Apply></Apply></DefineFunction>)";
  return {
      FunctionBomb(),
      EntityBomb(),
      LongChain(5000),
      Formula(self, R"(<FieldRef field="a"/>)"),
      Formula(forever, R"(<Apply function="f"><FieldRef field="x"/></Apply>)"),
      EmptyFunctionBomb(),
      Formula("", R"(<FieldRef field="nobody"/>)"),
      Formula("", Many(R"(<Apply function="abs">)", 900) + R"(<FieldRef field="x"/>)" +
                      Many("</Apply>", 900)),
      Formula("", R"(<Lag field="x"/>)"),
      Formula("", R"(<Discretize field="s"/>)"),
      Formula("", R"(<MapValues outputColumn="o"/>)"),
      Formula(
          "",
          R"(<NormContinuous field="x"><LinearNorm orig="1" norm="1"/><LinearNorm orig="1" norm="2"/></NormContinuous>)"),
      Formula(
          "",
          R"(<TextIndex textField="s" wordSeparatorCharacterRE="("><Constant>a</Constant></TextIndex>)"),
      Calls("unheard", ""),
      Calls("if", R"(<FieldRef field="x"/>)"),
      Calls("+", R"(<FieldRef field="s"/><FieldRef field="x"/>)"),
      Calls("matches", R"(<FieldRef field="s"/><Constant>(</Constant>)"),
      Calls("replace", R"(<FieldRef field="s"/><Constant>a</Constant><Constant>$9</Constant>)"),
      Calls("formatNumber", R"(<FieldRef field="x"/><Constant>%s%s</Constant>)"),
      Calls("formatNumber", R"(<FieldRef field="x"/><Constant>1e9</Constant>)"),
      Calls("formatDatetime", R"(<FieldRef field="day"/><Constant>%Q</Constant>)"),
      Calls("dateDaysSinceYear", R"(<FieldRef field="day"/><Constant>1e300</Constant>)"),
      With(process, "gamma=\"1.5\"", "gamma=\"-1\""),
      With(process, "<c>3</c>", "<c>three</c>"),
      With(process, "noiseVariance=\"0.1\"", "noiseVariance=\"-9\""),
      With(belief, "parent=\"s\"", "parent=\"out\" "),
      With(belief, "probability=\"0.2\"", "probability=\"-0.2\""),
      With(belief, "parent=\"s\"", "parent=\"x\""),
      With(belief, "<Mean><Constant>4</Constant></Mean>", ""),
      With(corpus, ">0 3 0<", ">0 3 many<"),
      With(corpus, "<TextDocument id=\"A\"/>", ""),
      With(series, "smoothedValue=\"2\"", "smoothedValue=\"\""),
      With(series, "phi=\"0.9\"", "phi=\"0\""),
      With(sequence, "setId=\"t\"", "setId=\"u\""),
      With(sequence, "seqId=\"c\"", "seqId=\"d\""),
      With(network, "from=\"1\"", "from=\"77\""),
      With(network, "id=\"4\"", "id=\"3\""),
      With(network, "weight=\"2\"", "weight=\"two\""),
      With(network, "rectifier", "rectangle"),
      With(network, "outputNeuron=\"5\"", "outputNeuron=\"99\""),
      With(network, "norm=\"0.5\"", "norm=\"1.5\""),
      With(machine, "vectorId=\"w\"", "vectorId=\"q\""),
      With(machine, "<Indices>2<", "<Indices>9999999999<"),
      With(machine, "<Indices>2<", "<Indices>-1<"),
      With(machine, "1 0</Array>", "1 0 0</Array>"),
      With(machine, "id=\"v\"", "id=\"w\""),
      With(machine, "<LinearKernelType/>", "<UnheardKernelType/>"),
      With(regression, "modelType=\"ordinalMultinomial\"", "modelType=\"unheard\""),
      With(regression, "cumulativeLink=\"logit\"", "cumulativeLink=\"unheard\""),
      With(regression, "beta=\"1\"", "beta=\"\""),
      With(regression, "predictorName=\"x\"", "predictorName=\"xx\""),
      With(card, "partialScore=\"5\"", "partialScore=\"five\""),
      With(card, "<True/>", ""),
      With(card, "rank=\"1\"", "rank=\"1e300\""),
      With(bayes, "variance=\"1\"", "variance=\"none\""),
      With(bayes, "fieldName=\"x\"", "fieldName=\"s\""),
      With(clusters, ">0 0<", ">0 0 0<"),
      With(clusters, "squaredEuclidean", "crowEuclidean"),
      With(clusters, "value=\"2\"", "value=\"22\""),
      With(clusters, "centerBased", "distributionBased"),
      With(neighbors, "numberOfNeighbors=\"2\"", "numberOfNeighbors=\"200\""),
      With(neighbors, "numberOfNeighbors=\"2\"", "numberOfNeighbors=\"-1\""),
      With(neighbors, "<o>10</o>", "<o>ten</o>"),
      With(neighbors, "<KNNInput field=\"x\"/>", ""),
      With(baskets, "itemRef=\"1\"", "itemRef=\"11\""),
      With(baskets, "antecedent=\"a\"", "antecedent=\"z\""),
      With(baskets, "rankBasis=\"confidence\"", "rankBasis=\"mood\""),
      With(baskets, "algorithm=\"recommendation\"", "algorithm=\"guess\""),
      With(anomaly, "sampleDataSize=\"2\"", "sampleDataSize=\"some\""),
      With(anomaly, "<RegressionModel", "<RegretModel"),
      pmml::VerifiedFile("5.2"),
      pmml::VerifiedFile("many"),
  };
}

}  // namespace athanor::broken
