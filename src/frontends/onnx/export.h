// A Graph as an ONNX file of any operator set from 7 on.
//
// Operators keep their name where ONNX has them; older forms are converted back, and what an older
// operator set lacks is written with older operators where that is exact. What ONNX does not have
// at all goes into domain "athanor" and is read back by this program only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::onnx {

struct ExportOptions {
  // 0: 21, or the oldest after it that has all operators.
  std::int64_t opset = 0;
  // Weights of more bytes than this go into a second file: a protobuf file ends at 2 GiB.
  std::int64_t external_above = 2'000'000'000;
};

// The whole file in memory. Fails when the weights exceed `external_above`.
Result<std::vector<std::uint8_t>> ExportOnnx(const Graph& graph, const ExportOptions& options = {});

// Writes `path`, and `path`.data beside it when the weights are large.
Status SaveOnnx(const Graph& graph, const std::string& path, const ExportOptions& options = {});

// The operators of such a file that go into domain "athanor"; none where it cannot be written.
std::set<std::string> OwnOperators(const Graph& graph, const ExportOptions& options = {});

}  // namespace athanor::onnx
