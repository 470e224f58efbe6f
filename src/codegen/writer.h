// What a row writes with: constants, structs of parameters, calls. See rows.cpp.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/quantized.h"
#include "ops/quant/fixed_point.h"

namespace athanor::codegen {

// static const TYPE NAME[] = {...};
std::string ArrayText(std::string_view type, std::string_view name,
                      std::span<const std::int64_t> values);

// Bytes of u8 are kept as i8: the same real numbers with another zero point.
inline constexpr std::int64_t kUnsignedShift = 128;

// One node of the network, being written.
class NodeWriter {
 public:
  NodeWriter(const Graph& graph, NodeId node, int index, std::vector<std::string> in,
             std::string out);

  const Node& node() const { return graph_.node(node_); }
  // As the model has it; the multipliers follow from it.
  const QuantSpec& spec() const { return spec_; }
  // As C has it: bytes are signed, so u8 and its zero point are moved down by 128.
  const QuantPort& in_port(std::size_t i) const { return signed_.inputs[i]; }
  const QuantPort& out_port() const { return signed_.outputs[0]; }
  bool Has(std::size_t i) const { return i < node().inputs.size() && node().inputs[i] != kNoValue; }
  const Tensor* Constant(std::size_t i) const {
    return Has(i) ? graph_.Constant(node().inputs[i]) : nullptr;
  }
  Dims InDims(std::size_t i) const { return *graph_.value(node().inputs[i]).type.StaticDims(); }
  Dims OutDims() const { return *graph_.value(node().outputs[0]).type.StaticDims(); }
  template <class A>
  A Attrs() const {
    return ReadAttributes<A>(WithoutQuantSpec(node().attributes));
  }
  // Limits of the stored integers, the activation considered.
  std::int64_t Low() const;
  std::int64_t High() const;

  // C expressions.
  const std::string& In(std::size_t i) const { return in_[i]; }
  const std::string& Out() const { return out_; }

  // The functions of c99/NAME.h are used.
  void Use(std::string_view header) { headers_.insert(std::string(header)); }
  // static const TYPE PREFIX_INDEX[] = {...}; gives its name.
  std::string Array(std::string_view prefix, std::string_view type,
                    std::span<const std::int64_t> values, int bytes_each);
  // static const TYPE PREFIX_INDEX = {.field = value, ...}; gives its name.
  struct Field {
    std::string_view name;
    std::int64_t value;
  };
  std::string Struct(std::string_view type, const std::vector<Field>& fields);
  void Call(std::string code) { code_ += "  " + std::move(code) + ";\n"; }

  std::int64_t constant_bytes() const { return constant_bytes_; }
  const std::string& constants() const { return constants_; }
  const std::string& code() const { return code_; }
  const std::set<std::string>& headers() const { return headers_; }

 private:
  const Graph& graph_;
  NodeId node_;
  int index_;
  std::vector<std::string> in_;
  std::string out_;
  QuantSpec spec_, signed_;
  std::string constants_, code_;
  std::set<std::string> headers_ = {"fixed31.h"};
  std::int64_t constant_bytes_ = 0;
};

struct Row {
  std::string_view op;
  Status (*write)(NodeWriter& writer);
  bool alias = false;  // the output is the input under another shape: nothing is written
};

// Alphabetical.
std::span<const Row> Rows();

}  // namespace athanor::codegen
