#include "verify/same_objects.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace athanor {
namespace {

// The numbers of one output, row by row, of both answers.
struct Columns {
  std::vector<double> actual, expected;
  std::size_t width = 0;
  bool is_float = false;
};

// One entry per output; nothing when they are no rows of objects.
std::optional<std::vector<Columns>> ReadColumns(const std::vector<Datum>& actual,
                                                const std::vector<Datum>& expected) {
  std::vector<Columns> all;
  std::int64_t rows = -1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!actual[i].IsTensor() || !expected[i].IsTensor()) return std::nullopt;
    const Tensor &a = actual[i].tensor(), &b = expected[i].tensor();
    if (a.dtype() != b.dtype() || a.dims() != b.dims() || b.rank() == 0) return std::nullopt;
    if (IsComplex(b.dtype()) || (rows >= 0 && b.dim(0) != rows) || b.dim(0) < 2)
      return std::nullopt;
    rows = b.dim(0);
    Result<std::vector<double>> left = ToDoubles(a), right = ToDoubles(b);
    if (!left.ok() || !right.ok()) return std::nullopt;
    const std::size_t width = right->size() / static_cast<std::size_t>(rows);
    all.push_back({*std::move(left), *std::move(right), width, IsFloat(b.dtype())});
  }
  if (all.size() < 2) return std::nullopt;
  return all;
}

bool IsSameRow(const std::vector<Columns>& columns, std::size_t a, std::size_t b,
               const Tolerance& tolerance) {
  for (const Columns& column : columns) {
    for (std::size_t k = 0; k < column.width; ++k) {
      const double x = column.actual[a * column.width + k];
      const double y = column.expected[b * column.width + k];
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      if (!(std::fabs(x - y) <= tolerance.atol + tolerance.rtol * std::fabs(y))) return false;
    }
  }
  return true;
}

// The expected numbers of one column, from row to row.
class Ranking {
 public:
  Ranking(const Columns& columns, std::size_t k) : columns_(columns), k_(k) {}

  // Columns of whole numbers hold classes or places in a batch, whose equality says nothing about
  // the order.
  bool MayBeScores(std::size_t rows) const {
    if (!columns_.is_float) return false;
    for (std::size_t row = 0; row < rows; ++row) {
      if (At(row) != std::floor(At(row))) return true;
    }
    return false;
  }

  // Whether the numbers of these two rows, and so of all between them, are tied.
  bool IsTied(std::size_t a, std::size_t b, const Tolerance& tolerance) const {
    for (std::size_t row = std::min(a, b); row <= std::max(a, b); ++row) {
      const double x = At(row), y = At(a);
      // Each may be off by the tolerance, towards the other.
      if (!(x == y || std::fabs(x - y) <= 2 * (tolerance.atol + tolerance.rtol * std::fabs(y))))
        return false;
    }
    return true;
  }

 private:
  double At(std::size_t row) const { return columns_.expected[row * columns_.width + k_]; }
  const Columns& columns_;
  std::size_t k_;
};

// Whether one column of scores is tied wherever a row of `moved` stands elsewhere.
bool TiesExplain(const std::vector<Columns>& columns, const std::vector<std::size_t>& moved,
                 const std::vector<std::size_t>& order, const Tolerance& tolerance) {
  for (const Columns& output : columns) {
    for (std::size_t k = 0; k < output.width; ++k) {
      const Ranking ranking(output, k);
      const auto is_tied = [&](std::size_t row) {
        return ranking.IsTied(row, order[row], tolerance);
      };
      if (ranking.MayBeScores(order.size()) && std::all_of(moved.begin(), moved.end(), is_tied))
        return true;
    }
  }
  return false;
}

Result<Tensor> Reordered(const Tensor& tensor, const std::vector<std::size_t>& order) {
  ATH_TRY(Tensor result, Tensor::Allocate(tensor.dtype(), tensor.dims()));
  const std::size_t bytes =
      static_cast<std::size_t>(tensor.count()) / order.size() * ElementBytes(tensor.dtype());
  const auto* from = static_cast<const std::uint8_t*>(tensor.raw());
  auto* to = static_cast<std::uint8_t*>(result.mutable_raw());
  for (const std::size_t row : order) {
    if (bytes > 0) std::memcpy(to, from + row * bytes, bytes);
    to += bytes;
  }
  return result;
}

}  // namespace

bool ChoosesBoxes(const Graph& graph) {
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    if (graph.node(id).op->name == "NonMaxSuppression") return true;
    for (const auto& body : graph.node(id).bodies) {
      if (ChoosesBoxes(*body)) return true;
    }
  }
  return false;
}

std::optional<SameObjects> MatchObjects(const std::vector<Datum>& actual,
                                        const std::vector<Datum>& expected,
                                        const Tolerance& tolerance) {
  const auto columns = ReadColumns(actual, expected);
  if (!columns) return std::nullopt;
  const auto rows = static_cast<std::size_t>(expected[0].tensor().dim(0));
  std::vector<std::size_t> order(rows), moved;
  for (std::size_t row = 0; row < rows; ++row) {
    order[row] = row;
    if (!IsSameRow(*columns, row, row, tolerance)) moved.push_back(row);
  }
  // A few among thousands: those that are compared with each other are bounded.
  constexpr std::size_t kMostMoved = 4096;
  if (moved.size() > kMostMoved) return std::nullopt;
  std::vector<std::size_t> free = moved;
  for (const std::size_t row : moved) {
    std::size_t k = 0;
    while (k < free.size() && !IsSameRow(*columns, free[k], row, tolerance)) ++k;
    if (k == free.size()) return std::nullopt;
    order[row] = free[k];
    free.erase(free.begin() + static_cast<std::ptrdiff_t>(k));
  }
  if (!TiesExplain(*columns, moved, order, tolerance)) return std::nullopt;
  SameObjects same;
  same.exchanged = moved.size();
  for (const Datum& datum : actual) {
    Result<Tensor> rows_in_order = Reordered(datum.tensor(), order);
    if (!rows_in_order.ok()) return std::nullopt;
    same.actual.emplace_back(*std::move(rows_in_order));
  }
  return same;
}

}  // namespace athanor
