// Rounding the weights of a product one after another, later ones making up for the error of
// earlier ones: GPTQ (Frantar et al., ICLR 2023), algorithm 1.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace athanor::quant {

// What the rows of weights that read the same inputs have in common.
class RowRounding {
 public:
  // `gram`: columns * columns, of the inputs, see Gram; nothing: all weights are as important and
  // none makes up for another. `damping` in units of the mean of the diagonal; 0: none makes up for
  // another.
  RowRounding(std::size_t columns, const std::vector<double>* gram, double damping);

  // How much an error of each column costs.
  const std::vector<double>& importance() const { return importance_; }
  // The same when later columns make up for it.
  double CostOf(std::size_t k) const;
  // Column k of the row `w` was rounded and is `error` less than it was: changes the columns behind
  // it.
  void MakeUp(std::span<double> w, std::size_t k, double error) const;
  // The matrix of the inputs, damped, times the result is `b`; zeros where there is no matrix.
  std::vector<double> Solve(std::span<const double> b) const;

 private:
  std::vector<double> importance_;
  std::optional<std::vector<double>> upper_;  // the factor of the inverse
  std::vector<bool> unused_;                  // columns that were 0 on all samples
};

}  // namespace athanor::quant
