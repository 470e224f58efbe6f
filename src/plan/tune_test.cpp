#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/digest.h"
#include "core/file.h"
#include "ops/catalog.h"
#include "plan/stages.h"
#include "plan/trial.h"

namespace athanor {
namespace {

using Ints = std::vector<std::int64_t>;

// Sanitizers (here: clang's) make some kernels much slower than others.
#if defined(__has_feature)
constexpr bool kInstrumented = __has_feature(thread_sanitizer) || __has_feature(address_sanitizer);
#else
constexpr bool kInstrumented = false;
#endif

// One convolution of 3 by 3 without dilation.
Graph OneConvolution(std::int64_t in, std::int64_t out, std::int64_t size) {
  Graph graph(ops::Standard());
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(1), Dim(in), Dim(size), Dim(size)}));
  Tensor w = *Tensor::Allocate(DType::kF32, {out, in, 3, 3});
  for (float& v : w.MutableData<float>()) v = 0.01F;
  graph.AddOutput("y", *graph.Add("Conv", {x, graph.AddConstant(w)}, {{"pads", Ints{1, 1, 1, 1}}}));
  return graph;
}

std::shared_ptr<const Plan> MakePlanOf(Graph graph, const PlanOptions& options) {
  kernels::PackStore store;
  const std::vector<Type> types = {graph.value(graph.inputs()[0]).type};
  Result<std::shared_ptr<const Plan>> plan = MakePlan(std::move(graph), types, options, store);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return *plan;
}

const StepNotes& ConvolutionOf(const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (plan.graph.node(step.nodes[0]).op->name == "Conv") return step.notes;
  }
  std::abort();
}

// What is known of the kernels that fit.
std::string Times(const StepNotes& notes) {
  std::string text;
  for (const StepNotes::Choice& choice : notes.choices) {
    if (choice.fits || choice.measured_ns > 0)
      text += fmt::format("{} {}: {:.0f} us, measured {:.0f}\n", choice.kernel, choice.layout,
                          choice.cost_ns / 1e3, choice.measured_ns / 1e3);
  }
  return text;
}

class TunedPlan : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ = testing::TempDir() + "tune_test.athplan";
};

TEST_F(TunedPlan, TakesTheKernelThatWasMeasuredFastest) {
  PlanOptions options = {.measured = std::make_shared<MeasuredTimes>(), .tune_seconds = 60};
  const auto plan = MakePlanOf(OneConvolution(32, 32, 28), options);
  const StepNotes& notes = ConvolutionOf(*plan);
  ASSERT_GT(notes.choices.size(), 1U);
  int measured = 0;
  for (const StepNotes::Choice& choice : notes.choices) {
    if (choice.measured_ns == 0) continue;
    EXPECT_LE(notes.choices[0].measured_ns, choice.measured_ns) << choice.kernel;
    ++measured;
  }
  EXPECT_GT(measured, 1);
}

// Of five candidates that were measured, four leave nothing behind.
TEST_F(TunedPlan, KeepsPackedWeightsOfTheChosenKernelOnly) {
  const auto bytes = [](const std::shared_ptr<MeasuredTimes>& measured, double seconds) {
    Graph graph = OneConvolution(64, 64, 28);
    const std::vector<Type> types = {graph.value(graph.inputs()[0]).type};
    kernels::PackStore store;
    const auto plan =
        MakePlan(std::move(graph), types, {.measured = measured, .tune_seconds = seconds}, store);
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
    return store.bytes();
  };
  const auto measured = std::make_shared<MeasuredTimes>();
  const std::int64_t after_measuring = bytes(measured, 60);
  EXPECT_GT(measured->size(), 1U);
  EXPECT_EQ(after_measuring, bytes(measured, 0));
}

TEST_F(TunedPlan, BelievesKnownTimesWithoutMeasuring) {
  PlanOptions options = {.measured = std::make_shared<MeasuredTimes>(), .tune_seconds = 60};
  const auto first = MakePlanOf(OneConvolution(32, 32, 28), options);
  ASSERT_TRUE(options.measured->Save(path_).ok());
  auto loaded = std::make_shared<MeasuredTimes>();
  ASSERT_TRUE(loaded->Load(path_).ok());
  EXPECT_EQ(loaded->size(), options.measured->size());
  const auto again = MakePlanOf(OneConvolution(32, 32, 28), {.measured = loaded});
  EXPECT_EQ(ConvolutionOf(*again).choices[0].kernel, ConvolutionOf(*first).choices[0].kernel);
  EXPECT_NEAR(ConvolutionOf(*again).choices[0].measured_ns,
              ConvolutionOf(*first).choices[0].measured_ns, 1);
  EXPECT_EQ(loaded->size(), options.measured->size());
}

// Kernels of f32 had times and those of bf16 none, so that bf16 was never taken after a tuning.
TEST_F(TunedPlan, TimesOfOnePrecisionDecideNothingInAnother) {
  const auto measured = std::make_shared<MeasuredTimes>();
  MakePlanOf(OneConvolution(32, 32, 28), {.measured = measured, .tune_seconds = 60});
  ASSERT_GT(measured->size(), 1U);
  const auto rounded =
      MakePlanOf(OneConvolution(32, 32, 28), {.precision = Precision::kBf16, .measured = measured});
  const auto untuned = MakePlanOf(OneConvolution(32, 32, 28), {.precision = Precision::kBf16});
  EXPECT_EQ(ConvolutionOf(*rounded).choices[0].measured_ns, 0);
  EXPECT_EQ(ConvolutionOf(*rounded).choices[0].kernel, ConvolutionOf(*untuned).choices[0].kernel);
}

TEST_F(TunedPlan, MeasuresNothingWithoutTime) {
  const PlanOptions options = {.measured = std::make_shared<MeasuredTimes>()};
  const auto plan = MakePlanOf(OneConvolution(32, 32, 28), options);
  EXPECT_EQ(options.measured->size(), 0U);
  EXPECT_EQ(ConvolutionOf(*plan).choices[0].measured_ns, 0);
  EXPECT_TRUE(ConvolutionOf(*plan).open);
}

TEST_F(TunedPlan, IsOpenUntilEveryRivalHasATime) {
  const auto measured = std::make_shared<MeasuredTimes>();
  const auto open_after = [&](double seconds) {
    const auto plan =
        MakePlanOf(OneConvolution(32, 32, 28), {.measured = measured, .tune_seconds = seconds});
    return std::count_if(plan->steps.begin(), plan->steps.end(),
                         [](const Step& step) { return step.notes.open; });
  };
  EXPECT_EQ(open_after(0), 1);  // reorders around it compete with nobody
  EXPECT_EQ(open_after(60), 0);
  EXPECT_EQ(open_after(0), 0);
  const auto estimated = MakePlanOf(OneConvolution(32, 32, 28), {});
  EXPECT_FALSE(ConvolutionOf(*estimated).open) << "nobody asked for times";
}

TEST_F(TunedPlan, StrictPlansHoldNoAlgorithmThatRoundsMore) {
  const auto plan = MakePlanOf(OneConvolution(64, 64, 56), {.strict = true});
  for (const StepNotes::Choice& choice : ConvolutionOf(*plan).choices) {
    const bool winograd = choice.kernel.find("winograd") != std::string::npos;
    EXPECT_FALSE(winograd && choice.fits) << choice.kernel;
  }
}

// The plan of one convolution under a budget; its size stands in the error.
Status PlanWithin(std::int64_t budget, std::shared_ptr<const Plan>& plan) {
  kernels::PackStore store;
  Graph graph = OneConvolution(64, 64, 28);
  const std::vector<Type> types = {graph.value(graph.inputs()[0]).type};
  auto made = MakePlan(std::move(graph), types, {.threads = 2, .memory_budget = budget}, store);
  if (made.ok()) plan = *made;
  return made.status();
}

TEST(MemoryBudget, TakesKernelsWithoutScratchMemoryAndThenRefusesWithTheSize) {
  std::shared_ptr<const Plan> free, tight;
  ASSERT_TRUE(PlanWithin(0, free).ok());
  const Status refused = PlanWithin(1, tight);
  EXPECT_EQ(refused.code(), ErrorCode::kResource);
  const std::string fix(refused.fix());
  const std::size_t at = fix.find("--mem-budget ");
  ASSERT_NE(at, std::string::npos) << refused.ToString();
  const std::int64_t smallest = std::stoll(fix.substr(at + 13));
  EXPECT_LT(smallest, free->arena_bytes);
  ASSERT_TRUE(PlanWithin(smallest, tight).ok());
  EXPECT_LE(tight->arena_bytes, smallest);
  EXPECT_NE(ConvolutionOf(*tight).choices[0].kernel.find("indirect"), std::string::npos);
  EXPECT_FALSE(PlanWithin(smallest - 1, tight).ok());
  // With room for all nothing changes.
  ASSERT_TRUE(PlanWithin(free->arena_bytes, tight).ok());
  EXPECT_EQ(ConvolutionOf(*tight).choices[0].kernel, ConvolutionOf(*free).choices[0].kernel);
}

// F(m, 3) holds (m + 2)^2 numbers for each window of nine (Lavin and Gray, CVPR 2016).
TEST(MemoryPrice, KernelsWhoseWeightsAreLargerMustBeWorthIt) {
  const auto fastest = MakePlanOf(OneConvolution(128, 128, 28), {});
  const auto smallest = MakePlanOf(OneConvolution(128, 128, 28), {.memory_price = 1e6});
  EXPECT_EQ(ConvolutionOf(*smallest).choices[0].more_bytes, 0);
  const StepNotes::Choice& taken = ConvolutionOf(*fastest).choices[0];
  ASSERT_NE(taken.kernel.find("winograd"), std::string::npos) << taken.kernel;
  const std::int64_t m = taken.kernel[taken.kernel.find("winograd") + 8] - '0';
  EXPECT_EQ(taken.more_bytes, ((m + 2) * (m + 2) - 9) * 128 * 128 * 4);
}

// Times that were measured are weighed as estimates are.
TEST_F(TunedPlan, WeighsMemoryAgainstMeasuredTimes) {
  PlanOptions options = {.measured = std::make_shared<MeasuredTimes>(), .tune_seconds = 60};
  ASSERT_TRUE(MakePlanOf(OneConvolution(128, 128, 28), options) != nullptr);
  options.memory_price = 1e6;
  EXPECT_EQ(ConvolutionOf(*MakePlanOf(OneConvolution(128, 128, 28), options)).choices[0].more_bytes,
            0);
}

// Measured 4.5 ms against 5.2: products of four numbers without a fused addition cost more.
constexpr const char* kWinsOnShortVectors = "on vectors of four Winograd is faster here";

// Few channels on a large picture: the transforms cost more than the products save. Neither an
// estimate nor a measurement takes it, and run beside the others it is the slower one.
TEST_F(TunedPlan, WinogradIsNotTakenWhereItLoses) {
  if (kInstrumented) GTEST_SKIP() << "instrumented kernels have other times";
  if (BestIsa() == Isa::kBase) GTEST_SKIP() << kWinsOnShortVectors;
  for (const double seconds : {0.0, 60.0}) {
    const PlanOptions options = {.measured = std::make_shared<MeasuredTimes>(),
                                 .tune_seconds = seconds};
    const auto plan = MakePlanOf(OneConvolution(3, 64, 224), options);
    EXPECT_EQ(ConvolutionOf(*plan).choices[0].kernel.find("winograd"), std::string::npos)
        << Times(ConvolutionOf(*plan));
  }
}

TEST(Trial, WinogradLosesOnAWidePictureOfFewChannels) {
  if (kInstrumented) GTEST_SKIP() << "instrumented kernels have other times";
  if (BestIsa() == Isa::kBase) GTEST_SKIP() << kWinsOnShortVectors;
  Graph graph = OneConvolution(3, 64, 224);
  Result<std::vector<plan::Group>> groups = plan::MakeGroups(graph, {});
  ASSERT_TRUE(groups.ok());
  kernels::PackStore store;
  ThreadPool pool(1);
  double winograd = 1e30, others = 1e30;
  for (const bool plain_input : {false, true}) {
    const plan::Variant variant = plan::InBlocks((*groups)[0], plain_input, BestIsa());
    for (const kernels::Candidate& candidate : variant.candidates) {
      if (!candidate.fit.yes()) continue;
      auto trial = plan::Trial::Make(*candidate.def, variant.query, store);
      ASSERT_TRUE(trial.ok() && *trial) << trial.status().ToString();
      const bool is_winograd = candidate.def->name.find("winograd") != std::string::npos;
      double& best = is_winograd ? winograd : others;
      best = std::min(best, (*trial)->FastestNs(pool, 2e7));
    }
  }
  ASSERT_LT(winograd, 1e30);
  EXPECT_LT(others, winograd);
}

// Numbers below 1.2e-38 made a convolution ten times as slow.
TEST(Trial, TinyNumbersTakeNoLongerThanOthers) {
  Graph graph = OneConvolution(32, 32, 28);
  Result<std::vector<plan::Group>> groups = plan::MakeGroups(graph, {});
  ASSERT_TRUE(groups.ok());
  kernels::PackStore store;
  ThreadPool pool(1);
  const plan::Variant variant = plan::InBlocks((*groups)[0], false, BestIsa());
  for (const plan::Variant& asked :
       {plan::Variant{(*groups)[0].query, (*groups)[0].candidates}, variant}) {
    for (const kernels::Candidate& candidate : asked.candidates) {
      if (!candidate.fit.yes() || candidate.def->isa != BestIsa()) continue;
      const auto time_of = [&](float x) {
        Tensor input = *Tensor::Allocate(DType::kF32, {asked.query.in[0].stored()});
        std::ranges::fill(input.MutableData<float>(), x);
        auto trial = plan::Trial::Make(*candidate.def, asked.query, store, {input});
        EXPECT_TRUE(trial.ok() && *trial) << trial.status().ToString();
        return (*trial)->FastestNs(pool, 1e7);
      };
      EXPECT_LT(time_of(1e-39F), 2.5 * time_of(1)) << candidate.def->name;
    }
  }
}

TEST_F(TunedPlan, RefusesDamagedFilesAndThoseOfOtherMachines) {
  MeasuredTimes times;
  times.Set("layer", "kernel", 5);
  ASSERT_TRUE(times.Save(path_).ok());
  const std::string whole = *ReadTextFile(path_);
  const auto load = [&](const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return MeasuredTimes().Load(path_).ToString();
  };
  EXPECT_EQ(load(whole), MeasuredTimes().Load(path_).ToString());
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(load(whole.substr(0, length)).find("damaged"), std::string::npos) << length;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] ^= 1;
    EXPECT_NE(load(broken).find("damaged"), std::string::npos) << at;
  }
  const std::string other = "athplan 1\tanother processor\tavx2\n";
  const std::uint64_t digest =
      Digest64({reinterpret_cast<const std::uint8_t*>(other.data()), other.size()});
  EXPECT_NE(load(fmt::format("{:016x}\n{}", digest, other)).find("another processor"),
            std::string::npos);
}

}  // namespace
}  // namespace athanor
