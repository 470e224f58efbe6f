#include "runtime/background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "runtime/gate_for_test.h"

namespace athanor {
namespace {

TEST(Background, RunsAFewPiecesAtOnceAndRefusesMore) {
  Gate gate;
  gate.Close();
  std::atomic<int> done = 0;
  const auto piece = [&] {
    gate.Pass();
    ++done;
  };
  Background background(2);
  EXPECT_TRUE(background.Start(piece));
  EXPECT_TRUE(background.Start(piece));
  EXPECT_FALSE(background.Start(piece));
  gate.Open();
  const auto until = std::chrono::steady_clock::now() + kTooLong;
  while (!background.Start(piece) && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  while (done < 3 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(done, 3);
}

TEST(Background, TellsItsPiecesToStopAndWaitsForThem) {
  std::atomic<bool> ended = false;
  {
    Background background(1);
    EXPECT_FALSE(background.is_stopping());
    EXPECT_TRUE(background.Start([&] {
      while (!background.is_stopping()) std::this_thread::yield();
      ended = true;
    }));
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace athanor
