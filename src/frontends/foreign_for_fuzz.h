// For fuzzing and the corpus of broken files: an operator "Foreign" in every format that plug-ins
// extend, and files that hold nodes of it. Their first byte says of which format the rest is.
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <string>

#include "frontends/caffe/import.h"
#include "frontends/keras/import.h"
#include "frontends/mxnet/files_for_test.h"
#include "frontends/mxnet/import.h"
#include "frontends/ncnn/import.h"
#include "frontends/onnx/import.h"
#include "frontends/openvino/import.h"
#include "frontends/paddle/files_for_test.h"
#include "frontends/paddle/import.h"
#include "frontends/pytorch/pytorch.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tflite/import.h"
#include "ops/catalog.h"

namespace athanor {

// y = x, whatever else there is.
class ForeignOperator : public CustomOp {
 public:
  Status Infer(InferCtx& ctx) const override {
    if (ctx.num_inputs() == 0) return InvalidModel("an input is expected");
    ctx.out = {ctx.In(0)};
    return {};
  }
  Status Run(RefCtx&) const override { return Unsupported("it is only read"); }
};

inline void AddForeignOperators() {
  static const bool added = [] {
    for (const char* format : {"caffe", "keras", "mxnet", "ncnn", "onnx", "openvino", "paddle",
                               "pytorch", "tensorflow", "tflite"}) {
      ops::AddCustom({.name = fmt::format("{}::Foreign", format),
                      .inputs = {{"x", "", kVariadicPort}},
                      .outputs = {{"y", ""}},
                      .attributes = {{.name = "whole", .kind = AttrKind::kInt, .doc = ""},
                                     {.name = "part", .kind = AttrKind::kFloat, .doc = ""},
                                     {.name = "list", .kind = AttrKind::kInts, .doc = ""},
                                     {.name = "text", .kind = AttrKind::kString, .doc = ""}}},
                     std::make_unique<ForeignOperator>());
    }
    return true;
  }();
  (void)added;
}

enum class ForeignFile : std::uint8_t {
  kCaffe,
  kKeras,
  kMxnet,
  kNcnn,
  kOnnx,
  kOpenvino,
  kPaddle,
  kPytorch,
  kTensorflow,
  kTflite,
  kCount
};

inline Status ReadForeignFile(std::span<const std::uint8_t> file) {
  AddForeignOperators();
  if (file.empty()) return InvalidModel("the file is empty");
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(file.begin() + 1, file.end());
  const std::span<const std::uint8_t> all(*bytes);
  const auto zero = static_cast<std::size_t>(std::find(all.begin(), all.end(), 0) - all.begin());
  const std::string_view text(reinterpret_cast<const char*>(all.data()), zero);
  const auto behind = all.subspan(std::min(zero + 1, all.size()));
  switch (static_cast<ForeignFile>(file[0] % static_cast<std::uint8_t>(ForeignFile::kCount))) {
    case ForeignFile::kCaffe:
      return caffe::ImportSeeded(all).status();
    case ForeignFile::kKeras:
      return keras::Import(all, bytes).status();
    case ForeignFile::kMxnet:
      return mxnet::Import(all.first(zero), behind, bytes).status();
    case ForeignFile::kNcnn:
      return ncnn::Import(text, behind, bytes).status();
    case ForeignFile::kOnnx:
      return onnx::Import(all, bytes, {}).status();
    case ForeignFile::kOpenvino:
      return openvino::Import(text, behind, bytes).status();
    case ForeignFile::kPaddle: {
      if (all.size() < 4) return InvalidModel("the file is too short");
      const std::size_t end = paddle::EndOfProgram(all);
      return paddle::Import(all.subspan(4, end - 4), all.subspan(end), bytes).status();
    }
    case ForeignFile::kPytorch:
      return pytorch::Import(all, bytes).status();
    case ForeignFile::kTensorflow:
      return tensorflow::Import(all, bytes, "/nonexistent").status();
    default:
      return tflite::Import(all, bytes).status();
  }
}

}  // namespace athanor
