#include "serve/server.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "serve/load.h"

namespace athanor::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kDigits = "examples/digits/digits.onnx";

// A model whose inputs are counted against `max_held_bytes`, and a worker that hangs a while.
class ServiceTest : public testing::Test {
 protected:
  void Open(const std::string& path, milliseconds hangs, std::size_t max_held_bytes) {
    auto opened = Repository::Open({{.name = "model", .path = path}}, {.threads = 1});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    repository_ = *std::move(opened);
    scheduler_ = std::make_unique<Scheduler>(
        SchedulerOptions{.workers = 1, .batch_delay = {}, .injected_delay = hangs});
    service_ = std::make_unique<Service>(*repository_, *scheduler_, false, max_held_bytes);
  }
  ErrorCode Ask(const std::string& input, Tensor tensor, milliseconds deadline = seconds(60)) {
    const auto call = std::make_shared<Service::Call>();
    call->model = "model";
    call->request.inputs.push_back({input, std::move(tensor)});
    call->deadline = call->arrival + deadline;
    std::promise<ErrorCode> promise;
    service_->Infer(call,
                    [&](const InferAnswer& answer) { promise.set_value(answer.status.code()); });
    return promise.get_future().get();
  }

  std::unique_ptr<Repository> repository_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Service> service_;
};

TEST_F(ServiceTest, InputsAreCountedUntilTheirRunEndsAlsoAfterTheDeadline) {
  Open(kDigits, milliseconds(500), 6000);  // one image, of 4096 bytes
  const auto image = [] {
    return Tensor::FromVector<float>({1, 1, 32, 32}, std::vector<float>(1024));
  };
  EXPECT_EQ(Ask("image", image(), milliseconds(20)), ErrorCode::kDeadline);
  EXPECT_EQ(Ask("image", image()), ErrorCode::kResource);
  const Clock::time_point end = Clock::now() + seconds(20);
  ErrorCode code = ErrorCode::kResource;
  while (code == ErrorCode::kResource && Clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(20));
    code = Ask("image", image());
  }
  EXPECT_EQ(code, ErrorCode::kOk);
}

TEST_F(ServiceTest, AStringCountsAsWhatItTakesInMemory) {
  const std::string path = testing::TempDir() + "texts.txt";
  std::ofstream(path) << "graph texts(x: string[N]) -> (y: string[N]) {\n  %y = Identity(%x)\n}\n";
  Open(path, {}, 50 * sizeof(std::string));
  const auto texts = [](std::int64_t count, const std::string& text) {
    return Tensor::FromVector<std::string>(
        {count}, std::vector<std::string>(static_cast<std::size_t>(count), text));
  };
  EXPECT_EQ(Ask("x", texts(50, "")), ErrorCode::kOk);
  EXPECT_EQ(Ask("x", texts(51, "")), ErrorCode::kResource);
  EXPECT_EQ(Ask("x", texts(1, std::string(2000, 'a'))), ErrorCode::kResource);
}

TEST(Server, MayGoWhileRequestsAreOnTheirWay) {
  ServerOptions options;
  options.models = {{.name = "digits", .path = kDigits}};
  options.model = {.device = "cpu", .threads = 1, .max_batch = 1};
  options.scheduler = {.workers = 1, .batch_delay = {}, .injected_delay = milliseconds(100)};
  options.http.port = options.grpc.port = options.metrics_port = 0;
  auto server = Server::Start(options);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  const auto line = (*server)->models()[0].line;
  LoadOptions load;
  load.port = (*server)->http_port();
  load.requests = load.concurrency = 4;
  std::future<Result<LoadResult>> clients =
      std::async(std::launch::async, [&load] { return RunLoad(load); });
  // One may run already.
  const Clock::time_point end = Clock::now() + seconds(20);
  while (line->metrics.pending.load() < 3 && Clock::now() < end)
    std::this_thread::sleep_for(milliseconds(1));
  ASSERT_GE(line->metrics.pending.load(), 3);
  *server = nullptr;
  EXPECT_GE(line->metrics.success.count.load(), 3U);
  EXPECT_TRUE(clients.get().ok());
}

TEST(Server, APortThatIsTakenEndsTheStartWithAnError) {
  ServerOptions options;
  options.models = {{.name = "digits", .path = kDigits}};
  options.model = {.device = "cpu", .threads = 1, .max_batch = 1};
  options.http.port = options.grpc.port = options.metrics_port = 0;
  const auto first = Server::Start(options);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  options.metrics_port = (*first)->http_port();
  EXPECT_EQ(Server::Start(options).status().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace athanor::serve
