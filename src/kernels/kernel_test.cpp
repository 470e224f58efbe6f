#include "kernels/kernel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <thread>

#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

Result<std::shared_ptr<const void>> Pack(PackStore& store, const Tensor& source) {
  return store.Get(source, "copy", static_cast<std::int64_t>(source.bytes()),
                   [&](void* to) { std::memcpy(to, source.raw(), source.bytes()); });
}

TEST(PackStore, PacksAConstantOnce) {
  PackStore store;
  const Tensor weight = Tensor::FromVector<float>({2}, {1, 2});
  const std::shared_ptr<const void> first = *Pack(store, weight), again = *Pack(store, weight);
  EXPECT_EQ(first, again);
  EXPECT_EQ(store.bytes(), 8);
  EXPECT_EQ(static_cast<const float*>(first.get())[1], 2);
}

// External data, folded Reshapes and writers that store equal weights once give such constants.
TEST(PackStore, PacksOneMemoryForEachShapeItIsSeenIn) {
  PackStore store;
  const Tensor wide = Tensor::FromVector<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_NE(*Pack(store, wide), *Pack(store, wide.Reshaped({3, 2})));
}

// Packed forms of constants that belong to one input shape once stayed for as long as the session.
TEST(PackStore, ForgetsConstantsThatNobodyElseHolds) {
  PackStore store;
  const Tensor weight = Tensor::FromVector<float>({2}, {1, 2});
  ASSERT_TRUE(Pack(store, weight).ok());
  for (int shape = 0; shape < 5; ++shape)
    ASSERT_TRUE(Pack(store, Tensor::FromVector<float>({3}, {1, 2, 3})).ok());
  // The last one goes with the next.
  EXPECT_EQ(store.bytes(), 8 + 12);
}

TEST(PackStore, KeepsWhatAPlanStillUses) {
  PackStore store;
  const std::shared_ptr<const void> used = *Pack(store, Tensor::FromVector<float>({1}, {7}));
  ASSERT_TRUE(Pack(store, Tensor::FromVector<float>({1}, {8})).ok());
  EXPECT_EQ(store.bytes(), 8);
  EXPECT_EQ(*static_cast<const float*>(used.get()), 7);
}

TEST(PackStore, TakesWhatAnotherOnePacked) {
  PackStore one, other;
  const Tensor weight = Tensor::FromVector<float>({2}, {1, 2});
  const std::shared_ptr<const void> packed = *Pack(one, weight);
  for (const PackStore::Packed& each : one.All()) other.Put(each);
  EXPECT_EQ(*Pack(other, weight), packed);
  EXPECT_EQ(other.bytes(), 0);
}

// It comes from a file, which may hold anything.
TEST(PackStore, MakesABufferOfAnotherSizeAnew) {
  PackStore one, other;
  const Tensor weight = Tensor::FromVector<float>({2}, {1, 2});
  ASSERT_TRUE(Pack(one, weight).ok());
  PackStore::Packed packed = one.All()[0];
  packed.bytes = 4;
  other.Put(packed);
  EXPECT_NE(*Pack(other, weight), packed.buffer);
  EXPECT_EQ(other.bytes(), 8);
}

// A fork waited for the thread of its parent that was filling a buffer.
TEST(PackStore, PacksInAForkWhileItsParentPacks) {
  PackStore store;
  const Tensor weight = Tensor::FromVector<float>({2}, {1, 2});
  std::promise<void> filling, over;
  std::thread packing([&] {
    const auto packed = store.Get(weight, "slowly", 8, [&](void*) {
      filling.set_value();
      over.get_future().wait();
    });
    EXPECT_TRUE(packed.ok());
  });
  filling.get_future().wait();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // rather than waiting for ever
    _exit(Pack(store, weight).ok() && store.bytes() == 8 ? 0 : 1);
  }
  over.set_value();
  packing.join();
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Pack(store, weight).ok());
}

// It walked a map whose nodes another thread was about to relink.
TEST(PackStore, PacksInAForkWhileItsParentForgets) {
  PackStore store;
  std::promise<void> forgetting, over;
  {
    const float values[2] = {3, 4};
    // The memory of a constant that nobody else holds: it goes while the store forgets it.
    const std::shared_ptr<const void> owner(values, [&](const void*) {
      forgetting.set_value();
      over.get_future().wait();
    });
    ASSERT_TRUE(Pack(store, Tensor::View(DType::kF32, {2}, values, owner)).ok());
  }
  const Tensor weight = Tensor::FromVector<float>({3}, {1, 2, 3});
  std::thread packing([&] { EXPECT_TRUE(Pack(store, weight).ok()); });
  forgetting.get_future().wait();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // rather than waiting for ever
    const bool empty = store.bytes() == 0 && store.All().empty();
    _exit(empty && Pack(store, weight).ok() && store.bytes() == 12 ? 0 : 1);
  }
  over.set_value();
  packing.join();
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(store.bytes(), 12);
}

TEST(TinyAsZero, HoldsWhileItLives) {
  const volatile float tiny = 1e-39F, one = 1;
  {
    const TinyAsZero inside;
    EXPECT_EQ(tiny * one, 0.0F);
  }
  EXPECT_GT(tiny * one, 0.0F);
}

}  // namespace
}  // namespace athanor::kernels
