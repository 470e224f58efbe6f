// What formulas of classical models share: sums in f64, transforms of scores, labels.
#pragma once

#include <vector>

#include "codegen/table/lowering.h"
#include "ops/ml/feature_table.h"

namespace athanor::codegen {

// The constants of these operators are f32, their sums f64.
std::vector<TermId> Doubles(TermMaker& make, const std::vector<TermId>& terms);
TermId Sum(TermMaker& make, DType dtype, std::vector<TermId> terms);
// Casts to the type of the output.
void SetRounded(Lowering& l, std::size_t output, const std::vector<TermId>& terms);

// A post_transform of f64 scores.
std::vector<TermId> Transformed(TermMaker& make, ops::PostTransform transform,
                                std::vector<TermId> scores);

TermId LabelTerm(TermMaker& make, const ops::ClassLabels& labels, std::size_t index);
// The label of the largest f64 score; the first of equal ones.
TermId BestLabel(TermMaker& make, const ops::ClassLabels& labels,
                 const std::vector<TermId>& scores);

// The rows of tree ensembles, and of support vectors.
std::vector<LoweringRow> TreeLowerings();
std::vector<LoweringRow> SvmLowerings();

}  // namespace athanor::codegen
