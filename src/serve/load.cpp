#include "serve/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <optional>
#include <thread>

#include "http/arrival.h"
#include "http/json_text.h"
#include "serve/datatype.h"
#include "serve/json_tensor.h"
#include "serve/message.h"

namespace athanor::serve {
namespace {

struct Reply {
  int status = 0;
  bool close = false;
  bool is_fallback = false;
  std::string body;
};

// One blocking connection. Answers with a Content-Length only: that is what servers of this
// protocol send.
class Client {
 public:
  Client(const std::string& host, int port) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(port));
    valid_ = inet_pton(AF_INET, host.c_str(), &address_.sin_addr) == 1;
  }
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool Connect() {
    if (fd_ >= 0) return true;
    if (!valid_) return false;
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const timeval patience = {60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    http::StampArrivals(fd_);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) == 0)
      return true;
    Close();
    return false;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    buffer_.clear();
  }

  // Nothing when the connection ends before the answer is complete.
  std::optional<Reply> Ask(std::string_view request) {
    while (!request.empty()) {
      const ssize_t sent = send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // there may be an answer all the same
      request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Receive()) return {};
    }
    Reply reply;
    const std::string head = buffer_.substr(0, end + 2);
    reply.status = std::atoi(head.c_str() + std::min<std::size_t>(head.size(), 9));
    const std::size_t length =
        static_cast<std::size_t>(std::atoll(Header(head, "content-length").c_str()));
    reply.close = Header(head, "connection") == "close";
    reply.is_fallback = !Header(head, "x-athanor-fallback").empty();
    while (buffer_.size() < end + 4 + length) {
      if (!Receive()) return {};
    }
    reply.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return reply;
  }

  // When the last bytes had come, by the system's time stamp: how long this thread then waited for
  // a core of a machine that it keeps busy is not the server's time.
  Clock::time_point arrival() const { return arrival_; }

 private:
  bool Receive() {
    char chunk[16384];
    const auto [count, when] = http::ReceiveStamped(fd_, chunk, 0);
    if (count <= 0) return false;
    arrival_ = when;
    buffer_.append(chunk, static_cast<std::size_t>(count));
    return true;
  }
  static std::string Header(const std::string& head, std::string_view name) {
    for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
      const char* line = head.c_str() + at + 2;
      if (strncasecmp(line, name.data(), name.size()) != 0 || line[name.size()] != ':') continue;
      const char* value = line + name.size() + 1;
      while (*value == ' ') ++value;
      return {value, std::strstr(value, "\r\n")};
    }
    return "";
  }

  sockaddr_in address_{};
  Clock::time_point arrival_;
  bool valid_ = false;
  int fd_ = -1;
  std::string buffer_;
};

Result<std::string> Fetch(const LoadOptions& options, const std::string& path) {
  Client client(options.host, options.port);
  if (!client.Connect()) {
    return Error(ErrorCode::kFileNotFound, "no server answers at {}:{}", options.host, options.port)
        .Fix("athanor serve MODEL");
  }
  const auto reply = client.Ask(
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", path, options.host));
  if (!reply) return Error(ErrorCode::kFileNotFound, "the server ended the connection");
  if (reply->status != 200)
    return Error(ErrorCode::kUnknownName, "{} answers {}: {}", path, reply->status, reply->body);
  return reply->body;
}

Result<std::string> FirstModel(const LoadOptions& options) {
  ATH_TRY(const std::string text, Fetch(options, "/v2/repository/index"));
  simdjson::dom::parser parser;
  ATH_TRY(const simdjson::dom::element document, ParseJson(parser, text));
  std::string_view name;
  if (document.at(0)["name"].get(name) != simdjson::SUCCESS)
    return Error(ErrorCode::kUnknownName, "the server offers no model");
  return std::string(name);
}

// Values between 0 and 1: valid as pixels, features and indices.
Result<Tensor> Sample(DType dtype, Dims dims, const std::string& text) {
  ATH_TRY(const std::int64_t count, CountElements(dims));
  if (count > (std::int64_t{1} << 28))
    return Error(ErrorCode::kResource, "an input of shape {} is too large", ToString(dims));
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(dims)));
  if (dtype == DType::kString) {
    for (std::string& element : tensor.MutableData<std::string>()) element = text;
    return tensor;
  }
  std::memset(tensor.mutable_raw(), 0, tensor.bytes());
  if (dtype == DType::kF32) {
    std::uint32_t state = 1;
    for (float& x : tensor.MutableData<float>()) {
      state = state * 1664525U + 1013904223U;
      x = static_cast<float>(state >> 8) / static_cast<float>(1 << 24);
    }
  }
  return tensor;
}

void AppendFloats(const Tensor& tensor, std::string& json) {
  json += '[';
  for (const float value : tensor.Data<float>()) {
    if (json.back() != '[') json += ',';
    fmt::format_to(std::back_inserter(json), "{}", value);
  }
  json += ']';
}

// The whole request with random inputs, head and body.
Result<std::string> BuildRequest(const LoadOptions& options, const std::string& model) {
  ATH_TRY(const std::string text, Fetch(options, "/v2/models/" + model));
  simdjson::dom::parser parser;
  ATH_TRY(const simdjson::dom::element document, ParseJson(parser, text));
  simdjson::dom::array inputs;
  if (document["inputs"].get(inputs) != simdjson::SUCCESS)
    return Error(ErrorCode::kInvalidInput, "the server's description of \"{}\" has no inputs",
                 model);
  std::string json = "{\"inputs\":[", binary;
  for (const simdjson::dom::element input : inputs) {
    std::string_view name, datatype;
    simdjson::dom::array shape;
    if (input["name"].get(name) != simdjson::SUCCESS ||
        input["datatype"].get(datatype) != simdjson::SUCCESS ||
        input["shape"].get(shape) != simdjson::SUCCESS || !FromV2(datatype)) {
      return Error(ErrorCode::kInvalidInput, "an input of \"{}\" is not described", model);
    }
    Dims dims;
    for (const simdjson::dom::element item : shape) {
      std::int64_t dim = -1;
      if (item.get(dim) != simdjson::SUCCESS || dim < 0) dim = dims.empty() ? options.rows : 1;
      dims.push_back(dim);
    }
    ATH_TRY(const Tensor tensor, Sample(*FromV2(datatype), dims, options.text));
    if (json.back() != '[') json += ',';
    json += "{\"name\":";
    http::AppendJsonString(name, json);
    fmt::format_to(std::back_inserter(json), ",\"datatype\":\"{}\",\"shape\":[{}],", datatype,
                   fmt::join(dims, ","));
    if (options.json && tensor.dtype() == DType::kF32) {
      json += "\"data\":";
      AppendFloats(tensor, json);
      json += '}';
    } else {
      fmt::format_to(std::back_inserter(json), "\"parameters\":{{\"binary_data_size\":{}}}}}",
                     BytesOf(tensor));
      AppendBytes(tensor, binary);
    }
  }
  json += options.json ? "]}" : "],\"parameters\":{\"binary_data_output\":true}}";
  std::string head =
      fmt::format("POST /v2/models/{}/infer HTTP/1.1\r\nHost: {}\r\n", model, options.host);
  if (!binary.empty()) head += fmt::format("Inference-Header-Content-Length: {}\r\n", json.size());
  if (options.deadline_ms > 0)
    head += fmt::format("X-Request-Deadline-Ms: {:.0f}\r\n", options.deadline_ms);
  head += fmt::format("Content-Length: {}\r\n\r\n", json.size() + binary.size());
  return head + json + binary;
}

// One client until no requests are left or the server takes no more.
void RunClient(const LoadOptions& options, const std::string& request,
               std::atomic<std::int64_t>& left, LoadResult& result) {
  Client client(options.host, options.port);
  while (left.fetch_sub(1) > 0) {
    if (!client.Connect()) {
      ++result.not_sent;
      return;
    }
    const Clock::time_point begin = Clock::now();
    const std::optional<Reply> reply = client.Ask(request);
    const double ms = std::chrono::duration<double, std::milli>(client.arrival() - begin).count();
    if (!reply) {
      ++result.lost;
      client.Close();
      continue;
    }
    if (reply->close) client.Close();
    if (reply->status != 200) {
      ++result.errors[fmt::format("{} {}", reply->status, reply->body.substr(0, 200))];
      continue;
    }
    ++result.answered;
    result.latencies_ms.push_back(ms);
    if (!reply->is_fallback) continue;
    ++result.fallbacks;
    result.fallback_ms.push_back(ms);
  }
}

}  // namespace

Result<LoadResult> RunLoad(const LoadOptions& options) {
  LoadResult total;
  total.model = options.model;
  if (total.model.empty()) {
    ATH_TRY(total.model, FirstModel(options));
  }
  ATH_TRY(const std::string request, BuildRequest(options, total.model));
  std::atomic<std::int64_t> left = options.requests;
  std::vector<LoadResult> results(static_cast<std::size_t>(options.concurrency));
  std::vector<std::thread> threads;
  const Clock::time_point begin = Clock::now();
  for (LoadResult& result : results)
    threads.emplace_back([&] { RunClient(options, request, left, result); });
  for (std::thread& thread : threads) thread.join();
  total.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const LoadResult& result : results) {
    total.answered += result.answered;
    total.fallbacks += result.fallbacks;
    total.lost += result.lost;
    total.not_sent += result.not_sent;
    for (const auto& [text, count] : result.errors) total.errors[text] += count;
    total.latencies_ms.insert(total.latencies_ms.end(), result.latencies_ms.begin(),
                              result.latencies_ms.end());
    total.fallback_ms.insert(total.fallback_ms.end(), result.fallback_ms.begin(),
                             result.fallback_ms.end());
  }
  std::sort(total.latencies_ms.begin(), total.latencies_ms.end());
  std::sort(total.fallback_ms.begin(), total.fallback_ms.end());
  return total;
}

}  // namespace athanor::serve
