// What a row of the table of layers sees of one call of a Keras layer: its inputs as values of the
// graph, its configuration, and its weights.
//
// Keras keeps pictures as NHWC unless `data_format` says otherwise; the graph computes on NCHW. A
// row gives its result in the form of the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/keras/weights.h"
#include "frontends/nhwc/builder.h"
#include "frontends/tabular/document.h"

namespace athanor::keras {

using nhwc::Ints;
using Config = tabular::Value;

struct FileInfo {
  bool is_keras2 = false;  // some defaults were others
};

// A tensor or a number that a layer is called with.
struct Argument {
  ValueId value = kNoValue;
  double number = 0;
};

class LayerImport;

struct Row {
  std::string_view layer = "";
  Status (*make)(LayerImport&) = nullptr;
  std::string_view as = "";  // the graph's operator, for rows of one kind
};

class LayerImport : public nhwc::Builder {
 public:
  LayerImport(Graph& graph, std::string name, const FileInfo& info, const Config& config,
              Weights weights, std::vector<Argument> arguments, int depth)
      : Builder(graph, name),
        info(info),
        config(config),
        weights(std::move(weights)),
        arguments(std::move(arguments)),
        name(std::move(name)),
        depth(depth) {
    for (const Argument& argument : this->arguments) {
      if (argument.value != kNoValue) inputs.push_back(argument.value);
    }
  }

  const FileInfo& info;
  const Config& config;
  std::string class_name;
  Weights weights;
  std::vector<Argument> arguments;
  std::vector<ValueId> inputs;   // the tensors among them
  std::vector<ValueId> outputs;  // filled by the row
  std::string name;
  int depth = 0;  // of layers within layers
  const Row* row = nullptr;
  const Config* call = nullptr;  // keyword arguments of the call

  Status Expect(std::size_t count) const;
  Result<std::int64_t> Rank(ValueId value) const;
  Status Give(Result<ValueId> value);

  // Configuration; what is absent or null has its default.
  bool Bool(std::string_view key, bool fallback = false) const;
  double Number(std::string_view key, double fallback) const;
  std::int64_t Int(std::string_view key, std::int64_t fallback) const;
  std::string Text(std::string_view key, std::string_view fallback = "") const;
  bool IsSet(std::string_view key) const;
  // A number for all axes, or a list of `count`.
  Result<Ints> PerAxis(std::string_view key, std::size_t count, std::int64_t fallback) const;
  using Builder::Number;

  // A weight as a constant.
  Result<ValueId> Weight(std::size_t number, std::string_view name);
  static Result<Ints> Integers(const Config& value);
  // An activation by its name in the configuration's `key`.
  Result<ValueId> Activated(ValueId value, std::string_view key = "activation");
  Result<ValueId> ActivatedBy(ValueId value, std::string_view activation);
};

std::vector<Row> ArithmeticRows();
std::vector<Row> ConvolutionRows();
std::vector<Row> RecurrentRows();
std::vector<Row> ShapeRows();

// Every layer that can be read, by class name.
const std::vector<Row>& Table();
const Row* FindRow(std::string_view layer);
// The row, or what reads layers of that class by a plug-in; nullptr when neither does.
const Row* FindRowOrForeign(std::string_view layer);
// A class without the package it is registered in: "Roll" of "mine>Roll".
std::string_view ClassWithoutPackage(std::string_view layer);

// A whole layer of the configuration on these tensors, whichever it is: for layers around layers.
Result<std::vector<ValueId>> AddLayer(LayerImport& outer, const Config& layer,
                                      const Weights& weights, std::vector<ValueId> inputs);

}  // namespace athanor::keras
