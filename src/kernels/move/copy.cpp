#include "kernels/move/copy.h"

#include <algorithm>
#include <cstring>

#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

// Elements of one input that go to one output, both walked with strides (in elements).
struct Piece {
  std::size_t in = 0, out = 0;
  std::int64_t from = 0, to = 0;  // first element
  Dims dims, from_strides, to_strides;
};

struct State {
  std::vector<Piece> pieces;
  std::int64_t element = 1;  // bytes
};

using Pieces = std::optional<std::vector<Piece>>;

Pieces TransposePieces(const KernelQuery& q) {
  std::vector<std::int64_t> perm = q.Ints("perm");
  const std::int64_t rank = q.in[0].rank();
  const bool reversed = perm.empty();
  for (std::int64_t i = rank; reversed && i-- > 0;) perm.push_back(i);
  if (std::ssize(perm) != rank) return std::nullopt;
  const Dims own = RowMajorStrides(q.in[0].dims);
  Piece piece = {.dims = q.out[0].dims, .from_strides = {}, .to_strides = {}};
  for (const std::int64_t axis : perm) {
    if (axis < 0 || axis >= rank) return std::nullopt;
    piece.from_strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  piece.to_strides = RowMajorStrides(q.out[0].dims);
  return std::vector<Piece>{std::move(piece)};
}

std::size_t Axis(const KernelQuery& q) {
  const std::int64_t axis = q.Int("axis"), rank = q.in[0].rank();
  return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

// Concat cuts the output, Split the input, into parts that follow each other along an axis.
Pieces PartPieces(const KernelQuery& q, const Dims& whole, std::span<const PortInfo> parts,
                  bool join) {
  const std::size_t axis = Axis(q);
  if (axis >= whole.size()) return std::nullopt;
  const Dims strides = RowMajorStrides(whole);
  std::vector<Piece> pieces;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].given()) return std::nullopt;
    const Dims own = RowMajorStrides(parts[i].dims);
    pieces.push_back({.in = join ? i : 0,
                      .out = join ? 0 : i,
                      .from = join ? 0 : at,
                      .to = join ? at : 0,
                      .dims = parts[i].dims,
                      .from_strides = join ? own : strides,
                      .to_strides = join ? strides : own});
    at += parts[i].dims[axis] * strides[axis];
  }
  return pieces;
}

Pieces ConcatPieces(const KernelQuery& q) {
  return PartPieces(q, q.out[0].dims, std::span(q.in).first(q.own_inputs), true);
}
Pieces SplitPieces(const KernelQuery& q) { return PartPieces(q, q.in[0].dims, q.out, false); }

Pieces SlicePieces(const KernelQuery& q) {
  const auto starts = q.ConstInts(1), axes = q.ConstInts(3), steps = q.ConstInts(4);
  if (!starts || (q.Has(3) && !axes) || (q.Has(4) && !steps)) return std::nullopt;
  const Dims own = RowMajorStrides(q.in[0].dims);
  Piece piece = {.dims = q.out[0].dims, .from_strides = own, .to_strides = {}};
  piece.to_strides = RowMajorStrides(q.out[0].dims);
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = axes ? (*axes)[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += q.in[0].rank();
    if (axis < 0 || axis >= q.in[0].rank()) return std::nullopt;
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t size = q.in[0].dims[a], step = steps ? (*steps)[i] : 1;
    std::int64_t start = (*starts)[i];
    if (start < 0) start += size;
    start = std::clamp<std::int64_t>(start, 0, size - 1);  // nothing is taken from beyond
    piece.from += start * own[a];
    piece.from_strides[a] = step * own[a];
  }
  return std::vector<Piece>{std::move(piece)};
}

Pieces ExpandPieces(const KernelQuery& q) {
  return std::vector<Piece>{{.dims = q.out[0].dims,
                             .from_strides = BroadcastStrides(q.in[0].dims, q.out[0].dims),
                             .to_strides = RowMajorStrides(q.out[0].dims)}};
}

struct Row {
  std::string_view op;
  Pieces (*pieces)(const KernelQuery& q);
};

constexpr Row kRows[] = {
    {"Concat", ConcatPieces}, {"Expand", ExpandPieces},       {"Slice", SlicePieces},
    {"Split", SplitPieces},   {"Transpose", TransposePieces},
};

Pieces PiecesOf(const KernelQuery& q) {
  for (const Row& row : kRows) {
    if (row.op == q.op->name) return row.pieces(q);
  }
  return std::nullopt;
}

Fit Fits(const KernelQuery& q) {
  return PiecesOf(q) ? Fit::Yes() : Fit::No("its parameters are computed by the model");
}

double Cost(const KernelQuery& q) {
  double bytes = 0;
  for (const PortInfo& out : q.out) bytes += 2 * static_cast<double>(out.bytes());
  return RooflineNs(q.isa, 0, bytes);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->pieces = *PiecesOf(q);
  state->element = static_cast<std::int64_t>(ElementBytes(q.out[0].dtype));
  for (Piece& piece : state->pieces) {
    Dims* const strides[] = {&piece.from_strides, &piece.to_strides};
    MergeDims(piece.dims, strides);
  }
  return Prepared{state, 0};
}

template <class T>
void CopyStrided(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                 std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
}

// n elements of `size` bytes, which is that of a type of the language.
void CopyRow(const std::byte* from, std::int64_t from_stride, std::byte* to, std::int64_t to_stride,
             std::int64_t n, std::int64_t size) {
  if (from_stride == 1 && to_stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n * size));
  } else if (size == 4) {
    CopyStrided(reinterpret_cast<const std::uint32_t*>(from), from_stride,
                reinterpret_cast<std::uint32_t*>(to), to_stride, n);
  } else if (size == 8) {
    CopyStrided(reinterpret_cast<const std::uint64_t*>(from), from_stride,
                reinterpret_cast<std::uint64_t*>(to), to_stride, n);
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      std::memcpy(to + i * to_stride * size, from + i * from_stride * size,
                  static_cast<std::size_t>(size));
  }
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 16384;
  const State& s = args.State<State>();
  for (const Piece& piece : s.pieces) {
    const auto* from = args.In<std::byte>(piece.in) + piece.from * s.element;
    auto* to = args.Out<std::byte>(piece.out) + piece.to * s.element;
    const std::int64_t inner = piece.dims.back();
    std::int64_t outer = 1;
    for (std::size_t i = 0; i + 1 < piece.dims.size(); ++i) outer *= piece.dims[i];
    Parallel(args, outer, std::max<std::int64_t>(1, kGrain / inner),
             [&](std::int64_t begin, std::int64_t end, int) {
               for (std::int64_t i = begin; i < end; ++i) {
                 std::int64_t rest = i, a = 0, b = 0;
                 for (std::size_t axis = piece.dims.size() - 1; axis-- > 0;) {
                   const std::int64_t at = rest % piece.dims[axis];
                   rest /= piece.dims[axis];
                   a += at * piece.from_strides[axis];
                   b += at * piece.to_strides[axis];
                 }
                 CopyRow(from + a * s.element, piece.from_strides.back(), to + b * s.element,
                         piece.to_strides.back(), inner, s.element);
               }
             });
  }
}

}  // namespace

std::vector<KernelDef> CopyKernels() {
  std::vector<KernelDef> defs;
  for (const Row& row : kRows) {
    defs.push_back({.name = fmt::format("{}.copy", row.op),
                    .op = std::string(row.op),
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = Prepare,
                    .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
