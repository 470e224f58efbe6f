#include "serve/v2_json.h"

#include <gtest/gtest.h>

#include "http/json_text.h"
#include "serve/datatype.h"

namespace athanor::serve {
namespace {

Result<InferRequest> Parse(const std::string& text, std::optional<std::size_t> length = {}) {
  return ParseInferRequest(text, length, nullptr);
}

std::string Input(const std::string& rest) { return R"({"inputs":[{"name":"x",)" + rest + "}]}"; }

TEST(V2Json, ReadsNestedAndFlatData) {
  const auto nested = Parse(Input(R"("datatype":"FP32","shape":[2,2],"data":[[1,2.5],[3,null]])"));
  ASSERT_TRUE(nested.ok()) << nested.status().ToString();
  const auto values = nested->inputs[0].tensor.Data<float>();
  EXPECT_EQ(values[1], 2.5F);
  EXPECT_NE(values[3], values[3]);
  const auto flat = Parse(Input(R"("datatype":"INT8","shape":[2],"data":[-128,127])"));
  ASSERT_TRUE(flat.ok());
  EXPECT_EQ(flat->inputs[0].tensor.Data<std::int8_t>()[0], -128);
}

TEST(V2Json, ReadsTensorsBehindTheJson) {
  const std::string json =
      R"({"inputs":[{"name":"a","datatype":"BOOL","shape":[2],"parameters":{"binary_data_size":2}},)"
      R"({"name":"b","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":7}}]})";
  const std::string body = json + std::string("\x07\x00", 2) + std::string("\x03\0\0\0abc", 7);
  const auto request = Parse(body, json.size());
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_TRUE(request->inputs[0].tensor.Data<bool>()[0]);
  EXPECT_EQ(request->inputs[1].tensor.Data<std::string>()[0], "abc");
}

TEST(V2Json, EachBrokenRequestIsRefusedWithAReason) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "JSON"},
      {"[]", "object"},
      {"{\"inputs\":3}", "array"},
      {"{}", "no \"inputs\""},
      {"{\"inputs\":[3]}", "object"},
      {"{\"inputs\":[{}]}", "no \"name\""},
      {"{\"id\":7,\"inputs\":[]}", "string"},
      {Input(R"("shape":[1],"data":[1])"), "missing"},
      {Input(R"("datatype":"FP31","shape":[1],"data":[1])"), "FP31"},
      {Input(R"("datatype":"FP32","data":[1])"), "shape"},
      {Input(R"("datatype":"FP32","shape":[-1],"data":[1])"), ">= 0"},
      {Input(R"("datatype":"FP32","shape":["a"],"data":[1])"), ">= 0"},
      {Input(R"("datatype":"FP32","shape":[4294967296,4294967296,4294967296],"data":[1])"),
       "too large"},
      {Input(R"("datatype":"FP32","shape":[1099511627776],"data":[1])"), "1 elements"},
      {Input(R"("datatype":"FP32","shape":[2],"data":[1])"), "1 elements"},
      {Input(R"("datatype":"FP32","shape":[1],"data":["x"])"), "not a value of FP32"},
      {Input(R"("datatype":"UINT8","shape":[1],"data":[256])"), "not a value of UINT8"},
      {Input(R"("datatype":"UINT8","shape":[1],"data":[1.5])"), "not a value of UINT8"},
      {Input(R"("datatype":"FP32","shape":[1])"), "neither"},
      {Input(R"("datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4})"),
       "0 bytes are left"},
      {Input(R"("datatype":"FP32","shape":[1],"parameters":{"binary_data_size":-4})"), ">= 0"},
      {Input(R"("datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"a"})"),
       "shared memory"},
      {std::string(100, '[') + std::string(100, ']'), "deep"},
  };
  for (const auto& [text, expected] : cases) {
    const auto request = Parse(text);
    ASSERT_FALSE(request.ok()) << text;
    EXPECT_NE(http::ErrorText(request.status()).find(expected), std::string::npos)
        << text << " gave: " << http::ErrorText(request.status());
  }
}

TEST(V2Json, BytesThatBelongToNoInputAreRefused) {
  EXPECT_FALSE(Parse("{\"inputs\":[]}xx", 13).ok());
  EXPECT_FALSE(Parse("{\"inputs\":[]}", 14).ok());
}

TEST(V2Json, ClassesComeBestFirst) {
  const auto named = Classify(Tensor::FromVector<float>({2, 3}, {0, 2, 1, 5, 4, 3}), 2);
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->dims(), (Dims{2, 2}));
  EXPECT_EQ(named->Data<std::string>()[0], "2.000000:1");
  EXPECT_EQ(named->Data<std::string>()[2], "5.000000:0");
}

TEST(Datatype, StringsAreBoundedByTheirBytes) {
  const std::string four(4, '\0'), lie("\xff\xff\xff\x7f", 4);
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  EXPECT_TRUE(TensorFromBytes(DType::kString, {1}, bytes(four), nullptr).ok());
  EXPECT_FALSE(TensorFromBytes(DType::kString, {1000000000}, bytes(four), nullptr).ok());
  EXPECT_FALSE(TensorFromBytes(DType::kString, {1}, bytes(lie), nullptr).ok());
  EXPECT_FALSE(TensorFromBytes(DType::kF32, {2}, bytes(four), nullptr).ok());
}

}  // namespace
}  // namespace athanor::serve
