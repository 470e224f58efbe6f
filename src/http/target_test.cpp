#include "http/target.h"

#include <gtest/gtest.h>

#include "http/http_server.h"
#include "http/json_text.h"

namespace athanor::http {
namespace {

using Parts = std::vector<std::string>;

TEST(Target, PathsComeInPartsWithoutTheirEscapes) {
  EXPECT_EQ(SplitPath("/v2/models/a%2Fb?x=1"), (Parts{"v2", "models", "a/b"}));
  EXPECT_EQ(SplitPath("//a///b/"), (Parts{"a", "b"}));
  EXPECT_EQ(SplitPath("/"), Parts{});
  EXPECT_EQ(SplitPath("/a+b"), Parts{"a+b"});  // only in a query is a plus a space
}

TEST(Target, BadEscapesAreNoPath) {
  for (const char* bad : {"/%", "/a%2", "/%zz", "/%-1", "/a%2/b"})
    EXPECT_EQ(SplitPath(bad), std::nullopt) << bad;
}

TEST(Target, QueriesComeAsNamedValues) {
  EXPECT_EQ(SplitQuery("/run?input=a%20b+c&random&x=%26=1"),
            (QueryValues{{"input", "a b c"}, {"random", ""}, {"x", "&=1"}}));
  EXPECT_EQ(SplitQuery("/run"), QueryValues{});
  EXPECT_EQ(SplitQuery("/run?&&=nameless"), QueryValues{});
  EXPECT_EQ(SplitQuery("/run?x=%4"), std::nullopt);
  EXPECT_EQ(SplitQuery("/run?%=1"), std::nullopt);
}

TEST(HttpCall, HeadersAreFoundWhateverTheirCase) {
  const HttpCall call = {"GET", "/", {{"Host", "a"}, {"X-Thing", "1"}, {"x-thing", "2"}}, {}, {}};
  EXPECT_EQ(call.Header("host"), "a");
  EXPECT_EQ(call.Header("X-THING"), "1");
  EXPECT_EQ(call.Header("Cookie"), "");
}

TEST(JsonText, AnyBytesAreValidJson) {
  std::string json;
  AppendJsonString(std::string("a\"\\\n\xff\0", 6), json);
  EXPECT_EQ(json, "\"a\\\"\\\\\\u000a\\u00ff\\u0000\"");
}

}  // namespace
}  // namespace athanor::http
