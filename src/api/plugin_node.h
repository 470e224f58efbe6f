// What the callbacks of a plug-in see: one node that is inferred, run or converted, behind the
// functions of ath_host.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "athanor/plugin.h"
#include "frontends/foreign.h"
#include "ir/graph.h"

// The handle of plugin.h.
struct ath_node {
 public:
  explicit ath_node(athanor::InferCtx& ctx, const std::string& op)
      : infer_(&ctx), op_(op), attributes_(ctx.attributes()) {}
  ath_node(athanor::RefCtx& ctx, const std::string& op, bool makes_outputs)
      : run_(&ctx), op_(op), attributes_(ctx.attributes()), makes_outputs_(makes_outputs) {}
  explicit ath_node(athanor::ForeignNode& node)
      : convert_(&node), op_(node.op), attributes_(node.attributes) {}

  using Callback = ath_status (*)(const ath_host* host, ath_node* node, void* user);
  // Everything that must hold around a callback and after it; `what` is its name, for messages.
  athanor::Status Call(Callback callback, void* user, const char* what);

  const std::string& op() const { return op_; }
  const athanor::AttrMap& attributes() const { return attributes_; }
  std::size_t num_inputs() const;
  std::size_t num_outputs() const;

  // The first problem is kept; all are given back as a status to return.
  ath_status Fail(athanor::Status problem);
  ath_status Say(ath_status code, const char* message);
  athanor::ErrorCode OtherCode() const;

  athanor::Status Input(std::int32_t index, ath_tensor* tensor);
  athanor::Status Show(const athanor::Tensor& tensor, ath_tensor* into);
  // `value`: the elements, where they are known.
  athanor::Status Show(const athanor::Type& type, const athanor::Tensor* value, ath_tensor* into);
  const char* const* Texts(std::span<const std::string> strings);
  const float* Floats(std::span<const std::int64_t> whole);

  athanor::Status SetOutput(std::int32_t index, std::int32_t dtype, std::int32_t rank,
                            const std::int64_t* dims);
  athanor::Status Output(std::int32_t index, ath_tensor* shape, void** data);
  athanor::Status SetString(std::int32_t index, std::int64_t element, const char* text);
  // Makes an output of `run`, with a guard behind its elements.
  athanor::Status AllocateGuarded(std::size_t index, athanor::DType dtype, athanor::Dims dims);

  athanor::Result<ath_value> Value(std::int32_t index) const;
  athanor::Status TypeOf(ath_value value, ath_tensor* into);
  athanor::Result<ath_value> Constant(const ath_tensor* tensor);
  athanor::Status Begin(const char* op);
  athanor::Status AddInput(ath_value value);
  athanor::Status Put(const char* name, athanor::AttrValue value);
  athanor::Status End(ath_value* outputs, std::int32_t count);
  athanor::Status Give(std::int32_t index, ath_value value);

 private:
  // The node that a converter has begun.
  struct Open {
    std::string op;
    std::vector<athanor::ValueId> inputs;
    athanor::AttrMap attributes;
  };

  athanor::Status CheckIndex(const char* what, std::int32_t index, std::size_t count) const;
  athanor::Status Expect(bool right_callback, const char* function) const;
  athanor::Result<athanor::ValueId> Known(ath_value value) const;
  std::int64_t NumberOf(const athanor::Dim& size);
  athanor::Status Finish();
  athanor::Status CheckOutputs();

  athanor::InferCtx* infer_ = nullptr;
  athanor::RefCtx* run_ = nullptr;
  athanor::ForeignNode* convert_ = nullptr;
  const std::string& op_;
  const athanor::AttrMap& attributes_;
  const bool makes_outputs_ = false;

  athanor::Status problem_;
  std::vector<athanor::Dim> sizes_;  // those that are no numbers: size i stands for -2 - i
  std::vector<athanor::ValueId> made_;
  std::optional<Open> open_;
  // What callbacks were shown; it lives as long as the call.
  std::deque<std::vector<std::int64_t>> dims_;
  std::deque<std::vector<const char*>> texts_;
  std::deque<std::vector<float>> floats_;
};

namespace athanor {

const ath_host& PluginHost();

}  // namespace athanor
