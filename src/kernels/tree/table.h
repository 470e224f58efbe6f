// The features of a forest as they lie in memory: one table, or columns that nobody has joined yet,
// of the type of the sums or, where these are f64, of f32.
#pragma once

#include <vector>

#include "kernels/kernel.h"

namespace athanor::kernels {

// A node that only brings columns together, or gives numbers of f32 as f64: who reads its result
// may read its inputs. Its inputs; nothing where it does more.
std::optional<std::vector<PortInfo>> MadeOf(const KernelQuery& maker);

// Whether kernels of this operator may be asked about these inputs in place of its own.
bool MayReadParts(const OpDef& op);

// How many features all inputs have.
std::int64_t NumFeatures(const KernelQuery& q);

template <class T>
class Table {
 public:
  Table() = default;
  explicit Table(const KernelQuery& q) : narrow_(q.in[0].dtype != q.out[0].dtype) {
    for (std::size_t input = 0; input < q.own_inputs; ++input) {
      const auto width = static_cast<std::size_t>(q.in[input].dims[1]);
      for (std::size_t i = 0; i < width; ++i) columns_.push_back({input, i, width});
    }
  }

  std::size_t features() const { return columns_.size(); }
  // Numbers of f32, of a forest that adds up f64.
  bool narrow() const { return narrow_; }
  // Whether rows lie in memory as Row gives them.
  bool HasRows() const { return !narrow_ && columns_.front().stride == columns_.size(); }

  // From row `row` on, numbers of the type that the table has.
  struct Numbers {
    const void* first = nullptr;
    std::size_t stride = 0;
    template <class X>
    const X* As() const {
      return static_cast<const X*>(first);
    }
  };
  Numbers Column(const KernelArgs& args, std::size_t feature, std::size_t row) const {
    const Place& place = columns_[feature];
    const std::size_t at = place.at + row * place.stride;
    const void* first = narrow_ ? static_cast<const void*>(args.In<float>(place.input) + at)
                                : static_cast<const void*>(args.In<T>(place.input) + at);
    return {first, place.stride};
  }
  T Number(const KernelArgs& args, std::size_t feature, std::size_t row) const {
    const Numbers numbers = Column(args, feature, row);
    return narrow_ ? static_cast<T>(*numbers.template As<float>()) : *numbers.template As<T>();
  }
  // All features of a row; `room` has memory for them.
  const T* Row(const KernelArgs& args, std::size_t row, T* room) const {
    if (HasRows()) return args.In<T>(0) + row * columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) room[i] = Number(args, i, row);
    return room;
  }

 private:
  struct Place {
    std::size_t input = 0, at = 0, stride = 0;
  };
  std::vector<Place> columns_;
  bool narrow_ = false;
};

}  // namespace athanor::kernels
