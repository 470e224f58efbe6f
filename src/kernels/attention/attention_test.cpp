#include <gtest/gtest.h>

#include <limits>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

TEST(AttentionKernels, AgreeAcrossBlocks) {
  // Less and more than one block of queries and of keys; few queries go another way.
  for (const std::int64_t queries : {1, 5, 70}) {
    for (const std::int64_t keys : {1, 9, 300}) {
      for (const std::int64_t size : {8, 19}) {
        const Tensor q = RandomF32({2, 2, queries, size}, 1), k = RandomF32({2, 2, keys, size}, 2),
                     v = RandomF32({2, 2, keys, 11}, 3);
        EXPECT_GT(CheckKernels({.op = "Attention", .inputs = {q, k, v}}), 0);
        EXPECT_GT(CheckKernels({.op = "Attention",
                                .inputs = {q, k, v, RandomF32({queries, keys}, 4)},
                                .attributes = {{"softcap", 2.0F}, {"scale", 0.7F}}}),
                  0);
        EXPECT_GT(CheckKernels({.op = "Attention",
                                .inputs = {q, k, v, RandomOf(DType::kBool, {2, 1, 1, keys}, 4)},
                                .attributes = {{"is_causal", std::int64_t{1}}}}),
                  0);
        EXPECT_GT(CheckKernels({.op = "Attention",
                                .inputs = {q, k, v},
                                .attributes = {{"left_window_size", std::int64_t{3}},
                                               {"right_window_size", std::int64_t{2}}}}),
                  0);
      }
    }
  }
}

TEST(AttentionKernels, ShareKeyHeadsSideBySide) {
  const AttrMap heads = {{"q_num_heads", std::int64_t{4}}, {"kv_num_heads", std::int64_t{2}}};
  for (const std::int64_t queries : {2, 9}) {
    EXPECT_GT(CheckKernels({.op = "Attention",
                            .inputs = {RandomF32({2, queries, 32}, 1), RandomF32({2, 7, 16}, 2),
                                       RandomF32({2, 7, 16}, 3)},
                            .attributes = heads}),
              0);
  }
}

TEST(AttentionKernels, PutThePastBeforeTheNew) {
  for (const std::size_t outputs : {1UL, 3UL}) {
    EXPECT_GT(CheckKernels({.op = "Attention",
                            .inputs = {RandomF32({2, 2, 5, 8}, 1), RandomF32({2, 2, 5, 8}, 2),
                                       RandomF32({2, 2, 5, 8}, 3), Tensor(),
                                       RandomF32({2, 2, 6, 8}, 4), RandomF32({2, 2, 6, 8}, 5)},
                            .attributes = {{"is_causal", std::int64_t{1}}},
                            .num_outputs = outputs}),
              0);
  }
  EXPECT_GT(CheckKernels({.op = "Attention",
                          .inputs = {RandomF32({2, 2, 5, 8}, 1), RandomF32({2, 2, 9, 8}, 2),
                                     RandomF32({2, 2, 9, 8}, 3), Tensor(), Tensor(), Tensor(),
                                     IntList({4, 9})}}),
            0);
}

TEST(AttentionKernels, DoNotLookAtHiddenValues) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Tensor v = RandomF32({1, 1, 6, 8}, 3);
  v.MutableData<float>()[5 * 8 + 1] = kNan;
  const Tensor mask = Tensor::FromVector<bool>({6}, {true, true, false, true, true, false});
  EXPECT_GT(
      CheckKernels({.op = "Attention",
                    .inputs = {RandomF32({1, 1, 5, 8}, 1), RandomF32({1, 1, 6, 8}, 2), v, mask}}),
      0);
}

TEST(RotaryKernels, TurnPairs) {
  for (const std::int64_t interleaved : {0, 1}) {
    for (const std::int64_t rotated : {0, 6}) {
      const std::int64_t half = rotated == 0 ? 5 : rotated / 2;
      EXPECT_GT(
          CheckKernels(
              {.op = "RotaryEmbedding",
               .inputs = {RandomF32({2, 3, 4, 10}, 1), RandomF32({9, half}, 2),
                          RandomF32({9, half}, 3), RandomOf(DType::kI64, {2, 4}, 4, 0, 9)},
               .attributes = {{"interleaved", interleaved}, {"rotary_embedding_dim", rotated}}}),
          0);
      EXPECT_GT(CheckKernels({.op = "RotaryEmbedding",
                              .inputs = {RandomF32({2, 4, 30}, 1), RandomF32({2, 4, half}, 2),
                                         RandomF32({2, 4, half}, 3)},
                              .attributes = {{"interleaved", interleaved},
                                             {"rotary_embedding_dim", rotated},
                                             {"num_heads", std::int64_t{3}}}}),
                0);
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
