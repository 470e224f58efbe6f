#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

std::int64_t Gates(const std::string& op) { return op == "LSTM" ? 4 : op == "GRU" ? 3 : 1; }

// All inputs of an operator.
KernelCase CaseOf(const std::string& op, std::int64_t directions, std::int64_t hidden,
                  std::int64_t batch, bool constant) {
  const std::int64_t length = 6, input = 5, rows = Gates(op) * hidden;
  KernelCase test = {.op = op,
                     .inputs = {RandomF32({length, batch, input}, 1),
                                RandomF32({directions, rows, input}, 2, -0.6F, 0.6F),
                                RandomF32({directions, rows, hidden}, 3, -0.6F, 0.6F),
                                RandomF32({directions, 2 * rows}, 4)},
                     .constant = {false, constant, constant},
                     .num_outputs = op == "LSTM" ? 3UL : 2UL};
  if (directions == 2) test.attributes.Set("direction", std::string("bidirectional"));
  return test;
}

TEST(RecurrentKernels, AgreeInBothDirections) {
  for (const char* op : {"GRU", "LSTM", "RNN"}) {
    for (const std::int64_t directions : {1, 2}) {
      for (const std::int64_t hidden : {1, 7, 24, 70}) {
        for (const std::int64_t batch : {1, 3, 5}) {
          for (const bool constant : {false, true})
            EXPECT_GT(CheckKernels(CaseOf(op, directions, hidden, batch, constant)), 0) << op;
        }
      }
    }
  }
}

TEST(RecurrentKernels, StopWhereASequenceEnds) {
  for (const char* op : {"GRU", "LSTM", "RNN"}) {
    KernelCase test = CaseOf(op, 2, 7, 3, true);
    test.inputs.push_back(Tensor::FromVector<std::int32_t>({3}, {6, 2, 0}));
    test.inputs.push_back(RandomF32({2, 3, 7}, 5));
    EXPECT_GT(CheckKernels(test), 0) << op;
    // The batch may come first.
    test = CaseOf(op, 1, 7, 6, true);
    test.inputs[0] = RandomF32({3, 6, 5}, 1);
    test.attributes.Set("layout", std::int64_t{1});
    test.attributes.Set("direction", std::string("reverse"));
    EXPECT_GT(CheckKernels(test), 0) << op;
  }
}

TEST(RecurrentKernels, HonourWhatAnLstmMayHave) {
  KernelCase test = CaseOf("LSTM", 1, 9, 2, true);
  test.inputs.push_back(Tensor());
  test.inputs.push_back(RandomF32({1, 2, 9}, 5));
  test.inputs.push_back(RandomF32({1, 2, 9}, 6));
  test.inputs.push_back(RandomF32({1, 27}, 7));
  EXPECT_GT(CheckKernels(test), 0);
  test.attributes.Set("clip", 0.4F);
  EXPECT_GT(CheckKernels(test), 0);
  test.attributes.Set("input_forget", std::int64_t{1});
  EXPECT_GT(CheckKernels(test), 0);
  test.attributes.Set("activations", std::vector<std::string>{"HardSigmoid", "Softsign", "Relu"});
  EXPECT_GT(CheckKernels(test), 0);
}

TEST(RecurrentKernels, ResetAGruAfterItsProduct) {
  KernelCase test = CaseOf("GRU", 2, 9, 2, true);
  test.attributes.Set("linear_before_reset", std::int64_t{1});
  EXPECT_GT(CheckKernels(test), 0);
}

}  // namespace
}  // namespace athanor::kernels
