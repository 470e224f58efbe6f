// The only file that includes grpc++: it takes long to compile.
#include "serve/grpc_server.h"

#include <athanor/athanor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <future>

#include "http/json_text.h"
#include "http/priority.h"
#include "open_inference.grpc.pb.h"
#include "serve/beside.h"
#include "serve/datatype.h"
#include "serve/describe.h"
#include "serve/grpc_tensors.h"
#include "serve/out_of_memory.h"
#include "serve/v2_json.h"

namespace athanor::serve {
namespace {

using AsyncService = inference::GRPCInferenceService::AsyncService;

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  grpc::StatusCode code = grpc::StatusCode::INTERNAL;
  switch (status.code()) {
    case ErrorCode::kUsage:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kInvalidModel:  // a shape that the model cannot take
    case ErrorCode::kDataError:
      code = grpc::StatusCode::INVALID_ARGUMENT;
      break;
    case ErrorCode::kUnknownName:
      code = grpc::StatusCode::NOT_FOUND;
      break;
    case ErrorCode::kUnsupported:
    case ErrorCode::kUnsupportedType:
      code = grpc::StatusCode::UNIMPLEMENTED;
      break;
    case ErrorCode::kResource:
    case ErrorCode::kCancelled:
      code = grpc::StatusCode::UNAVAILABLE;
      break;
    case ErrorCode::kDeadline:
      code = grpc::StatusCode::DEADLINE_EXCEEDED;
      break;
    default:
      break;
  }
  return {code, http::ErrorText(status)};
}

// The client's deadline on our clock, a little sooner: the answer has to travel.
std::optional<Clock::time_point> DeadlineOf(const grpc::ServerContext& context,
                                            Clock::time_point now) {
  const auto wall = context.deadline();
  if (wall == std::chrono::system_clock::time_point::max()) return {};
  const auto left = wall - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24)) return {};
  const auto margin = std::min<std::chrono::nanoseconds>(left / 10, std::chrono::milliseconds(5));
  return now + (left - margin);
}

// What stands in a completion queue.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Proceed(bool ok) = 0;
};

}  // namespace

struct GrpcServer::Core {
  explicit Core(Service& service_in) : service(service_in) {}

  Service& service;
  AsyncService async;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  std::vector<std::thread> threads;
  int port = 0;
  std::mutex mutex;  // guards running
  std::condition_variable idle;
  std::size_t running = 0;  // calls that are being answered

  void Begin() {
    const std::scoped_lock lock(mutex);
    ++running;
  }
  void End() {
    const std::scoped_lock lock(mutex);
    if (--running == 0) idle.notify_all();
  }
  void OfferAll(grpc::ServerCompletionQueue& queue);
  void Work(grpc::ServerCompletionQueue& queue);
};

namespace {

// One call with one request and one response; waits for the next client as soon as it is taken.
template <class Request, class Response>
class Unary final : public Event {
 public:
  using Ask = void (AsyncService::*)(grpc::ServerContext*, Request*,
                                     grpc::ServerAsyncResponseWriter<Response>*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  // Calls Finish from any thread; only the first time counts.
  using Handler = void (*)(Service&, Unary&);

  static void Offer(GrpcServer::Core& core, grpc::ServerCompletionQueue& queue, Ask ask,
                    Handler handler) {
    auto* call = new Unary(core, queue, ask, handler);  // deletes itself in Proceed
    (core.async.*ask)(&call->context_, &call->request, &call->writer_, &queue, &queue, call);
  }

  void Proceed(bool ok) override {
    if (finished_.load()) {
      core_.End();
      delete this;
      return;
    }
    if (!ok) {  // the server closes; nobody came
      delete this;
      return;
    }
    core_.Begin();
    Offer(core_, queue_, ask_, handler_);
    try {
      handler_(core_.service, *this);
    } catch (const std::bad_alloc&) {
      Finish(OutOfMemory());  // this call is deleted by no other thread
    }
  }

  void Finish(const Status& status) {
    if (finished_.exchange(true)) return;
    status.ok() ? writer_.Finish(response, grpc::Status::OK, this)
                : writer_.FinishWithError(ToGrpc(status), this);
  }

  const grpc::ServerContext& context() const { return context_; }

  Request request;
  Response response;

 private:
  Unary(GrpcServer::Core& core, grpc::ServerCompletionQueue& queue, Ask ask, Handler handler)
      : core_(core), queue_(queue), ask_(ask), handler_(handler), writer_(&context_) {}

  GrpcServer::Core& core_;
  grpc::ServerCompletionQueue& queue_;
  const Ask ask_;
  const Handler handler_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<Response> writer_;
  std::atomic<bool> finished_ = false;
};

template <class Request, class Response>
void Offer(GrpcServer::Core& core, grpc::ServerCompletionQueue& queue,
           typename Unary<Request, Response>::Ask ask,
           typename Unary<Request, Response>::Handler handler) {
  Unary<Request, Response>::Offer(core, queue, ask, handler);
}

void Infer(Service& service,
           Unary<inference::ModelInferRequest, inference::ModelInferResponse>& call) {
  auto infer = std::make_shared<Service::Call>();
  infer->deadline = DeadlineOf(call.context(), infer->arrival);
  const auto message = std::make_shared<inference::ModelInferRequest>();
  message->Swap(&call.request);
  infer->model = message->model_name();
  infer->version = message->model_version();
  if (const auto found = service.repository().Find(infer->model, infer->version); !found.ok())
    return call.Finish(found.status());
  Result<InferRequest> request = FromMessage(message);
  if (!request.ok()) return call.Finish(request.status());
  infer->request = *std::move(request);
  service.Infer(infer, [infer, &call](const InferAnswer& answer) {
    if (!answer.status.ok()) return call.Finish(answer.status);
    call.Finish(OrOutOfMemory([&] {
      return ToMessage(*infer->served, infer->request, infer->outputs, answer, call.response);
    }));
  });
}

void FillMetadata(
    const std::vector<Port>& ports,
    google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>& list) {
  for (const Port& port : ports) {
    auto* tensor = list.Add();
    tensor->set_name(port.name);
    tensor->set_datatype(std::string(ToV2(port.dtype)));
    if (!port.has_rank) tensor->add_shape(-1);
    for (const std::int64_t dim : port.shape) tensor->add_shape(dim);
  }
}

template <class Row>
void FillConfigPort(const Port& port, const ServedModel& model, Row& row) {
  row.set_name(port.name);
  inference::DataType type = inference::TYPE_STRING;
  if (port.dtype != DType::kString)
    inference::DataType_Parse("TYPE_" + std::string(ToV2(port.dtype)), &type);
  row.set_data_type(type);
  for (const std::int64_t dim : ConfigDims(port, model)) row.add_dims(dim);
}

void FillConfig(const RepositoryEntry& entry, inference::ModelConfig& config) {
  const ServedModel& model = *entry.model;
  config.set_name(model.name());
  config.set_platform(std::string(Platform(model)));
  config.set_backend("athanor");
  config.set_max_batch_size(static_cast<std::int32_t>(ConfigMaxBatch(model)));
  for (const Port& port : model.inputs()) FillConfigPort(port, model, *config.add_input());
  for (const Port& port : model.outputs()) FillConfigPort(port, model, *config.add_output());
  if (ConfigMaxBatch(model) > 0) config.mutable_dynamic_batching();
}

void FillStatistics(const RepositoryEntry& entry, inference::ModelStatistics& row) {
  const ModelMetrics& m = entry.line->metrics;
  row.set_name(entry.spec.name);
  row.set_version("1");
  row.set_last_inference(m.last_inference_ms);
  row.set_inference_count(m.rows);
  row.set_execution_count(m.runs);
  const auto fill = [](const Stat& stat, inference::StatisticDuration* duration) {
    duration->set_count(stat.count);
    duration->set_ns(stat.ns);
  };
  inference::InferStatistics& stats = *row.mutable_inference_stats();
  fill(m.success, stats.mutable_success());
  fill(m.fail, stats.mutable_fail());
  fill(m.queue, stats.mutable_queue());
  fill(m.compute_input, stats.mutable_compute_input());
  fill(m.compute_infer, stats.mutable_compute_infer());
  fill(m.compute_output, stats.mutable_compute_output());
}

// Answers `call` about one model that is loaded.
template <class Call, class F>
void AboutModel(Service& service, Call& call, F&& fill) {
  const auto entry = service.repository().Find(call.request.name(), call.request.version());
  if (entry.ok()) fill(*entry);
  call.Finish(entry.status());
}

void Statistics(
    Service& service,
    Unary<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>& call) {
  if (!call.request.name().empty()) {
    return AboutModel(service, call, [&](const RepositoryEntry& entry) {
      FillStatistics(entry, *call.response.add_model_stats());
    });
  }
  for (const RepositoryEntry& entry : service.repository().List())
    FillStatistics(entry, *call.response.add_model_stats());
  call.Finish({});
}

void AboutServer(Service&,
                 Unary<inference::ServerMetadataRequest, inference::ServerMetadataResponse>& call) {
  call.response.set_name("athanor");
  call.response.set_version(ath_version());
  for (const std::string_view name : Extensions()) call.response.add_extensions(std::string(name));
  call.Finish({});
}

void Index(Service& service,
           Unary<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>& call) {
  for (const RepositoryEntry& entry : service.repository().List()) {
    if (call.request.ready() && entry.model == nullptr) continue;
    auto* row = call.response.add_models();
    row->set_name(entry.spec.name);
    row->set_version("1");
    row->set_state(entry.model != nullptr ? "READY" : "UNAVAILABLE");
    row->set_reason(entry.reason);
  }
  call.Finish({});
}

}  // namespace

void GrpcServer::Core::OfferAll(grpc::ServerCompletionQueue& queue) {
  using S = AsyncService;
  using namespace inference;  // the table below is nothing but its names
  Offer<ServerLiveRequest, ServerLiveResponse>(*this, queue, &S::RequestServerLive,
                                               [](Service&, auto& call) {
                                                 call.response.set_live(true);
                                                 call.Finish({});
                                               });
  Offer<ServerReadyRequest, ServerReadyResponse>(*this, queue, &S::RequestServerReady,
                                                 [](Service& s, auto& call) {
                                                   call.response.set_ready(s.Ready());
                                                   call.Finish({});
                                                 });
  Offer<ModelReadyRequest, ModelReadyResponse>(
      *this, queue, &S::RequestModelReady, [](Service& s, auto& call) {
        call.response.set_ready(
            s.repository().Find(call.request.name(), call.request.version()).ok());
        call.Finish({});
      });
  Offer<ServerMetadataRequest, ServerMetadataResponse>(*this, queue, &S::RequestServerMetadata,
                                                       AboutServer);
  Offer<ModelMetadataRequest, ModelMetadataResponse>(
      *this, queue, &S::RequestModelMetadata, [](Service& s, auto& call) {
        AboutModel(s, call, [&](const RepositoryEntry& entry) {
          call.response.set_name(entry.spec.name);
          call.response.add_versions("1");
          call.response.set_platform(std::string(Platform(*entry.model)));
          FillMetadata(entry.model->inputs(), *call.response.mutable_inputs());
          FillMetadata(entry.model->outputs(), *call.response.mutable_outputs());
        });
      });
  Offer<ModelConfigRequest, ModelConfigResponse>(
      *this, queue, &S::RequestModelConfig, [](Service& s, auto& call) {
        AboutModel(s, call, [&](const RepositoryEntry& entry) {
          FillConfig(entry, *call.response.mutable_config());
        });
      });
  Offer<ModelStatisticsRequest, ModelStatisticsResponse>(*this, queue, &S::RequestModelStatistics,
                                                         Statistics);
  Offer<RepositoryIndexRequest, RepositoryIndexResponse>(*this, queue, &S::RequestRepositoryIndex,
                                                         Index);
  Offer<RepositoryModelLoadRequest, RepositoryModelLoadResponse>(
      *this, queue, &S::RequestRepositoryModelLoad, [](Service& s, auto& call) {
        s.Control(call.request.model_name(), true,
                  [&call](const Status& status) { call.Finish(status); });
      });
  Offer<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>(
      *this, queue, &S::RequestRepositoryModelUnload, [](Service& s, auto& call) {
        s.Control(call.request.model_name(), false,
                  [&call](const Status& status) { call.Finish(status); });
      });
  // Two wait, so that the next client does not wait for the first to be taken.
  for (int i = 0; i < 2; ++i)
    Offer<ModelInferRequest, ModelInferResponse>(*this, queue, &S::RequestModelInfer, Infer);
}

void GrpcServer::Core::Work(grpc::ServerCompletionQueue& queue) {
  http::PreferThisThread();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Event*>(tag)->Proceed(ok);
}

GrpcServer::GrpcServer() = default;

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcOptions& options,
                                                      Service& service) {
  std::unique_ptr<GrpcServer> made(new GrpcServer());
  made->core_ = std::make_unique<Core>(service);
  Core& core = *made->core_;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  const bool is_v6 = options.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + options.host + "]" : options.host;
  builder.AddListeningPort(fmt::format("{}:{}", host, options.port),
                           grpc::InsecureServerCredentials(), &core.port);
  builder.RegisterService(&core.async);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_body_bytes));
  builder.SetMaxSendMessageSize(-1);
  // Two servers on one port would share its clients by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  grpc::ResourceQuota quota("serve");
  quota.Resize(std::size_t{1} << 30);
  builder.SetResourceQuota(quota);
  for (int i = 0; i < options.threads; ++i) core.queues.push_back(builder.AddCompletionQueue());
  core.server = builder.BuildAndStart();
  if (core.server == nullptr || core.port == 0) {
    for (const auto& queue : core.queues) queue->Shutdown();
    return Error(ErrorCode::kUsage, "port {} on {} cannot be opened for gRPC", options.port,
                 options.host)
        .Fix("another --grpc-port; 0 takes any that is free");
  }
  for (const auto& queue : core.queues) {
    core.OfferAll(*queue);
    core.threads.emplace_back([&core, &queue = *queue] { core.Work(queue); });
  }
  return made;
}

int GrpcServer::port() const { return core_->port; }

void GrpcServer::SayNotReady() {
  if (auto* health = core_->server->GetHealthCheckService()) health->SetServingStatus(false);
}

bool GrpcServer::Drain(std::chrono::milliseconds patience) {
  // Shutdown returns when every call is answered, which a model that hangs never lets happen: it
  // waits on a thread that is left behind then.
  const auto done = std::make_shared<std::promise<void>>();
  std::future<void> ended = done->get_future();
  std::jthread shutdown = Beside([done, server = core_->server.get(), patience] {
    server->Shutdown(std::chrono::system_clock::now() + patience);
    done->set_value();
  });
  if (shutdown.joinable()) shutdown.detach();
  return ended.wait_for(patience + std::chrono::milliseconds(200)) == std::future_status::ready;
}

GrpcServer::~GrpcServer() {
  if (core_ == nullptr || core_->server == nullptr) return;
  core_->server->Shutdown(std::chrono::system_clock::now());
  {
    // Finish may not be called on a queue that is shut down.
    std::unique_lock lock(core_->mutex);
    core_->idle.wait(lock, [this] { return core_->running == 0; });
  }
  for (const auto& queue : core_->queues) queue->Shutdown();
  for (std::thread& thread : core_->threads) thread.join();
}

}  // namespace athanor::serve
