// An ML Program of Core ML (.mlpackage) as a graph: one function, whose operations name their
// inputs by the parameter that they are. Weights lie in a file beside the model, where they stay.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "core/file.h"
#include "frontends/coreml/program_schema.h"
#include "frontends/value_steps.h"

namespace athanor::coreml {

// What the operations before have given: values, and texts, which are parameters only.
struct ProgramValues {
  std::map<std::string, ValueId> values;
  std::map<std::string, std::string> texts;
};

// The constants of a program.
class ProgramConstants {
 public:
  // `folder`: where the model lies; "": nowhere, and no file is opened.
  explicit ProgramConstants(std::string folder) : folder_(std::move(folder)) {}
  Result<Tensor> Read(const mil::Value& value);

 private:
  Result<Tensor> FromFile(const mil::BlobFile& blob, DType dtype, const Dims& dims);

  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

struct ProgramRow;

// What a row sees of one operation.
class ProgramStep : public ValueSteps {
 public:
  ProgramStep(Graph& graph, const mil::Operation& op, const ProgramRow& row,
              const ProgramValues& known, ProgramConstants& constants);

  const mil::Operation& op;
  const ProgramRow& row;
  std::vector<ValueId> outputs;  // filled by the row

  void Give(ValueId value) { outputs = {value}; }
  bool Has(std::string_view key) const { return arguments_.count(key) > 0; }
  ValueId In(std::string_view key);  // fails when it is not there
  std::vector<ValueId> All(std::string_view key);
  // Parameters must be known when the file is read.
  std::string Text(std::string_view key, std::string otherwise);
  std::vector<std::int64_t> Numbers(std::string_view key, std::vector<std::int64_t> otherwise);
  std::int64_t Whole(std::string_view key, std::int64_t otherwise);
  double Real(std::string_view key, double otherwise);
  // The same of parameters that an operation must have: fail when they are not there.
  std::vector<std::int64_t> Numbers(std::string_view key) {
    return Demand(key) ? Numbers(key, {}) : std::vector<std::int64_t>();
  }
  std::int64_t Whole(std::string_view key) { return Demand(key) ? Whole(key, 0) : 0; }
  double Real(std::string_view key) { return Demand(key) ? Real(key, 0) : 0; }
  bool Flag(std::string_view key, bool otherwise) { return Whole(key, otherwise ? 1 : 0) != 0; }
  // A number of the type of x.
  ValueId Like(ValueId x, double value) { return Number(value, DTypeOf(x)); }
  // Input `key` as i64.
  ValueId Positions(std::string_view key) { return Cast(In(key), DType::kI64); }

 private:
  bool Demand(std::string_view key) { return Expect(Has(key), "it lacks {}", key); }
  const Tensor* Known(std::string_view key);
  ValueId ValueOf(const mil::Binding& binding);

  const ProgramValues& known_;
  ProgramConstants& constants_;
  std::map<std::string_view, const mil::Argument*> arguments_;
};

struct ProgramRow {
  std::string_view type;
  void (*make)(ProgramStep&) = nullptr;
  std::string_view op = "";  // the graph's operator, of rows that share `make`
};
// The rows by topic.
std::vector<ProgramRow> ProgramMathRows();
std::vector<ProgramRow> ProgramLayerRows();
const ProgramRow* FindProgramRow(std::string_view type);

// What a description says of inputs and outputs: their names in order.
struct ProgramEnds {
  std::vector<std::string> inputs, outputs;
};

Result<Graph> ImportProgram(protobuf::Bytes bytes, const ProgramEnds& ends,
                            const std::string& folder);

}  // namespace athanor::coreml
