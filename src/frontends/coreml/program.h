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

// What the file says of a value; sizes that it leaves open are symbols of the name.
Result<Type> TypeOfValue(const mil::ValueType& value, std::string_view name);

// The constants of a program.
class ProgramConstants {
 public:
  // `folder`: where the model lies; "": nowhere, and no file is opened. `program`: its bytes.
  ProgramConstants(std::string folder, std::size_t program)
      : folder_(std::move(folder)), held_(program) {}
  Result<Tensor> Read(const mil::Value& value);
  // Memory for numbers that are compressed in the file. What a model takes so in all is bounded by
  // the bytes of its files: else many operations could name one blob.
  Result<Tensor> Allocate(DType dtype, Dims dims);

 private:
  Status Spend(DType dtype, const Dims& dims);
  Result<Tensor> FromFile(const mil::BlobFile& blob, std::int64_t type, const Dims& dims);

  std::string folder_;
  std::size_t held_ = 0, made_ = 0;  // bytes in files, and of what Allocate gave
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

// What the bytes of a file hold in fewer than 8 bits each: the first in the lowest bits. Gives
// `count` bytes, with the sign spread over each where `is_signed`; the bytes must be as many.
Result<std::vector<std::uint8_t>> FromPackedBits(std::span<const std::uint8_t> bytes, int bits,
                                                 std::int64_t count, bool is_signed = false);

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
  Result<Tensor> Allocate(DType dtype, Dims dims) {
    return constants_.Allocate(dtype, std::move(dims));
  }
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
  const Tensor* Known(std::string_view key);  // fails where it is computed
  bool Flag(std::string_view key, bool otherwise) { return Whole(key, otherwise ? 1 : 0) != 0; }
  // A number of the type of x.
  ValueId Like(ValueId x, double value) { return Number(value, DTypeOf(x)); }
  // Input `key` as i64.
  ValueId Positions(std::string_view key) { return Cast(In(key), DType::kI64); }

 private:
  // One of what a parameter is: the name of a value, or the value itself.
  struct Given {
    std::string_view name;
    const mil::Value* value = nullptr;
  };

  bool Demand(std::string_view key) { return Expect(Has(key), "it lacks {}", key); }
  ValueId ValueOf(const Given& given);

  const ProgramValues& known_;
  ProgramConstants& constants_;
  std::map<std::string_view, std::vector<Given>> arguments_;
};

struct ProgramRow {
  std::string_view type;
  void (*make)(ProgramStep&) = nullptr;
  std::string_view op = "";  // the graph's operator, of rows that share `make`
};
// The rows by topic.
std::vector<ProgramRow> ProgramMathRows();
std::vector<ProgramRow> ProgramLayerRows();
std::vector<ProgramRow> ProgramWeightRows();
const ProgramRow* FindProgramRow(std::string_view type);

// What a description says of inputs and outputs: their names in order.
struct ProgramEnds {
  std::vector<std::string> inputs, outputs;
};

Result<Graph> ImportProgram(protobuf::Bytes bytes, const ProgramEnds& ends,
                            const std::string& folder);

}  // namespace athanor::coreml
