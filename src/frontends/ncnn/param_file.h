// The text of an ncnn .param file: one layer per line, its blobs by name, its numbers by id.
// What the layers mean stands in the rows; weights lie in the .bin file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::ncnn {

// A number or a list of numbers. Whole numbers of 32 bits and floats are both exact in a double.
struct Param {
  bool list = false;
  bool real = false;  // printed as a float: ncnn tells the kinds apart by their look
  std::vector<double> values = {};
};

struct Layer {
  std::string type;
  std::string name;
  std::vector<std::string> bottoms;  // blobs it reads
  std::vector<std::string> tops;     // blobs it makes
  std::map<int, Param> params;
  std::size_t line = 0;  // in the file, from 1; 0: not from a file
};

// Starts with the magic number of the text form.
bool IsParam(std::string_view text);

// Blobs are not resolved; every layer line is well formed.
Result<std::vector<Layer>> ParseParam(std::string_view text);

std::string PrintParam(const std::vector<Layer>& layers);

// `line 12, layer "conv1" (Convolution)`
std::string Place(const Layer& layer);

}  // namespace athanor::ncnn
