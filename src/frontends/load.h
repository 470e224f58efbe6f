// Any model file as a graph: the format is found from the bytes, the name only decides in doubt.
#pragma once

#include <string>

#include "core/file.h"
#include "ir/graph.h"

namespace athanor {

struct LoadOptions {
  // "ath", "caffe", "keras", "onnx", "paddle", "pytorch", ...; "" finds out from the bytes
  std::string format = "";
  // Of formats that keep weights in a file of their own (caffe, darknet, mxnet, paddle): that file,
  // when it does not lie beside the model; "random" makes them up (caffe, darknet), the
  // same everywhere.
  std::string weights = "";
  // Compare every weight with the digest the file holds of it: reads the whole file. Refused for
  // formats without digests.
  bool check_weights = false;
  // Of formats whose networks keep states between runs (tflite): each is an input NAME and an
  // output NAME.next. Otherwise every run begins with states of 0.
  bool states = false;
};

// `path`: a file, or the folder of a TensorFlow SavedModel, of a PaddlePaddle inference model or of
// a model that MLflow saved.
Result<Graph> LoadModel(const std::string& path, const LoadOptions& options = {});

// Whether the file is an .ath file whose weights are coded: what is made of it is to stay as small.
bool IsCompressedModel(const std::string& path);

struct LoadedModel {
  Graph graph;
  // What it was read from, of a format that holds digests of its weights (.ath).
  std::shared_ptr<const MappedFile> digested = {};
};
Result<LoadedModel> LoadWithFile(const std::string& path, const LoadOptions& options = {});

}  // namespace athanor
