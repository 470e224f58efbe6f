// A graph as a file in the format that the name's ending asks for.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor {

struct SaveOptions {
  // "ath", "onnx", "param", "prototxt", "tflite", "txt", "xml"; "" goes by the path's ending
  std::string format = "";
  std::int64_t opset = 0;       // of ONNX files; 0: 21, or the oldest after it that does
  std::string dialect = "any";  // of Caffe files
  bool compress = false;        // .ath: entropy code weights of 8 bits, see ath::WriteOptions
  std::vector<std::string> others = {};  // that the caller writes: named among what can be
};

// Whether SaveModel writes the format that is asked for; touches no file.
Status CheckSaveFormat(const std::string& path, const SaveOptions& options = {});

// The files that SaveModel writes: `path` and, in some formats, a file of weights beside it.
std::vector<std::string> SavedFiles(const std::string& path, const SaveOptions& options = {});

Status SaveModel(const Graph& graph, const std::string& path, const SaveOptions& options = {});

// The operators of a file that SaveModel wrote for others' programs, but that only this one reads.
std::vector<std::string> OwnOperators(const Graph& graph, const std::string& path,
                                      const SaveOptions& options = {});

}  // namespace athanor
