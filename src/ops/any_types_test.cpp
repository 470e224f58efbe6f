// Every operator on random types, attributes and small tensors: files are hostile, and what they
// say of a node reaches its inference, and where it is folded its reference, as it is. Nothing is
// expected but a Status; sanitizers see the rest.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "core/checked.h"
#include "ir/evaluate.h"
#include "ir/graph.h"
#include "ops/catalog.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(),
                       kMost = std::numeric_limits<std::int64_t>::max();

class NodeMaker {
 public:
  explicit NodeMaker(const OpDef& op, std::mt19937& random) : op_(op), random_(random) {}

  // Makes a node, and runs it where that is quick.
  void Try() {
    Graph graph(Standard(), "g");
    Graph::NewNode node = {.op = op_.name, .num_outputs = CountOf(op_.outputs)};
    common_ = AnyDType();
    for (std::size_t i = CountOf(op_.inputs); i-- > 0;)
      node.inputs.push_back(Below(6) == 0 ? kNoValue : AnyInput(graph));
    for (const AttrSpec& attribute : op_.attributes) {
      if (attribute.required || Below(2) == 0) SetAttribute(attribute, node.attributes);
    }
    const Result<NodeId> made = graph.AddNode(std::move(node));
    if (made.ok()) Run(graph, graph.node(*made));
  }

 private:
  std::size_t Below(std::size_t count) { return random_() % count; }

  std::size_t CountOf(const std::vector<Port>& ports) {
    const bool variadic = !ports.empty() && ports.back().flag == kVariadicPort;
    return ports.size() + (variadic ? Below(3) : 0);
  }
  DType AnyDType() {
    constexpr DType kTypes[] = {DType::kF32, DType::kF32, DType::kI64,    DType::kU8,
                                DType::kI8,  DType::kF16, DType::kBool,   DType::kF64,
                                DType::kI32, DType::kC64, DType::kString, DType::kF32};
    return kTypes[Below(std::size(kTypes))];
  }
  std::int64_t AnyNumber() {
    constexpr std::int64_t kUsual[] = {0, 1, 2, 3, -1, -2};
    constexpr std::int64_t kOdd[] = {kLeast, kMost, std::int64_t{1} << 40, -kMost, 17};
    return Below(8) == 0 ? kOdd[Below(std::size(kOdd))] : kUsual[Below(std::size(kUsual))];
  }
  std::vector<std::int64_t> AnyNumbers() {
    std::vector<std::int64_t> numbers(Below(5));
    for (std::int64_t& number : numbers) number = AnyNumber();
    return numbers;
  }
  Type AnyTensor(DType dtype) {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 4, 6, 8, 0, std::int64_t{1} << 40};
    Shape shape(Below(6));
    for (Dim& dim : shape) {
      const std::size_t kind = Below(16);
      if (kind > 1) dim = Dim(kSizes[Below(kind == 2 ? std::size(kSizes) : 6)]);
      if (kind == 1) dim = Dim::Symbol("N");
    }
    return Type::Tensor(dtype, std::move(shape));
  }
  ValueId AnyInput(Graph& graph) {
    const DType dtype = Below(3) == 0 ? AnyDType() : common_;
    switch (Below(12)) {
      case 0:
        return graph.AddInput("x", Type::TensorOfUnknownRank(dtype));
      case 1:
        return graph.AddInput("x", Type::Sequence(AnyTensor(dtype)));
      case 2:
      case 3: {
        const std::vector<std::int64_t> numbers = AnyNumbers();
        return graph.AddConstant(Tensor::FromVector<std::int64_t>({std::ssize(numbers)}, numbers),
                                 "c");
      }
      case 4:
        return graph.AddConstant(Tensor::FromVector<std::int64_t>({}, {AnyNumber()}), "c");
      default:
        return graph.AddInput("x", AnyTensor(dtype));
    }
  }
  void SetAttribute(const AttrSpec& attribute, AttrMap& attributes) {
    if (attribute.kind == AttrKind::kInt) attributes.Set(attribute.name, AnyNumber());
    if (attribute.kind == AttrKind::kInts) attributes.Set(attribute.name, AnyNumbers());
    if (attribute.kind == AttrKind::kFloat)
      attributes.Set(attribute.name, static_cast<float>(Below(5)) - 2);
    if (attribute.kind == AttrKind::kFloats)
      attributes.Set(attribute.name, std::vector<float>(Below(5), 1.5F));
    if (attribute.kind == AttrKind::kDType) attributes.Set(attribute.name, AnyDType());
  }

  // Numbers that are small, or any bits.
  Tensor Fill(DType dtype, const Dims& dims) {
    Tensor tensor = *Tensor::Allocate(dtype, dims);
    auto* const raw = static_cast<std::uint8_t*>(tensor.mutable_raw());
    const bool any = Below(2) == 0 && dtype != DType::kBool;
    const std::size_t width = dtype == DType::kBool ? 1 : ElementBytes(dtype);
    for (std::size_t i = 0; i < tensor.bytes(); ++i)
      raw[i] = static_cast<std::uint8_t>(any ? Below(256) : i % width == 0 ? Below(2) : 0);
    return tensor;
  }
  static bool IsSmall(const Type& type, std::int64_t most) {
    const auto dims = type.kind == TypeKind::kTensor ? type.StaticDims() : std::nullopt;
    const auto count = dims ? CheckedCount(*dims) : std::nullopt;
    return count && *count <= most;
  }
  void Run(const Graph& graph, const Node& node) {
    if (!node.op->CanRun() || node.op->Has(kRandom)) return;
    std::vector<Datum> inputs;
    for (const ValueId input : node.inputs) {
      if (input == kNoValue) {
        inputs.emplace_back();
        continue;
      }
      const Type& type = graph.value(input).type;
      const Tensor* constant = graph.Constant(input);
      if (constant == nullptr && (!IsSmall(type, 5000) || type.dtype == DType::kString)) return;
      inputs.emplace_back(constant != nullptr ? *constant : Fill(type.dtype, *type.StaticDims()));
    }
    for (const ValueId output : node.outputs) {
      if (output != kNoValue && graph.value(output).type.StaticDims() &&
          !IsSmall(graph.value(output).type, 1'000'000))
        return;
    }
    (void)EvaluateNode(node, inputs).ok();
  }

  const OpDef& op_;
  std::mt19937& random_;
  DType common_ = DType::kF32;
};

TEST(AnyTypes, GiveAStatusOfEveryOperator) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same nodes every time
  for (const OpDef& op : Standard().ops()) {
    if (!op.bodies.empty()) continue;  // which nobody makes here
    for (int round = 0; round < 400; ++round) NodeMaker(op, random).Try();
  }
}

}  // namespace
}  // namespace athanor::ops
