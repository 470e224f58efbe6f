#include <fmt/core.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "athanor/athanor.hpp"

extern "C" int32_t ath_c_test_run(const char* path, const float* input, const int64_t* dims,
                                  int32_t rank, float* output, int64_t capacity);
extern "C" int32_t ath_c_test_refusals(const char* path, char* got, size_t capacity);
extern "C" int32_t ath_c_test_later_caller(const char* path);

// pipeline_test.cpp
std::string MakePackageFile();
std::string MakePictureFile(int red, int green, int blue);

namespace {

constexpr const char* kDigits = "examples/digits/digits.onnx";
const std::vector<int64_t> kOneImage = {1, 1, 32, 32};

std::vector<float> GreyImage() { return std::vector<float>(32 * 32, 0.25F); }

TEST(CppApi, ThreeLinesGiveAnAnswer) {
  athanor::Model net = athanor::load(kDigits);
  const std::vector<float> pixels = GreyImage();
  const std::vector<float> logits = net({athanor::view(pixels, kOneImage)})[0].to_vector<float>();
  EXPECT_EQ(logits.size(), 10U);
}

TEST(CppApi, DescribesInputsAndOutputs) {
  const athanor::Model net = athanor::load(kDigits);
  ASSERT_EQ(net.inputs().size(), 1U);
  EXPECT_EQ(net.inputs()[0].name, "image");
  EXPECT_EQ(net.inputs()[0].dims, (std::vector<int64_t>{-1, 1, 32, 32}));
  EXPECT_EQ(net.outputs()[0].type, "f32[N, 10]");
  EXPECT_GT(net.num_parameters(), 40000);
}

TEST(CppApi, ACommonSymbolicFirstDimensionIsABatch) {
  EXPECT_TRUE(athanor::load(kDigits).is_batchable());
  EXPECT_TRUE(athanor::load("examples/tabular/fraud.onnx").is_batchable());
}

TEST(CppApi, DevicesAgree) {
  const std::vector<float> pixels = GreyImage();
  const auto fast = athanor::load(kDigits)({athanor::view(pixels, kOneImage)});
  const auto slow =
      athanor::load(kDigits, {.device = "reference"})({athanor::view(pixels, kOneImage)});
  const std::vector<float> expected = slow[0].to_vector<float>();
  const athanor::Difference difference =
      athanor::compare(fast[0], athanor::view(expected, {1, 10}));
  EXPECT_TRUE(difference.pass) << difference.rel_l2;
}

TEST(CppApi, WritesOutputsIntoTheCallersMemory) {
  for (const char* device : {"cpu", "reference", "HETERO:cpu,reference"}) {
    const athanor::Model net = athanor::load(kDigits, {.device = device});
    const std::vector<float> pixels = GreyImage();
    const std::vector<athanor::View> views = {athanor::view(pixels, kOneImage)};
    std::vector<float> logits(10);
    for (int run = 0; run < 3; ++run) {
      net.run_into(views, {athanor::room(logits, {1, 10})});
      EXPECT_EQ(logits, net(views)[0].to_vector<float>());
    }
    std::vector<double> wide(10);
    EXPECT_THROW(net.run_into(views, {athanor::room(wide, {1, 10})}), athanor::Error);
  }
}

TEST(CppApi, RequestsRunBesideTheCaller) {
  const athanor::Model net = athanor::load(kDigits, {.threads = 1, .streams = 2});
  const std::vector<float> pixels = GreyImage();
  const std::vector<athanor::View> views = {athanor::view(pixels, kOneImage)};
  const std::vector<float> expected = net(views)[0].to_vector<float>();
  std::vector<athanor::Request> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(net.start(views));
  for (const athanor::Request& request : requests) {
    EXPECT_EQ(request.get()[0].to_vector<float>(), expected);
    EXPECT_TRUE(request.wait_for(std::chrono::microseconds(0)));
  }
}

TEST(CppApi, OneNameStandsForSeveralDevices) {
  const std::vector<float> pixels = GreyImage();
  const std::vector<athanor::View> views = {athanor::view(pixels, kOneImage)};
  const std::vector<float> expected =
      athanor::load(kDigits, {.threads = 1})(views)[0].to_vector<float>();
  for (const char* device : {"MULTI:cpu.0,cpu.0", "HETERO:cpu,reference"}) {
    const athanor::Model net = athanor::load(kDigits, {.device = device, .threads = 1});
    std::vector<athanor::Request> requests;
    for (int i = 0; i < 8; ++i) requests.push_back(net.start(views));
    for (const athanor::Request& request : requests)
      EXPECT_EQ(request.get()[0].to_vector<float>(), expected) << device;
  }
  try {
    athanor::load(kDigits, {.device = "MULTY:cpu.0,cpu.1"});
    ADD_FAILURE() << "accepted";
  } catch (const athanor::Error& error) {
    EXPECT_EQ(error.code(), 1002);
    EXPECT_NE(std::string(error.what()).find("MULTI"), std::string::npos) << error.what();
  }
}

// The error that a request ends with; 0 when it succeeds.
int CodeOf(const athanor::Request& request) {
  try {
    request.get();
    return 0;
  } catch (const athanor::Error& error) {
    return error.code();
  }
}

TEST(CppApi, ARequestEndsAtItsDeadlineOrWhenItIsCancelled) {
  const athanor::Model net = athanor::load("zoo:resnet18", {.threads = 1});
  const std::vector<float> pixels(3 * 224 * 224, 0.5F);
  const std::vector<athanor::View> views = {athanor::view(pixels, {1, 3, 224, 224})};
  const athanor::Request running = net.start(views);  // takes milliseconds
  const athanor::Request late = net.start(views, std::chrono::microseconds(1));
  athanor::Request unwanted = net.start(views);
  unwanted.cancel();
  EXPECT_EQ(CodeOf(unwanted), 4003);
  EXPECT_EQ(CodeOf(late), 4002);
  EXPECT_EQ(CodeOf(running), 0);
}

// Folded and packed weights of 47 MB come once, not once a session.
TEST(CApi, SessionsOfOneModelShareItsWeights) {
  ath_model* model = nullptr;
  ASSERT_EQ(ath_load("zoo:resnet18", nullptr, &model), 0);
  const std::vector<float> pixels(3 * 224 * 224, 0.5F);
  const int64_t dims[] = {1, 3, 224, 224};
  const ath_tensor image = {sizeof(ath_tensor), ATH_F32, 4, dims, pixels.data()};
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  std::size_t taken[2] = {};
  ath_session* sessions[2] = {};
  for (int i = 0; i < 2; ++i) {
    const std::size_t before = in_use();
    ASSERT_EQ(ath_session_create(model, nullptr, &sessions[i]), 0);
    ath_result* result = nullptr;
    ASSERT_EQ(ath_session_run(sessions[i], &image, 1, &result), 0);
    ath_result_destroy(result);
    taken[i] = in_use() - before;
  }
  EXPECT_LT(taken[1], std::size_t{16} << 20) << "the first one took " << taken[0];
  ath_session_destroy(sessions[0]);
  ath_session_destroy(sessions[1]);
  ath_model_destroy(model);
}

TEST(CppApi, OneModelRunsFromManyThreads) {
  const athanor::Model net = athanor::load(kDigits);
  const std::vector<float> pixels = GreyImage();
  const std::vector<float> expected = net({athanor::view(pixels, kOneImage)})[0].to_vector<float>();
  std::vector<std::thread> threads;
  std::vector<int> agree(4, 0);
  for (std::size_t t = 0; t < agree.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 8; ++i)
        agree[t] += net({athanor::view(pixels, kOneImage)})[0].to_vector<float>() == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(agree, std::vector<int>(4, 8));
}

TEST(CppApi, AMissingFileIsAnErrorWithItsNumber) {
  try {
    athanor::load("no-such-model.onnx");
    FAIL() << "loaded a file that does not exist";
  } catch (const athanor::Error& error) {
    EXPECT_EQ(error.code(), 1004);
    EXPECT_NE(std::string(error.what()).find("ATH-1004"), std::string::npos);
  }
}

TEST(CppApi, AWrongShapeNamesTheInput) {
  const athanor::Model net = athanor::load(kDigits);
  const std::vector<float> pixels(10, 0.0F);
  try {
    net({athanor::view(pixels, {10})});
    FAIL() << "ran with a wrong shape";
  } catch (const athanor::Error& error) {
    EXPECT_EQ(error.code(), 1003) << error.what();
    EXPECT_NE(std::string(error.what()).find("image"), std::string::npos) << error.what();
  }
}

TEST(CppApi, APackageAnswersAsTensors) {
  const std::string path = MakePackageFile();
  EXPECT_TRUE(athanor::is_package(path));
  EXPECT_FALSE(athanor::is_package(kDigits));
  EXPECT_FALSE(athanor::is_package("no-such-file"));
  const athanor::Package package = athanor::open_package(path);
  std::filesystem::remove(path);
  EXPECT_EQ(package.input().type, "string[N]");
  std::vector<std::string> ports;
  for (const athanor::ValueInfo& info : package.outputs())
    ports.push_back(info.name + " " + info.type);
  const std::vector<std::string> expected = {"class i64[N, 2]", "label string[N, 2]",
                                             "score f32[N, 2]"};
  EXPECT_EQ(ports, expected);
  EXPECT_TRUE(package.is_batchable());
  const std::string green = MakePictureFile(51, 255, 0), blue = MakePictureFile(0, 51, 255);
  const std::vector<athanor::Answer> answers = package.run_all({green, blue});
  ASSERT_EQ(answers.size(), 2U);
  const std::vector<athanor::Tensor> tensors = answers[1].outputs();
  EXPECT_EQ(tensors[0].dims(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(tensors[0].to_vector<int64_t>(), (std::vector<int64_t>{2, 1}));
  EXPECT_STREQ(tensors[1].data<const char*>()[0], "blue");
  EXPECT_NEAR(tensors[2].data<float>()[1], 0.2, 1e-6);
  EXPECT_EQ(package.run(green.data(), green.size()).json(), answers[0].json());
  EXPECT_THROW(package.run_all({"no picture"}), athanor::Error);
}

TEST(CApi, RunsFromC) {
  const std::vector<float> pixels = GreyImage();
  std::vector<float> logits(10);
  ASSERT_EQ(ath_c_test_run(kDigits, pixels.data(), kOneImage.data(), 4, logits.data(), 10), 0)
      << ath_error_text();
  const std::vector<float> expected =
      athanor::load(kDigits)({athanor::view(pixels, kOneImage)})[0].to_vector<float>();
  EXPECT_EQ(logits, expected);
}

TEST(CApi, NullArgumentsAreRefusedNotFollowed) {
  EXPECT_EQ(ath_load(nullptr, nullptr, nullptr), 1001);
  EXPECT_STREQ(ath_error_message(), "path is NULL");
  ath_model_destroy(nullptr);
  ath_session_destroy(nullptr);
  ath_result_destroy(nullptr);
}

TEST(CApi, WhatACallerGetsWrongIsRefusedWithACode) {
  char got[256] = "";
  const int32_t line = ath_c_test_refusals(kDigits, got, sizeof(got));
  EXPECT_EQ(line, 0) << "c_api_test.c:" << line << " got: " << got;
}

TEST(CApi, LongerStructsOfLaterCallersAreRead) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("athanor_add_{}.txt", getpid());
  std::ofstream(path) << "graph add(a: f32[2], b: f32[2]) -> (sum: f32[2]) {\n"
                         "  %sum = Add(%a, %b)\n}\n";
  EXPECT_EQ(ath_c_test_later_caller(path.c_str()), 0) << ath_error_text();
  std::filesystem::remove(path);
}

ath_session_options WholeOptions() {
  ath_session_options options{};
  options.struct_size = sizeof(options);
  return options;
}

// A session of `graph`, which is given as text.
ath_session* SessionOf(const char* graph, const ath_session_options& options) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("athanor_api_{}.txt", getpid());
  std::ofstream(path) << graph;
  ath_model* model = nullptr;
  ath_session* session = nullptr;
  EXPECT_EQ(ath_load(path.c_str(), nullptr, &model), 0) << ath_error_text();
  EXPECT_EQ(ath_session_create(model, &options, &session), 0) << ath_error_text();
  ath_model_destroy(model);
  std::filesystem::remove(path);
  return session;
}

ath_tensor PairOf(const float* values) {
  static const int64_t dims[1] = {2};
  return {sizeof(ath_tensor), ATH_F32, 1, dims, values};
}

constexpr const char* kNegate = "graph g(a: f32[2]) -> (b: f32[2]) {\n  %b = Neg(%a)\n}\n";
constexpr const char* kSame = "graph g(a: f32[2]) -> (b: f32[2]) {\n  %b = Identity(%a)\n}\n";

TEST(CApi, ARequestCallsBackWithItsResult) {
  ath_session* session = SessionOf(kNegate, WholeOptions());
  const float values[2] = {1, 2};
  const ath_tensor input = PairOf(values);
  std::promise<float> told;
  ath_request_options options = {sizeof(options), 0, nullptr, &told};
  options.done = [](void* user, ath_status status, ath_result* result) {
    ath_tensor output = {sizeof(ath_tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
    EXPECT_EQ(status, 0) << ath_error_text();
    EXPECT_EQ(ath_result_output(result, 0, &output), 0);
    static_cast<std::promise<float>*>(user)->set_value(static_cast<const float*>(output.data)[1]);
    ath_result_destroy(result);
  };
  ASSERT_EQ(ath_session_start(session, &input, 1, &options, nullptr), 0) << ath_error_text();
  EXPECT_EQ(told.get_future().get(), -2);
  ath_session_destroy(session);
}

TEST(CApi, TheResultOfARequestOutlivesItsInputsAndItsSession) {
  ath_session* session = SessionOf(kSame, WholeOptions());
  float values[2] = {1, 2};
  const ath_tensor input = PairOf(values);
  ath_request* request = nullptr;
  ASSERT_EQ(ath_session_start(session, &input, 1, nullptr, &request), 0) << ath_error_text();
  int32_t is_over = 0;
  ASSERT_EQ(ath_request_wait(request, -1, &is_over), 0);
  EXPECT_EQ(is_over, 1);
  values[1] = 7;
  ath_session_destroy(session);
  ath_result* result = nullptr;
  ASSERT_EQ(ath_request_result(request, &result), 0) << ath_error_text();
  ath_request_destroy(request);
  ath_tensor output = {sizeof(ath_tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
  ASSERT_EQ(ath_result_output(result, 0, &output), 0);
  EXPECT_EQ(static_cast<const float*>(output.data)[1], 2);
  ath_result_destroy(result);
}

TEST(CApi, WrongRequestsAreRefused) {
  // A caller of the first header: no streams, no queue.
  ath_session_options first{};
  first.struct_size = offsetof(ath_session_options, streams);
  first.streams = first.longest_queue = -7;
  ath_session* session = SessionOf(kNegate, first);
  const float values[2] = {1, 2};
  const ath_tensor input = PairOf(values);
  ath_request* request = nullptr;
  EXPECT_EQ(ath_session_start(session, &input, 1, nullptr, nullptr), 1001);
  EXPECT_NE(std::strstr(ath_error_text(), "request"), nullptr);
  EXPECT_EQ(ath_session_start(nullptr, &input, 1, nullptr, &request), 1001);
  EXPECT_EQ(ath_session_start(session, nullptr, 0, nullptr, &request), 1003);
  ath_request_options late = {sizeof(late), -1, nullptr, nullptr};
  EXPECT_EQ(ath_session_start(session, &input, 1, &late, &request), 1001);
  EXPECT_EQ(ath_request_wait(nullptr, 0, nullptr), 1001);
  EXPECT_EQ(ath_request_result(nullptr, nullptr), 1001);
  ath_request_cancel(nullptr);
  ath_request_destroy(nullptr);
  EXPECT_EQ(request, nullptr);
  ath_session_destroy(session);
}

TEST(CApi, TheVersionIsThatOfTheBuild) { EXPECT_STREQ(ath_version(), ATHANOR_VERSION); }

TEST(CApi, ErrorsBelongToTheThreadThatMadeThem) {
  EXPECT_EQ(ath_load("no-such-model.onnx", nullptr, nullptr), 1001);
  std::thread([] {
    EXPECT_STREQ(ath_error_message(), "");
    ath_model* model = nullptr;
    EXPECT_EQ(ath_load("no-such-model.onnx", nullptr, &model), 1004);
  }).join();
  EXPECT_STREQ(ath_error_message(), "model is NULL");
}

TEST(CApi, SessionsRunAfterTheirModelIsGoneAndResultsAfterBoth) {
  ath_model* model = nullptr;
  ASSERT_EQ(ath_load(kDigits, nullptr, &model), 0);
  std::vector<ath_session*> sessions(3);
  for (ath_session*& session : sessions) ASSERT_EQ(ath_session_create(model, nullptr, &session), 0);
  ath_model_destroy(model);
  const std::vector<float> pixels = GreyImage();
  const ath_tensor input = {sizeof(ath_tensor), ATH_F32, 4, kOneImage.data(), pixels.data()};
  std::vector<ath_result*> results(6);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      EXPECT_EQ(ath_session_run(sessions[t % sessions.size()], &input, 1, &results[t]), 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (ath_session* session : sessions) ath_session_destroy(session);
  std::vector<std::vector<float>> logits;
  for (ath_result* result : results) {
    ath_tensor output = {sizeof(ath_tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
    ASSERT_EQ(ath_result_output(result, 0, &output), 0);
    const auto* values = static_cast<const float*>(output.data);
    logits.emplace_back(values, values + 10);
    ath_result_destroy(result);
  }
  for (const std::vector<float>& each : logits) EXPECT_EQ(each, logits[0]);
}

}  // namespace
