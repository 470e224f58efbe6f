// LSTM, GRU and RNN: one matrix product with the inputs of all steps, then one per step with the
// state. Both weight matrices are packed once when they are constants. The gates of a step begin as
// what the input gives, and the product with the state is added.
#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "kernels/divide.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/unary.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/few_rows.h"
#include "kernels/gemm/product.h"
#include "kernels/recurrent/recurrent_table.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kX, kW, kR, kB, kLengths, kHidden, kCell, kPeephole };

struct Activation {
  UnaryF32 function = nullptr;
  float params[2] = {0, 0};
};

struct KnownActivation {
  std::string_view name;  // lower case
  UnaryF32 UnaryTable::*function;
  float alpha = 0, beta = 0;  // defaults
  bool takes_alpha = false, takes_beta = false;
};

constexpr KnownActivation kKnown[] = {
    {"elu", &UnaryTable::elu, 1, 0, true, false},
    {"hardsigmoid", &UnaryTable::hard_sigmoid, 0.2F, 0.5F, true, true},
    {"leakyrelu", &UnaryTable::leaky_relu, 0.01F, 0, true, false},
    {"relu", &UnaryTable::relu},
    {"sigmoid", &UnaryTable::sigmoid},
    {"softplus", &UnaryTable::softplus},
    {"softsign", &UnaryTable::softsign},
    {"tanh", &UnaryTable::tanh},
};

struct Weights {
  std::shared_ptr<const void> w, r;  // packed, when constants
};

struct State {
  GemmShape from_input, from_state;
  GemmShape candidate;           // of a GRU whose reset gate comes before the product
  std::vector<Weights> weights;  // per direction
  std::vector<std::shared_ptr<const void>> candidate_r;
  std::vector<Activation> activations;  // direction after direction
  std::size_t per_direction = 0;
  std::int64_t gates = 1, hidden = 0, input = 0, length = 0, batch = 0, directions = 1;
  bool batch_first = false, reverse = false;
  bool input_forget = false, linear_before_reset = false, is_gru = false, is_lstm = false;
  float clip[2] = {0, 0};
  bool clips = false;
  const RecurrentTable* usual = nullptr;  // nullptr: something about its gates is unusual
  const BinaryTable* binary = nullptr;
  UnaryF32 clip_row = nullptr;
  std::int64_t direction_floats = 0;  // of scratch memory
  std::int64_t packed_w = 0, packed_r = 0, packed_a = 0, rows_from_input = 0;
};

std::int64_t Gates(const KernelQuery& q) {
  return q.op->name == "LSTM" ? 4 : q.op->name == "GRU" ? 3 : 1;
}

std::vector<std::string> UsualNames(const KernelQuery& q) {
  if (q.op->name == "LSTM") return {"sigmoid", "tanh", "tanh"};
  if (q.op->name == "GRU") return {"sigmoid", "tanh"};
  return {"tanh"};
}

std::vector<float> Floats(const KernelQuery& q, std::string_view name) {
  const AttrValue* value = q.attributes->Find(name);
  const auto* list = value == nullptr ? nullptr : std::get_if<std::vector<float>>(value);
  return list == nullptr ? std::vector<float>() : *list;
}

// Empty when one of them has no function here.
std::vector<Activation> ReadActivations(const KernelQuery& q, std::int64_t directions) {
  const std::vector<std::string> usual = UsualNames(q);
  std::vector<std::string> names;
  if (const AttrValue* value = q.attributes->Find("activations")) {
    if (const auto* list = std::get_if<std::vector<std::string>>(value)) names = *list;
  }
  while (names.size() < usual.size() * static_cast<std::size_t>(directions))
    names.insert(names.end(), usual.begin(), usual.end());
  const std::vector<float> alphas = Floats(q, "activation_alpha"),
                           betas = Floats(q, "activation_beta");
  std::size_t alpha = 0, beta = 0;
  std::vector<Activation> activations;
  for (std::string& name : names) {
    for (char& letter : name)
      letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                     [&](const KnownActivation& a) { return a.name == name; });
    if (known == std::end(kKnown)) return {};
    Activation made = {Unary(q.isa).*(known->function), {known->alpha, known->beta}};
    if (known->takes_alpha && alpha < alphas.size()) made.params[0] = alphas[alpha++];
    if (known->takes_beta && beta < betas.size()) made.params[1] = betas[beta++];
    activations.push_back(made);
  }
  return activations;
}

std::int64_t Directions(const KernelQuery& q) {
  return q.Text("direction") == "bidirectional" ? 2 : 1;
}

// Whether the activations of all directions are those of the papers.
bool HasUsualActivations(const KernelQuery& q) {
  const std::vector<std::string> usual = UsualNames(q);
  const std::vector<Activation> given = ReadActivations(q, Directions(q));
  for (std::size_t i = 0; i < given.size(); ++i) {
    const bool is_tanh = usual[i % usual.size()] == "tanh";
    if (given[i].function != (is_tanh ? Unary(q.isa).tanh : Unary(q.isa).sigmoid)) return false;
  }
  return true;
}

const RecurrentTable& Recurrent(Isa isa) {
  const RecurrentTable* const tables[] = {&base::kRecurrent, &avx2::kRecurrent,
                                          &avx512::kRecurrent};
  return *tables[static_cast<std::size_t>(isa)];
}

Fit Fits(const KernelQuery& q) {
  for (const Input i : {kX, kW, kR, kB, kHidden, kCell, kPeephole}) {
    if (q.Has(i) && q.in[i].dtype != DType::kF32) return Fit::No("f32 only");
  }
  if (ReadActivations(q, Directions(q)).empty()) return Fit::No("one of its activations");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  const double steps = static_cast<double>(q.in[kX].dims[0] * q.in[kX].dims[1]);
  const double weights = static_cast<double>(q.in[kW].count() + q.in[kR].count());
  return RooflineNs(q.isa, 3 * steps * weights, 4 * weights);
}

// Columns [begin, begin + shape.n) of the transposed weights [rows, k] of one direction.
Matrix WeightMatrix(const float* weights, std::int64_t direction, std::int64_t rows, std::int64_t k,
                    std::int64_t begin) {
  return {weights + (direction * rows + begin) * k, 1, k};
}

Result<std::shared_ptr<const void>> PackWeights(PackStore& store, const PortInfo& port,
                                                const GemmShape& shape, std::int64_t direction,
                                                std::int64_t rows, std::int64_t begin) {
  if (port.constant == nullptr) return std::shared_ptr<const void>();
  const Matrix b =
      WeightMatrix(port.constant->Data<float>().data(), direction, rows, port.dims[2], begin);
  return store.Get(*port.constant,
                   fmt::format("recurrent {} {}+{} of {}", shape.cols(), direction, begin, shape.n),
                   shape.PackedBFloats() * 4, [&](void* to) {
                     PackPanels(shape, b, 0, shape.panels, static_cast<float*>(to));
                   });
}

void ReadAttributes(const KernelQuery& q, State& s) {
  s.is_lstm = q.op->name == "LSTM";
  s.is_gru = q.op->name == "GRU";
  s.gates = Gates(q);
  s.directions = Directions(q);
  s.hidden = q.in[kR].dims[2];
  s.input = q.in[kX].dims[2];
  s.batch_first = q.Int("layout") == 1;
  s.length = q.in[kX].dims[s.batch_first ? 1 : 0];
  s.batch = q.in[kX].dims[s.batch_first ? 0 : 1];
  s.reverse = q.Text("direction") == "reverse";
  s.input_forget = s.is_lstm && q.Int("input_forget") != 0;
  s.linear_before_reset = s.is_gru && q.Int("linear_before_reset") != 0;
  s.activations = ReadActivations(q, s.directions);
  s.per_direction = s.activations.size() / static_cast<std::size_t>(s.directions);
  s.clips = q.attributes->Find("clip") != nullptr;
  s.clip[0] = -q.Float("clip");
  s.clip[1] = q.Float("clip");
  const bool usual =
      !s.clips && !s.input_forget && !q.Has(kPeephole) && HasUsualActivations(q) && s.gates > 1;
  if (usual) s.usual = &Recurrent(q.isa);
  s.binary = &Binary(q.isa);
  s.clip_row = Unary(q.isa).clip;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  ReadAttributes(q, s);
  const std::int64_t rows = s.gates * s.hidden;
  // The candidate of a plain GRU needs the reset gate first: its product comes apart.
  const bool apart = s.is_gru && !s.linear_before_reset;
  s.from_input = GemmShape(q.isa, s.length * s.batch, rows, s.input);
  s.from_state = GemmShape(q.isa, s.batch, apart ? 2 * s.hidden : rows, s.hidden);
  s.candidate = GemmShape(q.isa, s.batch, s.hidden, s.hidden);
  for (std::int64_t d = 0; d < s.directions; ++d) {
    Weights weights;
    ATH_TRY(weights.w, PackWeights(store, q.in[kW], s.from_input, d, rows, 0));
    ATH_TRY(weights.r, PackWeights(store, q.in[kR], s.from_state, d, rows, 0));
    s.weights.push_back(std::move(weights));
    std::shared_ptr<const void> candidate;
    if (apart) {
      ATH_TRY(candidate, PackWeights(store, q.in[kR], s.candidate, d, rows, 2 * s.hidden));
    }
    s.candidate_r.push_back(std::move(candidate));
  }
  s.packed_w = q.in[kW].constant != nullptr ? 0 : PackedBFloats(s.from_input);
  s.packed_r = q.in[kR].constant != nullptr
                   ? 0
                   : PackedBFloats(s.from_state) + (apart ? PackedBFloats(s.candidate) : 0);
  s.packed_a = std::max(PackedAFloats(s.from_input), PackedAFloats(s.from_state));
  s.rows_from_input = WholeLines(s.length * s.batch * rows);
  const std::int64_t per_batch = WholeLines(s.batch * rows);
  const std::int64_t states = WholeLines(s.batch * s.hidden);
  s.direction_floats = s.packed_w + s.packed_r + s.packed_a + s.rows_from_input + per_batch +
                       4 * states + WholeLines(rows);
  return Prepared{state, s.directions * s.direction_floats * 4};
}

// What one direction works with.
struct Run1 {
  const KernelArgs& args;
  const State& s;
  std::int64_t d = 0;
  const float *packed_w = nullptr, *packed_r = nullptr, *packed_candidate = nullptr;
  float *packed_a = nullptr, *from_input = nullptr, *products = nullptr, *bias = nullptr;
  float *h = nullptr, *c = nullptr, *next = nullptr, *work = nullptr;
  const float *state_bias = nullptr, *peephole = nullptr;
  const Activation* f = nullptr;

  void Activate(std::size_t which, float* row) const {
    const auto n = static_cast<std::size_t>(s.hidden);
    if (s.clips) s.clip_row(row, row, n, s.clip);
    f[which].function(row, row, n, f[which].params);
  }
  void Add(const float* a, const float* b, float* y) const {
    s.binary->add(a, 1, b, 1, y, static_cast<std::size_t>(s.hidden));
  }
  void Multiply(const float* a, const float* b, float* y) const {
    s.binary->mul(a, 1, b, 1, y, static_cast<std::size_t>(s.hidden));
  }
  // row += p (.) cell, with `part` of the peepholes.
  void Peep(std::int64_t part, const float* cell, float* row) const {
    if (peephole == nullptr) return;
    Multiply(peephole + part * s.hidden, cell, work);
    Add(row, work, row);
  }
};

// gates: input, output, forget, cell; peepholes: input, output, forget.
void StepLstm(const Run1& r, float* gates, float* h, float* c) {
  const std::int64_t n = r.s.hidden;
  if (r.s.usual != nullptr) return r.s.usual->lstm(gates, c, h, static_cast<std::size_t>(n));
  float *in = gates, *out = gates + n, *forget = gates + 2 * n, *cell = gates + 3 * n;
  r.Peep(0, c, in);
  r.Activate(0, in);
  if (r.s.input_forget) {
    for (std::int64_t k = 0; k < n; ++k) forget[k] = 1 - in[k];
  } else {
    r.Peep(2, c, forget);
    r.Activate(0, forget);
  }
  r.Activate(1, cell);
  r.Multiply(in, cell, cell);
  r.Multiply(forget, c, c);
  r.Add(c, cell, c);
  r.Peep(1, c, out);
  r.Activate(0, out);
  // The output's activation is not clipped: clipping belongs to the gates.
  r.f[2].function(c, h, static_cast<std::size_t>(n), r.f[2].params);
  r.Multiply(out, h, h);
}

// h = (1 - update) candidate + update h
void Blend(const float* update, const float* candidate, float* h, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) h[k] = (1 - update[k]) * candidate[k] + update[k] * h[k];
}

void StepRnn(const Run1& r, float* gates, float* h) {
  r.Activate(0, gates);
  std::memcpy(h, gates, static_cast<std::size_t>(r.s.hidden) * 4);
}

// A GRU whose reset gate comes after the product: `candidate` is what the input adds to it.
void StepGruLinear(const Run1& r, float* gates, const float* candidate, float* h) {
  const std::int64_t n = r.s.hidden;
  if (r.s.usual != nullptr) return r.s.usual->gru(gates, candidate, h, static_cast<std::size_t>(n));
  r.Activate(0, gates);
  r.Activate(0, gates + n);
  float* const sum = gates + 2 * n;
  r.Multiply(gates + n, sum, sum);
  r.Add(sum, candidate, sum);
  r.Activate(1, sum);
  Blend(gates, sum, h, n);
}

// The first part of any other GRU: what its candidate's product is made of.
void ResetState(const Run1& r, float* gates, const float* h, float* reset_h) {
  const std::int64_t n = r.s.hidden;
  if (r.s.usual != nullptr)
    return r.s.usual->gru_reset(gates, h, reset_h, static_cast<std::size_t>(n));
  r.Activate(0, gates + n);
  r.Multiply(gates + n, h, reset_h);
}

void StepGru(const Run1& r, float* gates, float* h) {
  const std::int64_t n = r.s.hidden;
  if (r.s.usual != nullptr) return r.s.usual->gru_blend(gates, h, static_cast<std::size_t>(n));
  r.Activate(0, gates);
  r.Activate(1, gates + 2 * n);
  Blend(gates, gates + 2 * n, h, n);
}

// Cuts `count` columns' worth of a product into one part per thread, or into fewer where a part
// would take less than two threads need to meet. Every step cuts alike, so that each thread keeps
// its part of the weights in its cache.
template <class F>
void ForParts(const KernelArgs& args, const GemmShape& shape, std::int64_t count, const F& body) {
  constexpr std::int64_t kLeast = 1 << 16;  // multiply-adds
  const std::int64_t least = CeilDivide(kLeast * count, shape.m * shape.n * shape.k);
  const std::int64_t part = CeilDivide(count, args.pool->threads());
  Parallel(args, count, std::max(part, least),
           [&](std::int64_t begin, std::int64_t end, int) { body(begin, end); });
}

// to += state weights. Every other step walks the weights backwards, see Order.
void AddProductWithState(const Run1& r, const GemmShape& shape, const float* state,
                         const float* packed_r, float* to, std::int64_t step) {
  const std::int64_t rows = r.s.gates * r.s.hidden;
  const GemmEnd end = {.epilogue = &kNoEpilogue, .add = true};
  if (IsFewRows(shape)) {
    const Order order = step % 2 == 0 ? Order::kForward : Order::kBackward;
    ForParts(r.args, shape, FewRowsGroups(shape), [&](std::int64_t begin, std::int64_t last) {
      MultiplyFewRows(shape, state, r.s.hidden, packed_r, begin, last, to, rows, end, order);
    });
    return;
  }
  PackTiles(shape, {state, r.s.hidden, 1}, 1, 0, shape.tiles, r.packed_a);
  ForParts(r.args, shape, shape.panels, [&](std::int64_t begin, std::int64_t last) {
    Multiply(shape, r.packed_a, packed_r, 0, shape.tiles, begin, last, to, rows, end);
  });
}

// Which row of the input, and of the output, sequence b has at its step; -1 after its end.
std::int64_t TimeOf(const Run1& r, std::int64_t b, std::int64_t step) {
  const auto* lengths = r.args.In<std::int32_t>(kLengths);
  const std::int64_t steps = lengths == nullptr ? r.s.length : lengths[b];
  if (step >= steps) return -1;
  return r.d == 1 || r.s.reverse ? steps - 1 - step : step;
}

// What the gates of sequence b begin with, from its row of the product with the input. The
// candidate of a GRU whose reset gate comes after the product keeps that part apart.
void BeginGates(const Run1& r, const float* from_input, float* gates) {
  const State& s = r.s;
  const auto bytes = [](std::int64_t floats) { return static_cast<std::size_t>(floats) * 4; };
  if (!s.linear_before_reset) {
    std::memcpy(gates, from_input, bytes(s.gates * s.hidden));
    return;
  }
  std::memcpy(gates, from_input, bytes(2 * s.hidden));
  float* const candidate = gates + 2 * s.hidden;
  if (r.state_bias != nullptr) {
    std::memcpy(candidate, r.state_bias + 2 * s.hidden, bytes(s.hidden));
  } else {
    std::memset(candidate, 0, bytes(s.hidden));
  }
}

// One step of all sequences: the state h, c becomes the next one.
void Step(const Run1& r, std::int64_t step) {
  const State& s = r.s;
  const std::int64_t rows = s.gates * s.hidden;
  const auto input_row = [&](std::int64_t b, std::int64_t t) {
    return r.from_input + (s.batch_first ? b * s.length + t : t * s.batch + b) * rows;
  };
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const std::int64_t t = TimeOf(r, b, step);
    // Rows of sequences that have ended are computed and not used.
    BeginGates(r, input_row(b, std::max<std::int64_t>(t, 0)), r.products + b * rows);
  }
  AddProductWithState(r, s.from_state, r.h, r.packed_r, r.products, step);
  if (s.is_gru && !s.linear_before_reset) {
    for (std::int64_t b = 0; b < s.batch; ++b)
      ResetState(r, r.products + b * rows, r.h + b * s.hidden, r.next + b * s.hidden);
    AddProductWithState(r, s.candidate, r.next, r.packed_candidate, r.products + 2 * s.hidden,
                        step);
  }
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const std::int64_t t = TimeOf(r, b, step);
    if (t < 0) continue;
    float *gates = r.products + b * rows, *h = r.h + b * s.hidden;
    if (s.is_lstm) {
      StepLstm(r, gates, h, r.c + b * s.hidden);
    } else if (!s.is_gru) {
      StepRnn(r, gates, h);
    } else if (s.linear_before_reset) {
      StepGruLinear(r, gates, input_row(b, t) + 2 * s.hidden, h);
    } else {
      StepGru(r, gates, h);
    }
    if (r.args.out[0] == nullptr) continue;
    const std::int64_t place = s.batch_first ? (b * s.length + t) * s.directions + r.d
                                             : (t * s.directions + r.d) * s.batch + b;
    std::memcpy(r.args.Out(0) + place * s.hidden, h, static_cast<std::size_t>(s.hidden) * 4);
  }
}

// The state of sequence b in an input or output.
std::int64_t StateRow(const State& s, std::int64_t d, std::int64_t b) {
  return (s.batch_first ? b * s.directions + d : d * s.batch + b) * s.hidden;
}

void LoadStates(const KernelArgs& args, const State& s, std::int64_t d, std::size_t input,
                float* to) {
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const auto bytes = static_cast<std::size_t>(s.hidden) * 4;
    if (args.In(input) == nullptr) {
      std::memset(to + b * s.hidden, 0, bytes);
    } else {
      std::memcpy(to + b * s.hidden, args.In(input) + StateRow(s, d, b), bytes);
    }
  }
}

void StoreStates(const KernelArgs& args, const State& s, std::int64_t d, std::size_t output,
                 const float* from) {
  if (output >= args.out.size() || args.out[output] == nullptr) return;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    std::memcpy(args.Out(output) + StateRow(s, d, b), from + b * s.hidden,
                static_cast<std::size_t>(s.hidden) * 4);
  }
}

// Cuts the direction's scratch memory up and packs what was not packed before.
Run1 Begin(const KernelArgs& args, const State& s, std::int64_t d) {
  const std::int64_t rows = s.gates * s.hidden, states = WholeLines(s.batch * s.hidden);
  float* at = reinterpret_cast<float*>(args.scratch) + d * s.direction_floats;
  const auto take = [&at](std::int64_t floats) {
    float* part = at;
    at += floats;
    return part;
  };
  Run1 r = {.args = args, .s = s, .d = d};
  float* packed_w = take(s.packed_w);
  float* packed_r = take(s.packed_r);
  r.packed_a = take(s.packed_a);
  r.from_input = take(s.rows_from_input);
  r.products = take(WholeLines(s.batch * rows));
  r.h = take(states);
  r.c = take(states);
  r.next = take(states);
  r.work = take(states);
  r.bias = take(WholeLines(rows));
  const Weights& weights = s.weights[static_cast<std::size_t>(d)];
  const auto& candidate = s.candidate_r[static_cast<std::size_t>(d)];
  const bool apart = s.is_gru && !s.linear_before_reset;
  r.packed_w = static_cast<const float*>(weights.w.get());
  r.packed_r = static_cast<const float*>(weights.r.get());
  r.packed_candidate = static_cast<const float*>(candidate.get());
  if (r.packed_w == nullptr) {
    const Matrix w = WeightMatrix(args.In(kW), d, rows, s.input, 0);
    PackPanels(s.from_input, w, 0, s.from_input.panels, packed_w);
    r.packed_w = packed_w;
  }
  if (r.packed_r == nullptr) {
    const Matrix w = WeightMatrix(args.In(kR), d, rows, s.hidden, 0);
    PackPanels(s.from_state, w, 0, s.from_state.panels, packed_r);
    r.packed_r = packed_r;
    if (apart) {
      float* to = packed_r + PackedBFloats(s.from_state);
      PackPanels(s.candidate, WeightMatrix(args.In(kR), d, rows, s.hidden, 2 * s.hidden), 0,
                 s.candidate.panels, to);
      r.packed_candidate = to;
    }
  }
  if (args.In(kB) != nullptr) r.state_bias = args.In(kB) + (2 * d + 1) * rows;
  if (args.In(kPeephole) != nullptr) r.peephole = args.In(kPeephole) + d * 3 * s.hidden;
  r.f = s.activations.data() + static_cast<std::size_t>(d) * s.per_direction;
  return r;
}

// Both biases belong to the product with the input, but for the candidate of a GRU whose reset gate
// comes after the product.
const float* JoinBiases(const Run1& r) {
  if (r.state_bias == nullptr) return nullptr;
  const State& s = r.s;
  const std::int64_t rows = s.gates * s.hidden;
  const float* input_bias = r.state_bias - rows;
  for (std::int64_t k = 0; k < rows; ++k) {
    const bool apart = s.linear_before_reset && k >= 2 * s.hidden;
    r.bias[k] = input_bias[k] + (apart ? 0 : r.state_bias[k]);
  }
  return r.bias;
}

void RunDirection(const KernelArgs& args, const State& s, std::int64_t d) {
  const Run1 r = Begin(args, s, d);
  PackTiles(s.from_input, {args.In(kX), s.input, 1}, 1, 0, s.from_input.tiles, r.packed_a);
  const GemmEnd end = {.epilogue = &kNoEpilogue, .col_bias = JoinBiases(r)};
  ForParts(args, s.from_input, s.from_input.panels, [&](std::int64_t begin, std::int64_t last) {
    Multiply(s.from_input, r.packed_a, r.packed_w, 0, s.from_input.tiles, begin, last, r.from_input,
             s.gates * s.hidden, end);
  });
  LoadStates(args, s, d, kHidden, r.h);
  LoadStates(args, s, d, kCell, r.c);
  for (std::int64_t step = 0; step < s.length; ++step) Step(r, step);
  StoreStates(args, s, d, 1, r.h);
  StoreStates(args, s, d, 2, r.c);
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  if (const auto* lengths = args.In<std::int32_t>(kLengths)) {
    const bool fine = std::all_of(lengths, lengths + s.batch, [&](std::int32_t length) {
      return length >= 0 && length <= s.length;
    });
    if (!fine) {
      args.data_error->store("a sequence length is longer than its axis",
                             std::memory_order_relaxed);
      return;
    }
    const std::int64_t count = s.length * s.directions * s.batch * s.hidden;
    if (args.out[0] != nullptr) std::memset(args.out[0], 0, static_cast<std::size_t>(count) * 4);
  }
  Parallel(args, s.directions, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t d = begin; d < end; ++d) RunDirection(args, s, d);
  });
}

}  // namespace

std::vector<KernelDef> RecurrentKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"GRU", "LSTM", "RNN"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
