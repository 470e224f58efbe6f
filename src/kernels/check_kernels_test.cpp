#include "kernels/check_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/evaluate.h"
#include "kernels/int8/lookup.h"
#include "kernels/layout.h"
#include "kernels/list.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

PortInfo Port(const Tensor& tensor, bool constant) {
  if (!tensor.defined()) return {};
  return {tensor.dtype(), tensor.dims(), constant ? &tensor : nullptr};
}

// How far integers are apart at most.
double LargestStep(const Tensor& actual, const Tensor& expected) {
  if (actual.SameAs(expected)) return 0;
  const Result<std::vector<double>> a = ToDoubles(actual), b = ToDoubles(expected);
  double largest = std::numeric_limits<double>::infinity();
  if (!a.ok() || !b.ok() || a->size() != b->size()) return largest;
  largest = 0;
  for (std::size_t i = 0; i < a->size(); ++i)
    largest = std::max(largest, std::abs((*a)[i] - (*b)[i]));
  return largest;
}

void ExpectSame(const Tensor& actual, const Tensor& expected, double tolerance,
                const std::string& what) {
  if (expected.dtype() == DType::kF16) {
    // Rounded once where the reference may round on the way: a step of f16 is 2^-11.
    const std::vector<double> a = *ToDoubles(actual), b = *ToDoubles(expected);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
      const bool near = a[i] == b[i] || std::abs(a[i] - b[i]) <= 2e-3 * (1 + std::abs(b[i]));
      ASSERT_TRUE(both_nan || near)
          << what << ": element " << i << " is " << a[i] << ", not " << b[i];
    }
    return;
  }
  if (expected.dtype() != DType::kF32) {
    EXPECT_LE(LargestStep(actual, expected), tolerance >= 1 ? tolerance : 0) << what;
    return;
  }
  const auto a = actual.Data<float>(), b = expected.Data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    const bool near = a[i] == b[i] || std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(b[i]));
    ASSERT_TRUE(both_nan || near) << what << ": element " << i << " of "
                                  << ToString(expected.dims()) << " is " << a[i] << ", not "
                                  << b[i];
  }
}

// The inputs of each operator of the epilogue after the first: none, or the next operand.
std::vector<std::vector<Tensor>> EpilogueOperands(const KernelCase& test) {
  std::vector<std::vector<Tensor>> all;
  std::size_t next = 0;
  for (const std::string& op : test.epilogue) {
    const bool binary = ops::Standard().Find(op)->inputs.size() == 2;
    all.push_back(binary ? std::vector<Tensor>{test.operands[next++]} : std::vector<Tensor>{});
  }
  return all;
}

// What the curve says, as it is written down.
Tensor OnCurve(const Tensor& real, std::span<const std::int32_t> curve) {
  Tensor bytes = *Tensor::Allocate(DType::kU8, real.dims());
  const auto from = real.Data<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double exact = std::nearbyint(from[i] / kCurveWord) + curve[64];
    const auto word = static_cast<std::int32_t>(std::clamp(exact, -32768.0, 32767.0));
    const std::int32_t piece = curve[static_cast<std::size_t>((word >> 10) & 63)];
    const std::int32_t base = static_cast<std::int16_t>(piece & 0xFFFF), rise = piece >> 16;
    const std::int32_t result = (base + ((rise * (word & 1023) + 512) >> 10)) >> 6;
    bytes.MutableData<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(std::clamp(result, curve[65], curve[66]) ^ curve[67]);
  }
  return bytes;
}

// The node, then the operators of the epilogue.
std::vector<Tensor> Expected(const KernelCase& test, Graph& graph, NodeId& id) {
  std::vector<ValueId> ids;
  std::vector<Datum> inputs;
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    const bool given = test.inputs[i].defined();
    const bool constant = given && i < test.constant.size() && test.constant[i];
    ids.push_back(!given     ? kNoValue
                  : constant ? graph.AddConstant(test.inputs[i])
                             : graph.AddInput("x", Type::Of(test.inputs[i])));
    inputs.push_back(given ? Datum(test.inputs[i]) : Datum());
  }
  Result<NodeId> added = graph.AddNode({.op = test.op,
                                        .inputs = ids,
                                        .attributes = test.attributes,
                                        .num_outputs = test.num_outputs});
  EXPECT_TRUE(added.ok()) << added.status().ToString();
  if (!added.ok()) return {};
  id = *added;
  Result<std::vector<Datum>> outputs = EvaluateNode(graph.node(id), inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  std::vector<Tensor> expected;
  for (const Datum& output : *outputs) expected.push_back(output.tensor());
  const std::vector<std::vector<Tensor>> operands = EpilogueOperands(test);
  for (std::size_t i = 0; i < test.epilogue.size(); ++i) {
    std::vector<Datum> data = {expected[0]};
    data.insert(data.end(), operands[i].begin(), operands[i].end());
    std::vector<ValueId> ids_of_step;
    for (const Datum& datum : data) ids_of_step.push_back(graph.AddInput("e", Type::Of(datum)));
    Result<NodeId> step = graph.AddNode({.op = test.epilogue[i], .inputs = ids_of_step});
    EXPECT_TRUE(step.ok()) << step.status().ToString();
    expected[0] = (*EvaluateNode(graph.node(*step), data))[0].tensor();
  }
  for (const Tensor& table : test.tables) {
    if (table.dtype() == DType::kI32) {
      expected[0] = OnCurve(expected[0], table.Data<std::int32_t>());
      continue;
    }
    const auto* const results = static_cast<const std::uint8_t*>(table.raw());
    auto* const bytes = static_cast<std::uint8_t*>(expected[0].mutable_raw());
    std::transform(bytes, bytes + expected[0].count(), bytes,
                   [results](std::uint8_t x) { return results[x]; });
  }
  return expected;
}

// A tensor in memory as the port wants it. What completes a block is NaN: no kernel may read it.
Tensor Laid(const Tensor& tensor, const PortInfo& port) {
  if (!tensor.defined() || port.block == 0) return tensor;
  Tensor laid = *Tensor::Allocate(port.dtype, {port.stored()});
  std::memset(laid.mutable_raw(), 0xFF, laid.bytes());
  ToBlocks(static_cast<const std::byte*>(tensor.raw()), ElementBytes(port.dtype), tensor.dims(),
           port.block, static_cast<std::byte*>(laid.mutable_raw()));
  return laid;
}

Tensor RowMajor(const Tensor& laid, const PortInfo& port) {
  if (port.block == 0) return laid;
  Tensor plain = *Tensor::Allocate(port.dtype, port.dims);
  FromBlocks(static_cast<const std::byte*>(laid.raw()), ElementBytes(port.dtype), port.dims,
             port.block, static_cast<std::byte*>(plain.mutable_raw()));
  return plain;
}

// `given`: the node's inputs, then the operands of the epilogue.
void RunKernel(const KernelDef& def, KernelQuery query, const std::vector<Tensor>& given,
               const std::vector<Tensor>& expected, double tolerance, ThreadPool& pool) {
  PackStore store;
  query = query.To(def);
  Result<Prepared> prepared = def.prepare(query, store);
  ASSERT_TRUE(prepared.ok()) << def.name << ": " << prepared.status().ToString();
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (std::size_t i = 0; i < given.size(); ++i) {
    inputs.push_back(Laid(given[i], query.in[i]));
    in.push_back(inputs.back().defined() ? inputs.back().raw() : nullptr);
  }
  for (const PortInfo& port : query.out) {
    outputs.push_back(
        *Tensor::Allocate(port.dtype, port.block == 0 ? port.dims : Dims{port.stored()}));
    std::memset(outputs.back().mutable_raw(), 0xFF, outputs.back().bytes());
    out.push_back(outputs.back().mutable_raw());
  }
  Tensor scratch = *Tensor::Allocate(DType::kU8, {prepared->scratch_bytes});
  std::memset(scratch.mutable_raw(), 0xFF, scratch.bytes());
  std::atomic<const char*> data_error = nullptr;
  std::int64_t found = -1;
  def.run({.in = in,
           .out = out,
           .state = prepared->state.get(),
           .scratch = static_cast<std::byte*>(scratch.mutable_raw()),
           .pool = &pool,
           .data_error = &data_error,
           .found = &found});
  EXPECT_EQ(found >= 0, def.most != nullptr) << def.name;
  EXPECT_EQ(data_error.load(), nullptr) << def.name;
  for (std::size_t i = 0; i < expected.size(); ++i)
    ExpectSame(RowMajor(outputs[i], query.out[i]), expected[i], tolerance, def.name);
}

// Completes the query; gives the node's inputs and the operands of the epilogue.
std::vector<Tensor> AddEpilogue(const KernelCase& test, KernelQuery& query) {
  std::vector<Tensor> given = test.inputs;
  const std::vector<std::vector<Tensor>> operands = EpilogueOperands(test);
  for (std::size_t i = 0; i < test.epilogue.size(); ++i) {
    const AttrMap none;
    KernelQuery step = {.op = ops::Standard().Find(test.epilogue[i]),
                        .attributes = &none,
                        .in = {query.out[0]},
                        .out = {query.out[0]}};
    for (const Tensor& operand : operands[i]) {
      step.in.push_back(Port(operand, false));
      query.in.push_back(step.in.back());
      given.push_back(operand);
    }
    step.own_inputs = step.in.size();
    query.epilogue.push_back(*AsEpilogue(step, 0));
    if (!operands[i].empty()) query.epilogue.back().operand = static_cast<int>(query.in.size()) - 1;
  }
  for (const Tensor& table : test.tables) {
    query.epilogue.push_back(table.dtype() == DType::kI32
                                 ? int8::AsCurveStep(query, query.in.size(), kCurveWord)
                                 : int8::AsTableStep(query, query.in.size()));
    query.in.push_back(Port(table, true));
    given.push_back(table);
  }
  return given;
}

// Every layout that the operator's tensors may have.
std::vector<std::pair<KernelQuery, Isa>> Layouts(const KernelQuery& query) {
  std::vector<std::pair<KernelQuery, Isa>> all = {{query, AvailableIsas().back()}};
  for (const Isa isa : AvailableIsas()) {
    for (const bool plain_input : {false, true}) {
      if (auto blocked = InBlocks(query, BlockOf(isa), plain_input))
        all.emplace_back(*blocked, isa);
    }
    if (query.op->name != "Reorder") continue;
    all.emplace_back(query, isa);  // the only way back
    all.back().first.in[0].block = BlockOf(isa);
  }
  return all;
}

}  // namespace

int CheckKernels(const KernelCase& test) {
  Graph graph(ops::Standard());
  NodeId id = kNoNode;
  const std::vector<Tensor> expected = Expected(test, graph, id);
  if (expected.empty()) return 0;
  KernelQuery query = {.op = graph.node(id).op,
                       .attributes = &graph.node(id).attributes,
                       .own_inputs = test.inputs.size(),
                       .threads = 2};
  const bool quantized = HasQuantSpec(test.attributes);
  const Result<QuantSpec> spec = ReadQuantSpec(test.attributes);
  if (quantized) {
    EXPECT_TRUE(spec.ok()) << spec.status().ToString();
    if (!spec.ok()) return 0;
    query.quant = &*spec;
  }
  for (std::size_t i = 0; i < test.inputs.size(); ++i)
    query.in.push_back(Port(test.inputs[i], i < test.constant.size() && test.constant[i]));
  for (const Tensor& tensor : expected) query.out.push_back(Port(tensor, false));
  const std::vector<Tensor> given = AddEpilogue(test, query);
  ThreadPool pool(2);
  int ran = 0;
  for (const auto& [laid, isa] : Layouts(query)) {
    for (const Candidate& candidate : Candidates(laid, isa)) {
      if (!candidate.fit.yes() || candidate.def->view) continue;
      RunKernel(*candidate.def, laid, given, expected, test.tolerance, pool);
      ++ran;
    }
  }
  return ran;
}

Tensor RandomOf(DType dtype, Dims dims, unsigned seed, float low, float high) {
  const Tensor floats = RandomF32(std::move(dims), seed, low, high);
  Tensor tensor = *Tensor::Allocate(dtype, floats.dims());
  const auto from = floats.Data<float>();
  if (dtype == DType::kBool) {
    for (std::size_t i = 0; i < from.size(); ++i) tensor.MutableData<bool>()[i] = from[i] > 0;
    return tensor;
  }
  const Status filled = Dispatch(NumericTypes{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> to = tensor.MutableData<T>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      if constexpr (std::is_integral_v<T>) {
        to[i] = static_cast<T>(static_cast<std::int64_t>(from[i]));
      } else {
        to[i] = static_cast<T>(from[i]);
      }
    }
    return {};
  });
  EXPECT_TRUE(filled.ok());
  return tensor;
}

Tensor IntList(const std::vector<std::int64_t>& values) {
  return Tensor::FromVector<std::int64_t>({std::ssize(values)}, values);
}

Tensor RandomF32(Dims dims, unsigned seed, float low, float high) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (float& x : tensor.MutableData<float>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = low + (high - low) * static_cast<float>(state >> 40) / static_cast<float>(1 << 24);
  }
  return tensor;
}

}  // namespace athanor::kernels
