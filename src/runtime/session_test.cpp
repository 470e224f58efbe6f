#include "runtime/session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"

namespace athanor {
namespace {

// A residual network of matrix products: several values alive at once, views, activations.
Graph Network() {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(24)}));
  ValueId y = x;
  for (int layer = 0; layer < 4; ++layer) {
    const ValueId w = graph.AddConstant(Ramp({24, 24}, 0.1F + static_cast<float>(layer)));
    const ValueId h = Op(graph, "Relu", {Op(graph, "MatMul", {y, w})});
    const ValueId shape = graph.AddConstant(Tensor::FromVector<std::int64_t>({3}, {-1, 4, 6}));
    const ValueId split = Op(graph, "Reshape", {h, shape});
    const ValueId scaled = Op(graph, "Mul", {split, graph.AddConstant(Ramp({6}, 0.7F))});
    const ValueId back = graph.AddConstant(Tensor::FromVector<std::int64_t>({2}, {-1, 24}));
    y = Op(graph, "Add", {y, Op(graph, "Reshape", {scaled, back})});
  }
  graph.AddOutput("y", y);
  graph.AddOutput("x again", x);
  return graph;
}

std::unique_ptr<Session> Make(const SessionOptions& options) {
  Result<std::unique_ptr<Session>> session = Session::Create(Network(), options);
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

void ExpectNear(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.dims(), b.dims());
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    ASSERT_NEAR(a.Data<float>()[at], b.Data<float>()[at],
                1e-3 * (1 + std::abs(b.Data<float>()[at])));
  }
}

TEST(CpuSession, AgreesWithTheReferenceOnEveryInstructionSet) {
  const Tensor x = Ramp({5, 24}, 0.3F);
  const std::vector<Datum> expected = *Make({.device = "reference"})->Run({x});
  for (const Isa isa : AvailableIsas()) {
    const auto session = Make({.device = "cpu", .threads = 2, .isa = isa});
    for (int run = 0; run < 3; ++run) {
      Result<std::vector<Datum>> actual = session->Run({x});
      ASSERT_TRUE(actual.ok()) << actual.status().ToString();
      ExpectNear((*actual)[0].tensor(), expected[0].tensor());
      EXPECT_TRUE((*actual)[1].tensor().SameAs(x));
    }
  }
}

LentTensor Lend(const Tensor& tensor) {
  return {tensor.dims().data(), tensor.raw(), static_cast<std::int32_t>(tensor.rank()),
          tensor.dtype()};
}

// Lent tensors have no Datum: a run whose answer is one of its inputs needs one all the same.
TEST(CpuSession, GivesTheSameForLentTensors) {
  for (const bool input_is_answer : {false, true}) {
    Graph graph(ops::Standard());
    const ValueId a = graph.AddInput("a", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(3)}));
    const ValueId b = graph.AddInput("b", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(3)}));
    graph.AddOutput("sum", Op(graph, "Add", {a, b}));
    if (input_is_answer) graph.AddOutput("b again", b);
    Result<std::unique_ptr<Session>> session = Session::Create(std::move(graph), {});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    for (const std::int64_t rows : {1, 4, 1}) {
      const Tensor x = Ramp({rows, 3}, 0.3F), y = Ramp({rows, 3}, 0.7F);
      for (int run = 0; run < 3; ++run) {
        const std::vector<LentTensor> lent = {Lend(x), Lend(y)};
        const std::vector<Datum> actual = *(*session)->RunLent(lent);
        const std::vector<Datum> expected = *(*session)->Run({x, y});
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i)
          EXPECT_TRUE(actual[i].tensor().SameAs(expected[i].tensor()));
      }
    }
    const Tensor wrong = Ramp({2, 4}, 0.3F);
    const LentTensor lent = {wrong.dims().data(), wrong.raw(), 2, DType::kF32};
    EXPECT_FALSE((*session)->RunLent(std::vector<LentTensor>{lent, lent}).ok());
    EXPECT_FALSE((*session)->RunLent(std::vector<LentTensor>{lent}).ok());
  }
}

AnswerRoom RoomOf(Tensor& tensor) {
  return {tensor.dims().data(), tensor.mutable_raw(), static_cast<std::int32_t>(tensor.rank()),
          tensor.dtype()};
}

TEST(CpuSession, WritesAnswersIntoTheCallersMemory) {
  for (const char* device : {"cpu", "reference"}) {
    const auto session = Make({.device = device});  // one of its answers is its input
    for (const std::int64_t rows : {1, 4, 1, 1}) {
      const Tensor x = Ramp({rows, 24}, 0.3F);
      const std::vector<Datum> expected = *session->Run({x});
      Tensor y = Ramp({rows, 24}, 1), again = Ramp({rows, 24}, 1);
      for (int run = 0; run < 3; ++run) {
        const std::vector<AnswerRoom> rooms = {RoomOf(y), RoomOf(again)};
        const Status status = session->RunInto(std::vector<LentTensor>{Lend(x)}, rooms);
        ASSERT_TRUE(status.ok()) << status.ToString();
        EXPECT_TRUE(y.SameAs(expected[0].tensor()));
        EXPECT_TRUE(again.SameAs(x));
      }
    }
  }
}

// The network without its second answer, so that inputs are lent.
std::unique_ptr<Session> Summing() {
  Graph graph(ops::Standard());
  const ValueId a = graph.AddInput("a", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(3)}));
  const ValueId sum = Op(graph, "Add", {a, a});
  graph.AddOutput("sum", sum);
  graph.AddOutput("row", Op(graph, "Reshape",
                            {sum, graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {-1}))}));
  return *Session::Create(std::move(graph), {.threads = 1});
}

TEST(CpuSession, RefusesMemoryForAnotherAnswer) {
  const auto session = Summing();
  const Tensor x = Ramp({2, 3}, 0.3F);
  const std::vector<LentTensor> lent = {Lend(x)};
  Tensor sum = Ramp({2, 3}, 1), row = Ramp({6}, 1), other = Ramp({3, 2}, 1);
  Tensor wide = *Tensor::Allocate(DType::kF64, {2, 3});
  for (int run = 0; run < 3; ++run) {
    EXPECT_TRUE(session->RunInto(lent, std::vector{RoomOf(sum), RoomOf(row)}).ok());
    EXPECT_EQ(row.Data<float>()[5], 2 * x.Data<float>()[5]);
    const auto message = [&](Tensor& room) {
      return session->RunInto(lent, std::vector{RoomOf(room), RoomOf(row)}).message();
    };
    EXPECT_EQ(message(other), "output \"sum\" is f32[2, 3]; there is memory for f32[3, 2]");
    EXPECT_EQ(message(wide), "output \"sum\" is f32[2, 3]; there is memory for f64[2, 3]");
    EXPECT_EQ(session->RunInto(lent, std::vector{RoomOf(sum)}).message(),
              "the model has 2 outputs; there is memory for 1");
  }
}

// What one run leaves for the next is taken by one of them only.
TEST(CpuSession, WritesForManyThreadsAndShapesAtOnce) {
  const auto session = Summing();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::int64_t run = 0; run < 400; ++run) {
        const std::int64_t rows = 1 + (thread + run / 7) % 3;
        const Tensor x = Ramp({rows, 3}, static_cast<float>(thread + 1));
        Tensor sum = Ramp({rows, 3}, 0), row = Ramp({rows * 3}, 0);
        const bool ok =
            run % 5 == 0
                ? session->Run({x}).ok()
                : session->RunInto(std::vector{Lend(x)}, std::vector{RoomOf(sum), RoomOf(row)})
                      .ok();
        for (std::size_t i = 0; run % 5 != 0 && i < row.Data<float>().size(); ++i)
          wrong += row.Data<float>()[i] != 2 * x.Data<float>()[i];
        wrong += !ok;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(CpuSession, GivesTheSameWhenDeadMemoryIsOverwritten) {
  const Tensor x = Ramp({7, 24}, 0.3F);
  const std::vector<Datum> expected = *Make({})->Run({x});
  const std::vector<Datum> poisoned = *Make({.poison = true})->Run({x});
  EXPECT_TRUE(poisoned[0].tensor().SameAs(expected[0].tensor()));
}

TEST(CpuSession, PlansAnewForEveryInputShape) {
  const auto session = Make({});
  const auto reference = Make({.device = "reference"});
  for (const std::int64_t rows : {1, 2, 1, 30, 3, 4, 5, 6, 7, 8, 9, 10, 1}) {
    const Tensor x = Ramp({rows, 24}, 0.2F);
    ExpectNear((*session->Run({x}))[0].tensor(), (*reference->Run({x}))[0].tensor());
  }
}

// Nobody waits for planning once every shape of a stream has been seen.
TEST(CpuSession, PlansAStreamOfManyShapesOnce) {
  constexpr std::int64_t kShapes = 20;
  const auto session = Make({});
  const auto plan_of = [&](std::int64_t rows) {
    return *session->PlanFor({Type::Tensor(DType::kF32, {Dim(rows), Dim(24)})});
  };
  std::vector<std::shared_ptr<const Plan>> plans;
  std::vector<std::vector<Datum>> answers;
  for (std::int64_t rows = 1; rows <= kShapes; ++rows) {
    answers.push_back(*session->Run({Ramp({rows, 24}, 0.2F)}));
    plans.push_back(plan_of(rows));
  }
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t rows = kShapes; rows >= 1; --rows) {
      const auto i = static_cast<std::size_t>(rows - 1);
      const std::vector<Datum> outputs = *session->Run({Ramp({rows, 24}, 0.2F)});
      EXPECT_TRUE(outputs[0].tensor().SameAs(answers[i][0].tensor()));
      EXPECT_EQ(plan_of(rows), plans[i]);
    }
  }
}

TEST(CpuSession, RunsFromManyThreadsAtOnce) {
  const auto session = Make({.threads = 2});
  const auto reference = Make({.device = "reference"});
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Tensor x = Ramp({1 + t % 3, 24}, 0.1F * static_cast<float>(t + 1));
      const std::vector<Datum> expected = *reference->Run({x});
      for (int run = 0; run < 20; ++run)
        ExpectNear((*session->Run({x}))[0].tensor(), expected[0].tensor());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CpuSession, FusesActivationsAndReusesMemory) {
  const auto session = Make({});
  const auto plan = *session->PlanFor({Type::Tensor(DType::kF32, {Dim(64), Dim(24)})});
  // MatMul with Relu, Mul, Add: three steps a layer; views take none.
  EXPECT_EQ(plan->steps.size(), 12U);
  EXPECT_EQ(plan->steps[0].nodes.size(), 2U);
  EXPECT_LE(plan->arena_bytes, plan->lower_bound_bytes * 5 / 4);
}

// Relu of x read by two sums, each with another operand: the shape of a pre-activation block.
Graph TwoConsumers(std::string_view producer) {
  Graph graph(ops::Standard());
  const Type type = Type::Tensor(DType::kF32, {Dim(300), Dim(1000)});
  const ValueId x = graph.AddInput("x", type);
  const ValueId between = Op(graph, producer, {x});
  graph.AddOutput("a", Op(graph, "Neg", {Op(graph, "Add", {between, graph.AddInput("p", type)})}));
  graph.AddOutput("b", Op(graph, "Mul", {between, graph.AddInput("q", type)}));
  return graph;
}

TEST(CpuSession, ClonesACheapProducerIntoItsConsumersWhenThatSavesAPassOverMemory) {
  const auto session = *Session::Create(TwoConsumers("Relu"), {});
  const Type type = Type::Tensor(DType::kF32, {Dim(300), Dim(1000)});
  const auto plan = *session->PlanFor({type, type, type});
  ASSERT_EQ(plan->steps.size(), 2U);
  EXPECT_EQ(plan->steps[0].nodes.size() + plan->steps[1].nodes.size(), 5U);
  double bytes = 0;
  for (const Step& step : plan->steps) {
    EXPECT_EQ(step.notes.clones, 2);
    // Written once and read twice before, against x read once more.
    EXPECT_EQ(step.notes.saved_bytes, 2 * 4 * 300 * 1000);
    bytes += step.notes.bytes;
  }
  EXPECT_EQ(bytes, 6 * 4 * 300 * 1000);
  EXPECT_EQ(plan->arena_bytes, 0);
}

TEST(CpuSession, ClonedProducersGiveTheAnswersOfTheReference) {
  const std::vector<Datum> inputs = {Ramp({300, 1000}, 0.3F), Ramp({300, 1000}, 0.7F),
                                     Ramp({300, 1000}, 0.9F)};
  for (const char* producer : {"Relu", "Tanh", "Mish"}) {
    const auto reference = *Session::Create(TwoConsumers(producer), {.device = "reference"});
    const std::vector<Datum> expected = *reference->Run(inputs);
    for (const Isa isa : AvailableIsas()) {
      const auto session =
          *Session::Create(TwoConsumers(producer), {.threads = 2, .isa = isa, .poison = true});
      const Result<std::vector<Datum>> actual = session->Run(inputs);
      ASSERT_TRUE(actual.ok()) << actual.status().ToString();
      for (std::size_t i = 0; i < 2; ++i) ExpectNear((*actual)[i].tensor(), expected[i].tensor());
    }
  }
}

// A chain of element-wise nodes reads an operand of its own tail: it must not write over it.
TEST(CpuSession, KeepsAnInputThatItsOwnEpilogueReadsAgain) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(5000)}));
  const ValueId half = Op(graph, "Softmax", {x});
  graph.AddOutput("y", Op(graph, "Add", {Op(graph, "Neg", {half}), half}));
  const auto session = *Session::Create(std::move(graph), {.optimize = false});
  const std::vector<Datum> outputs = *session->Run({Ramp({5000}, 0.3F)});
  for (const float y : outputs[0].tensor().Data<float>()) ASSERT_EQ(y, 0.0F);
}

TEST(CpuSession, ReportsTheTimeOfEveryStep) {
  const auto session = Make({});
  const Result<Profile> profile = session->RunProfiled({Ramp({2, 24}, 1)});
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->step_times.size(), profile->plan->steps.size());
}

TEST(Session, SaysWhichInputIsWrong) {
  for (const char* device :
       {"cpu", "cpu.0", "reference", "MULTI:cpu,reference", "HETERO:cpu,reference"}) {
    const auto session = Make({.device = device});
    EXPECT_EQ(session->Run({}).status().message(), "0 inputs are given; 1 are expected");
    EXPECT_EQ(session->Run({Ramp({24}, 1)}).status().message(),
              "input \"x\": f32[N, 24] is expected, f32[24] is given");
    EXPECT_EQ(session->Run({Tensor::Scalar<double>(1)}).status().code(), ErrorCode::kInvalidInput);
  }
}

TEST(CpuSession, KeepsNoValuesOfARunThatFailed) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(4)}));
  const ValueId at = graph.AddInput("at", Type::Tensor(DType::kI64, {Dim(1)}));
  graph.AddOutput("y", Op(graph, "Gather", {x, at}));
  const auto session = *Session::Create(std::move(graph), {.device = "cpu"});
  const Tensor data = Ramp({4}, 1);
  const Result<std::vector<Datum>> outputs =
      session->Run({data, Tensor::FromVector<std::int64_t>({1}, {9})});
  EXPECT_FALSE(outputs.ok());
  EXPECT_EQ(data.owner().use_count(), 1);
}

TEST(Session, ChecksElementTypesOfSequences) {
  Graph graph(ops::Standard());
  const Type floats = Type::TensorOfUnknownRank(DType::kF32);
  const ValueId s = graph.AddInput("s", Type::Sequence(floats));
  graph.AddOutput("n", Op(graph, "SequenceLength", {s}));
  const auto session = *Session::Create(std::move(graph), {.device = "cpu"});
  EXPECT_TRUE(session->Run({Datum::Sequence({})}).ok());
  EXPECT_TRUE(session->Run({Datum::Sequence({Ramp({2}, 1), Ramp({3}, 1)})}).ok());
  const Datum mixed = Datum::Sequence({Ramp({2}, 1), Tensor::Scalar<double>(1)});
  EXPECT_EQ(session->Run({mixed}).status().code(), ErrorCode::kInvalidInput);
  const Datum nested = Datum::Sequence({Datum::Sequence({})});
  EXPECT_EQ(session->Run({nested}).status().code(), ErrorCode::kInvalidInput);
}

TEST(OrderInputs, ListsEveryNameThatIsWrong) {
  const Graph graph = Network();
  const Status status = OrderInputs(graph, {{"X1", Datum(Ramp({1}, 1))}}).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnknownName);
  ASSERT_EQ(status.others().size(), 1U);
  EXPECT_EQ(status.others()[0].message(), "input \"x\" (f32[N, 24]) is missing");
}

// Two convolutions, a sum and a pooling, of channels that fill no block.
Graph Pictures() {
  Graph graph(ops::Standard());
  const auto conv = [&](ValueId x, Dims w) {
    return *graph.Add("Conv", {x, graph.AddConstant(Ramp(std::move(w), 0.37F))},
                      {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  };
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(2), Dim(3), Dim(20), Dim(21)}));
  const ValueId a = Op(graph, "Relu", {conv(x, {13, 3, 3, 3})});
  const ValueId b = Op(graph, "Add", {conv(a, {13, 13, 3, 3}), a});
  graph.AddOutput("b", b);
  graph.AddOutput("mean", Op(graph, "GlobalAveragePool", {b}));
  return graph;
}

// It said: before node "" (Erf).
TEST(ReferenceSession, NamesANodeWithoutANameByWhatItGives) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {4}));
  const ValueId y = Op(graph, "Erf", {x});
  graph.AddOutput("y", y);
  graph.SetName(y, "error");
  const auto session = *Session::Create(std::move(graph), {.device = "reference"});
  const auto late = session->Run({Ramp({4}, 1)}, {.deadline = std::chrono::steady_clock::now()});
  EXPECT_EQ(late.status().where(), "before node \"error\" (Erf)");
}

TEST(CpuSession, ShowsAndGivesRowMajorValuesWhateverTheLayoutOfAStep) {
  const Tensor x = Ramp({2, 3, 20, 21}, 0.1F);
  const auto reference = *Session::Create(Pictures(), {.device = "reference"});
  const std::vector<Datum> expected = *reference->Run({x});
  for (const Isa isa : AvailableIsas()) {
    int seen = 0;
    const auto session = *Session::Create(
        Pictures(), {.threads = 2,
                     .observer =
                         [&](const Graph& graph, NodeId node, std::span<const Datum> values) {
                           const std::string& op = graph.node(node).op->name;
                           if (op != "Add" && op != "GlobalAveragePool") return;
                           ExpectNear(values[0].tensor(), expected[op == "Add" ? 0 : 1].tensor());
                           ++seen;
                         },
                     .isa = isa,
                     .poison = true});
    const std::vector<Datum> actual = *session->Run({x});
    ExpectNear(actual[0].tensor(), expected[0].tensor());
    ExpectNear(actual[1].tensor(), expected[1].tensor());
    EXPECT_EQ(seen, 2);
  }
}

}  // namespace
}  // namespace athanor
