// The C boundary: opaque handles around C++ objects, a Status per call, no exception passes.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>

#include "api/answer_tensors.h"
#include "api/arrow/score.h"
#include "api/batch.h"
#include "api/cached_session.h"
#include "api/caller_struct.h"
#include "api/lent_tensors.h"
#include "api/open_model.h"
#include "api/pipeline.h"
#include "api/plugin.h"
#include "athanor/athanor.h"
#include "core/checked.h"
#include "frontends/save.h"
#include "runtime/answer_room.h"
#include "runtime/own_memory.h"
#include "runtime/request_queue.h"
#include "runtime/session.h"
#include "runtime/shared_weights.h"
#include "verify/compare.h"

using athanor::AnswerRoom;
using athanor::CheckStructSize;
using athanor::Datum;
using athanor::DType;
using athanor::ErrorCode;
using athanor::FewOf;
using athanor::Graph;
using athanor::ImportAll;
using athanor::ImportTensor;
using athanor::kTensorSize;
using athanor::LaterField;
using athanor::LentTensor;
using athanor::Result;
using athanor::Status;
using athanor::Tensor;
using athanor::Type;

namespace {

// One input or output as the caller sees it.
struct ValueText {
  std::string name, type;
  std::int32_t dtype = ATH_UNDEFINED;
  std::int32_t rank = -1;
  std::vector<std::int64_t> dims;
};

ValueText Describe(const std::string& name, const Type& type) {
  ValueText text = {name, type.ToString(), static_cast<std::int32_t>(type.dtype), -1, {}};
  if (!type.HasRank()) return text;
  text.rank = static_cast<std::int32_t>(type.rank());
  for (const athanor::Dim& dim : *type.shape) text.dims.push_back(dim.IsConst() ? dim.value() : -1);
  return text;
}

struct LastError {
  std::string message, where, fix, text;
};

LastError& LastErrorOfThread() {
  thread_local LastError error;
  return error;
}

ath_status Report(const Status& status) {
  if (status.ok() && LastErrorOfThread().text.empty()) return 0;
  LastErrorOfThread() = {status.message(), status.where(), status.fix(),
                         status.ok() ? "" : status.ToString()};
  return static_cast<ath_status>(status.code());
}

// Texts short enough to need no memory: there may be none left.
ath_status ReportInPlace(ErrorCode code, const char* message) noexcept {
  LastError& error = LastErrorOfThread();
  for (std::string* text : {&error.message, &error.where, &error.fix, &error.text}) text->clear();
  error.message.append(message);
  error.text.append(message);
  return static_cast<ath_status>(code);
}

// Runs `body`; exceptions become statuses here and nowhere else.
template <class F>
ath_status Guard(F&& body) noexcept {
  try {
    try {
      return Report(body());
    } catch (const std::bad_alloc&) {
      return ReportInPlace(ErrorCode::kResource, "out of memory");
    } catch (const std::exception& exception) {
      return Report(athanor::Error(ErrorCode::kInternal, "{}", exception.what()));
    }
  } catch (...) {
    return ReportInPlace(ErrorCode::kInternal, "internal error");
  }
}

// As Guard, of a question that is answered with 1 or 0; what fails is no.
template <class F>
std::int32_t GuardFlag(F&& question) noexcept {
  try {
    return question() ? 1 : 0;
  } catch (...) {
    return 0;
  }
}

Status Missing(const char* what) { return athanor::Error(ErrorCode::kUsage, "{} is NULL", what); }

// How much of each struct the first version of this interface had: what every caller fills in.
// Fields added later are read only when struct_size says that the caller knows them.
constexpr std::size_t kInfoSize = offsetof(ath_value_info, type) + sizeof(void*);
constexpr std::size_t kLoadOptionsSize = offsetof(ath_load_options, format) + sizeof(void*);
constexpr std::size_t kSessionOptionsSize =
    offsetof(ath_session_options, threads) + sizeof(std::int32_t);
constexpr std::size_t kPackageOptionsSize =
    offsetof(ath_package_options, threads) + sizeof(std::int32_t);
constexpr std::size_t kScoreOptionsSize =
    offsetof(ath_score_options, num_drop) + sizeof(std::int32_t);
constexpr std::size_t kDifferenceSize = offsetof(ath_difference, cosine) + sizeof(double);

constexpr std::size_t kRequestOptionsSize = offsetof(ath_request_options, user) + sizeof(void*);

Status SetPrecision(const char* name, athanor::SessionOptions& session) {
  if (name == nullptr || *name == '\0') return {};
  const auto precision = athanor::PrecisionFromName(name);
  if (!precision)
    return athanor::Error(ErrorCode::kUnknownName, "precision \"{}\": f32, bf16 or auto", name);
  session.precision = *precision;
  return {};
}

// One run of a request's inputs.
Result<std::vector<Datum>> RunOn(athanor::Session& session, const ath_tensor* tensors,
                                 std::int32_t count) {
  FewOf<LentTensor> lent;
  ATH_RETURN_IF_ERROR(athanor::Lend(session.graph(), tensors, count, lent));
  if (lent.size() == static_cast<std::size_t>(count)) return session.RunLent(lent.get());
  ATH_TRY(std::vector<Datum> data, ImportAll(session.graph(), tensors, count));
  return session.Run(std::move(data));
}

// The same with answers into the caller's memory.
Status RunIntoOn(athanor::Session& session, const ath_tensor* tensors, std::int32_t count,
                 std::span<const AnswerRoom> rooms) {
  FewOf<LentTensor> lent;
  ATH_RETURN_IF_ERROR(athanor::Lend(session.graph(), tensors, count, lent));
  if (lent.size() == static_cast<std::size_t>(count)) return session.RunInto(lent.get(), rooms);
  ATH_RETURN_IF_ERROR(athanor::CheckCount(session.graph(), rooms));
  ATH_TRY(std::vector<Datum> data, ImportAll(session.graph(), tensors, count));
  ATH_TRY(const std::vector<Datum> outputs, session.Run(std::move(data)));
  for (std::size_t i = 0; i < outputs.size(); ++i)
    ATH_RETURN_IF_ERROR(athanor::CopyInto(session.graph().outputs()[i].name, outputs[i], rooms[i]));
  return {};
}

}  // namespace

struct ath_model {
  Graph graph;
  std::shared_ptr<const athanor::MappedFile> digested;  // see LoadedModel
  std::vector<ValueText> inputs, outputs;
  std::shared_ptr<athanor::WeightsInUse> weights = std::make_shared<athanor::WeightsInUse>();
};

struct ath_session {
  std::shared_ptr<athanor::Session> session;  // streams of answers hold it too
  athanor::RequestQueueOptions queue_options;
  std::once_flag first_request;
  std::unique_ptr<athanor::RequestQueue> queue;  // its threads are there from the first request on

  athanor::RequestQueue& Queue() {
    std::call_once(first_request, [this] {
      queue = std::make_unique<athanor::RequestQueue>(*session, queue_options);
    });
    return *queue;
  }
};

struct ath_request {
  std::optional<athanor::Request> request;
};

struct ath_package {
  std::unique_ptr<athanor::PipelineRunner> runner;
  std::vector<ValueText> inputs, outputs;
};

struct ath_result {
  std::vector<Tensor> outputs;
  std::vector<std::vector<const char*>> strings;  // per output, of string tensors

  void Add(Tensor tensor) {
    auto& texts = strings.emplace_back();
    if (tensor.dtype() == DType::kString) {
      for (const std::string& text : tensor.Data<std::string>()) texts.push_back(text.c_str());
    }
    outputs.push_back(std::move(tensor));
  }
};

struct ath_answer {
  std::string json;
  ath_result result;
};

namespace {

Result<std::unique_ptr<ath_result>> MakeResult(const std::vector<Datum>& outputs) {
  auto made = std::make_unique<ath_result>();
  for (const Datum& output : outputs) {
    if (!output.IsTensor())
      return athanor::Unsupported(
          "an output is a sequence or an optional; the C interface gives tensors");
    made->Add(output.tensor());
  }
  return made;
}

// Times beyond a century are as good as never, and fit the clock.
std::chrono::steady_clock::time_point After(std::int64_t microseconds) {
  constexpr std::int64_t kCentury = std::int64_t{100} * 366 * 24 * 3600 * 1'000'000;
  return std::chrono::steady_clock::now() +
         std::chrono::microseconds(std::min(microseconds, kCentury));
}

Result<std::optional<std::chrono::steady_clock::time_point>> DeadlineAfter(
    std::int64_t microseconds) {
  if (microseconds < 0) return athanor::Error(ErrorCode::kUsage, "deadline_us is {}", microseconds);
  if (microseconds == 0) return std::optional<std::chrono::steady_clock::time_point>();
  return std::optional(After(microseconds));
}

athanor::RequestQueue::Done Caller(ath_done done, void* user) {
  return [done, user](const athanor::Answer& answer) {
    ath_result* result = nullptr;
    const ath_status status = Guard([&]() -> Status {
      if (!answer.ok()) return answer.status();
      ATH_TRY(std::unique_ptr<ath_result> made, MakeResult(*answer));
      result = made.release();
      return {};
    });
    done(user, status, result);
  };
}

ath_status FillInfo(const std::vector<ValueText>* values, std::int32_t index, ath_value_info* info,
                    const char* owner = "model") {
  return Guard([&]() -> Status {
    if (values == nullptr || info == nullptr) return Missing(values == nullptr ? owner : "info");
    if (index < 0 || static_cast<std::size_t>(index) >= values->size()) {
      return athanor::Error(ErrorCode::kUsage, "index {} is outside [0, {})", index,
                            values->size());
    }
    ATH_RETURN_IF_ERROR(CheckStructSize("ath_value_info", info->struct_size, kInfoSize));
    const ValueText& value = (*values)[static_cast<std::size_t>(index)];
    const ath_value_info full = {info->struct_size, value.name.c_str(), value.dtype,
                                 value.rank,        value.dims.data(),  value.type.c_str()};
    std::memcpy(info, &full, std::min<std::size_t>(info->struct_size, sizeof(full)));
    return {};
  });
}

ath_status ViewOutput(const ath_result* result, const char* owner, std::int32_t index,
                      ath_tensor* tensor) {
  return Guard([&]() -> Status {
    if (result == nullptr || tensor == nullptr)
      return Missing(result == nullptr ? owner : "tensor");
    if (index < 0 || static_cast<std::size_t>(index) >= result->outputs.size()) {
      return athanor::Error(ErrorCode::kUsage, "output {} is outside [0, {})", index,
                            result->outputs.size());
    }
    ATH_RETURN_IF_ERROR(CheckStructSize("ath_tensor", tensor->struct_size, kTensorSize));
    const Tensor& output = result->outputs[static_cast<std::size_t>(index)];
    const bool is_text = output.dtype() == DType::kString;
    const ath_tensor full = {
        tensor->struct_size, static_cast<int32_t>(output.dtype()),
        static_cast<int32_t>(output.rank()), output.dims().data(),
        is_text ? static_cast<const void*>(result->strings[static_cast<std::size_t>(index)].data())
                : output.raw()};
    std::memcpy(tensor, &full, std::min<std::size_t>(tensor->struct_size, sizeof(full)));
    return {};
  });
}

Result<std::vector<std::string>> Names(const char* what, const char* const* names,
                                       std::int32_t count) {
  if (count < 0 || (count > 0 && names == nullptr))
    return athanor::Error(ErrorCode::kUsage, "{} names {} columns{}", what, count,
                          names == nullptr ? " and is NULL" : "");
  std::vector<std::string> list;
  for (std::int32_t i = 0; i < count; ++i) {
    if (names[i] == nullptr) return Missing(what);
    list.emplace_back(names[i]);
  }
  return list;
}

std::unique_ptr<ath_answer> MakeAnswer(const athanor::PipelineResult& result,
                                       const athanor::PipelineRunner& runner) {
  auto made = std::make_unique<ath_answer>();
  made->json = athanor::ToJson(result, runner.pipeline()).dump();
  for (Tensor& tensor : athanor::ToTensors(result, runner.pipeline()))
    made->result.Add(std::move(tensor));
  return made;
}

}  // namespace

const char* ath_version(void) { return ATHANOR_VERSION; }
const char* ath_error_message(void) { return LastErrorOfThread().message.c_str(); }
const char* ath_error_where(void) { return LastErrorOfThread().where.c_str(); }
const char* ath_error_fix(void) { return LastErrorOfThread().fix.c_str(); }
const char* ath_error_text(void) { return LastErrorOfThread().text.c_str(); }

ath_status ath_load_plugin(const char* path) {
  return Guard([&] { return path == nullptr ? Missing("path") : athanor::LoadPlugin(path); });
}

ath_status ath_add_plugin(const ath_plugin* plugin) {
  return Guard([&] { return plugin == nullptr ? Missing("plugin") : athanor::AddPlugin(*plugin); });
}

ath_status ath_load(const char* path, const ath_load_options* options, ath_model** model) {
  return Guard([&]() -> Status {
    if (path == nullptr) return Missing("path");
    if (model == nullptr) return Missing("model");
    if (options != nullptr) {
      ATH_RETURN_IF_ERROR(
          CheckStructSize("ath_load_options", options->struct_size, kLoadOptionsSize));
    }
    const char* format = options != nullptr && options->format != nullptr ? options->format : "";
    ATH_TRY(athanor::LoadedModel opened, athanor::OpenWithFile(path, {.format = format}));
    auto made = std::make_unique<ath_model>(
        ath_model{std::move(opened.graph), std::move(opened.digested), {}, {}});
    for (const athanor::ValueId id : made->graph.inputs()) {
      made->inputs.push_back(Describe(made->graph.value(id).name, made->graph.value(id).type));
    }
    for (const athanor::GraphOutput& output : made->graph.outputs()) {
      made->outputs.push_back(Describe(output.name, made->graph.value(output.value).type));
    }
    *model = made.release();
    return {};
  });
}

void ath_model_destroy(ath_model* model) { delete model; }

int32_t ath_model_num_inputs(const ath_model* model) {
  return model == nullptr ? -1 : static_cast<int32_t>(model->inputs.size());
}
int32_t ath_model_num_outputs(const ath_model* model) {
  return model == nullptr ? -1 : static_cast<int32_t>(model->outputs.size());
}

ath_status ath_model_input(const ath_model* model, int32_t index, ath_value_info* info) {
  return FillInfo(model == nullptr ? nullptr : &model->inputs, index, info);
}
ath_status ath_model_output(const ath_model* model, int32_t index, ath_value_info* info) {
  return FillInfo(model == nullptr ? nullptr : &model->outputs, index, info);
}

int64_t ath_model_num_nodes(const ath_model* model) {
  return model == nullptr ? -1 : static_cast<int64_t>(model->graph.num_nodes());
}

int64_t ath_model_num_parameters(const ath_model* model) {
  if (model == nullptr) return -1;
  int64_t count = 0;
  for (std::size_t i = 0; i < model->graph.value_capacity(); ++i) {
    const Tensor* constant = model->graph.Constant(static_cast<athanor::ValueId>(i));
    if (constant != nullptr && athanor::IsFloat(constant->dtype())) count += constant->count();
  }
  return count;
}

int32_t ath_model_is_batchable(const ath_model* model) {
  return GuardFlag([&] { return model != nullptr && athanor::IsBatchable(model->graph); });
}

ath_status ath_model_save(const ath_model* model, const char* path) {
  return Guard([&]() -> Status {
    if (model == nullptr || path == nullptr) return Missing(model == nullptr ? "model" : "path");
    return athanor::SaveModel(model->graph, path, {});
  });
}

ath_status ath_session_create(const ath_model* model, const ath_session_options* options,
                              ath_session** session) {
  return Guard([&]() -> Status {
    if (model == nullptr || session == nullptr)
      return Missing(model == nullptr ? "model" : "session");
    athanor::SessionOptions wanted;
    athanor::RequestQueueOptions queue;
    const char* cache = nullptr;
    if (options != nullptr) {
      ATH_RETURN_IF_ERROR(
          CheckStructSize("ath_session_options", options->struct_size, kSessionOptionsSize));
      if (options->device != nullptr) wanted.device = options->device;
      wanted.threads = options->threads;
      const std::int32_t streams = LaterField(*options, &ath_session_options::streams);
      if (streams != 0) wanted.streams = streams;
      const std::int32_t longest = LaterField(*options, &ath_session_options::longest_queue);
      if (longest < 0) return athanor::Error(ErrorCode::kUsage, "longest_queue is {}", longest);
      if (longest != 0) queue.longest_queue = static_cast<std::size_t>(longest);
      cache = LaterField(*options, &ath_session_options::cache);
      ATH_RETURN_IF_ERROR(
          SetPrecision(LaterField(*options, &ath_session_options::precision), wanted));
    }
    auto made = std::make_unique<ath_session>();
    if (cache != nullptr && *cache != '\0') {
      ATH_TRY(made->session, athanor::OpenCached(model->graph, {cache, model->digested}, wanted));
    } else {
      wanted.shared = model->weights->On(wanted.device);
      ATH_TRY(made->session, athanor::Session::Create(model->graph.Clone(), wanted));
    }
    queue.streams = std::max(wanted.streams, made->session->Streams());
    made->queue_options = queue;
    *session = made.release();
    return {};
  });
}

void ath_session_destroy(ath_session* session) { delete session; }

ath_status ath_session_run(ath_session* session, const ath_tensor* inputs, int32_t num_inputs,
                           ath_result** result) {
  return Guard([&]() -> Status {
    if (session == nullptr || result == nullptr)
      return Missing(session == nullptr ? "session" : "result");
    ATH_TRY(std::vector<Datum> outputs, RunOn(*session->session, inputs, num_inputs));
    ATH_TRY(outputs, athanor::OwnMemory(std::move(outputs)));
    ATH_TRY(std::unique_ptr<ath_result> made, MakeResult(outputs));
    *result = made.release();
    return {};
  });
}

ath_status ath_session_run_into(ath_session* session, const ath_tensor* inputs, int32_t num_inputs,
                                const ath_buffer* outputs, int32_t num_outputs) {
  return Guard([&]() -> Status {
    if (session == nullptr) return Missing("session");
    FewOf<AnswerRoom> rooms;
    ATH_RETURN_IF_ERROR(athanor::Lend(session->session->graph(), outputs, num_outputs, rooms));
    return RunIntoOn(*session->session, inputs, num_inputs, rooms.get());
  });
}

ath_status ath_session_start(ath_session* session, const ath_tensor* inputs, int32_t num_inputs,
                             const ath_request_options* options, ath_request** request) {
  return Guard([&]() -> Status {
    if (session == nullptr) return Missing("session");
    athanor::RequestQueue::Done done;
    std::optional<std::chrono::steady_clock::time_point> deadline;
    if (options != nullptr) {
      ATH_RETURN_IF_ERROR(
          CheckStructSize("ath_request_options", options->struct_size, kRequestOptionsSize));
      ATH_TRY(deadline, DeadlineAfter(options->deadline_us));
      if (options->done != nullptr) done = Caller(options->done, options->user);
    }
    if (request == nullptr && !done) return Missing("request (and no done is given)");
    ATH_TRY(std::vector<Datum> data, ImportAll(session->session->graph(), inputs, num_inputs));
    auto made = std::make_unique<ath_request>();  // before the start: nothing may fail after it
    ATH_TRY(made->request, session->Queue().Start(std::move(data), std::move(done), deadline));
    if (request != nullptr) *request = made.release();
    return {};
  });
}

ath_status ath_session_score(ath_session* session, ArrowArrayStream* rows,
                             const ath_score_options* options, ArrowArrayStream* answers) {
  return Guard([&]() -> Status {
    if (rows == nullptr) return Missing("rows");
    athanor::arrow::Owned<ArrowArrayStream> table(rows);
    if (session == nullptr || answers == nullptr)
      return Missing(session == nullptr ? "session" : "answers");
    if (table.released()) return athanor::Error(ErrorCode::kUsage, "rows is released already");
    athanor::arrow::ScoreOptions wanted;
    if (options != nullptr) {
      ATH_RETURN_IF_ERROR(
          CheckStructSize("ath_score_options", options->struct_size, kScoreOptionsSize));
      ATH_TRY(wanted.keep, Names("keep", options->keep, options->num_keep));
      ATH_TRY(wanted.drop, Names("drop", options->drop, options->num_drop));
    }
    ATH_TRY(athanor::arrow::Owned<ArrowArrayStream> made,
            athanor::arrow::Score(session->session, std::move(wanted), std::move(table)));
    *answers = made.Release();
    return {};
  });
}

ath_status ath_request_wait(const ath_request* request, int64_t timeout_us, int32_t* is_over) {
  return Guard([&]() -> Status {
    if (request == nullptr || is_over == nullptr)
      return Missing(request == nullptr ? "request" : "is_over");
    const std::optional until = timeout_us < 0 ? std::nullopt : std::optional(After(timeout_us));
    *is_over = request->request->Wait(until) ? 1 : 0;
    return {};
  });
}

void ath_request_cancel(ath_request* request) {
  if (request != nullptr) request->request->Cancel();
}

ath_status ath_request_result(const ath_request* request, ath_result** result) {
  return Guard([&]() -> Status {
    if (request == nullptr || result == nullptr)
      return Missing(request == nullptr ? "request" : "result");
    if (!request->request->IsOver())
      return athanor::Error(ErrorCode::kUsage, "the request is not over").Fix("ath_request_wait");
    const athanor::Answer& answer = request->request->answer();
    if (!answer.ok()) return answer.status();
    ATH_TRY(std::unique_ptr<ath_result> made, MakeResult(*answer));
    *result = made.release();
    return {};
  });
}

void ath_request_destroy(ath_request* request) {
  if (request == nullptr) return;
  request->request->Cancel();
  request->request->Wait();
  delete request;
}

void ath_result_destroy(ath_result* result) { delete result; }
int32_t ath_result_num_outputs(const ath_result* result) {
  return result == nullptr ? -1 : static_cast<int32_t>(result->outputs.size());
}

ath_status ath_result_output(const ath_result* result, int32_t index, ath_tensor* tensor) {
  return ViewOutput(result, "result", index, tensor);
}

int32_t ath_is_package(const char* path) {
  return GuardFlag([&] { return path != nullptr && athanor::IsPackageFile(path); });
}

ath_status ath_package_open(const char* path, const ath_package_options* options,
                            ath_package** package) {
  return Guard([&]() -> Status {
    if (path == nullptr || package == nullptr) return Missing(path == nullptr ? "path" : "package");
    athanor::package::ReadOptions access;
    athanor::SessionOptions session;
    if (options != nullptr) {
      ATH_RETURN_IF_ERROR(
          CheckStructSize("ath_package_options", options->struct_size, kPackageOptionsSize));
    }
    if (options != nullptr && options->key_file != nullptr) {
      ATH_TRY(access.key, athanor::package::PrivateKey::Read(options->key_file));
    }
    if (options != nullptr && options->passphrase != nullptr)
      access.passphrase = options->passphrase;
    if (options != nullptr && options->trust_file != nullptr) {
      ATH_TRY(access.trust, athanor::package::PublicKey::Read(options->trust_file));
    }
    if (options != nullptr && options->device != nullptr) session.device = options->device;
    if (options != nullptr) {
      session.threads = options->threads;
      ATH_RETURN_IF_ERROR(
          SetPrecision(LaterField(*options, &ath_package_options::precision), session));
    }
    ATH_TRY(auto runner, athanor::PipelineRunner::Open(path, access, session));
    auto made = std::make_unique<ath_package>();
    const athanor::AnswerPort input = athanor::PictureInput(*runner);
    made->inputs = {Describe(input.name, input.type)};
    for (const athanor::AnswerPort& port : athanor::AnswerOutputs(*runner))
      made->outputs.push_back(Describe(port.name, port.type));
    made->runner = std::move(runner);
    *package = made.release();
    return {};
  });
}

void ath_package_destroy(ath_package* package) { delete package; }
const char* ath_package_name(const ath_package* package) {
  return package == nullptr ? "" : package->runner->package().name().c_str();
}
const char* ath_package_signer(const ath_package* package) {
  return package == nullptr ? "" : package->runner->package().signer().c_str();
}

ath_status ath_package_input(const ath_package* package, ath_value_info* info) {
  return FillInfo(package == nullptr ? nullptr : &package->inputs, 0, info, "package");
}
int32_t ath_package_num_outputs(const ath_package* package) {
  return package == nullptr ? -1 : static_cast<int32_t>(package->outputs.size());
}
ath_status ath_package_output(const ath_package* package, int32_t index, ath_value_info* info) {
  return FillInfo(package == nullptr ? nullptr : &package->outputs, index, info, "package");
}
int32_t ath_package_is_batchable(const ath_package* package) {
  return GuardFlag([&] { return package != nullptr && package->runner->IsBatchable(); });
}

ath_status ath_package_run(const ath_package* package, const void* picture, size_t size,
                           ath_answer** answer) {
  return Guard([&]() -> Status {
    if (package == nullptr || answer == nullptr)
      return Missing(package == nullptr ? "package" : "answer");
    if (picture == nullptr) return Missing("picture");
    ATH_TRY(const athanor::PipelineResult result,
            package->runner->Run({static_cast<const std::uint8_t*>(picture), size}));
    *answer = MakeAnswer(result, *package->runner).release();
    return {};
  });
}

ath_status ath_package_run_all(const ath_package* package, const void* const* pictures,
                               const size_t* sizes, int32_t count, ath_answer** answers) {
  return Guard([&]() -> Status {
    if (package == nullptr || answers == nullptr)
      return Missing(package == nullptr ? "package" : "answers");
    if (count < 0) return athanor::Error(ErrorCode::kUsage, "count is {}", count);
    if (count > 0 && (pictures == nullptr || sizes == nullptr))
      return Missing(pictures == nullptr ? "pictures" : "sizes");
    std::vector<std::span<const std::uint8_t>> files;
    for (int32_t i = 0; i < count; ++i) {
      if (pictures[i] == nullptr) return Missing("a picture");
      files.emplace_back(static_cast<const std::uint8_t*>(pictures[i]), sizes[i]);
    }
    ATH_TRY(const std::vector<athanor::PipelineResult> results, package->runner->RunAll(files));
    std::vector<std::unique_ptr<ath_answer>> made;
    for (const athanor::PipelineResult& result : results)
      made.push_back(MakeAnswer(result, *package->runner));
    for (std::unique_ptr<ath_answer>& answer : made) *answers++ = answer.release();
    return {};
  });
}

void ath_answer_destroy(ath_answer* answer) { delete answer; }
const char* ath_answer_json(const ath_answer* answer) {
  return answer == nullptr ? "" : answer->json.c_str();
}
int32_t ath_answer_num_outputs(const ath_answer* answer) {
  return answer == nullptr ? -1 : ath_result_num_outputs(&answer->result);
}
ath_status ath_answer_output(const ath_answer* answer, int32_t index, ath_tensor* tensor) {
  return ViewOutput(answer == nullptr ? nullptr : &answer->result, "answer", index, tensor);
}

ath_status ath_compare(const ath_tensor* actual, const ath_tensor* expected, double rtol,
                       double atol, ath_difference* difference) {
  return Guard([&]() -> Status {
    if (actual == nullptr || expected == nullptr || difference == nullptr)
      return Missing("an argument");
    ATH_RETURN_IF_ERROR(
        CheckStructSize("ath_difference", difference->struct_size, kDifferenceSize));
    if (!(rtol >= 0) || !(atol >= 0))
      return athanor::Error(ErrorCode::kUsage, "rtol {} and atol {}: 0 or more is expected", rtol,
                            atol);
    ATH_TRY(const Tensor a, ImportTensor(*actual));
    ATH_TRY(const Tensor b, ImportTensor(*expected));
    const athanor::Difference found = athanor::Compare(a, b, {.rtol = rtol, .atol = atol});
    if (!found.same_kind) return athanor::Error(ErrorCode::kInvalidInput, "{}", found.reason);
    const ath_difference full = {difference->struct_size, found.pass ? 1 : 0, found.max_abs,
                                 found.rel_l2, found.cosine};
    std::memcpy(difference, &full, std::min<std::size_t>(difference->struct_size, sizeof(full)));
    return {};
  });
}
