// What a session does when the machine gives it too little: memory, cores, threads after a fork.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"

namespace athanor {
namespace {

using Clock = std::chrono::steady_clock;

#ifdef __has_feature  // sanitizers, for which the presets take clang, need memory and time of their
                      // own
constexpr bool kInstrumented = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kInstrumented = false;
#endif

constexpr std::int64_t kMiB = 1 << 20;

// Of this process, reserved or used.
std::int64_t AddressSpace() {
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * sysconf(_SC_PAGE_SIZE);
}

// Allocated and not freed.
std::int64_t InUse() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

// While it lives, the process gets no more than `spare` bytes beside what it has.
class ScarceMemory {
 public:
  explicit ScarceMemory(std::int64_t spare) {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit scarce = {static_cast<rlim_t>(AddressSpace() + spare), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &scarce), 0);
  }
  ~ScarceMemory() { setrlimit(RLIMIT_AS, &before_); }
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;

 private:
  rlimit before_ = {};
};

std::unique_ptr<Session> Make(Graph graph, const SessionOptions& options = {.threads = 2}) {
  Result<std::unique_ptr<Session>> session = Session::Create(std::move(graph), options);
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

void ExpectResource(const Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), ErrorCode::kResource) << status.ToString();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.ToString();
  EXPECT_FALSE(status.fix().empty());
}

// Rows of one number become rows of 4096, sorted, and one number again.
Graph Widening() {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(1)}));
  const ValueId wide =
      Op(graph, "Softmax", {Op(graph, "Add", {x, graph.AddConstant(Ramp({4096}, 1))})});
  const ValueId axes = graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {1}));
  graph.AddOutput("y", Op(graph, "ReduceMax", {wide, axes}));
  return graph;
}

TEST(OutOfMemory, ForARunNamesTheSizeOfThePlanAndLeavesNothingBehind) {
  if (kInstrumented) GTEST_SKIP() << "sanitizers reserve memory of their own";
  const auto session = Make(Widening());
  const Tensor small = Ramp({1, 1}, 1), large = Ramp({32768, 1}, 1);  // rows of 512 MiB
  ASSERT_TRUE(session->Run({small}).ok());
  const std::int64_t needed = (*session->PlanFor({Type::Of(large)}))->arena_bytes;
  ASSERT_GT(needed, 256 * kMiB);
  {
    const ScarceMemory scarce(128 * kMiB);
    const std::int64_t before = InUse();
    for (int i = 0; i < 20; ++i) {
      const auto answer = session->Run({large});
      ASSERT_FALSE(answer.ok());
      ExpectResource(answer.status(), fmt::format("{} bytes for each run", needed));
    }
    EXPECT_LT(InUse() - before, kMiB);
    EXPECT_TRUE(session->Run({small}).ok());
  }
  EXPECT_TRUE(session->Run({large}).ok());
}

// y = x W, with 64 MiB of W twice.
Graph Heavy() {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(4096)}));
  ValueId y = x;
  for (int layer = 0; layer < 2; ++layer) {
    Tensor w = *Tensor::Allocate(DType::kF32, {4096, 4096});
    const std::span<float> values = w.MutableData<float>();
    std::fill(values.begin(), values.end(), 0.01F + static_cast<float>(layer));
    y = Op(graph, "MatMul", {y, graph.AddConstant(std::move(w))});
  }
  graph.AddOutput("y", y);
  return graph;
}

TEST(OutOfMemory, WhilePlanningNamesWhatAllWeightsNeedAndLeavesNothingBehind) {
  if (kInstrumented) GTEST_SKIP() << "sanitizers reserve memory of their own";
  const auto session = Make(Heavy());
  const Tensor x = Ramp({64, 4096}, 1);
  {
    const ScarceMemory scarce(96 * kMiB);  // the first of the two has room
    const std::int64_t before = InUse();
    for (int i = 0; i < 5; ++i) {
      const auto answer = session->Run({x});
      ASSERT_FALSE(answer.ok());
      ExpectResource(answer.status(), fmt::format("{} bytes for its weights", 128 * kMiB));
      // The first product's, which serve when there is memory for the others.
      EXPECT_LT(InUse() - before, 65 * kMiB);
    }
  }
  EXPECT_TRUE(session->Run({x}).ok());
}

// Products that are shared out between threads, of about 0.1 ms each.
Graph Products() {
  Graph graph(ops::Standard());
  ValueId y = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(64), Dim(256)}));
  for (int layer = 0; layer < 6; ++layer) {
    const ValueId w = graph.AddConstant(Ramp({256, 256}, 0.1F + static_cast<float>(layer)));
    y = Op(graph, "Tanh", {Op(graph, "MatMul", {y, w})});
  }
  graph.AddOutput("y", y);
  return graph;
}

double FastestMs(Session& session, const Tensor& x) {
  double best = 1e9;
  const auto begin = Clock::now();
  for (int run = 0; run < 100 && (run < 10 || Clock::now() - begin < std::chrono::seconds(1));
       ++run) {
    const auto start = Clock::now();
    EXPECT_TRUE(session.Run({x}).ok());
    best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return best;
}

// Threads that have no core wait for one with a part of the work: none may hold up the others for
// long, nor for ever. Ten times what one thread takes is far above what was seen (below 2).
TEST(ManyThreads, NeitherStandStillNorTakeManyTimesAsLong) {
  const Tensor x = Ramp({64, 256}, 0.3F);
  const auto alone = Make(Products(), {.threads = 1});
  const Tensor expected = (*alone->Run({x}))[0].tensor();
  const double one = FastestMs(*alone, x);
  for (const int threads : {2, 3, 4, 8, 16, 32, 64}) {
    const auto session = Make(Products(), {.threads = threads});
    const double many = FastestMs(*session, x);
    if (!kInstrumented) {
      EXPECT_LT(many, 10 * one) << threads << " threads";
    }
    RecordProperty(fmt::format("of_{}_threads", threads), fmt::format("{:.2f}", many / one));
    const Tensor actual = (*session->Run({x}))[0].tensor();
    for (std::size_t i = 0; i < 64 * 256; ++i)
      ASSERT_NEAR(actual.Data<float>()[i], expected.Data<float>()[i], 1e-4);
  }
}

// A fork has the session, but none of its threads.
TEST(Fork, BothProcessesGoOnWithASessionThatHasRun) {
  const Tensor x = Ramp({64, 256}, 0.3F);
  const auto session = Make(Products(), {.threads = 4, .streams = 2});
  const Tensor expected = (*session->Run({x}))[0].tensor();
  const auto answers = [&](const RunOptions& options) {
    const auto outputs = session->Run({x}, options);
    return outputs.ok() && (*outputs)[0].tensor().SameAs(expected);
  };
  ASSERT_TRUE(answers({.deadline = Clock::now() + std::chrono::seconds(60)}));
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // rather than waiting for ever
    const bool right =
        answers({}) && answers({.deadline = Clock::now() + std::chrono::seconds(60)});
    // Another shape is planned there, too.
    const bool planned = Make(Products())->Run({x}).ok();
    _exit(right && planned ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(answers({}));
}

}  // namespace
}  // namespace athanor
