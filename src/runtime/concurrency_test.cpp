// Many threads on one session: who waits for whom, what is kept, and (under tsan) that nothing is
// shared unguarded. Planning is stopped in its middle by an operator whose inference waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/gate_for_test.h"
#include "runtime/session.h"
#include "runtime/shared_weights.h"

namespace athanor {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kWaits = 13;  // planning for this many elements waits for the gate
constexpr std::int64_t kFails = 17;  // planning for this many elements fails

// Inference is a plain function, so the gate it knows is the test program's own.
Gate& PlanningGate() {
  static Gate gate;
  return gate;
}

// A fork finds the gate as it was, with threads of its parent before it.
std::atomic<bool>& IsFork() {
  static std::atomic<bool> is_fork = false;
  return is_fork;
}

// How often what comes at the end of planning was asked: a plan that is given up does not get
// there.
std::atomic<int>& PlansMade() {
  static std::atomic<int> made = 0;
  return made;
}

Status InferHalting(InferCtx& ctx) {
  const std::optional<Dims> dims = ctx.In(0).StaticDims();
  if (dims && *dims == Dims{kWaits} && !IsFork()) PlanningGate().Pass();
  if (dims && *dims == Dims{kFails}) return InvalidModel("{} elements are refused", kFails);
  ctx.out[0] = ctx.In(0);
  return {};
}

Status Copy(RefCtx& ctx) {
  const std::span<const float> from = ctx.Data<float>(0);
  std::copy(from.begin(), from.end(), ctx.OutData<float>(0).begin());
  return {};
}

const Catalog& CatalogWithHalting() {
  static const Catalog catalog = [] {
    std::vector<OpDef> ops = ops::Standard().ops();
    ops.push_back({.name = "Halting",
                   .inputs = {{"x", ""}},
                   .outputs = {{"y", ""}},
                   .infer = InferHalting,
                   .reference = Copy,
                   .flops = [](const CostCtx&) -> Dim {
                     ++PlansMade();
                     return 0;
                   }});
    // Of a constant: what the passes fold.
    ops.push_back({.name = "HaltingPasses",
                   .inputs = {{"x", ""}},
                   .outputs = {{"y", ""}},
                   .traits = kPure,
                   .infer = InferHalting,
                   .reference = Copy});
    return Catalog(std::move(ops));
  }();
  return catalog;
}

// y = Relu(Halting(x)) * 2
std::unique_ptr<Session> Halting(int threads = 1) {
  Graph graph(CatalogWithHalting());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N")}));
  const ValueId relu = *graph.Add("Relu", {*graph.Add("Halting", {x})});
  const ValueId two = graph.AddConstant(Tensor::Scalar<float>(2));
  graph.AddOutput("y", *graph.Add("Mul", {relu, two}));
  Result<std::unique_ptr<Session>> session =
      Session::Create(std::move(graph), {.device = "cpu", .threads = threads});
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

Tensor Filled(std::int64_t count, float value) {
  return Tensor::FromVector<float>({count},
                                   std::vector<float>(static_cast<std::size_t>(count), value));
}

bool Answers(Session& session, std::int64_t count, float value) {
  const Result<std::vector<Datum>> outputs = session.Run({Filled(count, value)});
  return outputs.ok() && (*outputs)[0].tensor().SameAs(Filled(count, 2 * value));
}

std::vector<Type> Elements(std::int64_t count) { return {Type::Tensor(DType::kF32, {Dim(count)})}; }

void OnThreads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int t = 0; t < count; ++t) threads.emplace_back(body, t);
  for (std::thread& thread : threads) thread.join();
}

TEST(CpuSession, AKnownShapeAnswersWhileAnotherIsPlanned) {
  const auto session = Halting();
  ASSERT_TRUE(Answers(*session, 4, 1));
  PlanningGate().Close();
  auto waiting = std::async(std::launch::async, [&] { return Answers(*session, kWaits, 1); });
  const bool is_planning = PlanningGate().AwaitArrival();
  auto known = std::async(std::launch::async, [&] { return Answers(*session, 4, 3); });
  auto other = std::async(std::launch::async, [&] { return Answers(*session, 5, 3); });
  const bool known_answers = known.wait_for(kTooLong) == std::future_status::ready;
  const bool other_answers = other.wait_for(kTooLong) == std::future_status::ready;
  const bool still_planning = waiting.wait_for(seconds(0)) == std::future_status::timeout;
  PlanningGate().Open();
  EXPECT_TRUE(is_planning);
  EXPECT_TRUE(known_answers && known.get());
  EXPECT_TRUE(other_answers && other.get()) << "a second new shape waits for the first";
  EXPECT_TRUE(still_planning);
  EXPECT_TRUE(waiting.get());
}

TEST(CpuSession, PlansAShapeOnceForAllThreadsThatAskForIt) {
  const auto session = Halting();
  std::vector<std::shared_ptr<const Plan>> plans(6);
  PlanningGate().Close();
  std::thread opener([] {
    EXPECT_TRUE(PlanningGate().AwaitArrival());
    PlanningGate().Open();
  });
  OnThreads(
      6, [&](int t) { plans[static_cast<std::size_t>(t)] = *session->PlanFor(Elements(kWaits)); });
  opener.join();
  for (const auto& plan : plans) EXPECT_EQ(plan, plans[0]);
}

std::chrono::steady_clock::time_point In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

ErrorCode CodeOf(const Result<std::vector<Datum>>& answer) { return answer.status().code(); }

// Planning stands at the gate until the answer is there: who kept the deadline did not wait for it.
TEST(CpuSession, KeepsADeadlineWhileAShapeIsPlannedAndTheNextRequestHasThePlan) {
  const auto session = Halting();
  ASSERT_TRUE(Answers(*session, 4, 1));
  PlanningGate().Close();
  for (int i = 0; i < 3; ++i) {
    const auto late =
        session->Run({Filled(kWaits, 1)}, {.deadline = In(std::chrono::milliseconds(20))});
    EXPECT_EQ(CodeOf(late), ErrorCode::kDeadline);
  }
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  EXPECT_TRUE(Answers(*session, 4, 2));
  // One without a deadline waits for the plan that was begun.
  auto patient = std::async(std::launch::async, [&] { return Answers(*session, kWaits, 3); });
  PlanningGate().Open();
  EXPECT_TRUE(patient.get());
  EXPECT_TRUE(session->Run({Filled(kWaits, 1)}, {.deadline = In(kTooLong)}).ok());
}

TEST(CpuSession, ARequestWithADeadlineDoesNotWaitForThePlanOfOneWithout) {
  const auto session = Halting();
  PlanningGate().Close();
  auto patient = std::async(std::launch::async, [&] { return Answers(*session, kWaits, 3); });
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  const auto late =
      session->Run({Filled(kWaits, 1)}, {.deadline = In(std::chrono::milliseconds(20))});
  EXPECT_EQ(CodeOf(late), ErrorCode::kDeadline);
  EXPECT_EQ(late.status().where(), "planning for f32[13]");
  EXPECT_THAT(late.status().message(),
              testing::MatchesRegex(".* ms were allowed, .* ms have passed"));
  EXPECT_THAT(late.status().fix(),
              testing::EndsWith("each shape is planned once, and planning goes on now for the next "
                                "run"));
  PlanningGate().Open();
  EXPECT_TRUE(patient.get());
}

TEST(CpuSession, ARunIsCancelledWhileItsShapeIsPlanned) {
  const auto session = Halting();
  PlanningGate().Close();
  std::atomic<bool> cancelled = false;
  auto run = std::async(std::launch::async, [&] {
    return CodeOf(session->Run({Filled(kWaits, 1)}, {.cancelled = &cancelled}));
  });
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  cancelled = true;
  EXPECT_EQ(run.get(), ErrorCode::kCancelled);
  PlanningGate().Open();
  EXPECT_TRUE(Answers(*session, kWaits, 2));
}

// Whether a plan that nobody waits for is given up when its session is closed, `pause` before
// planning may go on.
bool ClosingGivesUp(std::chrono::milliseconds pause) {
  auto session = Halting();
  PlanningGate().Close();
  const auto late =
      session->Run({Filled(kWaits, 1)}, {.deadline = In(std::chrono::milliseconds(20))});
  EXPECT_EQ(CodeOf(late), ErrorCode::kDeadline);
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  const int before = PlansMade();
  auto closing = std::async(std::launch::async, [&] { session.reset(); });
  EXPECT_EQ(closing.wait_for(pause), std::future_status::timeout) << "closed beside a thread";
  PlanningGate().Open();
  EXPECT_EQ(closing.wait_for(kTooLong), std::future_status::ready);
  return PlansMade() == before;
}

TEST(CpuSession, ClosingEndsAPlanThatNobodyWaitsFor) {
  // Whether the other thread has begun to close cannot be seen: on a busy machine it takes longer.
  bool given_up = false;
  for (int ms = 10; !given_up && ms <= 1000; ms *= 10)
    given_up = ClosingGivesUp(std::chrono::milliseconds(ms));
  EXPECT_TRUE(given_up) << "planning went on to its end";
}

TEST(CpuSession, APlanThatIsMadeCountsAsMade) {
  const int before = PlansMade();
  EXPECT_TRUE(Answers(*Halting(), 4, 1));
  EXPECT_GT(PlansMade(), before);
}

// It waited for a thread that only its parent has.
TEST(CpuSession, AForkPlansWhatItsParentWasPlanning) {
  const auto session = Halting(2);
  ASSERT_TRUE(Answers(*session, 4, 1));
  PlanningGate().Close();
  const auto late =
      session->Run({Filled(kWaits, 1)}, {.deadline = In(std::chrono::milliseconds(20))});
  EXPECT_EQ(CodeOf(late), ErrorCode::kDeadline);
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // rather than waiting for ever
    IsFork() = true;
    const bool known = Answers(*session, 4, 2), planned = Answers(*session, kWaits, 3);
    const bool in_time = session->Run({Filled(7, 1)}, {.deadline = In(kTooLong)}).ok();
    _exit(known && planned && in_time ? 0 : 1);
  }
  PlanningGate().Open();
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Answers(*session, kWaits, 3)) << "the parent goes on";
}

// It waited for the thread of its parent that was running the passes.
TEST(CpuSession, AForkOpensASessionWhileItsParentOpensOneOfTheSameWeights) {
  const auto shared = std::make_shared<SharedWeights>();
  Graph graph(CatalogWithHalting());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(kWaits)}));
  const ValueId three = graph.AddConstant(Filled(kWaits, 3));
  graph.AddOutput("y", *graph.Add("Add", {x, *graph.Add("HaltingPasses", {three})}));
  const auto open = [&] {
    const auto session = Session::Create(graph.Clone(), {.threads = 1, .shared = shared});
    return session.ok() && Answers(**session, kWaits, 3);
  };
  PlanningGate().Close();
  auto opening = std::async(std::launch::async, open);
  EXPECT_TRUE(PlanningGate().AwaitArrival());
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // rather than waiting for ever
    IsFork() = true;
    _exit(open() && open() ? 0 : 1);
  }
  PlanningGate().Open();
  EXPECT_TRUE(opening.get());
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(CpuSession, AnExpiredDeadlineBeginsNoPlan) {
  const auto session = Halting();
  PlanningGate().Close();
  const auto late =
      session->Run({Filled(kWaits, 1)}, {.deadline = In(std::chrono::milliseconds(-1))});
  EXPECT_EQ(CodeOf(late), ErrorCode::kDeadline);
  EXPECT_THAT(late.status().fix(), testing::EndsWith("each shape is planned once"));
  PlanningGate().Open();
  EXPECT_TRUE(Answers(*session, kWaits, 2));
}

TEST(CpuSession, KeepsDeadlinesOfManyNewShapesAtOnce) {
  const auto session = Halting(2);
  std::atomic<int> ended = 0;
  OnThreads(8, [&](int t) {
    for (std::int64_t i = 0; i < 20; ++i) {
      const auto time = std::chrono::microseconds(50 * i);
      const auto answer = session->Run({Filled(200 + 20 * t + i, 1)},
                                       {.deadline = std::chrono::steady_clock::now() + time});
      ended += answer.ok() || CodeOf(answer) == ErrorCode::kDeadline ? 1 : 0;
    }
  });
  EXPECT_EQ(ended, 160);
  EXPECT_TRUE(Answers(*session, 200, 2));
}

TEST(CpuSession, KeepsABoundedNumberOfPlans) {
  const auto session = Halting();
  std::vector<std::weak_ptr<const Plan>> plans(100);
  OnThreads(4, [&](int t) {
    for (std::size_t i = 0; i < 25; ++i) {
      const std::size_t at = 25 * static_cast<std::size_t>(t) + i;
      plans[at] = *session->PlanFor(Elements(100 + static_cast<std::int64_t>(at)));
    }
  });
  EXPECT_EQ(std::count_if(plans.begin(), plans.end(), [](auto& plan) { return !plan.expired(); }),
            64);
}

TEST(CpuSession, AShapeThatCannotBePlannedTakesNoPlanFromOthers) {
  const auto session = Halting();
  const std::shared_ptr<const Plan> good = *session->PlanFor(Elements(4));
  OnThreads(4, [&](int) {
    for (int i = 0; i < 5; ++i) {
      const Status status = session->PlanFor(Elements(kFails)).status();
      EXPECT_EQ(status.code(), ErrorCode::kInvalidModel);
      EXPECT_EQ(status.message(), "17 elements are refused");
    }
  });
  EXPECT_EQ(*session->PlanFor(Elements(4)), good);
}

TEST(CpuSession, AnswersManyThreadsWithOneShapeAndWithMany) {
  const auto session = Halting(2);
  std::atomic<int> right = 0;
  OnThreads(6, [&](int t) {
    for (int run = 0; run < 30; ++run) {
      // Half of the threads keep to one shape, the others drive plans out of the cache.
      const std::int64_t count = t % 2 == 0 ? 64 : 20 + (7 * t + run) % 23;
      right += Answers(*session, count, static_cast<float>(1 + t));
    }
  });
  EXPECT_EQ(right, 6 * 30);
}

TEST(CpuSession, APlanGivenOutLivesLongerThanItsSession) {
  auto session = Halting();
  const std::shared_ptr<const Plan> plan = *session->PlanFor(Elements(4));
  const std::vector<Datum> outputs = *session->Run({Filled(4, 1)});
  session.reset();
  EXPECT_EQ(plan->graph.outputs().size(), 1U);
  EXPECT_TRUE(outputs[0].tensor().SameAs(Filled(4, 2)));
}

TEST(ReferenceSession, AnswersManyThreadsAtOnce) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N")}));
  graph.AddOutput("y", *graph.Add("Add", {x, x}));
  const auto session = *Session::Create(std::move(graph), {.device = "reference"});
  std::atomic<int> right = 0;
  OnThreads(4, [&](int t) {
    for (int run = 0; run < 20; ++run) right += Answers(*session, 1 + t, static_cast<float>(run));
  });
  EXPECT_EQ(right, 4 * 20);
}

TEST(CpuSession, RefusesAnImpossibleNumberOfThreads) {
  for (const int threads : {-1, 1 << 20}) {
    const Status status =
        Session::Create(Graph(ops::Standard()), {.device = "cpu", .threads = threads}).status();
    EXPECT_EQ(status.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace athanor
