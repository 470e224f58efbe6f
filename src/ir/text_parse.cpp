#include <algorithm>
#include <unordered_map>

#include "core/text.h"
#include "ir/quantized.h"
#include "ir/text.h"
#include "ir/text_constant.h"

namespace athanor {
namespace {

using text::Scanner;

constexpr int kMaxDepth = 32;  // of sub-graphs

// A value's name as written: `key` tells values apart, `name` is what the value is called.
struct Label {
  std::string key;
  std::string name;
};

Result<Label> ReadLabel(Scanner& scanner) {
  Label label;
  if (scanner.Peek() != '#') {
    ATH_TRY(label.name, scanner.Name());
    label.key = text::PrintName(label.name);
  }
  if (scanner.Eat("#")) {
    ATH_TRY(const std::int64_t nth, scanner.Int());
    // "%a#1" and "%a" are the same value.
    if (nth != 1 || label.name.empty()) label.key += fmt::format("#{}", nth);
  }
  return label;
}

template <class T, class F>
Result<std::vector<T>> ReadItems(Scanner& scanner, F read) {
  std::vector<T> items;
  ATH_RETURN_IF_ERROR(scanner.Expect("["));
  if (scanner.Eat("]")) return items;
  do {
    ATH_TRY(T item, read());
    items.push_back(std::move(item));
  } while (scanner.Eat(","));
  ATH_RETURN_IF_ERROR(scanner.Expect("]"));
  return items;
}

Result<float> ReadFloat(Scanner& scanner) {
  text::Budget budget;
  ATH_TRY(const Tensor value, text::ReadElements(scanner, Type::Tensor(DType::kF32, {}), budget));
  return value.Data<float>()[0];
}

// Says when a written type contradicts what inference found.
Status CheckClaim(const Type& known, const Type& claim) {
  bool same = known.kind == claim.kind && known.dtype == claim.dtype;
  if (same && known.shape && claim.shape) {
    same = known.shape->size() == claim.shape->size();
    for (std::size_t i = 0; same && i < known.shape->size(); ++i) {
      const Dim& a = (*known.shape)[i];
      const Dim& b = (*claim.shape)[i];
      same = !a.IsConst() || !b.IsConst() || a == b;
    }
  }
  if (same) return {};
  return InvalidModel("the type is written {} but is {}", claim.ToString(), known.ToString());
}

class GraphParser {
 public:
  GraphParser(Scanner& scanner, const Catalog& catalog, text::Budget& budget, int depth)
      : scanner_(scanner), catalog_(catalog), budget_(budget), depth_(depth), graph_(catalog) {}

  Result<Graph> Run() {
    if (depth_ > kMaxDepth)
      return scanner_.Fail("sub-graphs are nested more than {} deep", kMaxDepth);
    ATH_RETURN_IF_ERROR(scanner_.Expect("graph"));
    ATH_TRY(std::string name, scanner_.Name());
    graph_ = Graph(catalog_, std::move(name));
    ATH_RETURN_IF_ERROR(ReadInputs());
    ATH_RETURN_IF_ERROR(ReadOutputs());
    ATH_RETURN_IF_ERROR(scanner_.Expect("{"));
    while (!scanner_.Eat("}")) {
      ATH_RETURN_IF_ERROR(scanner_.EatWord("const") ? ReadConstant() : ReadNode());
    }
    for (const Output& output : outputs_) ATH_RETURN_IF_ERROR(Bind(output));
    return std::move(graph_);
  }

 private:
  struct Output {
    std::string name;
    Label value;
    std::optional<Type> type;
    std::size_t position = 0;
  };
  struct NewOutput {
    Label label;
    std::optional<Type> type = {};
    bool omitted = false;
    std::size_t position = 0;
  };

  Status Define(const Label& label, ValueId value) {
    if (values_.emplace(label.key, value).second) return {};
    return scanner_.Fail("%{} is defined twice", label.key);
  }

  Result<ValueId> Find(const Label& label) const {
    const auto found = values_.find(label.key);
    if (found != values_.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [key, value] : values_) names.push_back(key);
    std::sort(names.begin(), names.end());
    return scanner_.Fail("%{} is not defined above{}", label.key, DidYouMean(label.key, names));
  }

  Status ReadInputs() {
    ATH_RETURN_IF_ERROR(scanner_.Expect("("));
    if (scanner_.Eat(")")) return {};
    do {
      ATH_TRY(const Label label, ReadLabel(scanner_));
      ATH_RETURN_IF_ERROR(scanner_.Expect(":"));
      ATH_TRY(Type type, scanner_.ReadType());
      ATH_RETURN_IF_ERROR(Define(label, graph_.AddInput(label.name, std::move(type))));
    } while (scanner_.Eat(","));
    return scanner_.Expect(")");
  }

  Status ReadOutputs() {
    ATH_RETURN_IF_ERROR(scanner_.Expect("->"));
    ATH_RETURN_IF_ERROR(scanner_.Expect("("));
    if (scanner_.Eat(")")) return {};
    do {
      Output output;
      output.position = scanner_.position();
      ATH_TRY(output.name, scanner_.Name());
      output.value = {text::PrintName(output.name), output.name};
      if (scanner_.Eat("=")) {
        ATH_RETURN_IF_ERROR(scanner_.Expect("%"));
        ATH_TRY(output.value, ReadLabel(scanner_));
      }
      if (scanner_.Eat(":")) {
        ATH_TRY(output.type, scanner_.ReadType());
      }
      outputs_.push_back(std::move(output));
    } while (scanner_.Eat(","));
    return scanner_.Expect(")");
  }

  Status Bind(const Output& output) {
    Result<ValueId> value = Find(output.value);
    if (!value.ok()) {
      return InvalidModel("output {} is never defined", Quote(output.name))
          .In(scanner_.PlaceOf(output.position));
    }
    if (output.type) {
      Status refined = Refine(*value, *output.type);
      if (!refined.ok()) return std::move(refined).In(scanner_.PlaceOf(output.position));
    }
    graph_.AddOutput(output.name, *value);
    return {};
  }

  Status Refine(ValueId value, const Type& claim) {
    ATH_RETURN_IF_ERROR(CheckClaim(graph_.value(value).type, claim));
    return graph_.RefineType(value, claim);
  }

  // const %w: f32[2] = [1, 2]
  Status ReadConstant() {
    ATH_RETURN_IF_ERROR(scanner_.Expect("%"));
    ATH_TRY(const Label label, ReadLabel(scanner_));
    ATH_RETURN_IF_ERROR(scanner_.Expect(":"));
    ATH_TRY(const Type type, scanner_.ReadType());
    ATH_RETURN_IF_ERROR(scanner_.Expect("="));
    ATH_TRY(Tensor tensor, text::ReadElements(scanner_, type, budget_));
    return Define(label, graph_.AddConstant(std::move(tensor), label.name));
  }

  // "%a: f32[N], _ ="
  Result<std::vector<NewOutput>> ReadNewOutputs() {
    std::vector<NewOutput> outputs;
    do {
      NewOutput& output = outputs.emplace_back();
      scanner_.Peek();
      output.position = scanner_.position();
      output.omitted = scanner_.EatWord("_");
      if (output.omitted) continue;
      ATH_RETURN_IF_ERROR(scanner_.Expect("%"));
      ATH_TRY(output.label, ReadLabel(scanner_));
      if (scanner_.Eat(":")) {
        ATH_TRY(output.type, scanner_.ReadType());
      }
    } while (scanner_.Eat(","));
    ATH_RETURN_IF_ERROR(scanner_.Expect("="));
    return outputs;
  }

  // "(%a, _; %captured)"
  Status ReadUses(Graph::NewNode& node) {
    ATH_RETURN_IF_ERROR(scanner_.Expect("("));
    bool capturing = false;
    if (scanner_.Eat(")")) return {};
    for (;;) {
      if (!capturing && scanner_.Eat(";")) capturing = true;
      if (scanner_.EatWord("_")) {
        node.inputs.push_back(kNoValue);
      } else {
        ATH_RETURN_IF_ERROR(scanner_.Expect("%"));
        ATH_TRY(const Label label, ReadLabel(scanner_));
        ATH_TRY(const ValueId value, Find(label));
        node.inputs.push_back(value);
      }
      if (capturing) ++node.captures;
      if (scanner_.Eat(")")) return {};
      if (!capturing && scanner_.Peek() == ';') continue;
      ATH_RETURN_IF_ERROR(scanner_.Expect(","));
    }
  }

  Result<AttrValue> ReadAttribute(AttrKind kind) {
    switch (kind) {
      case AttrKind::kInt: {
        if (scanner_.EatWord("true")) return AttrValue(std::int64_t{1});
        if (scanner_.EatWord("false")) return AttrValue(std::int64_t{0});
        ATH_TRY(const std::int64_t value, scanner_.Int());
        return AttrValue(value);
      }
      case AttrKind::kFloat: {
        ATH_TRY(const float value, ReadFloat(scanner_));
        return AttrValue(value);
      }
      case AttrKind::kString: {
        ATH_TRY(std::string value, scanner_.Quoted());
        return AttrValue(std::move(value));
      }
      case AttrKind::kDType: {
        ATH_TRY(const std::string name, scanner_.Name());
        const std::optional<DType> dtype = DTypeFromName(name);
        if (!dtype) return scanner_.Fail("{} is not an element type", Quote(name));
        return AttrValue(*dtype);
      }
      case AttrKind::kInts: {
        ATH_TRY(auto values, ReadItems<std::int64_t>(scanner_, [&] { return scanner_.Int(); }));
        return AttrValue(std::move(values));
      }
      case AttrKind::kFloats: {
        ATH_TRY(auto values, ReadItems<float>(scanner_, [&] { return ReadFloat(scanner_); }));
        return AttrValue(std::move(values));
      }
      case AttrKind::kStrings: {
        ATH_TRY(auto values, ReadItems<std::string>(scanner_, [&] { return scanner_.Quoted(); }));
        return AttrValue(std::move(values));
      }
      case AttrKind::kTensor: {
        ATH_TRY(const Type type, scanner_.ReadType());
        ATH_TRY(Tensor tensor, text::ReadElements(scanner_, type, budget_));
        return AttrValue(std::move(tensor));
      }
      case AttrKind::kType:
        break;
    }
    ATH_TRY(Type type, scanner_.ReadType());
    return AttrValue(std::move(type));
  }

  Status ReadAttributes(const OpDef& op, AttrMap& attributes) {
    if (!scanner_.Eat("{")) return {};
    if (scanner_.Eat("}")) return {};
    do {
      ATH_TRY(const std::string name, scanner_.Name());
      const auto is_named = [&name](const AttrSpec& s) { return s.name == name; };
      const std::vector<AttrSpec>& reserved = QuantAttributes();
      const auto own = std::find_if(op.attributes.begin(), op.attributes.end(), is_named);
      const auto spec = own != op.attributes.end()
                            ? own
                            : std::find_if(reserved.begin(), reserved.end(), is_named);
      if (spec == reserved.end()) {
        std::vector<std::string> names;
        for (const AttrSpec& known : op.attributes) names.push_back(known.name);
        return scanner_.Fail("{} has no attribute {}{}", op.name, Quote(name),
                             DidYouMean(name, names));
      }
      ATH_RETURN_IF_ERROR(scanner_.Expect("="));
      ATH_TRY(AttrValue value, ReadAttribute(spec->kind));
      attributes.Set(name, std::move(value));
    } while (scanner_.Eat(","));
    return scanner_.Expect("}");
  }

  Status ReadBodies(const OpDef& op, Graph::NewNode& node) {
    for (const std::string& name : op.bodies) {
      if (!scanner_.EatWord(name)) return scanner_.Fail("sub-graph \"{}\" is expected", name);
      ATH_RETURN_IF_ERROR(scanner_.Expect("="));
      ATH_TRY(Graph body, GraphParser(scanner_, catalog_, budget_, depth_ + 1).Run());
      if (body.inputs().size() < static_cast<std::size_t>(node.captures))
        return scanner_.Fail("{} values are captured; sub-graph \"{}\" has {} inputs",
                             node.captures, name, body.inputs().size());
      node.bodies.push_back(std::make_unique<Graph>(std::move(body)));
    }
    return {};
  }

  // %y: f32[N] = Op(%a, _; %captured) {axis = 1} @name
  Status ReadNode() {
    ATH_TRY(const std::vector<NewOutput> outputs, ReadNewOutputs());
    const std::size_t place = scanner_.position();
    ATH_TRY(std::string op_name, scanner_.Name());
    while (scanner_.Eat("::")) {
      ATH_TRY(const std::string rest, scanner_.Name());
      op_name += "::" + rest;
    }
    const Result<const OpDef*> known = catalog_.Lookup(op_name);
    if (!known.ok()) return Status(known.status()).In(scanner_.PlaceOf(place + 1));
    const OpDef* const op = *known;
    Graph::NewNode node = {.op = op->name, .num_outputs = outputs.size()};
    ATH_RETURN_IF_ERROR(ReadUses(node));
    ATH_RETURN_IF_ERROR(ReadAttributes(*op, node.attributes));
    if (scanner_.Eat("@")) {
      ATH_TRY(node.name, scanner_.Name());
    }
    ATH_RETURN_IF_ERROR(ReadBodies(*op, node));
    for (const NewOutput& output : outputs) {
      node.omitted_outputs.push_back(output.omitted);
      node.output_names.push_back(output.label.name);
    }
    Result<NodeId> id = graph_.AddNode(std::move(node));
    if (!id.ok()) return std::move(id).status().In(scanner_.PlaceOf(place + 1));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].omitted) continue;
      const ValueId value = graph_.node(*id).outputs[i];
      if (outputs[i].type) {
        Status refined = Refine(value, *outputs[i].type);
        if (!refined.ok()) return std::move(refined).In(scanner_.PlaceOf(outputs[i].position));
      }
      ATH_RETURN_IF_ERROR(Define(outputs[i].label, value));
    }
    return {};
  }

  Scanner& scanner_;
  const Catalog& catalog_;
  text::Budget& budget_;
  const int depth_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::vector<Output> outputs_;
};

}  // namespace

Result<Graph> ParseText(std::string_view text, const Catalog& catalog) {
  Scanner scanner(text);
  text::Budget budget;
  ATH_TRY(Graph graph, GraphParser(scanner, catalog, budget, 0).Run());
  if (!scanner.AtEnd()) return scanner.Fail("the graph has ended; nothing is expected here");
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor
