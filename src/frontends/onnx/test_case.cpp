#include "frontends/onnx/test_case.h"

#include <filesystem>

#include "core/file.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace fs = std::filesystem;

Result<Datum> ReadDatumFile(const std::string& path, const Type& type) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const TensorSource source = {.owner = file};
  if (type.kind == TypeKind::kSequence) {
    ATH_TRY(const SequenceProto proto, protobuf::Parse<SequenceProto>(file->bytes(), "sequence"));
    return ReadSequence(proto, source);
  }
  if (type.kind == TypeKind::kOptional) {
    ATH_TRY(const OptionalProto proto, protobuf::Parse<OptionalProto>(file->bytes(), "optional"));
    return ReadOptional(proto, source);
  }
  ATH_TRY(const TensorProto proto, protobuf::Parse<TensorProto>(file->bytes(), "tensor"));
  ATH_TRY(Tensor tensor, ReadTensor(proto, source));
  return Datum(std::move(tensor));
}

Result<std::vector<TestData>> ReadTestData(const std::string& folder, const Graph& graph) {
  std::vector<TestData> sets;
  for (int n = 0;; ++n) {
    const fs::path set = fs::path(folder) / fmt::format("test_data_set_{}", n);
    if (!fs::is_directory(set)) break;
    TestData data = {.name = set.filename().string(), .inputs = {}, .outputs = {}};
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      const std::string path = set / fmt::format("input_{}.pb", i);
      if (!fs::exists(path)) {
        data.inputs.emplace_back();
        continue;
      }
      ATH_TRY(Datum datum, ReadDatumFile(path, graph.value(graph.inputs()[i]).type));
      data.inputs.push_back(std::move(datum));
    }
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      const std::string path = set / fmt::format("output_{}.pb", i);
      ATH_TRY(Datum datum, ReadDatumFile(path, graph.value(graph.outputs()[i].value).type));
      data.outputs.push_back(std::move(datum));
    }
    sets.push_back(std::move(data));
  }
  return sets;
}

}  // namespace athanor::onnx
