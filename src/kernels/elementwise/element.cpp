#include "kernels/elementwise/element.h"

#include <cstring>
#include <limits>

#include "kernels/broadcast.h"
#include "kernels/elementwise/cost.h"
#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

const ElementTable& Elements(Isa isa) {
  const ElementTable* const tables[] = {&base::kElements, &avx2::kElements, &avx512::kElements};
  return *tables[static_cast<std::size_t>(isa)];
}

ElementFn ForType(const ElementRow& row, DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return row.f32;
    case DType::kF64:
      return row.f64;
    case DType::kI8:
      return row.i8;
    case DType::kU8:
      return row.u8;
    case DType::kI32:
      return row.i32;
    case DType::kI64:
      return row.i64;
    case DType::kBool:
      return row.boolean;
    default:
      return nullptr;
  }
}

std::string_view OperatorOf(const ElementRow& row) {
  const std::string_view name = row.op;
  return name.substr(0, name.find(':'));
}

// Which rows of the table an operator with attributes means.
struct Variant {
  std::string_view row;
  bool (*applies)(const KernelQuery& q);
};

constexpr Variant kVariants[] = {
    {"BitShift:LEFT", [](const KernelQuery& q) { return q.Text("direction") == "LEFT"; }},
    {"BitShift:RIGHT", [](const KernelQuery& q) { return q.Text("direction") != "LEFT"; }},
    {"IsInf",
     [](const KernelQuery& q) {
       return q.Int("detect_negative") != 0 && q.Int("detect_positive") != 0;
     }},
    {"IsInf:minus",
     [](const KernelQuery& q) {
       return q.Int("detect_negative") != 0 && q.Int("detect_positive") == 0;
     }},
    {"IsInf:plus",
     [](const KernelQuery& q) {
       return q.Int("detect_negative") == 0 && q.Int("detect_positive") != 0;
     }},
    {"Mod", [](const KernelQuery& q) { return q.Int("fmod") == 0; }},
    {"Mod:fmod", [](const KernelQuery& q) { return q.Int("fmod") != 0; }},
};

bool Applies(const ElementRow& row, const KernelQuery& q) {
  for (const Variant& variant : kVariants) {
    if (variant.row == row.op) return variant.applies(q);
  }
  return true;
}

ElementFn ChooseFunction(const KernelQuery& q) {
  const ChooseTable& table = Elements(q.isa).choose;
  switch (ElementBytes(q.out[0].dtype)) {
    case 1:
      return table.bytes1;
    case 2:
      return table.bytes2;
    case 4:
      return table.bytes4;
    case 8:
      return table.bytes8;
    default:
      return nullptr;
  }
}

ElementFn FunctionOf(const KernelQuery& q) {
  if (q.op->name == "Where") return ChooseFunction(q);
  const ElementTable& table = Elements(q.isa);
  for (std::size_t i = 0; i < table.count; ++i) {
    const ElementRow& row = table.rows[i];
    if (OperatorOf(row) == q.op->name && Applies(row, q)) return ForType(row, q.in[0].dtype);
  }
  return nullptr;
}

bool IsClip(const KernelQuery& q) { return q.op->name == "Clip"; }

struct State {
  ElementFn function = nullptr;
  BroadcastLoop loop;
  std::size_t operands = 0;
  std::array<std::int64_t, 3> element = {1, 1, 1};  // bytes of each operand's
  std::int64_t out_element = 1;
  // What an omitted bound of Clip is: an element that does not limit.
  alignas(8) std::array<std::byte, 8> unlimited[3] = {};
};

Fit Fits(const KernelQuery& q) {
  if (FunctionOf(q) == nullptr) return Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
  if (!IsClip(q) && q.own_inputs > 3) return Fit::No("more than three operands");
  const bool variadic = !q.op->inputs.empty() && q.op->inputs.back().flag == kVariadicPort;
  if (variadic && q.own_inputs != 2) return Fit::No("two operands only");
  for (std::size_t i = q.op->name == "Where" ? 2 : 1; i < q.own_inputs; ++i) {
    const PortInfo& first = q.in[q.op->name == "Where" ? 1 : 0];
    if (q.in[i].given() && q.in[i].dtype != first.dtype)
      return Fit::No("operands of different element types");
    if (IsClip(q) && q.in[i].given() && q.in[i].count() != 1) return Fit::No("a bound is a list");
  }
  return FitsBroadcast(q, q.own_inputs);
}

double Cost(const KernelQuery& q) {
  return 1.1 * ElementwiseNs(q, 2);  // a little more than kernels that were written for one type
}

template <class T>
void SetExtremes(State& state) {
  using Limits = std::numeric_limits<T>;
  const T low = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  const T high = Limits::has_infinity ? Limits::infinity() : Limits::max();
  std::memcpy(state.unlimited[1].data(), &low, sizeof(T));
  std::memcpy(state.unlimited[2].data(), &high, sizeof(T));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->function = FunctionOf(q);
  state->operands = IsClip(q) ? 3 : q.own_inputs;
  std::vector<Dims> shapes;
  for (std::size_t i = 0; i < state->operands; ++i) {
    const PortInfo& port = q.Has(i) ? q.in[i] : q.in[0];
    shapes.push_back(IsClip(q) && i > 0 ? Dims{} : port.dims);
    state->element[i] = static_cast<std::int64_t>(ElementBytes(port.dtype));
  }
  state->out_element = static_cast<std::int64_t>(ElementBytes(q.out[0].dtype));
  state->loop = BroadcastLoop(q.out[0].dims, shapes);
  using Types = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;
  if (IsClip(q)) {
    ATH_RETURN_IF_ERROR(Dispatch(Types{}, q.in[0].dtype, [&](auto tag) -> Status {
      SetExtremes<typename decltype(tag)::Type>(*state);
      return {};
    }));
  }
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  std::size_t steps[3] = {0, 0, 0};
  const std::byte* data[3] = {nullptr, nullptr, nullptr};
  for (std::size_t i = 0; i < s.operands; ++i) {
    steps[i] = s.loop.step(i);
    data[i] = args.In<std::byte>(i);
    if (data[i] == nullptr) data[i] = s.unlimited[i].data();
  }
  std::atomic<bool> fine = true;
  s.loop.Run(args, kElementGrain,
             [&](const BroadcastLoop::Offsets& at, std::int64_t out, std::int64_t n) {
               const void* rows[3] = {data[0], data[1], data[2]};
               for (std::size_t i = 0; i < s.operands; ++i)
                 rows[i] = data[i] + at[i] * s.element[i];
               const bool ok = s.function(rows, steps, args.Out<std::byte>(0) + out * s.out_element,
                                          static_cast<std::size_t>(n));
               if (!ok) fine.store(false, std::memory_order_relaxed);
             });
  if (!fine) args.data_error->store("an integer is divided by zero", std::memory_order_relaxed);
}

}  // namespace

ElementFn ElementFunction(std::string_view op, DType dtype, Isa isa) {
  const ElementTable& table = Elements(isa);
  for (std::size_t i = 0; i < table.count; ++i) {
    if (table.rows[i].op == op) return ForType(table.rows[i], dtype);
  }
  return nullptr;
}

std::vector<KernelDef> ElementKernels() {
  std::vector<KernelDef> defs;
  const auto add = [&defs](std::string_view op) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.elements", op),
                          .op = std::string(op),
                          .in_place = true,
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  };
  const ElementTable& table = Elements(Isa::kBase);
  std::string_view last;
  for (std::size_t i = 0; i < table.count; ++i) {
    const std::string_view op = OperatorOf(table.rows[i]);
    if (op != last) add(op);
    last = op;
  }
  add("Where");
  return defs;
}

}  // namespace athanor::kernels
