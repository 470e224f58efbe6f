// Python's pickles, as far as PyTorch writes them, without executing anything.
//
// A pickle is a program for a stack machine (Python's Lib/pickletools.py describes its opcodes).
// Those that build numbers, texts, lists, dictionaries and tensors are followed. Classes and
// functions are only names: a list says which few may be called and what that means; any other is
// an error. Hostile input: what is made is bounded by the bytes read.
#pragma once

#include <functional>

#include "frontends/pytorch/storage.h"
#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

struct PickleOptions {
  // The bytes of a storage by its key; the budget is for tensors that do not lie dense in it.
  std::function<Result<Member>(std::string_view key, DType dtype)> storage = {};
  CopyBudget* budget = nullptr;
  // Classes of this module prefix become objects: "__torch__". "": none.
  std::string_view classes = "";
  // Shapes and types only: tensors become (number of the element type, sizes).
  bool only_types = false;
  // Moves behind what was read, for files that hold several pickles in a row.
  std::size_t* position = nullptr;
};

Result<Value> ReadPickle(Bytes bytes, Heap& heap, const PickleOptions& options);

}  // namespace athanor::pytorch
