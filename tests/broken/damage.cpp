#include <algorithm>

#include "corpus.h"
#include "frontends/load.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::broken {
namespace {

// xorshift64: the same files everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  std::size_t Below(std::size_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return limit == 0 ? 0 : static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_;
};

using Bytes = std::vector<std::uint8_t>;

Bytes Part(const Bytes& bytes, std::size_t begin, std::size_t end) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(begin),
          bytes.begin() + static_cast<std::ptrdiff_t>(end)};
}

void Append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

constexpr const char* kGraphs[] = {
    R"(graph small(x: f32[2, 3]) -> (y) {
      const %w: f32[3] = [1, -2, 0.5]
      %t = Add(%x, %w) @add
      %y = Relu(%t) @relu
    })",
    R"(graph shapes(x: f32[N, 4, "a-b"]) -> (y, s) {
      const %to: i64[3] = [0, -1, 2]
      %y = Reshape(%x, %to) {allowzero = 0} @reshape
      %s = Shape(%x) @shape
    })",
    R"(graph weights(x: f32[8, 16]) -> (y) {
      const %w: f32[16, 16] = random(3)
      const %b: f32[16] = random(4)
      %t = MatMul(%x, %w) @matmul
      %u = Add(%t, %b) @bias
      %y = Mul(%u, %u) @square
    })",
    R"(graph kinds(x: f32[4]) -> (q, x) {
      const %scale: f32[] = 0.5
      const %zero: u8[] = 3
      %q = QuantizeLinear(%x, %scale, %zero) @quantize
    })",
};

}  // namespace

std::vector<Graph> GoodGraphs() {
  std::vector<Graph> graphs;
  for (const char* text : kGraphs) {
    Result<Graph> graph = ParseText(text, ops::Standard());
    ATH_CHECK(graph.ok(), "the graphs above are good");
    graphs.push_back(*std::move(graph));
  }
  return graphs;
}

std::vector<File> Damage(const File& good) {
  std::vector<File> files;
  const Bytes& bytes = good.bytes;
  const std::size_t size = bytes.size();
  Random random(size);
  const auto add = [&](const char* what, std::size_t at, Bytes damaged) {
    files.push_back({fmt::format("{}_{}_{}", good.name, what, at), std::move(damaged)});
  };
  for (std::size_t i = 0; i < 14; ++i) {
    const std::size_t end = size * i / 14;
    add("truncated", end, Part(bytes, 0, end));
  }
  for (int i = 0; i < 36; ++i) {
    Bytes damaged = bytes;
    const std::size_t at = random.Below(size);
    damaged[at] ^= static_cast<std::uint8_t>(1U << random.Below(8));
    add("flipped", at, std::move(damaged));
  }
  for (const std::uint8_t extreme : {0x00, 0x7F, 0x80, 0xFF}) {
    for (int i = 0; i < 4; ++i) {
      Bytes damaged = bytes;
      const std::size_t at = random.Below(size);
      for (std::size_t k = at; k < std::min(size, at + 1 + random.Below(9)); ++k)
        damaged[k] = extreme;
      add("extreme", at, std::move(damaged));
    }
  }
  for (int i = 0; i < 6; ++i) {
    const std::size_t begin = random.Below(size);
    const std::size_t end = begin + random.Below(std::min<std::size_t>(64, size - begin) + 1);
    Bytes cut = Part(bytes, 0, begin), twice = Part(bytes, 0, end), moved = Part(bytes, begin, end);
    Append(cut, Part(bytes, end, size));
    Append(twice, Part(bytes, begin, size));
    Append(moved, cut);
    add("cut", begin, std::move(cut));
    add("twice", begin, std::move(twice));
    add("moved", begin, std::move(moved));
  }
  return files;
}

std::vector<FamilyEntry> AllFamilies() {
  return {
      {"onnx", OnnxFamily},
      {"ath", AthFamily},
      {"txt", TextFamily},
      {"ncnn", NcnnFamily},
      {"tflite", TfliteFamily},
      {"xgboost", XgboostFamily},
      {"lightgbm", LightgbmFamily},
      {"pmml", PmmlFamily},
      {"npy", NpyFamily},
      {"npz", NpzFamily},
      {"jpg", JpegFamily},
      {"png", PngFamily},
      {"bmp", BmpFamily},
      {"webp", WebpFamily},
      {"pnm", PnmFamily},
      {"csv", CsvFamily},
      {"wav", WavFamily},
      {"athpkg", PackageFamily},
      {"caffe", CaffeFamily},
      {"catboost", CatboostFamily},
      {"coreml", CoremlFamily},
      {"darknet", DarknetFamily},
      {"foreign", ForeignFamily},
      {"mindir", MindirFamily},
      {"mnn", MnnFamily},
      {"mxnet", MxnetFamily},
      {"openvino", OpenvinoFamily},
      {"paddle", PaddleFamily},
      {"pickled", PickledFamily},
      {"pytorch", PytorchFamily},
      {"keras", KerasFamily},
      {"savedmodel", SavedModelFamily},
      {"tensorflow", TensorflowFamily},
  };
}

}  // namespace athanor::broken
