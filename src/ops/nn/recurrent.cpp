// LSTM, GRU, RNN: one layer over a sequence, in one direction or both.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct RecurrentAttrs {
  std::vector<float> activation_alpha;
  std::vector<float> activation_beta;
  std::vector<std::string> activations;
  std::optional<float> clip;
  std::string direction = "forward";
  std::optional<std::int64_t> hidden_size;
  std::int64_t layout = 0;
  template <class V>
  void Visit(V& v) {
    v("activation_alpha", activation_alpha, "first parameters of the activations that have one");
    v("activation_beta", activation_beta, "second parameters of the activations that have one");
    v("activations", activations, "names, direction after direction; empty: the usual ones");
    v("clip", clip, "what enters an activation is clipped to [-clip, clip]");
    v("direction", direction, "forward, reverse or bidirectional");
    v("hidden_size", hidden_size, "follows from r; checked when given");
    v("layout", layout, "0: the sequence is the first axis of x, 1: the batch is");
  }
};
struct LstmAttrs : RecurrentAttrs {
  bool input_forget = false;
  template <class V>
  void Visit(V& v) {
    RecurrentAttrs::Visit(v);
    v("input_forget", input_forget, "the forget gate is 1 - the input gate");
  }
};
struct GruAttrs : RecurrentAttrs {
  bool linear_before_reset = false;
  template <class V>
  void Visit(V& v) {
    RecurrentAttrs::Visit(v);
    v("linear_before_reset", linear_before_reset,
      "the reset gate scales the product with r, not the hidden state before it");
  }
};

enum Input : std::size_t { kX, kW, kR, kB, kLengths, kHidden, kCell, kPeephole };

struct Activation {
  std::string_view name;
  float alpha = 0, beta = 0;  // defaults
  bool takes_alpha = false, takes_beta = false;
  double (*apply)(double x, double alpha, double beta) = nullptr;
};

const std::vector<Activation>& Activations() {
  using D = double;
  static const std::vector<Activation> all = {
      {"Affine", 1, 0, true, true, [](D x, D a, D b) { return a * x + b; }},
      {"Elu", 1, 0, true, false, [](D x, D a, D) { return x >= 0 ? x : a * std::expm1(x); }},
      {"HardSigmoid", 0.2F, 0.5F, true, true,
       [](D x, D a, D b) { return std::min(std::max(a * x + b, 0.0), 1.0); }},
      {"LeakyRelu", 0.01F, 0, true, false, [](D x, D a, D) { return x >= 0 ? x : a * x; }},
      {"Relu", 0, 0, false, false, [](D x, D, D) { return x < 0 ? 0 : x; }},
      {"ScaledTanh", 1, 1, true, true, [](D x, D a, D b) { return a * std::tanh(b * x); }},
      {"Sigmoid", 0, 0, false, false, [](D x, D, D) { return 1 / (1 + std::exp(-x)); }},
      {"Softplus", 0, 0, false, false,
       [](D x, D, D) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
      {"Softsign", 0, 0, false, false, [](D x, D, D) { return x / (1 + std::abs(x)); }},
      {"Tanh", 0, 0, false, false, [](D x, D, D) { return std::tanh(x); }},
      {"ThresholdedRelu", 1, 0, true, false, [](D x, D a, D) { return x >= a ? x : 0; }},
  };
  return all;
}

// Names compare without regard to case, as the standard's own examples mix them.
bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

std::int64_t Directions(const RecurrentAttrs& attrs) {
  return attrs.direction == "bidirectional" ? 2 : 1;
}

// `usual` are the names for one direction.
Result<std::vector<Activation>> Choose(const RecurrentAttrs& attrs,
                                       std::span<const std::string_view> usual) {
  const std::size_t count = usual.size() * static_cast<std::size_t>(Directions(attrs));
  std::vector<std::string> names = attrs.activations;
  for (std::size_t i = 0; names.size() < count && attrs.activations.empty(); ++i)
    names.emplace_back(usual[i % usual.size()]);
  if (names.size() != count)
    return InvalidModel("activations has {} names; {} are expected", names.size(), count);
  std::vector<Activation> chosen;
  std::size_t alpha = 0, beta = 0;
  for (const std::string& name : names) {
    const auto found = std::find_if(Activations().begin(), Activations().end(),
                                    [&](const Activation& a) { return SameName(a.name, name); });
    if (found == Activations().end()) return InvalidModel("there is no activation \"{}\"", name);
    chosen.push_back(*found);
    if (found->takes_alpha && alpha < attrs.activation_alpha.size())
      chosen.back().alpha = attrs.activation_alpha[alpha++];
    if (found->takes_beta && beta < attrs.activation_beta.size())
      chosen.back().beta = attrs.activation_beta[beta++];
  }
  return chosen;
}

constexpr std::string_view kLstmUsual[] = {"Sigmoid", "Tanh", "Tanh"};
constexpr std::string_view kGruUsual[] = {"Sigmoid", "Tanh"};
constexpr std::string_view kRnnUsual[] = {"Tanh"};

Status CheckShapes(InferCtx& ctx, const RecurrentAttrs& attrs, std::int64_t gates, const Dim& batch,
                   const Dim& hidden) {
  const Dim directions = Directions(attrs);
  const Type& x = ctx.In(kX);
  const std::int64_t batch_axis = attrs.layout == 0 ? 1 : 0;
  if (hidden.IsConst() && hidden.value() < 1) return InvalidModel("the hidden size is 0");
  for (const Input i : {kW, kR, kB, kPeephole})
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, directions));
  for (const Input i : {kW, kR}) ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1, hidden * Dim(gates)));
  if (x.HasRank()) ATH_RETURN_IF_ERROR(ExpectDim(ctx, kW, 2, x.dim(2)));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kB, 1, hidden * Dim(2 * gates)));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kPeephole, 1, hidden * Dim(3)));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kLengths, 0, batch));
  for (const Input i : {kHidden, kCell}) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1 - batch_axis, directions));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, batch_axis, batch));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 2, hidden));
  }
  return {};
}

Status InferRecurrent(InferCtx& ctx, const RecurrentAttrs& attrs, std::int64_t gates) {
  if (attrs.direction != "forward" && attrs.direction != "reverse" &&
      attrs.direction != "bidirectional")
    return InvalidModel("direction is \"{}\"; forward, reverse or bidirectional is expected",
                        attrs.direction);
  if (attrs.layout != 0 && attrs.layout != 1)
    return InvalidModel("layout is {}; 0 or 1 is expected", attrs.layout);
  if (attrs.clip && !(*attrs.clip >= 0)) return InvalidModel("clip is {}", *attrs.clip);
  const std::pair<Input, std::int64_t> ranks[] = {
      {kX, 3}, {kW, 3}, {kR, 3}, {kB, 2}, {kLengths, 1}, {kHidden, 3}, {kCell, 3}, {kPeephole, 2}};
  for (const auto& [input, rank] : ranks) {
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(input, rank));
    if (input == kLengths) continue;
    ATH_RETURN_IF_ERROR(ExpectFloat(ctx, input));
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(kX, input));
  }
  if (ctx.Has(kLengths) && ctx.InDType(kLengths) != DType::kI32)
    return InvalidModel("sequence_lens must be i32");
  Dim hidden = attrs.hidden_size ? Dim(*attrs.hidden_size) : Dim::Unknown();
  if (ctx.In(kR).HasRank()) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kR, 2, hidden));
    if (!hidden.IsConst()) hidden = ctx.In(kR).dim(2);
  }
  const Type& x = ctx.In(kX);
  Dim batch, length;
  if (x.HasRank()) {
    length = x.dim(attrs.layout == 0 ? 0 : 1);
    batch = x.dim(attrs.layout == 0 ? 1 : 0);
  }
  ATH_RETURN_IF_ERROR(CheckShapes(ctx, attrs, gates, batch, hidden));
  const Dim directions = Directions(attrs);
  const Shape all = attrs.layout == 0 ? Shape{length, directions, batch, hidden}
                                      : Shape{batch, length, directions, hidden};
  const Shape last =
      attrs.layout == 0 ? Shape{directions, batch, hidden} : Shape{batch, directions, hidden};
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i)
    ctx.out[i] = Type::Tensor(x.dtype, i == 0 ? all : last);
  return {};
}

// Everything one direction needs, as numbers.
template <class Number>
struct Cell {
  std::int64_t hidden = 0, input = 0;
  const Number* w = nullptr;  // [gates * hidden, input]
  const Number* r = nullptr;  // [gates * hidden, hidden]
  const Number* b = nullptr;  // [2 * gates * hidden] or nullptr
  const Number* p = nullptr;  // [3 * hidden] or nullptr
  std::span<const Activation> f;
  std::optional<float> clip;

  Number Activate(std::size_t which, Number x) const {
    auto value = static_cast<double>(x);
    if (clip) {
      const auto bound = static_cast<double>(*clip);
      value = std::min(std::max(value, -bound), bound);
    }
    const Activation& a = f[which];
    return static_cast<Number>(
        a.apply(value, static_cast<double>(a.alpha), static_cast<double>(a.beta)));
  }
  static Number Dot(const Number* a, const Number* c, std::int64_t count) {
    Number sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += a[i] * c[i];
    return sum;
  }
  // Row `row` of the products with the input and with the state, biases included.
  Number FromInput(std::int64_t row, const Number* x) const {
    return Dot(w + row * input, x, input) + (b == nullptr ? Number(0) : b[row]);
  }
  Number FromState(std::int64_t row, const Number* h, std::int64_t rows) const {
    return Dot(r + row * hidden, h, hidden) + (b == nullptr ? Number(0) : b[rows + row]);
  }
  Number Peephole(std::int64_t row, Number c) const {
    return p == nullptr ? Number(0) : p[row] * c;
  }
};

// One step: h and c become the next ones. `next` and `scratch` have `hidden` numbers.
template <class Number>
void Step(const LstmAttrs& attrs, const Cell<Number>& cell, const Number* x, Number* h, Number* c,
          Number* next, Number*) {
  const std::int64_t n = cell.hidden;
  for (std::int64_t k = 0; k < n; ++k) {
    const auto gate = [&](std::int64_t g) {
      return cell.FromInput(g * n + k, x) + cell.FromState(g * n + k, h, 4 * n);
    };
    // Gates are stored in the order input, output, forget, cell; peepholes input, output, forget.
    const Number in = cell.Activate(0, gate(0) + cell.Peephole(k, c[k]));
    const Number forget =
        attrs.input_forget ? 1 - in : cell.Activate(0, gate(2) + cell.Peephole(2 * n + k, c[k]));
    c[k] = forget * c[k] + in * cell.Activate(1, gate(3));
    const Number out = cell.Activate(0, gate(1) + cell.Peephole(n + k, c[k]));
    // The output's activation is not clipped: clipping belongs to the gates.
    const Activation& last = cell.f[2];
    next[k] = out * static_cast<Number>(last.apply(static_cast<double>(c[k]),
                                                   static_cast<double>(last.alpha),
                                                   static_cast<double>(last.beta)));
  }
  std::copy_n(next, n, h);
}

template <class Number>
void Step(const GruAttrs& attrs, const Cell<Number>& cell, const Number* x, Number* h, Number*,
          Number* next, Number* scratch) {
  const std::int64_t n = cell.hidden, rows = 3 * n;
  const auto gate = [&](std::int64_t row) {
    return cell.Activate(0, cell.FromInput(row, x) + cell.FromState(row, h, rows));
  };
  // scratch = reset gate (.) h, for the form in which the gate comes before the product.
  for (std::int64_t k = 0; k < n && !attrs.linear_before_reset; ++k)
    scratch[k] = gate(n + k) * h[k];
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t row = 2 * n + k;
    const Number state = attrs.linear_before_reset ? gate(n + k) * cell.FromState(row, h, rows)
                                                   : cell.FromState(row, scratch, rows);
    const Number update = gate(k);
    const Number candidate = cell.Activate(1, cell.FromInput(row, x) + state);
    next[k] = (1 - update) * candidate + update * h[k];
  }
  std::copy_n(next, n, h);
}

template <class Number>
void Step(const RecurrentAttrs&, const Cell<Number>& cell, const Number* x, Number* h, Number*,
          Number* next, Number*) {
  for (std::int64_t k = 0; k < cell.hidden; ++k)
    next[k] = cell.Activate(0, cell.FromInput(k, x) + cell.FromState(k, h, cell.hidden));
  std::copy_n(next, cell.hidden, h);
}

template <class Number>
Result<std::vector<Number>> ReadInput(RefCtx& ctx, std::size_t input) {
  if (!ctx.Has(input)) return std::vector<Number>();
  return ReadAs<Number>(ctx.In(input));
}

template <class Number, class A>
Status RunSequences(RefCtx& ctx, const A& attrs, std::span<const Activation> activations) {
  const Dims& dims = ctx.In(kX).dims();
  const bool batch_first = attrs.layout == 1;
  const std::int64_t length = dims[batch_first ? 1 : 0], batch = dims[batch_first ? 0 : 1];
  const std::int64_t directions = Directions(attrs), input = dims[2], n = ctx.In(kR).dim(2);
  std::vector<Number> data[8];
  for (const Input i : {kX, kW, kR, kB, kHidden, kCell, kPeephole}) {
    ATH_TRY(data[i], ReadInput<Number>(ctx, i));
  }
  std::vector<Number> y(static_cast<std::size_t>(length * directions * batch * n));
  const auto states = static_cast<std::size_t>(directions * batch * n);
  std::vector<Number> last_h(states), last_c(states);
  std::vector<Number> next(static_cast<std::size_t>(n)), scratch = next;
  // Where the state of (direction, image) stands, in the layout of the model.
  const auto state_at = [&](std::int64_t d, std::int64_t b) {
    return (batch_first ? b * directions + d : d * batch + b) * n;
  };
  if (!data[kHidden].empty()) last_h = data[kHidden];
  if (!data[kCell].empty()) last_c = data[kCell];
  const auto part = [&](Input i, std::int64_t d) -> const Number* {
    if (data[i].empty()) return nullptr;
    return data[i].data() + d * (static_cast<std::int64_t>(data[i].size()) / directions);
  };
  for (std::int64_t d = 0; d < directions; ++d) {
    const auto per = activations.size() / static_cast<std::size_t>(directions);
    const Cell<Number> cell = {n,
                               input,
                               part(kW, d),
                               part(kR, d),
                               part(kB, d),
                               part(kPeephole, d),
                               activations.subspan(static_cast<std::size_t>(d) * per, per),
                               attrs.clip};
    const bool reverse = d == 1 || attrs.direction == "reverse";
    for (std::int64_t b = 0; b < batch; ++b) {
      std::int64_t steps = length;
      if (ctx.Has(kLengths)) steps = ctx.Data<std::int32_t>(kLengths)[static_cast<std::size_t>(b)];
      if (steps < 0 || steps > length)
        return DataError("sequence length {} is outside [0, {}]", steps, length);
      Number* h = last_h.data() + state_at(d, b);
      Number* c = last_c.data() + state_at(d, b);
      for (std::int64_t s = 0; s < steps; ++s) {
        const std::int64_t t = reverse ? steps - 1 - s : s;
        const Number* x = data[kX].data() + (batch_first ? b * length + t : t * batch + b) * input;
        Step(attrs, cell, x, h, c, next.data(), scratch.data());
        const std::int64_t row =
            batch_first ? (b * length + t) * directions + d : (t * directions + d) * batch + b;
        std::copy_n(h, n, y.data() + row * n);
      }
    }
  }
  const std::vector<Number>* const results[] = {&y, &last_h, &last_c};
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (ctx.out[i].IsTensor()) ATH_RETURN_IF_ERROR(WriteAs(ctx.Out(i), *results[i]));
  }
  return {};
}

// One of the three operators: attributes, gates, usual activations.
template <class A, std::int64_t kGates, auto& kUsual>
struct Recurrent {
  static Status Infer(InferCtx& ctx) {
    const auto attrs = ctx.Attrs<A>();
    ATH_RETURN_IF_ERROR(Choose(attrs, kUsual).status());
    return InferRecurrent(ctx, attrs, kGates);
  }
  static Status Reference(RefCtx& ctx) {
    const auto attrs = ctx.Attrs<A>();
    ATH_TRY(const std::vector<Activation> activations, Choose(attrs, kUsual));
    if (ctx.In(kX).dtype() == DType::kF64) return RunSequences<double>(ctx, attrs, activations);
    return RunSequences<float>(ctx, attrs, activations);
  }
  static Dim Cost(const CostCtx& ctx) {
    const Type &x = *ctx.in[kX], &w = *ctx.in[kW], &r = *ctx.in[kR];
    if (!x.HasRank() || !w.HasRank() || !r.HasRank()) return Dim::Unknown();
    return x.dim(0) * x.dim(1) * (ElementCount(*w.shape) + ElementCount(*r.shape)) * Dim(2);
  }
  static OpDef Make(std::string name, std::string summary) {
    return {
        .name = std::move(name),
        .summary = std::move(summary),
        .inputs = {{"x", "[length, batch, input], or batch first with layout 1"},
                   {"w", "[directions, gates * hidden, input]"},
                   {"r", "[directions, gates * hidden, hidden]"},
                   {"b", "[directions, 2 * gates * hidden], for w, then for r", kOptionalPort},
                   {"sequence_lens", "i32[batch], valid steps of each sequence", kOptionalPort},
                   {"initial_h", "[directions, batch, hidden]; 0 when omitted", kOptionalPort}},
        .outputs = {{"y", "[length, directions, batch, hidden]; 0 after the end of a sequence",
                     kOptionalPort},
                    {"y_h", "[directions, batch, hidden], the last state", kOptionalPort}},
        .attributes = Describe<A>(),
        .infer = Infer,
        .reference = Reference,
        .flops = Cost,
    };
  }
};

}  // namespace

OpDef LSTM() {
  OpDef op = Recurrent<LstmAttrs, 4, kLstmUsual>::Make(
      "LSTM",
      "Long short-term memory over a sequence; gates in the order input, output, forget, "
      "cell.");
  op.inputs.push_back({"initial_c", "[directions, batch, hidden]; 0 when omitted", kOptionalPort});
  op.inputs.push_back(
      {"p", "[directions, 3 * hidden], peepholes: input, output, forget", kOptionalPort});
  op.outputs.push_back({"y_c", "[directions, batch, hidden], the last cell state", kOptionalPort});
  return op;
}

OpDef GRU() {
  return Recurrent<GruAttrs, 3, kGruUsual>::Make(
      "GRU", "Gated recurrent unit over a sequence; gates in the order update, reset, hidden.");
}

OpDef RNN() {
  return Recurrent<RecurrentAttrs, 1, kRnnUsual>::Make(
      "RNN", "A simple recurrent layer: h = f(x w^T + h r^T + b).");
}

}  // namespace athanor::ops
