// The tables of a format: rows written by topic, looked up by the name an operator has there.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace athanor {

// The rows of all topics, by ascending key.
template <class Row, class Key>
std::vector<Row> SortedRows(std::initializer_list<std::vector<Row> (*)()> topics, Key Row::*key) {
  std::vector<Row> rows;
  for (auto* topic : topics) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(),
            [key](const Row& a, const Row& b) { return a.*key < b.*key; });
  return rows;
}

// The row of sorted ones that has the key; nullptr when none has.
template <class Row, class Key>
const Row* FindSorted(const std::vector<Row>& rows, Key Row::*key, const Key& wanted) {
  const auto at =
      std::lower_bound(rows.begin(), rows.end(), wanted,
                       [key](const Row& row, const Key& value) { return row.*key < value; });
  return at != rows.end() && (*at).*key == wanted ? &*at : nullptr;
}

}  // namespace athanor
