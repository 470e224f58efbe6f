// A model of layers, sequential or functional, into a graph; models may be layers of others.
#pragma once

#include "frontends/keras/layer_import.h"

namespace athanor::keras {

bool IsModel(std::string_view class_name);

struct ModelEnds {
  std::vector<std::string> input_names, output_names;
  std::vector<ValueId> outputs;
};

// Adds the layers of `model` ({"class_name", "config"}) to the graph. `inputs` are its inputs in
// order; empty: inputs of the graph are made as its input layers say.
Result<ModelEnds> AddModel(Graph& graph, const FileInfo& info, const Config& model,
                           const Weights& weights, std::vector<ValueId> inputs, int depth);

}  // namespace athanor::keras
