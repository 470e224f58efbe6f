// The operator table: the rows of all topics, and how one is found.
#include <algorithm>
#include <iterator>
#include <tuple>

#include "frontends/onnx/node_import.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

auto Key(const Row& row) { return std::tie(row.domain, row.onnx, row.since); }

std::vector<Row> SortedRows() {
  std::vector<Row> rows;
  for (auto* topic : {MathRows, TensorRows, NnRows, QuantRows, MlRows, MicrosoftRows, SignalRows}) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return Key(a) < Key(b); });
  return rows;
}

}  // namespace

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = SortedRows();
  return rows;
}

const Row* FindRow(std::string_view domain, std::string_view op, std::int64_t version) {
  // What the exporter writes for operators that ONNX lacks: every operator under its own name.
  static const Row own = {.domain = "athanor", .make = Same()};
  if (domain == own.domain) return ops::Standard().Find(op) != nullptr ? &own : nullptr;
  const std::vector<Row>& rows = Table();
  // The first row beyond the wanted version; the one before it is the newest that is not.
  auto at = std::upper_bound(rows.begin(), rows.end(), std::tie(domain, op, version),
                             [](const auto& key, const Row& row) { return key < Key(row); });
  if (at == rows.begin()) return nullptr;
  --at;
  return at->domain == domain && at->onnx == op ? &*at : nullptr;
}

}  // namespace athanor::onnx
