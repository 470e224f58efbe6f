// One network of a .mlmodel: its layers, and how its inputs and outputs look from outside.
#pragma once

#include <map>
#include <memory>

#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {

using Features = std::map<std::string, ValueId>;

// How an input is seen from outside.
enum class InputForm : std::uint8_t {
  kExact,     // as the file describes it
  kBatch,     // with a batch in front
  kSequence,  // with a sequence in front, of a length of its own
  kState,     // with 1 in front: what a recurrent layer starts with
};

struct Forms {
  Form network = Form::kExact;
  std::map<std::string, InputForm> of_input;

  InputForm Of(const std::string& name) const {
    const auto found = of_input.find(name);
    return found == of_input.end() ? InputForm::kExact : found->second;
  }
};

std::string Place(std::string_view what, std::string_view name);

Result<std::vector<Layer>> ReadLayers(const NeuralNetwork& network);
Forms FormsOf(const NeuralNetwork& network, const Description& description,
              const std::vector<Layer>& layers);
Result<Type> TypeOfInput(const Feature& input, const Forms& forms);

// Adds the layers; takes inputs from `features` and puts outputs there, as they look from outside.
Status AddNetwork(Graph& graph, const NeuralNetwork& network, const Description& description,
                  const std::shared_ptr<const void>& owner, Features& features);

}  // namespace athanor::coreml
