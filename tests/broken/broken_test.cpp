#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "corpus.h"

namespace athanor::broken {
namespace {

namespace fs = std::filesystem;

constexpr double kSeconds = 1;
constexpr rlim_t kMemory = rlim_t{2} << 30;

#ifdef __has_feature  // sanitizers, for which the presets take clang, reserve more address space
constexpr bool kLimits = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kLimits = true;
#endif

// Runs in a child: reads the file and says what was wrong with the answer; "" when nothing.
std::string Judge(const Family& family, const File& file, const std::string& path, bool good) {
  const std::clock_t start = std::clock();
  const Status status = family.read(path);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (kLimits && seconds > kSeconds) return fmt::format("took {:.1f} s", seconds);
  if (good && !status.ok()) return status.ToString();
  if (file.must_fail && status.ok()) return "was read as if it were good";
  if (status.ok()) return "";
  if (status.code() == ErrorCode::kInternal) return "internal: " + status.ToString();
  if (status.where().empty() && status.code() != ErrorCode::kFileNotFound)
    return "names no place: " + status.ToString();
  return "";
}

// Reads every file in a child process of its own: a crash, a hang or a claim of too much memory is
// the child's end and not the test's.
std::string ReadInChild(const Family& family, const File& file, const fs::path& folder, bool good) {
  const std::string path = folder / fmt::format("model.{}", family.name);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.bytes.data()),
             static_cast<std::streamsize>(file.bytes.size()));
  int channel[2];
  if (pipe(channel) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const rlimit memory = {kMemory, kMemory};
    if (kLimits) setrlimit(RLIMIT_AS, &memory);
    alarm(60);
    const std::string problem = Judge(family, file, path, good);
    const auto written =
        write(channel[1], problem.data(), std::min<std::size_t>(problem.size(), 4000));
    _exit(written < 0 ? 1 : 0);
  }
  close(channel[1]);
  char text[4096];
  const ssize_t size = read(channel[0], text, sizeof(text));
  close(channel[0]);
  int result = 0;
  waitpid(child, &result, 0);
  if (WIFSIGNALED(result)) return fmt::format("died of signal {}", WTERMSIG(result));
  // A sanitizer's report went to stderr and ended the child in this way.
  if (WEXITSTATUS(result) != 0) return fmt::format("exited with {}", WEXITSTATUS(result));
  return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

class BrokenFiles : public testing::TestWithParam<std::size_t> {};

TEST_P(BrokenFiles, AreRefusedWithAPlaceOrReadAndNeverCrash) {
  const Family family = AllFamilies()[GetParam()].make();
  const fs::path folder = fs::temp_directory_path() / fmt::format("athanor_broken_{}", getpid());
  fs::create_directories(folder);
  for (const File& file : family.good)
    EXPECT_EQ(ReadInChild(family, file, folder, true), "") << family.name << " " << file.name;
  for (const File& file : family.bad)
    EXPECT_EQ(ReadInChild(family, file, folder, false), "") << family.name << " " << file.name;
  std::printf("%zu broken %s files\n", family.bad.size(), family.name.c_str());
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Families, BrokenFiles,
                         testing::Range<std::size_t>(0, AllFamilies().size()),
                         [](const auto& info) { return AllFamilies()[info.param].name; });

TEST(BrokenCorpus, ThereAreAtLeastThreeHundred) {
  std::size_t count = 0;
  for (const FamilyEntry& family : AllFamilies()) count += family.make().bad.size();
  EXPECT_GE(count, 300U);
}

TEST(BrokenCorpus, EveryKindOfFileHasThirtyThatWereBrokenByHandOrByDamage) {
  for (const FamilyEntry& family : AllFamilies())
    EXPECT_GE(family.make().bad.size(), 30U) << family.name;
}

}  // namespace
}  // namespace athanor::broken
