#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN();

// A window of 3 by 3 over a picture that no tile divides, with more channels than blocks hold.
struct Picture {
  Dims dims = {1, 5, 9, 14};
  Tensor x = RandomF32(dims, 1);

  void Put(std::int64_t channel, std::int64_t row, std::int64_t column, float value) {
    const std::int64_t at = (channel * dims[2] + row) * dims[3] + column;
    x.MutableData<float>()[static_cast<std::size_t>(at)] = value;
  }
};

void Check(const Picture& picture, const Tensor& windows,
           const std::vector<std::string>& epilogue = {}) {
  const bool residual = !epilogue.empty() && epilogue[0] == "Add";
  EXPECT_GT(CheckKernels({.op = "Conv",
                          .inputs = {picture.x, windows, RandomF32({windows.dim(0)}, 3)},
                          .constant = {false, true, true},
                          .attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}},
                          .tolerance = 5e-4,  // as in conv_test.cpp
                          .epilogue = epilogue,
                          .operands = residual ? std::vector<Tensor>{RandomF32(
                                                     {1, windows.dim(0), 9, 14}, 4)}
                                               : std::vector<Tensor>{}}),
            0);
}

Tensor Windows() { return RandomF32({20, 5, 3, 3}, 2, -1, 1); }

// Tiles mix all their inputs: one infinity made no number of each output of its tile.
TEST(WinogradKernels, KeepAnInfinityWhereItsWindowsReachItWhereverItStands) {
  const Tensor windows = Windows();
  for (std::int64_t row = 0; row < 9; ++row) {
    for (std::int64_t column = 0; column < 14; ++column) {
      Picture picture;
      picture.Put((row + column) % 5, row, column, column % 2 == 0 ? kInfinity : -kInfinity);
      Check(picture, windows);
    }
  }
}

TEST(WinogradKernels, KeepWhatIsNotANumberWhereItBelongs) {
  for (const auto& [row, column] : {std::pair(0, 0), {0, 6}, {4, 7}, {8, 13}, {5, 0}, {7, 5}}) {
    Picture picture;
    picture.Put(4, row, column, kNoNumber);
    Check(picture, Windows());
    Check(picture, Windows(), {"Relu"});
    Check(picture, Windows(), {"Add", "Relu", "Sigmoid"});
  }
}

TEST(WinogradKernels, TellSeveralFromOneAnother) {
  Picture picture;
  picture.Put(0, 2, 2, kInfinity);
  picture.Put(3, 2, 3, -kInfinity);
  picture.Put(1, 6, 9, kInfinity);
  picture.Put(1, 7, 11, kNoNumber);
  Check(picture, Windows());
  Check(picture, Windows(), {"Add", "Relu"});
  for (float& x : picture.x.MutableData<float>()) x = kNoNumber;
  picture.Put(2, 4, 4, 1);
  Check(picture, Windows());
}

TEST(WinogradKernels, KeepAnInfiniteWeightInItsChannel) {
  Tensor windows = Windows();
  windows.MutableData<float>()[7 * 45 + 13] = kInfinity;
  Check(Picture(), windows);
}

}  // namespace
}  // namespace athanor::kernels
