// The only file that includes Boost.Beast for servers: it takes long to compile.
#include "http/http_server.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "http/arrival.h"
#include "http/json_text.h"
#include "http/priority.h"

namespace athanor::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// Beast's own start of 512 bytes costs a read per 512 bytes of an image.
constexpr std::size_t kReadBuffer = 65536;
// Within this time a connection that has begun is complete.
constexpr std::chrono::milliseconds kHandshake{50};
// What a refused client may still send before the connection is cut.
constexpr std::size_t kMostDiscarded = std::size_t{256} << 20;
// How long nobody is accepted after it could not be done: no descriptor or no memory was left, and
// at once there is none either.
constexpr std::chrono::milliseconds kAcceptPause{100};

class Session;

}  // namespace

HttpReply NotAllowed(const std::string& allowed) {
  return {405, ErrorJson("this path answers " + allowed), "application/json", {{"Allow", allowed}}};
}

struct HttpServer::Core {
  explicit Core(const HttpOptions& options_in, HttpHandler handler_in)
      : options(options_in), handler(std::move(handler_in)), acceptor(asio::make_strand(context)) {}

  HttpOptions options;
  HttpHandler handler;
  std::atomic<bool> draining = false;
  std::atomic<std::size_t> held_bytes = 0;
  std::mutex mutex;  // guards sessions, accepting and owed
  std::condition_variable changed;
  std::set<Session*> sessions;
  bool accepting = true;
  std::size_t owed = 0;  // requests whose answer, or the end of it, the handler still has
  // Below what sessions use: destroying the context destroys those that are left.
  asio::io_context context;
  // Requests that models work on are no work of the context: it must not end meanwhile.
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  tcp::acceptor acceptor;
  asio::steady_timer accept_pause{acceptor.get_executor()};
  std::vector<std::thread> threads;

  Status Listen();
  void Run();
  void Accept();
  void AcceptLater();
  bool Open(tcp::socket socket);
  void RefuseNew();
  void StopAccepting();
  void CloseIdle();
};

namespace {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(HttpServer::Core& core, tcp::socket socket)
      : core_(core),
        stream_(std::move(socket)),
        idle_timer_(stream_.get_executor()),
        buffer_(kReadBuffer * 2) {
    StampArrivals(stream_.socket().native_handle());
    buffer_.reserve(kReadBuffer);
    const std::scoped_lock lock(core_.mutex);
    core_.sessions.insert(this);
  }
  ~Session() {
    Release();
    const std::scoped_lock lock(core_.mutex);
    core_.sessions.erase(this);
    if (core_.sessions.empty()) core_.changed.notify_all();
  }

  void Start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->AwaitHead(); });
  }

  // Closes the connection when nothing is being read or answered on it.
  void CloseIfIdle() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      error_code error;
      // What lies in the socket is a request that must be answered.
      if (self->idle_ && self->buffer_.size() == 0 && self->stream_.socket().available(error) == 0)
        self->stream_.close();
    });
  }

 private:
  // Looks at the bytes before they are read: only so the system tells when they came.
  void AwaitHead() {
    idle_ = true;
    arrival_ = {};
    if (buffer_.size() > 0) return ReadHead();  // the next request came with the last one
    idle_timer_.expires_after(core_.options.idle_timeout);
    idle_timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && self->idle_timer_.expiry() <= Clock::now()) self->stream_.close();
    });
    stream_.socket().async_wait(tcp::socket::wait_read,
                                [self = shared_from_this()](error_code error) {
                                  self->idle_timer_.expires_at(Clock::time_point::max());
                                  if (!error) self->StampHead();
                                });
  }

  void StampHead() {
    constexpr std::string_view kEnd = "\r\n\r\n";
    std::array<char, 4096> start;  // the heads of clients are shorter
    const Received seen =
        ReceiveStamped(stream_.socket().native_handle(), start, MSG_PEEK | MSG_DONTWAIT);
    const std::string_view text(start.data(),
                                static_cast<std::size_t>(std::max<ssize_t>(seen.count, 0)));
    if (seen.count > 0) idle_ = false;
    // A head that is not complete has not arrived.
    if (text.find(kEnd) != std::string_view::npos) arrival_ = seen.when;
    ReadHead();
  }

  void ReadHead() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.max_head_bytes));
    parser_->body_limit(core_.options.max_body_bytes);
    stream_.expires_after(core_.options.idle_timeout);
    beast_http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnHead(error); });
  }

  void OnHead(error_code error) {
    idle_ = false;
    if (arrival_ == Clock::time_point()) arrival_ = Clock::now();
    if (error == beast_http::error::body_limit) return Refuse(413, "the body is too large");
    if (error == beast_http::error::header_limit) return Refuse(431, "the head is too large");
    if (error.category() ==
            beast_http::make_error_code(beast_http::error::end_of_stream).category() &&
        error != beast_http::error::end_of_stream && error != beast_http::error::partial_message) {
      return Refuse(400, "this is no HTTP request: " + error.message());
    }
    if (error) return;
    if (parser_->get().version() != 11 && parser_->get().version() != 10)
      return Refuse(505, "HTTP/1.1 is spoken here");
    // A chunked body may become as large as the limit.
    reserved_ =
        parser_->content_length().value_or(parser_->chunked() ? core_.options.max_body_bytes : 0);
    if (core_.held_bytes.fetch_add(reserved_) + reserved_ > core_.options.max_held_bytes)
      return Refuse(503, "too many large requests at once");
    try {
      parser_->get().body().reserve(parser_->content_length().value_or(0));
    } catch (const std::bad_alloc&) {
      return Refuse(503, "there is not enough memory for this request");
    }
    if (beast::iequals(parser_->get()[beast_http::field::expect], "100-continue"))
      return Continue();
    ReadBody();
  }

  void Continue() {
    auto go_on = std::make_shared<beast_http::response<beast_http::empty_body>>(
        beast_http::status::continue_, 11);
    beast_http::async_write(stream_, *go_on,
                            [self = shared_from_this(), go_on](error_code error, std::size_t) {
                              if (!error) self->ReadBody();
                            });
  }

  void ReadBody() {
    stream_.expires_after(core_.options.body_timeout);
    beast_http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnBody(error); });
  }

  void OnBody(error_code error) {
    if (error == beast_http::error::body_limit) return Refuse(413, "the body is too large");
    if (error == beast::error::timeout) return;
    if (error.category() ==
            beast_http::make_error_code(beast_http::error::end_of_stream).category() &&
        error != beast_http::error::partial_message && error != beast_http::error::end_of_stream) {
      return Refuse(400, "the body cannot be read: " + error.message());
    }
    if (error) return;
    stream_.expires_never();
    auto request = parser_->release();
    keep_alive_ = request.keep_alive();
    is_head_ = request.method() == beast_http::verb::head;
    HttpCall call = {std::string(is_head_ ? "GET" : request.method_string()),
                     std::string(request.target()),
                     {},
                     std::make_shared<const std::string>(std::move(request.body())),
                     arrival_};
    for (const auto& field : request) call.headers.emplace_back(field.name_string(), field.value());
    // Whoever has the answer writes it: handing it to a thread of the context would cost a wake-up,
    // which on a busy machine is a time slice. Until then nothing else is under way on this
    // connection, and what touches it checks `idle_` first.
    const auto owed = std::make_shared<Owed>(shared_from_this());
    const HttpReplyTo reply = [owed](HttpReply given) { owed->Pay(std::move(given)); };
    try {
      core_.handler(std::move(call), reply);
    } catch (const std::bad_alloc&) {
      reply(
          {503, ErrorJson("there is not enough memory for this request"), "application/json", {}});
    }
  }

  // The answer to one request, as long as anybody may give it. The server does not end before it is
  // given or given up: an answer touches the connection, and that the server.
  class Owed {
   public:
    explicit Owed(std::shared_ptr<Session> session)
        : core_(session->core_), session_(std::move(session)) {
      const std::scoped_lock lock(core_.mutex);
      ++core_.owed;
    }
    ~Owed() {
      session_.reset();
      const std::scoped_lock lock(core_.mutex);
      if (--core_.owed == 0) core_.changed.notify_all();
    }
    Owed(const Owed&) = delete;
    Owed& operator=(const Owed&) = delete;

    // Once: whoever ran out of memory while answering may not know whether that was done.
    void Pay(HttpReply reply) {
      if (!paid_.exchange(true)) session_->Write(std::move(reply));
    }

   private:
    HttpServer::Core& core_;
    std::shared_ptr<Session> session_;
    std::atomic<bool> paid_ = false;
  };

  // An answer after which the connection cannot go on.
  void Refuse(int status, const std::string& why) {
    keep_alive_ = false;
    lingering_ = true;
    HttpReply reply;
    reply.status = status;
    reply.body = ErrorJson(why);
    Write(std::move(reply));
  }

  void Write(HttpReply reply) {
    Release();
    if (core_.draining.load()) keep_alive_ = false;
    response_.emplace(static_cast<beast_http::status>(reply.status), 11);
    response_->set(beast_http::field::server, "athanor");
    response_->set(beast_http::field::content_type, reply.content_type);
    for (const auto& [name, value] : reply.headers) response_->set(name, value);
    response_->keep_alive(keep_alive_);
    response_->body() = std::move(reply.body);
    response_->prepare_payload();
    stream_.expires_after(core_.options.write_timeout);
    const auto written = [self = shared_from_this()](error_code error, std::size_t) {
      self->OnWritten(error);
    };
    if (!is_head_) return beast_http::async_write(stream_, *response_, written);
    serializer_.emplace(*response_);
    beast_http::async_write_header(stream_, *serializer_, written);
  }

  void OnWritten(error_code error) {
    if (error) return;
    response_.reset();
    serializer_.reset();
    if (keep_alive_) return AwaitHead();
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    if (!lingering_) return;
    stream_.expires_after(core_.options.linger_timeout);  // for all that still comes
    Discard();
  }

  // A client that is still sending would lose the answer if the connection were cut at once.
  void Discard() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBuffer),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              self->discarded_ += count;
                              if (!error && self->discarded_ < kMostDiscarded) self->Discard();
                            });
  }

  void Release() { core_.held_bytes.fetch_sub(std::exchange(reserved_, 0)); }

  HttpServer::Core& core_;
  beast::tcp_stream stream_;
  asio::steady_timer idle_timer_;
  beast::flat_buffer buffer_;
  std::optional<beast_http::request_parser<beast_http::string_body>> parser_;
  std::optional<beast_http::response<beast_http::string_body>> response_;
  std::optional<beast_http::response_serializer<beast_http::string_body>> serializer_;
  Clock::time_point arrival_;
  std::size_t reserved_ = 0, discarded_ = 0;
  bool idle_ = false, keep_alive_ = false, lingering_ = false, is_head_ = false;
};

}  // namespace

Status HttpServer::Core::Listen() {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(options.host, error);
  if (error) {
    return Error(ErrorCode::kUsage, "--host {}: an IP address is expected, for example 127.0.0.1",
                 options.host);
  }
  const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options.port));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Error(ErrorCode::kUsage, "port {} on {} cannot be opened: {}", options.port,
                 options.host, error.message())
        .Fix("another port; 0 takes any that is free");
  }
  return {};
}

// False when there is no memory for another connection.
bool HttpServer::Core::Open(tcp::socket socket) {
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  {
    const std::scoped_lock lock(mutex);
    if (sessions.size() >= options.max_connections) return true;  // closed as it leaves
  }
  try {
    std::make_shared<Session>(*this, std::move(socket))->Start();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// What a connection needs may be too much; it is closed then, and the others go on.
void HttpServer::Core::Run() {
  for (;;) {
    try {
      context.run();
      return;
    } catch (const std::bad_alloc&) {
      continue;  // the connection went with what was called for it
    }
  }
}

void HttpServer::Core::Accept() {
  acceptor.async_accept(asio::make_strand(context), [this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    error || !Open(std::move(socket)) ? AcceptLater() : Accept();
  });
}

void HttpServer::Core::AcceptLater() {
  accept_pause.expires_after(kAcceptPause);
  accept_pause.async_wait([this](error_code error) {
    if (!error && acceptor.is_open()) Accept();
  });
}

// A port that closes resets the connections that wait in it or are being made, and with them the
// requests their clients have sent. So the kernel first drops every packet that begins a
// connection; what has begun goes on. Those clients find the port closed when they try again.
void HttpServer::Core::RefuseNew() {
  constexpr std::uint32_t kFlagsOffset = 13;  // of the TCP header
  constexpr std::uint32_t kSyn = 2;
  sock_filter code[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, kFlagsOffset},
                        {BPF_JMP | BPF_JSET | BPF_K, 0, 1, kSyn},
                        {BPF_RET | BPF_K, 0, 0, 0},
                        {BPF_RET | BPF_K, 0, 0, 0xFFFFFFFF}};
  const sock_fprog program = {4, code};
  setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void HttpServer::Core::StopAccepting() {
  error_code error;
  acceptor.cancel(error);
  accept_pause.cancel();
  acceptor.non_blocking(true, error);
  for (;;) {
    tcp::socket socket(asio::make_strand(context));
    acceptor.accept(socket, error);
    if (error || !Open(std::move(socket))) break;
  }
  acceptor.close(error);
  const std::scoped_lock lock(mutex);
  accepting = false;
  changed.notify_all();
}

void HttpServer::Core::CloseIdle() {
  std::vector<std::shared_ptr<Session>> held;  // let go outside the lock, which destructors take
  {
    const std::scoped_lock lock(mutex);
    for (Session* session : sessions) held.push_back(session->weak_from_this().lock());
  }
  for (const std::shared_ptr<Session>& session : held) {
    if (session != nullptr) session->CloseIfIdle();
  }
}

HttpServer::HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpOptions& options,
                                                      HttpHandler handler) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->core_ = std::make_unique<Core>(options, std::move(handler));
  Core& core = *server->core_;
  ATH_RETURN_IF_ERROR(core.Listen());
  asio::post(core.acceptor.get_executor(), [&core] { core.Accept(); });
  for (int i = 0; i < options.threads; ++i)
    core.threads.emplace_back([&core] {
      PreferThisThread();
      core.Run();
    });
  return server;
}

std::string_view HttpCall::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (beast::iequals(key, beast::string_view(name.data(), name.size()))) return value;
  }
  return {};
}

int HttpServer::port() const {
  error_code error;
  return core_->acceptor.local_endpoint(error).port();
}

bool HttpServer::Drain(std::chrono::milliseconds patience) {
  Core& core = *core_;
  const auto end = Clock::now() + patience;
  core.RefuseNew();
  core.draining.store(true);
  std::this_thread::sleep_for(kHandshake);
  asio::post(core.acceptor.get_executor(), [&core] { core.StopAccepting(); });
  // Clients that are busy send their next request within this time, and are told to go with its
  // answer; the others are closed.
  std::unique_lock lock(core.mutex);
  while (Clock::now() < end) {
    if (core.changed.wait_for(lock, std::chrono::milliseconds(250),
                              [&] { return core.sessions.empty() && !core.accepting; })) {
      return true;
    }
    lock.unlock();
    core.CloseIdle();
    lock.lock();
  }
  return core.sessions.empty();
}

HttpServer::~HttpServer() {
  if (core_ == nullptr) return;
  core_->context.stop();
  for (std::thread& thread : core_->threads) thread.join();
  core_->threads.clear();
  std::unique_lock lock(core_->mutex);
  core_->changed.wait(lock, [this] { return core_->owed == 0; });
}

}  // namespace athanor::http
