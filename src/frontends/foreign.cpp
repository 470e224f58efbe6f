#include "frontends/foreign.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "core/text.h"
#include "frontends/caffe/import.h"
#include "frontends/keras/import.h"
#include "frontends/mxnet/import.h"
#include "frontends/ncnn/import.h"
#include "frontends/onnx/import.h"
#include "frontends/openvino/import.h"
#include "frontends/paddle/import.h"
#include "frontends/pytorch/pytorch.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tflite/import.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

struct ForeignFormat {
  std::string_view name;
  bool (*reads)(std::string_view op);  // itself, whatever the form
};

constexpr ForeignFormat kForeignFormats[] = {
    {"caffe", caffe::Reads},   {"keras", keras::Reads},     {"mxnet", mxnet::Reads},
    {"ncnn", ncnn::Reads},     {"onnx", onnx::Reads},       {"openvino", openvino::Reads},
    {"paddle", paddle::Reads}, {"pytorch", pytorch::Reads}, {"tensorflow", tensorflow::Reads},
    {"tflite", tflite::Reads},
};

const ForeignFormat* FindForeignFormat(std::string_view name) {
  for (const ForeignFormat& format : kForeignFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

class Converters {
 public:
  void Add(NewConverter added) {
    const std::lock_guard lock(mutex_);
    converters_[{std::move(added.format), std::move(added.op)}] = std::move(added.convert);
  }
  std::shared_ptr<const Converter> Find(std::string_view format, std::string_view op) const {
    const std::lock_guard lock(mutex_);
    const auto found = converters_.find(std::pair(std::string(format), std::string(op)));
    return found == converters_.end() ? nullptr : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Converter>> converters_;
};

Converters& AllConverters() {
  static Converters converters;
  return converters;
}

AttrValue Widened(AttrValue value, AttrKind wanted) {
  if (KindOf(value) == AttrKind::kInt &&
      (wanted == AttrKind::kFloat || wanted == AttrKind::kFloats))
    value = static_cast<float>(std::get<std::int64_t>(value));
  if (KindOf(value) == AttrKind::kInts && wanted == AttrKind::kFloats) {
    const auto& ints = std::get<std::vector<std::int64_t>>(value);
    return std::vector<float>(ints.begin(), ints.end());
  }
  if (KindOf(value) == AttrKind::kInt && wanted == AttrKind::kInts)
    return std::vector{std::get<std::int64_t>(value)};
  if (KindOf(value) == AttrKind::kFloat && wanted == AttrKind::kFloats)
    return std::vector{std::get<float>(value)};
  if (KindOf(value) == AttrKind::kString && wanted == AttrKind::kStrings)
    return std::vector{std::get<std::string>(value)};
  return value;
}

Status AddCustomNode(const OpDef& op, ForeignNode& node) {
  AttrMap attributes = node.attributes;
  Widen(op, attributes);
  ATH_TRY(const NodeId id, node.graph.AddNode({.op = op.name,
                                               .inputs = node.inputs,
                                               .attributes = std::move(attributes),
                                               .num_outputs = node.num_outputs,
                                               .name = node.name}));
  node.outputs = node.graph.node(id).outputs;
  return {};
}

}  // namespace

void Widen(const OpDef& op, AttrMap& attributes) {
  for (const AttrSpec& spec : op.attributes) {
    if (const AttrValue* value = attributes.Find(spec.name))
      attributes.Set(spec.name, Widened(*value, spec.kind));
  }
}

Status CheckConverter(const NewConverter& converter, bool replace) {
  const auto& [format, op, convert] = converter;
  if (FindForeignFormat(format) == nullptr) {
    std::vector<std::string> names;
    for (const ForeignFormat& known : kForeignFormats) names.emplace_back(known.name);
    return Error(ErrorCode::kUnknownName,
                 "there is no format \"{}\" that takes converters{}; {} do", format,
                 DidYouMean(format, names), Join(names, ", "));
  }
  if (op.empty()) return Error(ErrorCode::kUsage, "a converter of {} names no operator", format);
  if (IsReadBy(format, op)) {
    return Error(ErrorCode::kUsage,
                 "{} of {} is read already; converters are for operators that are not", op, format);
  }
  if (!replace && FindConverter(format, op) != nullptr)
    return Error(ErrorCode::kUsage, "there is a converter of {} {} already", format, op);
  return {};
}

void AddConverters(std::vector<NewConverter> converters) {
  for (NewConverter& converter : converters) AllConverters().Add(std::move(converter));
}

bool IsReadBy(std::string_view format, std::string_view op) {
  const ForeignFormat* known = FindForeignFormat(format);
  return known != nullptr && known->reads(op);
}

std::string CustomName(std::string_view format, std::string_view op) {
  const bool has_domain = op.find("::") != std::string_view::npos;
  return has_domain ? std::string(op) : fmt::format("{}::{}", format, op);
}

std::string_view NameInFile(std::string_view format, const OpDef& op) {
  const std::string domain = fmt::format("{}::", format);
  const std::string_view name = op.name;
  return op.custom != nullptr && name.starts_with(domain) ? name.substr(domain.size()) : "";
}

bool IsForeign(std::string_view format, std::string_view op) {
  return FindConverter(format, op) != nullptr ||
         ops::Standard().Find(CustomName(format, op)) != nullptr;
}

const OpDef* ForeignOp(std::string_view format, std::string_view op) {
  if (FindConverter(format, op) != nullptr) return nullptr;
  return ops::Standard().Find(CustomName(format, op));
}

std::shared_ptr<const Converter> FindConverter(std::string_view format, std::string_view op) {
  return AllConverters().Find(format, op);
}

Status ReadForeign(std::string_view format, ForeignNode& node) {
  const auto converter = FindConverter(format, node.op);
  if (converter == nullptr) {
    ATH_TRY(const OpDef* const op, ops::Standard().Lookup(CustomName(format, node.op)));
    return AddCustomNode(*op, node);
  }
  ATH_RETURN_IF_ERROR((*converter)(node));
  node.outputs.resize(node.num_outputs, kNoValue);
  for (std::size_t i = 0; i < node.num_outputs; ++i) {
    if (node.outputs[i] == kNoValue)
      return InvalidModel("the converter of {} gives no output {}", node.op, i);
  }
  return {};
}

std::string ForeignFix(std::string_view format, std::string_view op) {
  return fmt::format(
      "--plugin FILE.so, of a plug-in with the operator {} or a converter of {} {} "
      "(docs/plugins.md)",
      CustomName(format, op), format, op);
}

}  // namespace athanor
