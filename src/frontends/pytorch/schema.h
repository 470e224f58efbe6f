// The signature of an operator as PyTorch writes it, for example
//
//   max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], *, bool ceil_mode=False)
//
// Types: Tensor, int, float, bool, str, Scalar (any number), Operand (a tensor or a number), any;
// with
// [] or [n] a list (one int stands for n), with ? also None. What follows `*` is given by name.
// Overloads are rows with the same name; the first that takes the arguments is meant.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

struct Parameter {
  std::string_view type;  // without [], ?
  std::string_view name;
  bool list = false;
  bool repeats = false;        // int[2]: one int stands for both
  bool optional = false;       // also None
  bool item_optional = false;  // Tensor?[]: also None within the list
  bool by_name = false;        // only by name
  std::optional<std::string_view> default_value = {};
};

struct Schema {
  std::string_view name;
  std::vector<Parameter> parameters;
};

// The text must outlive the result. Ours, not a file's: a mistake in it is a bug.
Schema ParseSchema(std::string_view text);

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

// One value per parameter, or nothing when the arguments do not fit.
std::optional<std::vector<Value>> Match(const Schema& schema, const Arguments& arguments,
                                        Heap& heap);

}  // namespace athanor::pytorch
