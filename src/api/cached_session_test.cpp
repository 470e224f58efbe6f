#include "api/cached_session.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "frontends/ath/ath.h"
#include "frontends/load.h"
#include "ir/text.h"
#include "kernels/kernel.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

namespace fs = std::filesystem;

// Two convolutions, whose weights every kernel packs; the second one's scale moves into them.
constexpr const char* kNetwork = R"(graph net(x: f32[N, 2, 6, 6]) -> (y) {
  const %w: f32[16, 2, 3, 3] = random(1)
  const %v: f32[16, 16, 3, 3] = random(2)
  const %s: f32[1] = [2]
  %c = Conv(%x, %w) {pads = [1, 1, 1, 1]}
  %r = Relu(%c)
  %d = Conv(%r, %v) {pads = [1, 1, 1, 1]}
  %y = Mul(%d, %s)
})";

class CachedSession : public testing::Test {
 protected:
  CachedSession() { fs::remove_all(cache_.folder); }
  ~CachedSession() override { fs::remove_all(cache_.folder); }

  static std::string Folder() {
    return (fs::path(testing::TempDir()) / fmt::format("athcache_{}", getpid())).string();
  }

  static Datum Pixels(std::int64_t batch) {
    std::vector<float> values(static_cast<std::size_t>(batch * 72));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 2;
    return Tensor::FromVector<float>({batch, 2, 6, 6}, values);
  }

  static std::vector<float> Answer(Session& session, std::int64_t batch = 1) {
    const std::vector<Datum> outputs = *session.Run({Pixels(batch)});
    const auto data = outputs[0].tensor().Data<float>();
    return {data.begin(), data.end()};
  }

  std::vector<float> Expected(std::int64_t batch = 1) const {
    return Answer(**Session::Create(graph_.Clone(), {.device = "reference"}), batch);
  }

  // What was packed in memory for the answer, besides what the file holds.
  std::int64_t PackedFor(std::int64_t batch) {
    const auto packs = std::make_shared<kernels::PackStore>();
    const std::unique_ptr<Session> session =
        *OpenCached(graph_, cache_, {.threads = 1, .packs = packs});
    const std::vector<float> answer = Answer(*session, batch), expected = Expected(batch);
    EXPECT_EQ(answer.size(), expected.size());
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < answer.size(); ++k) {
      difference += std::pow(answer[k] - expected[k], 2);
      size += std::pow(expected[k], 2);
    }
    // As much as results of f32 may differ from the reference: Winograd rounds more.
    EXPECT_LE(std::sqrt(difference / size), 1e-4);
    return packs->bytes();
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cache_.folder)) files.push_back(entry.path());
    return files;
  }

  Graph graph_ = *ParseText(kNetwork, ops::Standard());
  SessionCache cache_ = {.folder = Folder()};
};

TEST_F(CachedSession, PacksNothingOnceItIsKept) {
  EXPECT_EQ(PackedFor(1), 0);
  ASSERT_EQ(Files().size(), 1U);
  const auto written = fs::file_size(Files()[0]);
  EXPECT_EQ(PackedFor(1), 0);
  EXPECT_EQ(fs::file_size(Files()[0]), written);
}

TEST_F(CachedSession, RunsOtherSizesThanThoseItWasMadeFor) {
  ASSERT_EQ(PackedFor(1), 0);
  PackedFor(5);  // compares the answer
}

// What computes on integers is written with what it knows of its scales.
TEST_F(CachedSession, KeepsQuantisedGraphs) {
  graph_ = *ParseText(R"(graph net(x: f32[N, 2, 6, 6]) -> (y) {
  const %s: f32[] = 0.05
  const %z: u8[] = 3
  const %w: i8[16, 2, 3, 3] = fill(2)
  const %t: f32[] = 0.01
  %q = QuantizeLinear(%x, %s, %z)
  %d = DequantizeLinear(%q, %s, %z)
  %v = DequantizeLinear(%w, %t)
  %c = Conv(%d, %v) {pads = [1, 1, 1, 1]}
  %r = QuantizeLinear(%c, %s, %z)
  %y = DequantizeLinear(%r, %s, %z)
})",
                      ops::Standard());
  const std::vector<float> expected = Answer(**Session::Create(graph_.Clone(), {.threads = 1}));
  for (int i = 0; i < 2; ++i) {
    const auto packs = std::make_shared<kernels::PackStore>();
    const auto session = OpenCached(graph_, cache_, {.threads = 1, .packs = packs});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    EXPECT_EQ(Answer(**session), expected);
    EXPECT_EQ(packs->bytes(), 0);
  }
}

TEST_F(CachedSession, KeepsAFileForEachModelAndNumberOfThreads) {
  ASSERT_TRUE(OpenCached(graph_, cache_, {.threads = 1}).ok());
  ASSERT_TRUE(OpenCached(graph_, cache_, {.threads = 2}).ok());
  EXPECT_EQ(Files().size(), 2U);
  std::string other = kNetwork;
  other.replace(other.find("random(1)"), 9, "random(3)");
  graph_ = *ParseText(other, ops::Standard());
  EXPECT_EQ(PackedFor(1), 0);
  EXPECT_EQ(Files().size(), 3U);
}

TEST_F(CachedSession, MakesADamagedFileAnew) {
  ASSERT_EQ(PackedFor(1), 0);
  const fs::path path = Files()[0];
  const auto size = fs::file_size(path);
  // The marks at both ends, the list, and every length that a full disk or a copy may leave.
  for (const std::uintmax_t at :
       {std::uintmax_t{0}, size - 64, size - 56, size - 48, size - 40, size - 70}) {
    {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(at));
      file.put('\xA5');
    }
    EXPECT_EQ(PackedFor(1), 0) << at;
    EXPECT_EQ(fs::file_size(path), size);
  }
  for (std::uintmax_t left = 0; left < size; left += size / 20) {
    fs::resize_file(path, left);
    EXPECT_EQ(PackedFor(1), 0) << left;
    EXPECT_EQ(fs::file_size(path), size);
  }
}

// The structure of an .ath file holds digests of its weights, and a liar's may hold another file's.
TEST_F(CachedSession, RefusesWeightsThatAreNotWhatTheirDigestSays) {
  const std::string path = Folder() + ".ath";
  std::vector<std::uint8_t> bytes = *ath::Write(graph_);
  bytes[bytes.size() - 100] ^= 1;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  const LoadedModel loaded = *LoadWithFile(path);
  cache_.digested = loaded.digested;
  ASSERT_NE(cache_.digested, nullptr);
  const Result<std::unique_ptr<Session>> session = OpenCached(loaded.graph, cache_, {.threads = 1});
  EXPECT_EQ(session.status().code(), ErrorCode::kCorruptFile) << session.status().ToString();
  EXPECT_TRUE(Files().empty());
  fs::remove(path);
}

TEST_F(CachedSession, RemovesWhatWasNotUsedForLongest) {
  for (const int threads : {1, 2, 3})
    ASSERT_TRUE(OpenCached(graph_, cache_, {.threads = threads}).ok());
  const auto one = static_cast<std::int64_t>(fs::file_size(Files()[0]));
  const fs::file_time_type now = fs::file_time_type::clock::now();
  for (const fs::path& path : Files()) fs::last_write_time(path, now - std::chrono::hours(2));
  ASSERT_TRUE(OpenCached(graph_, cache_, {.threads = 2}).ok());  // used: now the youngest
  cache_.most_bytes = 2 * one + one / 2;
  ASSERT_TRUE(OpenCached(graph_, cache_, {.threads = 4}).ok());
  const std::vector<fs::path> left = Files();
  ASSERT_EQ(left.size(), 2U);
  for (const fs::path& path : left)
    EXPECT_GT(fs::last_write_time(path), now - std::chrono::hours(1));
}

TEST_F(CachedSession, SaysWhereItCannotWrite) {
  const std::string file = Folder() + ".txt";
  std::ofstream(file) << "not a folder";
  cache_.folder = file + "/cache";
  EXPECT_EQ(OpenCached(graph_, cache_, {.threads = 1}).status().code(), ErrorCode::kFileWrite);
  fs::remove(file);
}

TEST_F(CachedSession, IsForOneKindOfDevice) {
  const Result<std::unique_ptr<Session>> session =
      OpenCached(graph_, cache_, {.device = "reference"});
  EXPECT_EQ(session.status().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace athanor
