#include "frontends/onnx/operator_check.h"

#include <algorithm>

#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {
namespace {

std::string DomainName(std::string_view domain) {
  return Canonical(domain).empty() ? "ai.onnx" : std::string(domain);
}

class OperatorCheck {
 public:
  explicit OperatorCheck(const FunctionTable& functions) : functions_(functions) {}

  void Visit(const std::vector<NodeProto>& nodes, const Versions& versions) {
    for (const NodeProto& node : nodes) {
      if (problems.size() >= kMaxProblems || nodes_ > kMaxNodes) return;
      if (++nodes_ > kMaxNodes) {
        problems.push_back(
            Error(ErrorCode::kResource, "the model has more than {} nodes", kMaxNodes));
        return;
      }
      VisitNode(node, versions);
      for (const AttributeProto& attribute : node.attribute) {
        if (attribute.g) Visit(attribute.g->node, versions);
      }
    }
  }

  std::vector<Status> problems;

 private:
  enum class State : std::uint8_t { kNew, kOpen, kDone };

  void VisitNode(const NodeProto& node, const Versions& versions) {
    if (const FunctionTable::Entry* function = functions_.Find(node)) {
      State& state = states_[function];
      if (state == State::kOpen) {
        problems.push_back(
            InvalidModel("function \"{}\" calls itself; recursion is not allowed", node.op_type)
                .In(Place(node)));
      }
      if (state != State::kNew) return;
      if (++depth_ > kMaxCallDepth) {
        problems.push_back(Error(ErrorCode::kResource,
                                 "functions call each other more than {} deep", kMaxCallDepth)
                               .In(Place(node)));
      } else {
        state = State::kOpen;
        Visit(function->proto->node, function->versions);
      }
      --depth_;
      state = State::kDone;
      return;
    }
    const std::optional<std::int64_t> version = versions.Find(node.domain);
    const std::string_view domain = Canonical(node.domain);
    if (!version && domain.empty()) {
      problems.push_back(
          InvalidModel("the model does not say which version of operator set ai.onnx it uses")
              .Fix("add an opset_import for domain \"\"")
              .In(Place(node)));
      return;
    }
    if (FindRow(domain, node.op_type, version.value_or(1)) == nullptr)
      problems.push_back(Unknown(node, version.value_or(1)));
  }

  static Status Unknown(const NodeProto& node, std::int64_t version) {
    const std::string_view domain = Canonical(node.domain);
    std::vector<std::string> known;
    std::int64_t first = 0;
    std::string_view other_domain = domain;
    for (const Row& row : Table()) {
      if (row.onnx == node.op_type) {
        if (row.domain == domain && first == 0) first = row.since;
        other_domain = row.domain;
      }
      if (row.domain == domain) known.emplace_back(row.onnx);
    }
    if (first != 0) {
      return Error(ErrorCode::kUnknownOperator,
                   "{}.{} is read from operator set {} on; the model uses {}", DomainName(domain),
                   node.op_type, first, version)
          .Fix(fmt::format(
              "convert the model with onnx.version_converter.convert_version(model, {})",
              std::max<std::int64_t>(first, 13)))
          .In(Place(node));
    }
    Status status = Error(ErrorCode::kUnknownOperator, "there is no operator {}.{}{}",
                          DomainName(domain), node.op_type, DidYouMean(node.op_type, known));
    if (other_domain != domain) {
      status = std::move(status).Fix(
          fmt::format("an operator of this name is in domain {}", DomainName(other_domain)));
    } else if (!domain.empty()) {
      status = std::move(status).Fix(ForeignFix("onnx", QualifiedName(domain, node.op_type)));
    }
    return std::move(status).In(Place(node));
  }

  const FunctionTable& functions_;
  std::map<const FunctionTable::Entry*, State> states_;
  int depth_ = 0;
  std::size_t nodes_ = 0;
};

}  // namespace

std::vector<Status> CheckOperators(const GraphProto& graph, const FunctionTable& functions) {
  OperatorCheck check(functions);
  check.Visit(graph.node, functions.model_versions());
  return std::move(check.problems);
}

}  // namespace athanor::onnx
