#include "frontends/keras/layer_import.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace athanor::keras {
namespace {

using Kind = Config::Kind;

// A number of a file that is a size, an axis or the like.
Result<std::int64_t> ToInteger(double number) {
  constexpr double kLargest = 1e12;
  if (!(std::abs(number) <= kLargest) || number != std::floor(number))
    return InvalidModel("{} is no size", number);
  return static_cast<std::int64_t>(number);
}

struct Activation {
  std::string_view name;
  Result<ValueId> (*make)(LayerImport& ctx, ValueId x);
};

template <const char* kOp>
Result<ValueId> Same(LayerImport& ctx, ValueId x) {
  return ctx.Add(kOp, {x});
}

Result<ValueId> Clipped(LayerImport& ctx, ValueId x, double low, double high) {
  return ctx.Add("Clip", {x, ctx.Number(low), ctx.Number(high)});
}

// Keras 2 had another slope.
Result<ValueId> HardSigmoid(LayerImport& ctx, ValueId x) {
  const float slope = ctx.info.is_keras2 ? 0.2F : 1.0F / 6;
  return ctx.Add("HardSigmoid", {x}, {{"alpha", slope}, {"beta", 0.5F}});
}

Result<ValueId> Swish(LayerImport& ctx, ValueId x) {
  ATH_TRY(const ValueId gate, ctx.Add("Sigmoid", {x}));
  return ctx.Add("Mul", {x, gate});
}

Result<ValueId> AlongLast(LayerImport& ctx, ValueId x, std::string_view op) {
  return ctx.Add(op, {x}, {{"axis", std::int64_t{-1}}});
}

constexpr char kCelu[] = "Celu", kElu[] = "Elu", kExp[] = "Exp", kGelu[] = "Gelu",
               kHardSwish[] = "HardSwish", kMish[] = "Mish", kRelu[] = "Relu", kSelu[] = "Selu",
               kSigmoid[] = "Sigmoid", kSoftplus[] = "Softplus", kSoftsign[] = "Softsign",
               kTanh[] = "Tanh";

constexpr Activation kActivations[] = {
    {"celu", Same<kCelu>},
    {"elu", Same<kElu>},
    {"exponential", Same<kExp>},
    {"gelu", Same<kGelu>},
    {"hard_sigmoid", HardSigmoid},
    {"hard_silu", Same<kHardSwish>},
    {"hard_swish", Same<kHardSwish>},
    {"hard_tanh", [](LayerImport& ctx, ValueId x) { return Clipped(ctx, x, -1, 1); }},
    {"leaky_relu",
     [](LayerImport& ctx, ValueId x) {
       return ctx.Add("LeakyRelu", {x}, {{"alpha", 0.2F}});
     }},
    {"linear", [](LayerImport&, ValueId x) { return Result<ValueId>(x); }},
    {"log_softmax", [](LayerImport& ctx, ValueId x) { return AlongLast(ctx, x, "LogSoftmax"); }},
    {"mish", Same<kMish>},
    {"relu", Same<kRelu>},
    {"relu6", [](LayerImport& ctx, ValueId x) { return Clipped(ctx, x, 0, 6); }},
    {"selu", Same<kSelu>},
    {"sigmoid", Same<kSigmoid>},
    {"silu", Swish},
    {"softmax", [](LayerImport& ctx, ValueId x) { return AlongLast(ctx, x, "Softmax"); }},
    {"softplus", Same<kSoftplus>},
    {"softsign", Same<kSoftsign>},
    {"swish", Swish},
    {"tanh", Same<kTanh>},
};

}  // namespace

Status LayerImport::Expect(std::size_t count) const {
  if (inputs.size() >= count) return {};
  return InvalidModel("{} inputs are expected, there are {}", count, inputs.size());
}

Result<std::int64_t> LayerImport::Rank(ValueId value) const {
  if (!TypeOf(value).HasRank()) return Unsupported("an input has no known rank");
  return TypeOf(value).rank();
}

Status LayerImport::Give(Result<ValueId> value) {
  ATH_TRY(const ValueId given, std::move(value));
  outputs.push_back(given);
  return {};
}

bool LayerImport::IsSet(std::string_view key) const {
  const Config* value = config.Find(key);
  return value != nullptr && value->kind != Kind::kNull;
}

bool LayerImport::Bool(std::string_view key, bool fallback) const {
  return IsSet(key) ? config.Find(key)->number != 0 : fallback;
}

double LayerImport::Number(std::string_view key, double fallback) const {
  return IsSet(key) && config.Find(key)->kind == Kind::kNumber ? config.Find(key)->number
                                                               : fallback;
}

std::int64_t LayerImport::Int(std::string_view key, std::int64_t fallback) const {
  const Result<std::int64_t> number = ToInteger(Number(key, static_cast<double>(fallback)));
  return number.ok() ? *number : fallback;
}

std::string LayerImport::Text(std::string_view key, std::string_view fallback) const {
  return IsSet(key) ? config.Find(key)->text : std::string(fallback);
}

// A number, or a list of numbers; a list may be written as an object around it.
Result<Ints> LayerImport::Integers(const Config& value) {
  if (value.kind == Kind::kNumber) {
    ATH_TRY(const std::int64_t number, ToInteger(value.number));
    return Ints{number};
  }
  Ints integers;
  for (const double item : value.numbers) {
    ATH_TRY(const std::int64_t number, ToInteger(item));
    integers.push_back(number);
  }
  if (!value.items.empty()) return InvalidModel("a list of numbers is expected");
  return integers;
}

Result<Ints> LayerImport::PerAxis(std::string_view key, std::size_t count,
                                  std::int64_t fallback) const {
  if (!IsSet(key)) return Ints(count, fallback);
  ATH_TRY(Ints numbers, Integers(*config.Find(key)));
  if (numbers.size() == 1) numbers.resize(count, numbers[0]);
  if (numbers.size() != count)
    return InvalidModel("{} has {} numbers; {} are expected", key, numbers.size(), count);
  return numbers;
}

Result<ValueId> LayerImport::Weight(std::size_t number, std::string_view weight) {
  Result<Tensor> tensor = weights.Find(number, weight);
  if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("weight {}", Quote(weight)));
  const ValueId value = graph.AddConstant(*std::move(tensor), fmt::format("{}/{}", name, weight));
  if (TypeOf(value).dtype == DType::kF32) return value;
  return Add("Cast", {value}, {{"to", DType::kF32}}, nhwc::kAnySize);
}

Result<ValueId> LayerImport::ActivatedBy(ValueId value, std::string_view activation) {
  if (activation.empty()) return value;
  std::vector<std::string> names;
  for (const Activation& known : kActivations) {
    if (known.name == activation) return known.make(*this, value);
    names.emplace_back(known.name);
  }
  return Unsupported("activation {} is not read{}", Quote(activation),
                     DidYouMean(activation, names));
}

// A name; a function of Keras by name; or a layer that stands for one.
Result<ValueId> LayerImport::Activated(ValueId value, std::string_view key) {
  const Config* activation = config.Find(key);
  if (activation == nullptr || activation->kind == Kind::kNull) return value;
  if (activation->kind == Kind::kString) return ActivatedBy(value, activation->text);
  const Config* inner = activation->Find("config");
  if (inner != nullptr && inner->kind == Kind::kString) return ActivatedBy(value, inner->text);
  ATH_TRY(const std::vector<ValueId> results,
          AddLayer(*this, *activation, weights.Part(key, key), {value}));
  return results[0];
}

}  // namespace athanor::keras
