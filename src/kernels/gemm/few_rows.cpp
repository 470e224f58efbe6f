#include "kernels/gemm/few_rows.h"

#include <algorithm>

namespace athanor::kernels {
namespace {

std::int64_t GroupPanels(const GemmShape& shape) {
  return static_cast<std::int64_t>(shape.table->most_panels[shape.m]);
}

}  // namespace

std::int64_t FewRowsGroups(const GemmShape& shape) {
  return CeilDivide(shape.panels, GroupPanels(shape));
}

void MultiplyFewRows(const GemmShape& shape, const float* a, std::int64_t lda, const float* b,
                     std::int64_t group_begin, std::int64_t group_end, float* c, std::int64_t ldc,
                     const GemmEnd& end, Order order) {
  const EpilogueProgram& epilogue = *end.epilogue;
  const float* residual =
      epilogue.residual != 0 ? end.args->In(epilogue.residual) + end.offset : nullptr;
  const std::int64_t groups = group_end - group_begin, pieces = groups * shape.k_blocks;
  for (std::int64_t done = 0; done < pieces; ++done) {
    const std::int64_t piece = order == Order::kBackward ? pieces - 1 - done : done;
    const std::int64_t block = piece / groups, group = group_begin + piece % groups;
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    const std::int64_t panel = group * GroupPanels(shape);
    const std::int64_t panels = std::min(GroupPanels(shape), shape.panels - panel);
    const std::int64_t c0 = panel * shape.cols();
    const bool last = done >= pieces - groups;  // of the blocks of this group
    const TileEnd finish = {
        .accumulate = end.add || done >= groups,
        .row_bias = last ? end.row_bias : nullptr,
        .col_bias = last && end.col_bias != nullptr ? end.col_bias + c0 : nullptr,
        .residual = last && residual != nullptr ? residual + c0 : nullptr,
        .clamp = last && epilogue.clamp,
        .low = epilogue.low,
        .high = epilogue.high};
    shape.table->few_rows[shape.m][panels](
        static_cast<std::size_t>(kc), a + k0, static_cast<std::size_t>(lda),
        b + (k0 * shape.panels + panel * kc) * shape.cols(),
        static_cast<std::size_t>(kc * shape.cols()), c + c0, static_cast<std::size_t>(ldc),
        static_cast<std::size_t>(std::min(panels * shape.cols(), shape.n - c0)), finish);
  }
  if (epilogue.steps.empty()) return;
  const std::int64_t first_col = group_begin * GroupPanels(shape) * shape.cols();
  const std::int64_t last_col = std::min(shape.n, group_end * GroupPanels(shape) * shape.cols());
  for (std::int64_t row = 0; row < shape.m; ++row) {
    const std::int64_t at = row * ldc + first_col;
    epilogue.Apply(*end.args, c + at, last_col - first_col, end.offset + at, end.channel + row,
                   first_col);
  }
}

}  // namespace athanor::kernels
