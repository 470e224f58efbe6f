// The structs of Arrow's C data and C stream interfaces, as their specification fixes them: a table
// passes between two libraries of one process without a copy and without a common dependency.
// arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html
#pragma once

#include <cstdint>

// The names and guards are the specification's: whoever includes Arrow's own headers too gets one
// definition.
extern "C" {

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*);
  void* private_data;
};

#endif

}  // extern "C"

#include <utility>

namespace athanor::arrow {

// One of the structs above, released with its owner. A released one has no release function.
template <class S>
class Owned {
 public:
  Owned() = default;
  // Takes it over.
  explicit Owned(S* from) : it_(*from) { from->release = nullptr; }
  Owned(Owned&& other) noexcept : it_(std::exchange(other.it_, S{})) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(it_, other.it_);
    return *this;
  }
  ~Owned() {
    if (it_.release != nullptr) it_.release(&it_);
  }

  bool released() const { return it_.release == nullptr; }
  S* get() { return &it_; }
  const S* operator->() const { return &it_; }
  const S& operator*() const { return it_; }
  // Hands it on.
  S Release() { return std::exchange(it_, S{}); }

 private:
  S it_ = {};
};

}  // namespace athanor::arrow
