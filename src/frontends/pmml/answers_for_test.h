// A PMML document, and what it answers to one row.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "frontends/pmml/pmml.h"
#include "ir/evaluate.h"

namespace athanor::pmml {

using Row = std::map<std::string, std::string>;

inline Result<Graph> Read(const std::string& document) {
  return Import({reinterpret_cast<const std::uint8_t*>(document.data()), document.size()});
}

// What the model gives out for one row, as text.
inline Row Answers(const std::string& document, const Row& row) {
  const Result<Graph> graph = Read(document);
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  std::vector<Datum> inputs;
  for (const ValueId id : graph->inputs()) {
    const Value& input = graph->value(id);
    const auto cell = row.find(input.name);
    const std::string text = cell == row.end() ? "" : cell->second;
    if (input.type.dtype == DType::kString) {
      inputs.emplace_back(Tensor::FromVector<std::string>({1, 1}, {text}));
    } else {
      inputs.emplace_back(
          Tensor::FromVector<double>({1, 1}, {text.empty() ? std::nan("") : std::stod(text)}));
    }
  }
  const Result<std::vector<Datum>> outputs = Evaluate(*graph, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  Row answers;
  for (std::size_t i = 0; outputs.ok() && i < outputs->size(); ++i) {
    const Tensor& tensor = (*outputs)[i].tensor();
    std::string& text = answers[graph->outputs()[i].name];
    if (tensor.dtype() == DType::kString) {
      text = tensor.Data<std::string>()[0];
    } else if (const double value = tensor.Data<double>()[0]; !std::isnan(value)) {
      text = fmt::format("{:.10g}", value);
    }
  }
  return answers;
}

}  // namespace athanor::pmml
