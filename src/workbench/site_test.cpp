#include "workbench/site.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <stdexcept>

namespace athanor::workbench {
namespace {

using http::HttpCall;
using http::HttpReply;

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";
constexpr const char* kCookie = "athanor_test";

std::vector<Screen> Screens() {
  const auto echo = [](const Question& question) -> Result<std::string> {
    std::string text = *question.body;
    for (const auto& [name, value] : question.values) text += ";" + name + "=" + value;
    return text;
  };
  const auto fail = [](const Question&) -> Result<std::string> {
    return Error(ErrorCode::kUnknownName, "no \"x\"").In("graph").Fix("use y");
  };
  const auto raise = [](const Question&) -> Result<std::string> {
    throw std::runtime_error("broken");
  };
  return {{"echo", "POST", "what it was asked", echo},
          {"fail", "GET", "an error", fail},
          {"raise", "GET", "nothing", raise}};
}

class SiteTest : public testing::Test {
 protected:
  HttpReply Ask(const std::string& method, const std::string& target,
                std::vector<std::pair<std::string, std::string>> headers = {},
                const std::string& body = "") {
    const bool has_host = std::any_of(headers.begin(), headers.end(),
                                      [](const auto& header) { return header.first == "Host"; });
    if (!has_host) headers.emplace_back("Host", "127.0.0.1:80");
    std::promise<HttpReply> answered;
    site_.Handle(
        {method, target, std::move(headers), std::make_shared<const std::string>(body), {}},
        [&answered](HttpReply reply) { answered.set_value(std::move(reply)); });
    return answered.get_future().get();
  }
  static std::string WithToken(const std::string& path) {
    return path + (path.find('?') == std::string::npos ? "?" : "&") + "token=" + kToken;
  }
  static std::string_view Header(const HttpReply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return {};
  }

  Site site_{kToken, kCookie, Screens()};
};

TEST_F(SiteTest, NothingIsAnsweredWithoutTheToken) {
  std::string almost = kToken;
  almost.back() = '0';
  for (const std::string& path :
       {std::string("/"), std::string("/app.js"), std::string("/api"), std::string("/api/fail"),
        std::string("/?token="), "/?token=" + almost, std::string("/?token=0123"),
        std::string("/?Token=") + kToken}) {
    const HttpReply reply = Ask("GET", path);
    EXPECT_EQ(reply.status, 401) << path;
    EXPECT_EQ(Header(reply, "Set-Cookie"), "") << path;
  }
}

TEST_F(SiteTest, TheTokenMayComeAsCookie) {
  const std::string right = std::string(kCookie) + "=" + kToken;
  EXPECT_EQ(Ask("GET", "/app.js", {{"Cookie", right}}).status, 200);
  EXPECT_EQ(Ask("GET", "/app.js", {{"Cookie", "a=b;c=d; " + right + "; e=f"}}).status, 200);
  for (const std::string& wrong :
       {std::string("x") + right, right + "x", std::string(kToken),
        std::string("athanor=") + kToken, std::string(kCookie) + "=", std::string(";;=")}) {
    EXPECT_EQ(Ask("GET", "/app.js", {{"Cookie", wrong}}).status, 401) << wrong;
  }
}

TEST_F(SiteTest, ThePageSetsTheCookieThatNoScriptReads) {
  const HttpReply page = Ask("GET", WithToken("/"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(Header(page, "Set-Cookie"),
            std::string(kCookie) + "=" + kToken + "; Path=/; HttpOnly; SameSite=Strict");
  EXPECT_NE(page.body.find("<!DOCTYPE html>"), std::string::npos);
}

TEST_F(SiteTest, EveryAnswerForbidsThePageToReachOut) {
  for (const std::string& path : {std::string("/"), WithToken("/"), WithToken("/api"),
                                  WithToken("/none"), WithToken("/api/fail")}) {
    const HttpReply reply = Ask("GET", path);
    EXPECT_TRUE(Header(reply, "Content-Security-Policy").starts_with("default-src 'none'"));
    EXPECT_EQ(Header(reply, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(Header(reply, "Cache-Control"), "no-store");
  }
}

TEST_F(SiteTest, NamesThatOthersCouldPointHereAreRefused) {
  for (const char* host : {"evil.example", "evil.example:80", "localhost.evil", "1.2.3.4.evil",
                           "[::1", "[evil]", "", ":80", "0x7f000001"}) {
    EXPECT_EQ(Ask("GET", WithToken("/"), {{"Host", host}}).status, 421) << host;
  }
  for (const char* host : {"127.0.0.1", "localhost:9", "[::1]:80", "192.0.2.1:8080"})
    EXPECT_EQ(Ask("GET", WithToken("/"), {{"Host", host}}).status, 200) << host;
}

TEST_F(SiteTest, OtherPagesMayNotAsk) {
  const auto from = [&](const char* origin) {
    return Ask("POST", WithToken("/api/echo"), {{"Host", "localhost:80"}, {"Origin", origin}})
        .status;
  };
  EXPECT_EQ(from("http://localhost:80"), 200);
  for (const char* origin : {"http://localhost:81", "https://localhost:80", "null", "http://x"})
    EXPECT_EQ(from(origin), 403) << origin;
}

TEST_F(SiteTest, ScreensGetTheirQuestionWithoutTheToken) {
  const HttpReply reply = Ask("POST", WithToken("/api/echo?a=1&b=x%20y"), {}, "body");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "body;a=1;b=x y");
  EXPECT_EQ(reply.content_type, "application/json");
}

TEST_F(SiteTest, ErrorsOfScreensKeepTheirNumberPlaceAndFix) {
  const HttpReply reply = Ask("GET", WithToken("/api/fail"));
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body,
            "{\"error\":\"graph: no \\\"x\\\"\",\"code\":\"ATH-1002\",\"fix\":\"use y\"}");
  const HttpReply raised = Ask("GET", WithToken("/api/raise"));
  EXPECT_EQ(raised.status, 500);
  EXPECT_NE(raised.body.find("ATH-5001"), std::string::npos);
}

TEST_F(SiteTest, WrongPathsAndMethodsAreSaid) {
  EXPECT_EQ(Ask("GET", WithToken("/api/none")).status, 404);
  EXPECT_EQ(Ask("GET", WithToken("/a/b/c")).status, 404);
  EXPECT_EQ(Ask("GET", WithToken("/../app.js")).status, 404);
  EXPECT_EQ(Ask("GET", "/%zz").status, 400);
  EXPECT_EQ(Ask("POST", WithToken("/")).status, 405);
  const HttpReply reply = Ask("GET", WithToken("/api/echo"));
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(Header(reply, "Allow"), "POST");
}

TEST_F(SiteTest, AfterStopNoScreenIsAsked) {
  site_.Stop();
  EXPECT_EQ(Ask("GET", WithToken("/api/fail")).status, 503);
  EXPECT_EQ(Ask("GET", WithToken("/")).status, 200);
}

TEST(Worker, JobsRunInOrderAndTooManyAreRefused) {
  Worker worker;
  std::promise<void> go;
  std::shared_future<void> wait = go.get_future().share();
  std::promise<void> started;
  ASSERT_TRUE(worker.Do([&] {
    started.set_value();
    wait.get();
  }));
  started.get_future().get();
  std::vector<int> done;
  std::promise<void> last;
  int taken = 0;
  while (taken < 1000 && worker.Do([&done, &last, taken] {
    done.push_back(taken);
    if (taken == 63) last.set_value();
  }))
    ++taken;
  EXPECT_EQ(taken, 64);
  go.set_value();
  last.get_future().get();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
}

TEST(Token, IsLongAndNew) {
  const auto a = NewToken(), b = NewToken();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->size(), 32U);
  EXPECT_NE(*a, *b);
}

}  // namespace
}  // namespace athanor::workbench
