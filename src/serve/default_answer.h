// The answer that is sent when the model gives none in time: declared by the operator of the
// server, checked against the model when it is loaded.
#pragma once

#include "serve/served_model.h"

namespace athanor::serve {

class DefaultAnswer {
 public:
  // {"OUTPUT": VALUE, ...}, each output once. VALUE is a number for every element, the elements of
  // one row, or {"shape": [...], "data": [...]}.
  static Result<std::shared_ptr<const DefaultAnswer>> Parse(std::string_view json,
                                                            const ServedModel& model);

  // In the model's order. One row is repeated for each row of the request.
  Result<std::vector<Tensor>> Outputs(std::int64_t rows) const;

 private:
  DefaultAnswer() = default;

  std::vector<Tensor> outputs_;
  bool per_row_ = false;
};

}  // namespace athanor::serve
