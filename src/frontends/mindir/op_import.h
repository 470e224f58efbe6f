// What a row of the operator table sees of one node: its inputs, which are tensors, numbers or
// tuples of both, the attributes of its primitive, and the graph to add nodes to.
#pragma once

#include <optional>
#include <string_view>

#include "frontends/mindir/schema.h"
#include "frontends/value_steps.h"

namespace athanor::mindir {

using IntList = std::vector<std::int64_t>;

// A value of the file.
struct Item {
  enum class Kind : std::uint8_t { kNothing, kTensor, kInt, kReal, kText, kTuple };
  Kind kind = Kind::kNothing;
  ValueId value = kNoValue;  // of a tensor
  std::int64_t whole = 0;    // truth too
  double real = 0;
  std::string text = {};
  std::vector<Item> items = {};
  std::size_t parts = 1;  // of tuples in tuples, all in all
};

class OpImport;

struct Row {
  std::string_view op;  // in MindSpore
  void (*make)(OpImport&) = nullptr;
  std::string_view target = "";  // the graph's operator, for rows that share `make`
  int least = 1;                 // how many inputs at least
};

class OpImport : public ValueSteps {
 public:
  OpImport(Graph& graph, const NodeProto& node, const Row& row, const PrimitiveProto* primitive,
           std::vector<Item> inputs)
      : ValueSteps(graph, node.name),
        node(node),
        row(row),
        inputs(std::move(inputs)),
        primitive_(primitive) {}

  const NodeProto& node;
  const Row& row;
  const std::vector<Item> inputs;
  Item result;

  // A number of the file becomes a tensor of one element.
  ValueId In(std::size_t i);
  std::vector<ValueId> AllOf(std::size_t i);  // of a tuple
  void Give(ValueId value) { result = {Item::Kind::kTensor, value}; }
  void GiveAll(const std::vector<ValueId>& values);

  // ---- numbers: an input at this place, or the primitive's attribute of the name
  IntList IntsAt(std::size_t i, std::string_view name, IntList otherwise = {});
  std::int64_t IntAt(std::size_t i, std::string_view name, std::int64_t otherwise);
  double RealAt(std::size_t i, std::string_view name, double otherwise);
  std::string Text(std::string_view name, std::string_view otherwise) const;

 private:
  std::optional<Item> Find(std::size_t i, std::string_view name) const;

  const PrimitiveProto* primitive_;
};

Item ItemOf(const AttributeProto& attribute);
DType DTypeOf(std::int64_t type);

std::vector<Row> LayerRows();
std::vector<Row> MathRows();
std::vector<Row> ShapeRows();

const Row* FindRow(std::string_view op);
std::vector<std::string> Names();

inline constexpr std::size_t kAttributeOnly = SIZE_MAX;

}  // namespace athanor::mindir
