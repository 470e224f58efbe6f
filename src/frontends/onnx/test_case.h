// The standard layout of ONNX test suites: TEST/model.onnx,
// TEST/test_data_set_N/{input,output}_K.pb.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::onnx {

struct TestData {
  std::string name;  // "test_data_set_0"
  std::vector<Datum> inputs, outputs;
};

// The data sets in a test's folder, for a graph's inputs and outputs. A missing file is an absent
// input.
Result<std::vector<TestData>> ReadTestData(const std::string& folder, const Graph& graph);
// One .pb file holding a value of the given type.
Result<Datum> ReadDatumFile(const std::string& path, const Type& type);

}  // namespace athanor::onnx
