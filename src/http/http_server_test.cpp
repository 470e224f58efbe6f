#include "http/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace athanor::http {
namespace {

using std::chrono::milliseconds;

// A client's end of a connection.
class Client {
 public:
  Client() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience = {10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Connect(int port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  // False when the connection is gone.
  bool Send(std::string_view text) const {
    return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // What comes first; "" when nothing more does.
  std::string Receive() const {
    std::string text(4096, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(recv(fd_, text.data(), 4096, 0), 0)));
    return text;
  }

 private:
  int fd_;
};

std::unique_ptr<HttpServer> Start(HttpHandler handler, HttpOptions options = {}) {
  options.port = 0;
  auto server = HttpServer::Start(options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return *std::move(server);
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void AnswerAtOnce(const HttpCall&, const HttpReplyTo& reply) { reply({200, "yes"}); }

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// No file can be opened in this process as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = std::min<rlim_t>(before_.rlim_max, 256);
    setrlimit(RLIMIT_NOFILE, &low);
    int fd = -1;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) taken_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

// UBSan looks at the type of an object for the first time through a pipe, which is not to be had
// without descriptors.
void ServeOnce() {
  const auto server = Start(AnswerAtOnce);
  const Client client;
  client.Connect(server->port());
  ASSERT_TRUE(client.Send(kGet));
  ASSERT_TRUE(client.Receive().starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, WaitsForDescriptorsWithoutWorkingAndAcceptsAgain) {
  ServeOnce();
  const auto server = Start(AnswerAtOnce);
  const Client client;
  {
    const NoDescriptors none;
    client.Connect(server->port());
    ASSERT_TRUE(client.Send(kGet));
    const double before = CpuSeconds();
    std::this_thread::sleep_for(milliseconds(1000));
    EXPECT_LT(CpuSeconds() - before, 0.2);
  }
  EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, StopsWhileItWaitsForDescriptors) {
  ServeOnce();
  const auto server = Start(AnswerAtOnce);
  const Client client;
  const NoDescriptors none;
  client.Connect(server->port());
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_TRUE(server->Drain(milliseconds(5000)));
}

TEST(HttpServer, EndsOnlyWhenNobodyOwesAnAnswer) {
  std::promise<HttpReplyTo> asked;
  auto server = Start([&asked](const HttpCall&, HttpReplyTo reply) { asked.set_value(reply); });
  const Client client;
  client.Connect(server->port());
  ASSERT_TRUE(client.Send(kGet));
  HttpReplyTo reply = asked.get_future().get();
  std::atomic<bool> answered = false;
  std::thread worker([&] {
    std::this_thread::sleep_for(milliseconds(200));
    reply({200, "late"});
    answered = true;
    reply = nullptr;
  });
  server.reset();
  EXPECT_TRUE(answered.load());
  worker.join();
}

TEST(HttpServer, ARequestThatNeedsTooMuchMemoryIsRefusedAndTheNextIsServed) {
  const auto server = Start([](const HttpCall& call, const HttpReplyTo& reply) {
    if (call.target == "/large") throw std::bad_alloc();
    if (call.target == "/answered") {
      reply({200, "first"});
      throw std::bad_alloc();
    }
    reply({200, "yes"});
  });
  const Client client;
  client.Connect(server->port());
  ASSERT_TRUE(client.Send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 503"));
  ASSERT_TRUE(client.Send("GET /answered HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(client.Receive().ends_with("\r\n\r\nfirst"));
  ASSERT_TRUE(client.Send(kGet));
  EXPECT_TRUE(client.Receive().ends_with("\r\n\r\nyes"));
}

TEST(HttpServer, ARefusedClientDoesNotKeepItsConnectionByTrickling) {
  HttpOptions options;
  options.max_body_bytes = 10;
  options.linger_timeout = std::chrono::seconds(1);
  const auto server = Start(AnswerAtOnce, options);
  const Client client;
  client.Connect(server->port());
  ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"));
  EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 413"));
  bool open = true;
  for (int i = 0; open && i < 50; ++i) {  // ten seconds; each byte comes well within one
    std::this_thread::sleep_for(milliseconds(200));
    open = client.Send("x");
  }
  EXPECT_FALSE(open);
}

}  // namespace
}  // namespace athanor::http
