// Requests are stopped in their middle by an operator whose reference waits at a gate.
#include "runtime/request_queue.h"

#include <gtest/gtest.h>

#include <future>

#include "ops/catalog.h"
#include "runtime/gate_for_test.h"

namespace athanor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A reference is a plain function, so the gate it knows is the test program's own.
Gate& RunningGate() {
  static Gate gate;
  return gate;
}

Status PassTheGate(RefCtx& ctx) {
  RunningGate().Pass();
  const std::span<const float> from = ctx.Data<float>(0);
  std::copy(from.begin(), from.end(), ctx.OutData<float>(0).begin());
  return {};
}

const Catalog& CatalogWithGate() {
  static const Catalog catalog = [] {
    std::vector<OpDef> ops = ops::Standard().ops();
    ops.push_back({.name = "Halting",
                   .inputs = {{"x", ""}},
                   .outputs = {{"y", ""}},
                   .infer = [](InferCtx& ctx) -> Status {
                     ctx.out[0] = ctx.In(0);
                     return {};
                   },
                   .reference = PassTheGate});
    return Catalog(std::move(ops));
  }();
  return catalog;
}

// y = 2 Halting(x)
std::unique_ptr<Session> Halting(const std::string& device, int streams = 1) {
  Graph graph(CatalogWithGate());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(2)}));
  const ValueId two = graph.AddConstant(Tensor::Scalar<float>(2));
  graph.AddOutput("y", *graph.Add("Mul", {*graph.Add("Halting", {x}), two}, {}, "double"));
  Result<std::unique_ptr<Session>> session =
      Session::Create(std::move(graph), {.device = device, .threads = 1, .streams = streams});
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

Datum Pair(float a, float b) { return Tensor::FromVector<float>({2}, {a, b}); }

ErrorCode CodeOf(const Request& request) {
  EXPECT_TRUE(request.Wait(steady_clock::now() + kTooLong));
  return request.answer().status().code();
}

class RequestQueueTest : public testing::TestWithParam<std::string> {
 protected:
  // A test that failed in its middle shall not stop the next one.
  void TearDown() override { RunningGate().Open(); }
};

TEST_P(RequestQueueTest, AnswersAndTellsWhoAsked) {
  const auto session = Halting(GetParam());
  RequestQueue queue(*session, {});
  std::promise<float> told;
  const Request request = *queue.Start({Pair(1, 4)}, [&](const Answer& answer) {
    told.set_value((*answer)[0].tensor().Data<float>()[1]);
  });
  EXPECT_EQ(told.get_future().get(), 8);
  ASSERT_TRUE(request.Wait());
  EXPECT_TRUE(request.IsOver());
  EXPECT_EQ((*request.answer())[0].tensor().Data<float>()[0], 2);
}

TEST_P(RequestQueueTest, RunsAsManyAtOnceAsThereAreStreams) {
  const auto session = Halting(GetParam(), 2);
  RequestQueue queue(*session, {.streams = 2});
  RunningGate().Close();
  std::vector<Request> requests;
  for (int i = 0; i < 4; ++i) requests.push_back(*queue.Start({Pair(1, 1)}));
  EXPECT_TRUE(RunningGate().AwaitArrival(2));
  EXPECT_FALSE(requests[0].Wait(steady_clock::now() + milliseconds(5)));
  RunningGate().Open();
  for (const Request& request : requests) EXPECT_EQ(CodeOf(request), ErrorCode::kOk);
}

TEST_P(RequestQueueTest, ACancelledRequestEndsBeforeItsNextNodeAndTheSessionLivesOn) {
  const auto session = Halting(GetParam());
  RequestQueue queue(*session, {});
  RunningGate().Close();
  Request running = *queue.Start({Pair(1, 1)});
  Request waiting = *queue.Start({Pair(1, 1)});
  ASSERT_TRUE(RunningGate().AwaitArrival());
  waiting.Cancel();
  EXPECT_TRUE(waiting.IsOver()) << "what waits is cancelled at once";
  running.Cancel();
  EXPECT_FALSE(running.IsOver());
  RunningGate().Open();
  EXPECT_EQ(CodeOf(running), ErrorCode::kCancelled);
  EXPECT_EQ(CodeOf(waiting), ErrorCode::kCancelled);
  EXPECT_EQ(CodeOf(*queue.Start({Pair(1, 1)})), ErrorCode::kOk);
}

TEST_P(RequestQueueTest, KeepsDeadlinesWhileWaitingAndWhileRunning) {
  const auto session = Halting(GetParam());
  RequestQueue queue(*session, {});
  RunningGate().Close();
  const auto soon = steady_clock::now() + milliseconds(20);
  const Request running = *queue.Start({Pair(1, 1)}, {}, soon);
  const Request waiting = *queue.Start({Pair(1, 1)}, {}, soon);
  const Request patient = *queue.Start({Pair(1, 1)});
  ASSERT_TRUE(RunningGate().AwaitArrival());
  std::this_thread::sleep_until(soon);
  RunningGate().Open();
  EXPECT_EQ(CodeOf(running), ErrorCode::kDeadline);
  EXPECT_EQ(CodeOf(waiting), ErrorCode::kDeadline);
  const Status ran = running.answer().status(), waited = waiting.answer().status();
  EXPECT_EQ(ran.where(), "before node \"double\" (Mul)");
  EXPECT_EQ(waited.where(), "waiting for a stream");
  for (const Status& late : {ran, waited}) {
    EXPECT_TRUE(late.message().find("ms were allowed, ") != std::string::npos) << late.ToString();
    EXPECT_FALSE(late.fix().empty());
  }
  EXPECT_EQ(CodeOf(patient), ErrorCode::kOk);
}

TEST_P(RequestQueueTest, RefusesMoreThanItHolds) {
  const auto session = Halting(GetParam());
  RequestQueue queue(*session, {.streams = 1, .longest_queue = 2});
  RunningGate().Close();
  std::vector<Request> requests = {*queue.Start({Pair(1, 1)})};
  ASSERT_TRUE(RunningGate().AwaitArrival());
  for (int i = 0; i < 2; ++i) requests.push_back(*queue.Start({Pair(1, 1)}));
  EXPECT_EQ(queue.Start({Pair(1, 1)}).status().code(), ErrorCode::kResource);
  requests.back().Cancel();
  EXPECT_TRUE(queue.Start({Pair(1, 1)}).ok()) << "a cancelled request holds no place";
  RunningGate().Open();
}

TEST_P(RequestQueueTest, RefusesWrongInputsBeforeTheyWait) {
  const auto session = Halting(GetParam());
  RequestQueue queue(*session, {});
  const Tensor three = Tensor::FromVector<float>({3}, {1, 2, 3});
  EXPECT_EQ(queue.Start({three}).status().code(), ErrorCode::kInvalidInput);
}

TEST_P(RequestQueueTest, ClosingEndsWhatIsLeft) {
  const auto session = Halting(GetParam());
  std::vector<Request> requests;
  RunningGate().Close();
  std::thread opener;
  {
    RequestQueue queue(*session, {});
    for (int i = 0; i < 3; ++i) requests.push_back(*queue.Start({Pair(1, 1)}));
    ASSERT_TRUE(RunningGate().AwaitArrival());
    opener = std::thread([] {
      std::this_thread::sleep_for(milliseconds(20));
      RunningGate().Open();
    });
  }
  opener.join();
  for (const Request& request : requests) EXPECT_EQ(CodeOf(request), ErrorCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Devices, RequestQueueTest,
                         testing::Values("cpu", "reference", "MULTI:cpu,cpu.0",
                                         "HETERO:cpu,reference"));

}  // namespace
}  // namespace athanor
