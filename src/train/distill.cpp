#include "train/distill.h"

#include <algorithm>
#include <cmath>

#include "passes/clean.h"
#include "runtime/session.h"
#include "train/backward.h"

namespace athanor::train {
namespace {

struct Channels {
  std::int64_t count = 1, inner = 1;
  std::size_t Of(std::int64_t element) const {
    return static_cast<std::size_t>(element / inner % count);
  }
};

Channels ChannelsOf(const Tensor& tensor) {
  if (tensor.rank() == 3) return {.count = std::max<std::int64_t>(1, tensor.dim(2))};
  if (tensor.rank() != 4) return {.count = 1, .inner = std::max<std::int64_t>(1, tensor.count())};
  return {.count = std::max<std::int64_t>(1, tensor.dim(1)),
          .inner = std::max<std::int64_t>(1, tensor.dim(2) * tensor.dim(3))};
}

struct Sums {
  double n = 0, sum = 0, squares = 0;
};

// Of one output, over all samples.
std::vector<double> Deviations(const std::vector<std::vector<Datum>>& answers, std::size_t output) {
  std::vector<Sums> sums;
  for (const std::vector<Datum>& answer : answers) {
    const Tensor& tensor = answer[output].tensor();
    const Channels channels = ChannelsOf(tensor);
    sums.resize(static_cast<std::size_t>(channels.count));
    const auto data = tensor.Data<float>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      Sums& channel = sums[channels.Of(static_cast<std::int64_t>(i))];
      channel.n += 1;
      channel.sum += data[i];
      channel.squares += static_cast<double>(data[i]) * data[i];
    }
  }
  std::vector<double> deviations;
  for (const Sums& s : sums) {
    const double mean = s.n == 0 ? 0 : s.sum / s.n;
    deviations.push_back(s.n == 0 ? 0 : std::sqrt(std::max(0.0, s.squares / s.n - mean * mean)));
  }
  return deviations;
}

// Builds the graph: inputs, answers and weights come in; the loss and its derivatives go out.
class LessonBuilder {
 public:
  LessonBuilder(const Graph& student, std::span<const ValueId> weights)
      : graph_(student.Clone()), weights_(weights) {}

  Result<Graph> Run(const std::vector<Datum>& inputs, const std::vector<Tensor>& factors) {
    if (inputs.size() != graph_.inputs().size() || factors.size() != graph_.outputs().size())
      return Error(ErrorCode::kInvalidInput, "{} inputs and {} outputs; {} and {} are expected",
                   inputs.size(), factors.size(), graph_.inputs().size(), graph_.outputs().size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      graph_.SetInputType(graph_.inputs()[i], Type::Of(inputs[i]));
    ATH_RETURN_IF_ERROR(graph_.InferTypes());
    const std::vector<GraphOutput> outputs = graph_.outputs();
    std::vector<ValueId> answers, trained;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Type type = graph_.value(outputs[i].value).type;
      if (!type.StaticDims() || type.dtype != DType::kF32 ||
          *type.StaticDims() != factors[i].dims())
        return Unsupported("output \"{}\" is {}; f32{} is learnt", outputs[i].name, type.ToString(),
                           ToString(factors[i].dims()));
      answers.push_back(graph_.AddInput("answer", type));
    }
    for (const ValueId constant : weights_) {
      trained.push_back(graph_.AddInput("weight", graph_.value(constant).type));
      graph_.ReplaceUses(constant, trained.back());
    }
    ATH_TRY(const ValueId loss, Loss(answers, factors));
    ATH_TRY(const std::vector<ValueId> derivatives, AddBackward(graph_, loss, trained));
    graph_.AddOutput("loss", loss);
    for (std::size_t i = 0; i < derivatives.size(); ++i) {
      if (derivatives[i] == kNoValue)
        return InvalidModel("an output does not depend on weight {}", i);
      graph_.AddOutput("derivative", derivatives[i]);
    }
    ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(graph_).status());
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  Result<ValueId> Reshape(ValueId value, const std::vector<std::int64_t>& dims) {
    return graph_.Add(
        "Reshape",
        {value, graph_.AddConstant(Tensor::FromVector<std::int64_t>({std::ssize(dims)}, dims))});
  }

  // The sum over all outputs of factor * error^2.
  Result<ValueId> Loss(const std::vector<ValueId>& answers, const std::vector<Tensor>& factors) {
    ValueId sum = kNoValue;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      ATH_TRY(const ValueId away, graph_.Add("Sub", {graph_.outputs()[i].value, answers[i]}));
      ATH_TRY(const ValueId weighed, graph_.Add("Mul", {away, graph_.AddConstant(factors[i])}));
      ATH_TRY(const ValueId row, Reshape(weighed, {1, factors[i].count()}));
      ATH_TRY(const ValueId column, Reshape(away, {factors[i].count(), 1}));
      ATH_TRY(const ValueId one, graph_.Add("Gemm", {row, column}));
      if (sum == kNoValue) {
        sum = one;
      } else {
        ATH_TRY(sum, graph_.Add("Add", {sum, one}));
      }
    }
    return Reshape(sum, {});
  }

  Graph graph_;
  std::span<const ValueId> weights_;
};

}  // namespace

Result<Graph> WithoutLastSoftmax(const Graph& graph) {
  Graph result = graph.Clone();
  std::vector<ValueId> ends;
  for (const GraphOutput& output : graph.outputs()) ends.push_back(output.value);
  for (const ValueId end : ends) {
    const Value& value = result.value(end);
    if (value.producer == kNoNode || !value.users.empty()) continue;
    const Node& node = result.node(value.producer);
    if (node.op->name == "Softmax") result.ReplaceUses(end, node.inputs[0]);
  }
  ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(result).status());
  return result;
}

std::vector<Tensor> BalancedFactors(const std::vector<std::vector<Datum>>& answers) {
  std::vector<Tensor> factors;
  for (std::size_t output = 0; output < answers[0].size(); ++output) {
    const std::vector<double> deviations = Deviations(answers, output);
    const double largest = *std::max_element(deviations.begin(), deviations.end());
    std::vector<double> kept;
    double whole = 0;
    for (const double deviation : deviations) {
      kept.push_back(std::max({deviation, 1e-3 * largest, 1e-12}));
      whole += kept.back();
    }
    const Tensor& like = answers[0][output].tensor();
    const Channels channels = ChannelsOf(like);
    const double places = static_cast<double>(like.count()) / static_cast<double>(channels.count);
    const double share = 1 / (whole * places);
    std::vector<float> values;
    for (std::int64_t i = 0; i < like.count(); ++i)
      values.push_back(static_cast<float>(share / kept[channels.Of(i)]));
    factors.push_back(Tensor::FromVector<float>(like.dims(), values));
  }
  return factors;
}

Distiller::Distiller(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Distiller::Distiller(Distiller&&) noexcept = default;
Distiller& Distiller::operator=(Distiller&&) noexcept = default;
Distiller::~Distiller() = default;

Result<Distiller> Distiller::Open(const Graph& student, std::span<const ValueId> weights,
                                  const std::vector<Datum>& inputs,
                                  const std::vector<Tensor>& factors, int threads) {
  ATH_TRY(Graph lesson, LessonBuilder(student, weights).Run(inputs, factors));
  // The student's own outputs are answers that nobody asks for; they cost a copy.
  ATH_TRY(std::unique_ptr<Session> session,
          Session::Create(std::move(lesson), {.threads = threads}));
  return Distiller(std::move(session));
}

Result<Lesson> Distiller::Learn(std::vector<Datum> inputs, const std::vector<Datum>& answers,
                                const std::vector<Tensor>& weights) {
  inputs.insert(inputs.end(), answers.begin(), answers.end());
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  ATH_TRY(std::vector<Datum> outputs, session_->Run(std::move(inputs)));
  const std::size_t loss = outputs.size() - weights.size() - 1;
  Lesson lesson = {.loss = outputs[loss].tensor().Data<float>()[0]};
  for (std::size_t i = loss + 1; i < outputs.size(); ++i)
    lesson.derivatives.push_back(outputs[i].tensor());
  return lesson;
}

}  // namespace athanor::train
