// Python's pickles, as far as PyTorch and estimators write them, without executing anything.
//
// A pickle is a program for a stack machine (Python's Lib/pickletools.py describes its opcodes).
// Those that build numbers, texts, lists, dictionaries and tensors are followed. Classes and
// functions are only names: a list says which few may be called and what that means; any other is
// an error. Hostile input: what is made is bounded by the bytes read.
#pragma once

#include <functional>
#include <span>

#include "frontends/pytorch/storage.h"
#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

// What stands behind an object in the file, between two opcodes of the pickle.
struct Following {
  enum class Kind : std::uint8_t { kNothing, kBytes, kPickle };
  Kind kind = Kind::kNothing;
  std::size_t bytes = 0;
  bool padded = false;  // a byte before them says how many more to skip
};

struct PickleOptions {
  // The bytes of a storage by its key; the budget is for tensors that do not lie dense in it.
  std::function<Result<Member>(std::string_view key, DType dtype)> storage = {};
  CopyBudget* budget = nullptr;
  // Classes of this module prefix become objects: "__torch__". "": none.
  std::string_view classes = "";
  // Other classes and functions, "module name": an object of this type is made, which holds the
  // arguments as `__args__` and, where it is a dictionary, its state; nothing else is done.
  std::span<const std::string_view> opaque = {};
  // What to do instead, for a file that asks for anything else.
  std::string_view fix =
      "export the model instead: torch.export.save(torch.export.export(model, (input,)), "
      "'model.pt2')";
  // Shapes and types only: tensors become (number of the element type, sizes).
  bool only_types = false;
  // What follows an object whose state was just set; that becomes its `__following__`.
  std::function<Result<Following>(const Object& object)> following = {};
  // Moves behind what was read, for files that hold several pickles in a row.
  std::size_t* position = nullptr;
};

Result<Value> ReadPickle(Bytes bytes, Heap& heap, const PickleOptions& options);

}  // namespace athanor::pytorch
