// Devices by name, and several under one.
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "ops/catalog.h"
#include "runtime/bound_cores.h"
#include "runtime/gate_for_test.h"
#include "runtime/graph_for_test.h"
#include "runtime/hetero_session.h"

namespace athanor {
namespace {

// A product in f32, a logarithm in f64, which kernels do not compute, and products again, with a
// branch around it and a shape that depends on the input's.
Graph Mixed() {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(24)}));
  const ValueId a =
      Op(graph, "Relu", {Op(graph, "MatMul", {x, graph.AddConstant(Ramp({24, 24}, 0.3F))})});
  const ValueId wide = Op(graph, "Cast", {a}, {{"to", DType::kF64}});
  const ValueId log = Op(graph, "Log", {Op(graph, "Exp", {wide})});
  const ValueId back = Op(graph, "Cast", {log}, {{"to", DType::kF32}});
  const ValueId sum = Op(graph, "Add", {back, a});
  const ValueId b = Op(graph, "MatMul", {sum, graph.AddConstant(Ramp({24, 8}, 0.7F))});
  graph.AddOutput("y", Op(graph, "Softmax", {b}));
  graph.AddOutput("x again", x);
  graph.AddOutput("log", log);
  return graph;
}

std::unique_ptr<Session> Make(Graph graph, const SessionOptions& options) {
  Result<std::unique_ptr<Session>> session = Session::Create(std::move(graph), options);
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

std::string Problem(const std::string& device) {
  const Result<std::unique_ptr<Session>> session = Session::Create(Mixed(), {.device = device});
  return session.ok() ? "" : session.status().ToString();
}

void ExpectMentions(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Devices, AreRefusedByNameWithWhatWouldBeAccepted) {
  ExpectMentions(Problem("cup"), "did you mean \"cpu\"?");
  ExpectMentions(Problem("refrence"), "did you mean \"reference\"?");
  ExpectMentions(Problem("cup.0"), "did you mean \"cpu\"?");
  ExpectMentions(Problem("MUTLI:cpu,cpu"), "did you mean \"MULTI\"?");
  ExpectMentions(Problem("hetero:cpu,reference"), "did you mean \"HETERO\"?");
  ExpectMentions(Problem("HETERO:cpu,refrence"), "did you mean \"reference\"?");
  ExpectMentions(Problem("MULTI:cpu"), "two or more are needed");
  ExpectMentions(Problem("HETERO:cpu,"), "no device \"\"");
  ExpectMentions(Problem("MULTI:"), "no device \"\"");
  ExpectMentions(Problem("reference.0"), "no device \"reference.0\"");
  for (const char* cores : {"cpu.", "cpu.x", "cpu.-1", "cpu.1-0", "cpu.0-", "cpu.1000000",
                            "cpu.0-1000000", "cpu.99999999999999999999", "MULTI:cpu.0,cpu.1000000"})
    ExpectMentions(Problem(cores), "this process may use 0 to");
}

TEST(Devices, SomeCoresGiveTheSameAsAll) {
  const Tensor x = Ramp({5, 24}, 0.2F);
  const std::vector<Datum> expected = *Make(Mixed(), {.threads = 1})->Run({x});
  const std::vector<Datum> actual = *Make(Mixed(), {.device = "cpu.0"})->Run({x});
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(actual[i].tensor().SameAs(expected[i].tensor()));
}

// An operator whose reference says where it runs, and stands still at a gate.
struct Seen {
  Gate gate;
  std::atomic<int> core = -1;
  std::atomic<int> cores_of_inference = 0;  // how many the thread may use that planned last
};
Seen& TestSeen() {
  static Seen seen;
  return seen;
}

Status InferSame(InferCtx& ctx) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) TestSeen().cores_of_inference = CPU_COUNT(&set);
  ctx.out[0] = ctx.In(0);
  return {};
}

Status Stand(RefCtx& ctx) {
  TestSeen().core = sched_getcpu();
  TestSeen().gate.Pass();
  const std::span<const float> from = ctx.Data<float>(0);
  std::copy(from.begin(), from.end(), ctx.OutData<float>(0).begin());
  return {};
}

Graph Standing() {
  static const Catalog catalog = [] {
    std::vector<OpDef> ops = ops::Standard().ops();
    ops.push_back({.name = "Standing",
                   .inputs = {{"x", ""}},
                   .outputs = {{"y", ""}},
                   .infer = InferSame,
                   .reference = Stand});
    return Catalog(std::move(ops));
  }();
  Graph graph(catalog);
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(4)}));
  graph.AddOutput("y", *graph.Add("Relu", {*graph.Add("Standing", {x})}));
  return graph;
}

TEST(Devices, ARunStaysOnItsCoresAndItsCallerGoesBack) {
  const auto session = Make(Standing(), {.device = "cpu.0"});
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  ASSERT_TRUE(session->Run({Ramp({4}, 1)}).ok());
  EXPECT_EQ(TestSeen().core, UsableCores().front());
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

// Where memory belongs to nodes, what a thread writes first comes to its own: weights are packed
// on the cores that will read them, also on a thread beside the run.
TEST(Devices, PlanningStaysOnTheCoresOfItsDevice) {
  const std::vector<Type> types = {Type::Of(Ramp({4}, 1))};
  const auto first = Make(Standing(), {.device = "cpu.0"});
  TestSeen().cores_of_inference = 0;
  ASSERT_TRUE(first->PlanFor(types).ok());
  EXPECT_EQ(TestSeen().cores_of_inference, 1);
  const auto second = Make(Standing(), {.device = "cpu.0"});
  TestSeen().cores_of_inference = 0;
  ASSERT_TRUE(
      second->Run({Ramp({4}, 1)}, {.deadline = std::chrono::steady_clock::now() + kTooLong}).ok());
  EXPECT_EQ(TestSeen().cores_of_inference, 1);
}

// Two runs at once: neither can end before both have begun.
TEST(Multi, SendsRunsAtOnceToDifferentDevices) {
  const auto session = Make(Standing(), {.device = "MULTI:cpu.0,cpu"});
  EXPECT_EQ(session->Streams(), 2);
  TestSeen().gate.Close();
  const Tensor x = Ramp({4}, 1);
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) callers.emplace_back([&] { EXPECT_TRUE(session->Run({x}).ok()); });
  EXPECT_TRUE(TestSeen().gate.AwaitArrival(2));
  for (const Session::Part& part : session->Parts()) EXPECT_EQ(part.runs, 1) << part.device;
  TestSeen().gate.Open();
  for (std::thread& caller : callers) caller.join();
}

TEST(Multi, AnswersManyCallersWithTheSameBytes) {
  const auto session = Make(Mixed(), {.device = "MULTI:cpu.0,cpu.0", .threads = 1});
  const auto alone = Make(Mixed(), {.threads = 1});
  constexpr int kCallers = 6, kRuns = 20;
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&, c] {
      const Tensor x = Ramp({1 + c, 24}, 0.1F * static_cast<float>(c + 1));
      const std::vector<Datum> expected = *alone->Run({x});
      for (int run = 0; run < kRuns; ++run) {
        const std::vector<Datum> actual = *session->Run({x});
        for (std::size_t i = 0; i < expected.size(); ++i)
          EXPECT_TRUE(actual[i].tensor().SameAs(expected[i].tensor()));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::int64_t runs = 0;
  for (const Session::Part& part : session->Parts()) runs += part.runs;
  EXPECT_EQ(runs, kCallers * kRuns);
}

TEST(Hetero, GivesWhatOneDeviceGivesAndUsesBoth) {
  const auto session = Make(Mixed(), {.device = "HETERO:cpu,reference", .threads = 1});
  const auto alone = Make(Mixed(), {.threads = 1});
  for (const std::int64_t rows : {1, 7, 2}) {
    const Tensor x = Ramp({rows, 24}, 0.3F);
    const std::vector<Datum> expected = *alone->Run({x});
    Result<std::vector<Datum>> actual = session->Run({x});
    ASSERT_TRUE(actual.ok()) << actual.status().ToString();
    ASSERT_EQ(actual->size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE((*actual)[i].tensor().SameAs(expected[i].tensor())) << i;
  }
  const std::vector<Session::Part> parts = session->Parts();
  ASSERT_EQ(parts.size(), 2U);
  for (const Session::Part& part : parts) {
    EXPECT_GE(part.nodes, 2) << part.device;  // Exp and Log have no kernel for f64
    EXPECT_EQ(part.runs, 3) << part.device;
  }
}

TEST(Hetero, LeavesAGraphWholeWhereOneDeviceDoesItAll) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(64), Dim(24)}));
  const ValueId w = graph.AddConstant(Ramp({24, 24}, 0.3F));
  graph.AddOutput("y", Op(graph, "Relu", {Op(graph, "MatMul", {x, w})}));
  const auto session = Make(std::move(graph), {.device = "HETERO:cpu,reference"});
  const std::vector<Session::Part> parts = session->Parts();
  EXPECT_EQ(parts[0].nodes, 2);
  EXPECT_EQ(parts[1].nodes, 0);
}

TEST(Hetero, TakesTheCheaperDeviceWhicheverIsListedFirst) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(512), Dim(512)}));
  graph.AddOutput("y", Op(graph, "MatMul", {Op(graph, "Neg", {x}), x}));
  for (const char* names : {"cpu,reference", "reference,cpu"}) {
    const std::vector<Device> devices = *Device::FindAll(names, {});
    const std::vector<std::size_t> of = *AssignDevices(graph, devices);
    const std::vector<NodeId> order = *graph.Order();
    for (const NodeId id : order)
      EXPECT_EQ(devices[of[static_cast<std::size_t>(id)]].name(), "cpu") << names;
  }
}

TEST(Hetero, EndsBetweenItsPartsWhenARunIsCancelled) {
  const auto session = Make(Mixed(), {.device = "HETERO:cpu,reference"});
  const std::atomic<bool> cancelled = true;
  const Result<std::vector<Datum>> outputs =
      session->Run({Ramp({2, 24}, 0.3F)}, {.deadline = {}, .cancelled = &cancelled});
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.status().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(session->Run({Ramp({2, 24}, 0.3F)}).ok());
}

TEST(Hetero, HandsOutConstantsAsTheCallersOwn) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF64, {Dim(3)}));
  graph.AddOutput("y", Op(graph, "Exp", {x}));
  graph.AddOutput("constant", graph.AddConstant(Ramp({3}, 1)));
  const auto session = Make(std::move(graph), {.device = "HETERO:cpu,reference"});
  const Tensor given = Tensor::FromVector<double>({3}, {0, 1, 2});
  std::vector<Datum> outputs = *session->Run({given});
  EXPECT_DOUBLE_EQ(outputs[0].tensor().Data<double>()[2], std::exp(2.0));
  EXPECT_TRUE(outputs[1].tensor().SameAs(Ramp({3}, 1)));
  const Datum second = (*session->Run({given}))[1];
  EXPECT_NE(second.tensor().raw(), outputs[1].tensor().raw());
}

}  // namespace
}  // namespace athanor
