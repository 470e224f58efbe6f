#include "api/answer_tensors.h"

#include <algorithm>

#include "api/batch.h"

namespace athanor {
namespace {

using package::Pipeline;

// How many classes top_k gives, where the network's type tells.
Dim ClassCount(const PipelineRunner& runner, const package::TopK& top) {
  const Graph& graph = runner.graph();
  for (const GraphOutput& output : graph.outputs()) {
    if (!top.output.empty() && output.name != top.output) continue;
    const Type& type = graph.value(output.value).type;
    if (!type.HasRank() || type.rank() == 0) return Dim::Unknown();
    const Dim scores = ElementCount(Shape(type.shape->begin() + 1, type.shape->end()));
    if (!scores.IsConst()) return Dim::Unknown();
    return std::clamp<std::int64_t>(scores.value() - top.skip, 0, top.count);
  }
  return Dim::Unknown();
}

// True when each picture has one row in every output of the network.
bool HasRows(const PipelineRunner& runner) {
  if (IsBatchable(runner.graph())) return true;
  const std::vector<GraphOutput>& outputs = runner.graph().outputs();
  return std::all_of(outputs.begin(), outputs.end(), [&](const GraphOutput& output) {
    const Type& type = runner.graph().value(output.value).type;
    return type.HasRank() && type.rank() > 0 && type.dim(0).Is(1);
  });
}

}  // namespace

AnswerPort PictureInput(const PipelineRunner& runner) {
  const Pipeline& pipeline = runner.pipeline();
  const bool rows = pipeline.Find<package::TopK>() != nullptr ||
                    (pipeline.Find<package::Suppress>() == nullptr && HasRows(runner));
  return {"picture", Type::Tensor(DType::kString, {rows ? Dim::Symbol("N") : Dim(1)})};
}

std::vector<AnswerPort> AnswerOutputs(const PipelineRunner& runner) {
  const Pipeline& pipeline = runner.pipeline();
  std::vector<AnswerPort> ports;
  const auto add_classes = [&](const Shape& shape) {
    ports.push_back({"class", Type::Tensor(DType::kI64, shape)});
    if (pipeline.Find<package::Labels>() != nullptr)
      ports.push_back({"label", Type::Tensor(DType::kString, shape)});
    ports.push_back({"score", Type::Tensor(DType::kF32, shape)});
  };
  if (const auto* top = pipeline.Find<package::TopK>()) {
    add_classes({Dim::Symbol("N"), ClassCount(runner, *top)});
    return ports;
  }
  if (pipeline.Find<package::Suppress>() != nullptr) {
    ports.push_back({"box", Type::Tensor(DType::kF32, {Dim::Symbol("M"), Dim(4)})});
    add_classes({Dim::Symbol("M")});
    return ports;
  }
  const bool rows = PictureInput(runner).type.dim(0).IsConst() == false;
  const auto* softmax = pipeline.Find<package::Softmax>();
  for (const GraphOutput& output : runner.graph().outputs()) {
    Type type = runner.graph().value(output.value).type;
    if (!type.IsTensor()) continue;  // as PipelineResult.outputs
    if (rows) (*type.shape)[0] = Dim::Symbol("N");
    if (softmax != nullptr && (softmax->output.empty() || softmax->output == output.name))
      type.dtype = DType::kF32;
    ports.push_back({output.name, std::move(type)});
  }
  return ports;
}

std::vector<Tensor> ToTensors(const PipelineResult& result, const Pipeline& pipeline) {
  std::vector<Tensor> tensors;
  std::vector<std::int64_t> indices;
  std::vector<std::string> labels;
  std::vector<float> scores, corners;
  for (const ClassResult& c : result.classes) {
    indices.push_back(static_cast<std::int64_t>(c.index));
    labels.push_back(c.label);
    scores.push_back(static_cast<float>(c.score));
  }
  for (const BoxResult& b : result.boxes) {
    indices.push_back(static_cast<std::int64_t>(b.box.label));
    labels.push_back(b.label);
    scores.push_back(static_cast<float>(b.box.score));
    for (const double edge : {b.box.x1, b.box.y1, b.box.x2, b.box.y2})
      corners.push_back(static_cast<float>(edge));
  }
  const auto count = static_cast<std::int64_t>(indices.size());
  const bool found = pipeline.Find<package::Suppress>() != nullptr;
  if (!found && pipeline.Find<package::TopK>() == nullptr) {
    for (const auto& [name, tensor] : result.outputs) tensors.push_back(tensor);
    return tensors;
  }
  const Dims dims = found ? Dims{count} : Dims{1, count};
  if (found) tensors.push_back(Tensor::FromVector<float>({count, 4}, corners));
  tensors.push_back(Tensor::FromVector<std::int64_t>(dims, indices));
  if (pipeline.Find<package::Labels>() != nullptr)
    tensors.push_back(Tensor::FromVector<std::string>(dims, labels));
  tensors.push_back(Tensor::FromVector<float>(dims, scores));
  return tensors;
}

}  // namespace athanor
