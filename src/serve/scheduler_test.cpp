#include "serve/scheduler.h"

#include <gtest/gtest.h>

#include <future>

namespace athanor::serve {
namespace {

constexpr const char* kDigits = "examples/digits/digits.onnx";

std::shared_ptr<const ServedModel> Digits(std::int64_t max_batch = 8) {
  auto model =
      ServedModel::Load("digits", kDigits, {.device = "cpu", .threads = 1, .max_batch = max_batch});
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return *model;
}

Tensor Image(float value, std::int64_t rows = 1) {
  return Tensor::FromVector<float>(
      {rows, 1, 32, 32}, std::vector<float>(static_cast<std::size_t>(rows) * 1024, value));
}

// A request whose answer can be waited for.
struct Asked {
  std::shared_ptr<Job> job = std::make_shared<Job>();
  std::promise<InferAnswer> promise;
  std::future<InferAnswer> answer = promise.get_future();
};

class SchedulerTest : public testing::Test {
 protected:
  std::unique_ptr<Asked> Ask(Scheduler& scheduler, Tensor image, int deadline_ms = 0) {
    auto asked = std::make_unique<Asked>();
    asked->job->model = model_;
    asked->job->fallback = fallback_;
    asked->job->line = line_;
    asked->job->inputs = {std::move(image)};
    if (deadline_ms > 0)
      asked->job->deadline = asked->job->arrival + std::chrono::milliseconds(deadline_ms);
    asked->job->done = [&promise = asked->promise](InferAnswer answer) {
      promise.set_value(std::move(answer));
    };
    scheduler.Submit(asked->job);
    return asked;
  }
  void DeclareDefault() {
    auto parsed = DefaultAnswer::Parse(R"({"logits": 0.5})", *model_);
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    fallback_ = *parsed;
  }

  std::shared_ptr<const ServedModel> model_ = Digits();
  std::shared_ptr<const DefaultAnswer> fallback_;
  std::shared_ptr<ModelLine> line_ = std::make_shared<ModelLine>();
};

TEST_F(SchedulerTest, StackedRequestsGetTheAnswersOfSingleOnes) {
  ASSERT_EQ(model_->max_batch(), 8) << model_->batch_note();
  Scheduler scheduler({.workers = 1, .batch_delay = std::chrono::milliseconds(200)});
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 8; ++i) asked.push_back(Ask(scheduler, Image(static_cast<float>(i) / 8.0F)));
  for (int i = 0; i < 8; ++i) {
    const InferAnswer answer = asked[static_cast<std::size_t>(i)]->answer.get();
    ASSERT_TRUE(answer.status.ok());
    const std::vector<Tensor> input = {Image(static_cast<float>(i) / 8.0F)};
    const auto single = model_->Run(input);
    for (std::size_t k = 0; k < 10; ++k) {
      // Kernels may add in another order for another number of rows.
      EXPECT_NEAR(answer.outputs[0].Data<float>()[k], (*single)[0].Data<float>()[k], 1e-4);
    }
  }
  EXPECT_EQ(line_->metrics.runs, 1U);
  EXPECT_EQ(line_->metrics.rows, 8U);
}

TEST_F(SchedulerTest, AHangingWorkerDoesNotKeepTheDefaultFromItsDeadline) {
  DeclareDefault();
  Scheduler scheduler({.workers = 1, .injected_delay = std::chrono::milliseconds(400)});
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(Ask(scheduler, Image(0, 2), 30));
  for (const auto& one : asked) {
    const InferAnswer answer = one->answer.get();
    EXPECT_LT(Clock::now() - one->job->arrival, std::chrono::milliseconds(300));
    EXPECT_EQ(answer.fallback, kDeadlineReason);
    EXPECT_EQ(answer.outputs[0].dims(), (Dims{2, 10}));
    EXPECT_EQ(answer.outputs[0].Data<float>()[19], 0.5F);
  }
  EXPECT_TRUE(scheduler.Stop(std::chrono::seconds(10)));
  // What had expired in the queue was never run.
  EXPECT_EQ(line_->metrics.runs, 1U);
  EXPECT_EQ(line_->metrics.defaults_deadline, 20U);
}

TEST_F(SchedulerTest, WithoutADefaultTheDeadlineIsAnError) {
  Scheduler scheduler({.workers = 1, .injected_delay = std::chrono::milliseconds(200)});
  const auto asked = Ask(scheduler, Image(0), 20);
  const Status status = asked->answer.get().status;
  EXPECT_EQ(status.code(), ErrorCode::kDeadline);
  EXPECT_NE(status.message().find("20 ms were allowed, "), std::string::npos) << status.ToString();
  EXPECT_NE(status.fix().find("--default"), std::string::npos);
}

TEST_F(SchedulerTest, AFullQueueRefusesAndTheOthersAreAnswered) {
  Scheduler scheduler(
      {.workers = 1, .max_queue = 2, .injected_delay = std::chrono::milliseconds(500)});
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 10; ++i) asked.push_back(Ask(scheduler, Image(0)));
  int answered = 0, refused = 0;
  for (const auto& one : asked) {
    const Status status = one->answer.get().status;
    answered += status.ok();
    refused += status.code() == ErrorCode::kCancelled;
  }
  EXPECT_EQ(answered + refused, 10);
  EXPECT_GE(answered, 2);
  // At most two run, as one batch, and two wait.
  EXPECT_GE(refused, 6);
}

TEST_F(SchedulerTest, StopAnswersWhatIsQueuedAndRefusesWhatComesLater) {
  Scheduler scheduler({.workers = 1, .injected_delay = std::chrono::milliseconds(20)});
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(Ask(scheduler, Image(0)));
  EXPECT_TRUE(scheduler.Stop(std::chrono::seconds(10)));
  for (const auto& one : asked) EXPECT_TRUE(one->answer.get().status.ok());
  EXPECT_EQ(Ask(scheduler, Image(0))->answer.get().status.code(), ErrorCode::kCancelled);
}

TEST_F(SchedulerTest, AFullRunOfOneModelDoesNotWaitForTheCompanyOfAnother) {
  Scheduler scheduler({.workers = 1, .batch_delay = std::chrono::seconds(60)});
  const auto lonely = Ask(scheduler, Image(0));
  model_ = Digits(2);
  ASSERT_EQ(model_->max_batch(), 2) << model_->batch_note();
  const auto first = Ask(scheduler, Image(0)), second = Ask(scheduler, Image(0));
  EXPECT_EQ(first->answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(second->answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(lonely->answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_TRUE(scheduler.Stop(std::chrono::seconds(20)));
  EXPECT_TRUE(lonely->answer.get().status.ok());
}

TEST_F(SchedulerTest, AnAnswerThatDoesNotFitIntoMemoryHarmsNoOther) {
  Scheduler scheduler({.workers = 1, .injected_delay = std::chrono::milliseconds(50)});
  const auto job = std::make_shared<Job>();
  job->model = model_;
  job->line = line_;
  job->inputs = {Image(0)};
  job->done = [](const InferAnswer&) { throw std::bad_alloc(); };
  scheduler.Submit(job);
  EXPECT_TRUE(Ask(scheduler, Image(0))->answer.get().status.ok());
  EXPECT_TRUE(scheduler.Stop(std::chrono::seconds(20)));
}

TEST(DefaultAnswer, MustNameEveryOutputAndNoOther) {
  const auto model = Digits();
  EXPECT_EQ(DefaultAnswer::Parse("{}", *model).status().code(), ErrorCode::kUsage);
  EXPECT_EQ(DefaultAnswer::Parse(R"({"logit": 0})", *model).status().code(),
            ErrorCode::kUnknownName);
  EXPECT_FALSE(DefaultAnswer::Parse(R"({"logits": [1, 2]})", *model).ok());
  EXPECT_FALSE(DefaultAnswer::Parse("[", *model).ok());
  EXPECT_TRUE(DefaultAnswer::Parse(R"({"logits": [0,1,2,3,4,5,6,7,8,9]})", *model).ok());
}

TEST(ServedModel, RowsThatDependOnEachOtherAreNotStacked) {
  const std::string path = testing::TempDir() + "rows_meet.txt";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(R"(graph rows(x: f32[N, 4]) -> (y: f32[N, 4]) {
  %y: f32[N, 4] = Softmax(%x) {axis = 0}
}
)",
             file);
  std::fclose(file);
  const auto model = ServedModel::Load("rows", path, {.max_batch = 8});
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->max_batch(), 1);
  EXPECT_NE((*model)->batch_note().find("depend on each other"), std::string::npos)
      << (*model)->batch_note();
}

TEST(DeadlineTimer, CallsInOrderAndForgetsWhatIsCancelled) {
  std::mutex mutex;
  std::vector<int> called;
  DeadlineTimer timer;
  const auto now = Clock::now();
  const auto add = [&](int ms) {
    return timer.Add(now + std::chrono::milliseconds(ms), [&, ms] {
      const std::scoped_lock lock(mutex);
      called.push_back(ms);
    });
  };
  add(60);
  const auto cancelled = add(40);
  add(20);
  timer.Cancel(cancelled);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(called, (std::vector<int>{20, 60}));
}

}  // namespace
}  // namespace athanor::serve
