// From one node of a graph to terms. An operator that has formulas has one row in lowering.cpp.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "codegen/table/row_program.h"

namespace athanor::codegen {

// The elements of a tensor, row-major.
struct Elements {
  Dims dims;
  DType dtype = DType::kF64;
  std::vector<TermId> terms;
};

// exp(x - largest) / sum, for each x of the line.
std::vector<TermId> SoftmaxOf(TermMaker& make, DType dtype, const std::vector<TermId>& line);

Result<Elements> ElementsOfConstant(TermMaker& make, const Tensor& tensor);

// A node on its way to terms.
class Lowering {
 public:
  Lowering(const Graph& graph, const Node& node, TermMaker& make)
      : in(node.inputs.size()), out(node.outputs.size()), make(make), graph_(graph), node_(node) {}

  std::vector<Elements> in, out;  // omitted inputs and long tables have no elements
  TermMaker& make;

  const Node& node() const { return node_; }
  bool Has(std::size_t i) const { return i < node_.inputs.size() && node_.inputs[i] != kNoValue; }
  // Nothing when the input is computed.
  const Tensor* Constant(std::size_t i) const {
    return Has(i) ? graph_.Constant(node_.inputs[i]) : nullptr;
  }
  // A table of constants that a computed position looks into.
  bool Skips(std::size_t i) const;
  template <class A>
  A Attrs() const {
    return ReadAttributes<A>(node_.attributes);
  }
  DType OutType(std::size_t i = 0) const { return graph_.value(node_.outputs[i]).type.dtype; }
  Dims OutDims(std::size_t i = 0) const {
    return *graph_.value(node_.outputs[i]).type.StaticDims();
  }
  // The terms of input i, spread to the shape of the output.
  std::vector<TermId> Spread(std::size_t i) const;
  void SetOut(std::vector<TermId> terms, std::size_t i = 0) {
    out[i] = {OutDims(i), OutType(i), std::move(terms)};
  }

 private:
  const Graph& graph_;
  const Node& node_;
};

struct LoweringRow {
  std::string_view op;
  std::function<Status(Lowering&)> lower;
};

// nullptr for an operator without formulas.
const LoweringRow* FindLowering(std::string_view op);

// The rows of operators of classical models.
std::vector<LoweringRow> MlLowerings();

}  // namespace athanor::codegen
