// What flows along an edge of a graph at run time: a tensor, a sequence, or an optional.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace athanor {

// A default-made Datum is absent: an omitted operator input, or an empty optional.
class Datum {
 public:
  Datum() = default;
  Datum(Tensor tensor) : tensor_(std::move(tensor)) {}  // NOLINT(google-explicit-constructor)
  static Datum Sequence(std::vector<Datum> items) {
    Datum datum;
    datum.items_ = std::make_shared<const std::vector<Datum>>(std::move(items));
    return datum;
  }

  bool IsTensor() const { return tensor_.defined(); }
  bool IsSequence() const { return items_ != nullptr; }
  bool IsAbsent() const { return !IsTensor() && !IsSequence(); }

  const Tensor& tensor() const { return tensor_; }
  Tensor& tensor() { return tensor_; }
  // Only when IsSequence().
  const std::vector<Datum>& items() const { return *items_; }

 private:
  Tensor tensor_;
  std::shared_ptr<const std::vector<Datum>> items_;
};

}  // namespace athanor
