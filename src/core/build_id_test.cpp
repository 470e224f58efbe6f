#include "core/build_id.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>

namespace athanor {
namespace {

// binutils, which the compiler needs, reads the same note from the file.
TEST(BuildId, IsTheOneInTheProgramsFile) {
  const std::unique_ptr<FILE, int (*)(FILE*)> readelf(popen("readelf -n /proc/$PPID/exe", "r"),
                                                      pclose);
  ASSERT_NE(readelf, nullptr);
  std::string text;
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), readelf.get()) != nullptr) text += line.data();
  const std::string mark = "Build ID: ";
  const std::size_t at = text.find(mark);
  ASSERT_NE(at, std::string::npos) << text;
  const std::size_t begin = at + mark.size();
  EXPECT_EQ(BuildId(),
            text.substr(begin, text.find_first_not_of("0123456789abcdef", begin) - begin));
}

}  // namespace
}  // namespace athanor
