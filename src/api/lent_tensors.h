// The caller's tensors as a session takes them, checked and not copied: a call for one row of a
// table has many, and takes less than a microsecond.
#pragma once

#include <memory>
#include <vector>

#include "api/caller_struct.h"
#include "ir/graph.h"
#include "runtime/session.h"

namespace athanor {

// A few need no memory of their own.
template <class T>
class FewOf {
 public:
  FewOf() = default;
  FewOf(const FewOf&) = delete;
  FewOf& operator=(const FewOf&) = delete;

  // Before the first Add.
  void Reserve(std::size_t count) {
    if (count > kFew) many_ = std::make_unique_for_overwrite<std::byte[]>(count * sizeof(T));
    begin_ = reinterpret_cast<T*>(count > kFew ? many_.get() : few_);
  }
  // No more than were reserved.
  void Add(const T& value) { std::construct_at(begin_ + count_++, value); }
  std::size_t size() const { return count_; }
  std::span<const T> get() const { return {begin_, count_}; }

 private:
  static_assert(std::is_trivially_destructible_v<T>);
  static constexpr std::size_t kFew = 40;
  alignas(T) std::byte few_[kFew * sizeof(T)];
  std::unique_ptr<std::byte[]> many_;
  T* begin_ = nullptr;
  std::size_t count_ = 0;
};

// The inputs as they are; fewer where one of them has to be imported.
Status Lend(const Graph& graph, const ath_tensor* tensors, std::int32_t count,
            FewOf<LentTensor>& lent);
// The same of memory for outputs.
Status Lend(const Graph& graph, const ath_buffer* buffers, std::int32_t count,
            FewOf<AnswerRoom>& rooms);

Result<std::vector<Datum>> ImportAll(const Graph& graph, const ath_tensor* tensors,
                                     std::int32_t count);

}  // namespace athanor
