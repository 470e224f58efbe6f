#include "core/wished_isa.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace athanor {
namespace {

class Wished : public testing::Test {
 protected:
  Wished() {
    if (const char* now = std::getenv("ATHANOR_ISA")) before_ = now;
  }
  ~Wished() override {
    if (before_)
      setenv("ATHANOR_ISA", before_->c_str(), 1);
    else
      unsetenv("ATHANOR_ISA");
  }

 private:
  std::optional<std::string> before_;
};

TEST_F(Wished, IsaIsReadFromTheEnvironment) {
  unsetenv("ATHANOR_ISA");
  EXPECT_EQ(*WishedIsa(), std::nullopt);
  setenv("ATHANOR_ISA", "", 1);
  EXPECT_EQ(*WishedIsa(), std::nullopt);
  setenv("ATHANOR_ISA", "avx2", 1);
  EXPECT_EQ(*WishedIsa(), Isa::kAvx2);
}

// It was a warning, and everything the machine has ran.
TEST_F(Wished, UnknownIsaIsRefusedWithTheNearestName) {
  setenv("ATHANOR_ISA", "avx521", 1);
  const Status status = WishedIsa().status();
  EXPECT_EQ(status.code(), ErrorCode::kUnknownName);
  EXPECT_NE(status.message().find("did you mean \"avx512\"?"), std::string::npos)
      << status.ToString();
  EXPECT_NE(status.fix().find("unset ATHANOR_ISA"), std::string::npos);
}

}  // namespace
}  // namespace athanor
