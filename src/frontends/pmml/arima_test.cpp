// ARIMA and state spaces: forecasts by the textbooks' difference equations, worked out by hand.
#include <gtest/gtest.h>

#include "frontends/pmml/answers_for_test.h"
#include "frontends/pmml/small_documents_for_test.h"

namespace athanor::pmml {
namespace {

constexpr double kPrinted = 1e-9;  // relative; expected values have ten digits

// x is how many steps ahead a row looks.
std::string SeriesFile(const std::string& algorithm, const std::vector<double>& values,
                       const std::string& element, const std::string& output = "") {
  std::string series;
  for (std::size_t i = 0; i < values.size(); ++i)
    series += fmt::format(R"(<TimeValue index="{}" value="{}"/>)", i + 1, values[i]);
  return Document(R"(<TimeSeriesModel functionName="timeSeries" bestFit=")" + algorithm + "\">" +
                      SchemaOf(R"(<MiningField name="x" usageType="supplementary"/>)") + output +
                      fmt::format(R"(<TimeSeries usage="original" startTime="1" endTime="{}">)",
                                  values.size()) +
                      series + "</TimeSeries>" + element + "</TimeSeriesModel>",
                  "", "double");
}

std::string ArrayOf(const std::string& numbers) {
  return R"(<Array type="real">)" + numbers + "</Array>";
}

std::string ArimaOf(const std::string& attributes, const std::string& nonseasonal,
                    const std::string& seasonal = "") {
  return "<ARIMA " + attributes + ">" + nonseasonal + seasonal + "</ARIMA>";
}

std::string Moving(const std::string& coefficients, const std::string& residuals) {
  return "<MA><MACoefficients>" + ArrayOf(coefficients) + "</MACoefficients><Residuals>" +
         ArrayOf(residuals) + "</Residuals></MA>";
}

void ExpectForecasts(const std::string& document, const std::vector<double>& expected,
                     const std::string& name = "out") {
  for (std::size_t h = 0; h < expected.size(); ++h) {
    const Row answers = Answers(document, {{"x", fmt::format("{}", h + 1)}});
    ASSERT_TRUE(answers.contains(name)) << name;
    ASSERT_FALSE(answers.at(name).empty()) << h;
    EXPECT_NEAR(std::stod(answers.at(name)), expected[h],
                kPrinted * std::max(1.0, std::abs(expected[h])))
        << "step " << h + 1;
  }
}

void ExpectRefusal(const std::string& document, const std::string& sentence) {
  const Result<Graph> graph = Read(document);
  ASSERT_FALSE(graph.ok()) << sentence;
  EXPECT_NE(graph.status().ToString().find(sentence), std::string::npos)
      << graph.status().ToString();
}

std::string FirstDifferences(const std::string& attributes = "", const std::string& output = "") {
  return SeriesFile("ARIMA", {9, 10, 12},
                    ArimaOf(attributes, R"(<NonseasonalComponent p="1" d="1"><AR>)" +
                                            ArrayOf("0.5") + "</AR></NonseasonalComponent>"),
                    output);
}

TEST(PmmlArima, AddsUpDifferencesThatAreRegressedOnThemselves) {
  // Differences 2, then 1, 0.5, 0.25.
  ExpectForecasts(FirstDifferences(), {13, 13.5, 13.75});
  // Around a mean of 1: 2, then 1.5, 1.25, 1.125.
  ExpectForecasts(FirstDifferences(R"(constantTerm="1")"), {13.5, 14.75, 15.875});
  for (const char* none : {"0", "-1", "1.5", "", "99999"})
    EXPECT_EQ(Answers(FirstDifferences(), {{"x", none}}).at("out"), "") << none;
}

TEST(PmmlArima, GivesDeviationsAndIntervals) {
  const std::string file = FirstDifferences(
      R"(RMSE="2")",
      R"(<Output><OutputField name="mean" feature="predictedValue"/><OutputField name="error" feature="standardError"/>)"
      R"(<OutputField name="low" feature="confidenceIntervalLower" value="95"/><OutputField name="high" feature="confidenceIntervalUpper" value="80"/></Output>)");
  // What a residual adds to later values: 1, 1.5, 1.75.
  ExpectForecasts(file, {2, 3.605551275, 5.024937811}, "error");
  ExpectForecasts(file, {13 - 1.959963985 * 2, 13.5 - 1.959963985 * 3.605551275}, "low");
  ExpectForecasts(file, {13 + 1.281551566 * 2, 13.5 + 1.281551566 * 3.605551275}, "high");
  const std::string asked =
      R"(<Output><OutputField name="error" feature="standardError"/></Output>)";
  ExpectRefusal(FirstDifferences("", asked), "the model gives no deviation");
}

// y = y before + a + 0.5 * a before, with a = 1, -2, 3, 1, -1, 2.
const std::vector<double> kAveraged = {10, 11, 9.5, 11.5, 14, 13.5, 15};

TEST(PmmlArima, TellsTheSignOfMovingAveragesByTheResiduals) {
  const auto file = [](const std::string& coefficient, const std::vector<double>& values,
                       const std::string& residuals = "-1 2") {
    return SeriesFile("ARIMA", values,
                      ArimaOf("", R"(<NonseasonalComponent d="1" q="1">)" +
                                      Moving(coefficient, residuals) + "</NonseasonalComponent>"));
  };
  ExpectForecasts(file("0.5", kAveraged), {16, 16, 16});   // as R and statsmodels write it
  ExpectForecasts(file("-0.5", kAveraged), {16, 16, 16});  // as Box and Jenkins do
  ExpectRefusal(file("0.5", {13.5, 15}), "added or subtracted");
  ExpectRefusal(file("0.5", kAveraged, ""), "0 residuals");
}

TEST(PmmlArima, MultipliesSeasonalParts) {
  const std::string seasonal = R"(<SeasonalComponent P="0" D="1" Q="0" period="4"/>)";
  const std::vector<double> values = {10, 20, 30, 40, 12, 22, 31, 42};
  ExpectForecasts(SeriesFile("ARIMA", values, ArimaOf("", "<NonseasonalComponent/>", seasonal)),
                  {12, 22, 31, 42, 12});
  // The last difference of a year is 2: 1, 0.5, 0.25, 0.125 are left of it.
  const std::string regressed =
      R"(<NonseasonalComponent p="1"><AR>)" + ArrayOf("0.5") + "</AR></NonseasonalComponent>";
  ExpectForecasts(SeriesFile("ARIMA", values, ArimaOf("", regressed, seasonal)),
                  {13, 22.5, 31.25, 42.125, 13.0625});
  // phi(B) Phi(B^2) with 0.5 and 0.25: y = 0.5 y1 + 0.25 y2 - 0.125 y3.
  const std::string both = ArimaOf("", regressed,
                                   R"(<SeasonalComponent P="1" period="2"><AR>)" + ArrayOf("0.25") +
                                       "</AR></SeasonalComponent>");
  ExpectForecasts(SeriesFile("ARIMA", {8, 16, 32}, both), {19, 15.5, 8.5});
}

// The airline model with a season of two steps: with w = (1 - B)(1 - B^2) y,
// w = a + 0.5 a1 + 0.2 a2 + 0.1 a3.
TEST(PmmlArima, ForecastsTheAirlineModel) {
  const std::vector<double> a = {1, -1, 2, 1, -2, 1, 1, -1};
  std::vector<double> y = {100, 102, 101};
  const auto shock = [&](std::size_t i) { return i < a.size() ? a[i] : 0; };
  const auto next = [&](std::size_t i) {
    const double w = shock(i) + (i > 0 ? 0.5 * shock(i - 1) : 0) +
                     (i > 1 ? 0.2 * shock(i - 2) : 0) + (i > 2 ? 0.1 * shock(i - 3) : 0);
    const std::size_t n = y.size();
    return y[n - 1] + y[n - 2] - y[n - 3] + w;
  };
  for (std::size_t i = 0; i < a.size(); ++i) y.push_back(next(i));
  const std::string file =
      SeriesFile("ARIMA", y,
                 ArimaOf("",
                         R"(<NonseasonalComponent d="1" q="1">)" + Moving("0.5", "-1") +
                             "</NonseasonalComponent>",
                         R"(<SeasonalComponent D="1" Q="1" period="2">)" + Moving("0.2", "1 1 -1") +
                             "</SeasonalComponent>"));
  std::vector<double> expected;
  for (std::size_t i = a.size(); i < a.size() + 4; ++i) {
    expected.push_back(next(i));
    y.push_back(expected.back());
  }
  ExpectForecasts(file, expected);
}

TEST(PmmlArima, UndoesTransformations) {
  const auto file = [](const std::string& transformation, const std::vector<double>& values) {
    return SeriesFile(
        "ARIMA", values,
        ArimaOf("transformation=\"" + transformation + "\"", R"(<NonseasonalComponent d="2"/>)"));
  };
  ExpectForecasts(file("squareroot", {4, 9}), {16, 25});       // roots 2, 3, then 4, 5
  ExpectForecasts(file("logarithmic", {1, 10}), {100, 1000});  // logarithms grow evenly
  ExpectRefusal(file("logarithmic", {1, -10}), "after its transformation");
  ExpectRefusal(file("cubic", {1, 10}), "transformation \"cubic\"");
}

std::string StateSpace(const std::string& more, const std::string& holder = "StateSpaceModel") {
  return "<" + holder + "><StateVector>" + ArrayOf("10 2") +
         R"(</StateVector><TransitionMatrix><Matrix nbRows="2" nbCols="2">)" + ArrayOf("1 1") +
         ArrayOf("0 0.5") + "</Matrix></TransitionMatrix><MeasurementMatrix><Matrix>" +
         ArrayOf("1 0") + "</Matrix></MeasurementMatrix>" + more + "</" + holder + ">";
}

TEST(PmmlStateSpace, MultipliesItsStateStepByStep) {
  const auto file = [](const std::string& more) {
    return SeriesFile("StateSpaceModel", {1}, StateSpace(more));
  };
  // (10, 2), (12, 1), (13, 0.5), (13.5, 0.25)
  ExpectForecasts(file(""), {10, 12, 13, 13.5});
  ExpectForecasts(
      file(R"(<InterceptVector type="observation">)" + ArrayOf("3") + "</InterceptVector>"),
      {13, 15, 16, 16.5});
  // (0, 1) comes to each next state: (12, 2), (14, 2), (16, 2).
  ExpectForecasts(file("<InterceptVector>" + ArrayOf("0 1") + "</InterceptVector>"),
                  {10, 12, 14, 16});
  ExpectRefusal(file("<InterceptVector>" + ArrayOf("1") + "</InterceptVector>"),
                "1 numbers for 2 states");
  ExpectRefusal(SeriesFile("StateSpaceModel", {1},
                           "<StateSpaceModel><StateVector>" + ArrayOf("1 2 3") + "</StateVector>" +
                               "</StateSpaceModel>"),
                "3 x 3 are expected");
}

TEST(PmmlArima, RefusesWhatItDoesNotForecast) {
  const auto file = [](const std::string& part) {
    return SeriesFile("ARIMA", {1, 2}, ArimaOf("", "<NonseasonalComponent/>", part));
  };
  ExpectRefusal(file(R"(<DynamicRegressor field="y"/>)"), "<DynamicRegressor>");
  ExpectRefusal(file(R"(<OutlierEffect type="level" startTime="1" magnitude="2"/>)"),
                "<OutlierEffect>");
  ExpectRefusal(SeriesFile("ARIMA", {1, 2}, ArimaOf(R"(predictionMethod="exactLeastSquares")", "")),
                "exactLeastSquares");
  const auto order = [](const std::string& attributes) {
    return SeriesFile("ARIMA", {1, 2}, ArimaOf("", "<NonseasonalComponent " + attributes + "/>"));
  };
  ExpectRefusal(order(R"(p="1")"), "of order 1, 0 has 0 and 0 coefficients");
  ExpectRefusal(order(R"(d="3")"), "looks back 3 steps, but <TimeSeries> has 2 values");
  ExpectRefusal(order(R"(d="1e9")"), "d is 1");
  ExpectRefusal(SeriesFile("ARIMA", {1}, ""), "bestFit is \"ARIMA\", but the model has none");
  ExpectRefusal(SeriesFile("GARCH", {1}, "<GARCH/>"), "time series by \"GARCH\"");
}

}  // namespace
}  // namespace athanor::pmml
