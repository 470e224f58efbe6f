#include "kernels/move/copy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/broadcast.h"
#include "kernels/move/elements.h"
#include "kernels/move/shuffle_table.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

// Elements of one input that go to one output, both walked with strides (in elements).
struct Piece {
  std::size_t in = 0, out = 0;
  std::int64_t from = 0, to = 0;  // first element
  Dims dims = {}, from_strides = {}, to_strides = {};
};

// Rows of `inner` elements that lie `from_stride` apart where they come from, but whose
// counterparts in the next rows are neighbours there: copied in square blocks.
struct Transposition {
  Walk from_outer = {}, to_outer = {};
  std::int64_t rows = 0, inner = 0, from_stride = 0, to_stride = 0;
};

struct Job {
  std::size_t in = 0, out = 0;
  std::int64_t from = 0, to = 0;
  BroadcastLoop loop = {};
  std::int64_t run = 1;  // elements that the loop moves as one
  std::optional<Transposition> transposition = {};
};

struct State {
  std::vector<Job> jobs;
  std::int64_t element = 1;  // bytes
  bool fills = false;        // the output, with input 2 or with 0, before anything is copied
  std::int64_t count = 0;    // of the output
  std::int64_t column = 0;   // length of every job, when all of them are columns of a table
};

using Pieces = std::optional<std::vector<Piece>>;

// One box from input 0 to output 0, whose shape it covers unless said otherwise.
std::vector<Piece> Box(const KernelQuery& q, Dims dims, Dims from_strides) {
  Piece piece = {
      .dims = std::move(dims), .from_strides = std::move(from_strides), .to_strides = {}};
  piece.to_strides =
      piece.dims == q.out[0].dims ? RowMajorStrides(q.out[0].dims) : RowMajorStrides(piece.dims);
  return {std::move(piece)};
}

Pieces TransposePieces(const KernelQuery& q) {
  std::vector<std::int64_t> perm = q.Ints("perm");
  const std::int64_t rank = q.in[0].rank();
  const bool reversed = perm.empty();
  for (std::int64_t i = rank; reversed && i-- > 0;) perm.push_back(i);
  if (std::ssize(perm) != rank) return std::nullopt;
  const Dims own = RowMajorStrides(q.in[0].dims);
  Dims from;
  for (const std::int64_t axis : perm) {
    if (axis < 0 || axis >= rank) return std::nullopt;
    from.push_back(own[static_cast<std::size_t>(axis)]);
  }
  return Box(q, q.out[0].dims, std::move(from));
}

std::size_t Axis(const KernelQuery& q) { return static_cast<std::size_t>(q.Axis()); }

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
  std::vector<Piece> pieces = Box(q, q.out[0].dims, own);
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = axes ? (*axes)[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += q.in[0].rank();
    if (axis < 0 || axis >= q.in[0].rank()) return std::nullopt;
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t size = q.in[0].dims[a], step = steps ? (*steps)[i] : 1;
    std::int64_t start = (*starts)[i];
    if (start < 0) start += size;
    start = std::clamp<std::int64_t>(start, 0, size - 1);  // nothing is taken from beyond
    pieces[0].from += start * own[a];
    // A single element has no next one, and its step may be as large as an integer can be.
    if (q.out[0].dims[a] > 1) pieces[0].from_strides[a] = step * own[a];
  }
  return pieces;
}

Pieces ExpandPieces(const KernelQuery& q) {
  return Box(q, q.out[0].dims, BroadcastStrides(q.in[0].dims, q.out[0].dims));
}

// The input read as [n, side, side, c, h, w] (DCR) or [n, c, side, side, h, w] (CRD), written as
// [n, c, h, side, w, side].
Pieces DepthToSpacePieces(const KernelQuery& q) {
  const Dims& in = q.in[0].dims;
  const std::int64_t n = in[0], s = q.Int("blocksize"), c = q.out[0].dims[1], h = in[2], w = in[3];
  const bool dcr = q.Text("mode") != "CRD";
  const Dims from = RowMajorStrides(dcr ? Dims{n, s, s, c, h, w} : Dims{n, c, s, s, h, w});
  return Box(q, {n, c, h, s, w, s},
             dcr ? Dims{from[0], from[3], from[4], from[1], from[5], from[2]}
                 : Dims{from[0], from[1], from[4], from[2], from[5], from[3]});
}

// The other way round.
Pieces SpaceToDepthPieces(const KernelQuery& q) {
  const Dims& out = q.out[0].dims;
  const std::int64_t n = out[0], s = q.Int("blocksize"), c = q.in[0].dims[1], h = out[2],
                     w = out[3];
  const Dims from = RowMajorStrides(Dims{n, c, h, s, w, s});
  if (q.Text("mode") == "CRD")
    return Box(q, {n, c, s, s, h, w}, {from[0], from[1], from[3], from[5], from[2], from[4]});
  return Box(q, {n, s, s, c, h, w}, {from[0], from[3], from[5], from[1], from[2], from[4]});
}

// The part of the input that the output shows; shift[a]: where element 0 of axis a lands.
Pieces ShiftedPieces(const KernelQuery& q, const Dims& shift) {
  const Dims from = RowMajorStrides(q.in[0].dims), to = RowMajorStrides(q.out[0].dims);
  Piece piece = {.from_strides = from, .to_strides = to};
  for (std::size_t a = 0; a < shift.size(); ++a) {
    const std::int64_t first = std::max<std::int64_t>(0, -shift[a]);
    const std::int64_t last = std::min(q.in[0].dims[a], q.out[0].dims[a] - shift[a]);
    if (last <= first) return std::vector<Piece>();
    piece.dims.push_back(last - first);
    piece.from += first * from[a];
    piece.to += (first + shift[a]) * to[a];
  }
  return std::vector<Piece>{std::move(piece)};
}

Pieces PadPieces(const KernelQuery& q) {
  const auto pads = q.ConstInts(1), axes = q.ConstInts(3);
  if (!pads || (q.Has(3) && !axes) || q.Text("mode") != "constant") return std::nullopt;
  if (q.Has(2) && q.in[2].count() != 1) return std::nullopt;
  Dims shift(q.in[0].dims.size(), 0);
  for (std::size_t i = 0; i < pads->size() / 2; ++i) {
    std::int64_t axis = axes ? (*axes)[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += q.in[0].rank();
    if (axis < 0 || axis >= q.in[0].rank()) return std::nullopt;
    shift[static_cast<std::size_t>(axis)] = (*pads)[i];
  }
  return ShiftedPieces(q, shift);
}

// Rounded down: the spare element of an odd difference lies at the end.
Pieces CenterCropPadPieces(const KernelQuery& q) {
  Dims shift;
  for (std::size_t a = 0; a < q.in[0].dims.size(); ++a) {
    const std::int64_t from = q.in[0].dims[a], to = q.out[0].dims[a];
    shift.push_back(from > to ? -((from - to) / 2) : (to - from) / 2);
  }
  return ShiftedPieces(q, shift);
}

struct Row {
  std::string_view op;
  Pieces (*pieces)(const KernelQuery& q);
  bool fills = false;
};

constexpr Row kRows[] = {
    {"CenterCropPad", CenterCropPadPieces, true},
    {"Concat", ConcatPieces},
    {"DepthToSpace", DepthToSpacePieces},
    {"Expand", ExpandPieces},
    {"Pad", PadPieces, true},
    {"Slice", SlicePieces},
    {"SpaceToDepth", SpaceToDepthPieces},
    {"Split", SplitPieces},
    {"Transpose", TransposePieces},
};

const Row& Find(const KernelQuery& q) {
  return *std::find_if(std::begin(kRows), std::end(kRows),
                       [&](const Row& row) { return row.op == q.op->name; });
}

Fit Fits(const KernelQuery& q) {
  const Pieces pieces = Find(q).pieces(q);
  if (!pieces) return Fit::No("its parameters are computed by the model, or another mode");
  for (const Piece& piece : *pieces) {
    if (piece.dims.size() > Walk::kMostDims) return Fit::No("too many dimensions");
  }
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  double bytes = 0;
  for (const PortInfo& out : q.out) bytes += 2 * static_cast<double>(out.bytes());
  return RooflineNs(q.isa, 0, bytes);
}

// When the last axis of the piece is strided in the source and another one is not.
std::optional<Transposition> AsTransposition(Piece piece) {
  Dims* const strides[] = {&piece.from_strides, &piece.to_strides};
  MergeDims(piece.dims, strides);
  const std::size_t last = piece.dims.size() - 1;
  const auto unit = std::find(piece.from_strides.begin(), piece.from_strides.end(), 1);
  if (piece.to_strides[last] != 1 || unit == piece.from_strides.end()) return std::nullopt;
  const auto axis = static_cast<std::size_t>(unit - piece.from_strides.begin());
  if (axis == last || piece.dims[last] < 4 || piece.dims[axis] < 4) return std::nullopt;
  Transposition made = {.rows = piece.dims[axis],
                        .inner = piece.dims[last],
                        .from_stride = piece.from_strides[last],
                        .to_stride = piece.to_strides[axis]};
  for (std::size_t i = 0; i < last; ++i) {
    if (i == axis) continue;
    made.from_outer.Add(piece.dims[i], piece.from_strides[i]);
    made.to_outer.Add(piece.dims[i], piece.to_strides[i]);
  }
  return made;
}

// Rows of 2, 4, 8 or 16 bytes are moved as one element each: boxes and scores side by side come as
// thousands of rows of two or four numbers. Gives how many elements that is; 1: no such rows.
std::int64_t JoinShortRows(Piece& piece, std::int64_t element) {
  Dims* const strides[] = {&piece.from_strides, &piece.to_strides};
  MergeDims(piece.dims, strides);
  const std::int64_t run = piece.dims.back(), bytes = run * element;
  if (run == 1 || (bytes != 2 && bytes != 4 && bytes != 8 && bytes != 16)) return 1;
  for (const Dims* list : strides) {
    if (list->back() != 1) return 1;
    for (std::size_t axis = 0; axis + 1 < list->size(); ++axis) {
      if ((*list)[axis] % run != 0) return 1;
    }
  }
  piece.dims.back() = 1;
  for (Dims* list : strides) {
    for (std::int64_t& stride : *list) stride /= run;
  }
  return run;
}

// The columns of a table: elements behind each other that come to lie far from each other, or the
// other way round, as many in every job. 0: some job is something else.
std::int64_t ColumnLength(std::vector<Piece> pieces) {
  if (pieces.size() < 2) return 0;
  std::int64_t length = 0;
  for (Piece& piece : pieces) {
    Dims* const strides[] = {&piece.from_strides, &piece.to_strides};
    MergeDims(piece.dims, strides);
    if (piece.dims.size() != 1 || (length != 0 && piece.dims[0] != length)) return 0;
    if (piece.from_strides[0] == piece.to_strides[0]) return 0;
    length = piece.dims[0];
  }
  return length;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->element = static_cast<std::int64_t>(ElementBytes(q.out[0].dtype));
  const Row& row = Find(q);
  Pieces pieces = row.pieces(q);
  state->count = q.out[0].count();
  state->column = ColumnLength(*pieces);
  std::int64_t copied = 0;
  for (Piece& piece : *pieces) {
    std::int64_t count = 1;
    for (const std::int64_t dim : piece.dims) count *= dim;
    copied += count;
    Job job = {.in = piece.in, .out = piece.out, .from = piece.from, .to = piece.to};
    job.transposition = AsTransposition(piece);
    if (!job.transposition) {
      job.run = JoinShortRows(piece, state->element);
      job.loop = BroadcastLoop::Strided(piece.dims, {piece.from_strides, piece.to_strides});
    }
    state->jobs.push_back(std::move(job));
  }
  state->fills = row.fills && copied < state->count;
  return Prepared{state, 0};
}

constexpr std::int64_t kBlock = 16;  // rows of a square block: two cache lines of 4-byte elements

void RunTransposition(const KernelArgs& args, const State& s, const Transposition& t,
                      const std::byte* from, std::byte* to) {
  const std::int64_t blocks = (t.rows + kBlock - 1) / kBlock;
  const std::int64_t grain = std::max<std::int64_t>(1, 8192 / (kBlock * t.inner));
  WithElement(s.element, [&](auto element) {
    using T = decltype(element);
    Parallel(
        args, t.from_outer.count * blocks, grain, [&](std::int64_t begin, std::int64_t end, int) {
          for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t row = i % blocks * kBlock;
            const auto* x =
                reinterpret_cast<const T*>(from) + t.from_outer.Offset(i / blocks) + row;
            auto* y = reinterpret_cast<T*>(to) + t.to_outer.Offset(i / blocks) + row * t.to_stride;
            const std::int64_t rows = std::min(kBlock, t.rows - row);
            if constexpr (sizeof(T) == 4) {
              base::kShuffles.turn(x, static_cast<std::size_t>(t.from_stride), y,
                                   static_cast<std::size_t>(t.to_stride),
                                   static_cast<std::size_t>(rows),
                                   static_cast<std::size_t>(t.inner));
            } else {
              TransposeBlock(x, t.from_stride, y, t.to_stride, rows, t.inner);
            }
          }
        });
  });
}

// CopyRow, and every second element by whole vectors.
template <class T>
void CopyElements(const T* from, std::int64_t from_step, T* to, std::int64_t to_step,
                  std::int64_t n) {
  const bool halves = from_step == 2 && to_step == 1;
  if (sizeof(T) == 4 && halves) return base::kShuffles.halve(from, static_cast<std::size_t>(n), to);
  if (sizeof(T) == 1 && halves)
    return base::kShuffles.bytes_halve(from, static_cast<std::size_t>(n), to);
  CopyRow(from, from_step, to, to_step, n);
}

template <class T>
void RunLoopOf(const KernelArgs& args, const Job& job, const std::byte* from, std::byte* to) {
  const auto from_step = static_cast<std::int64_t>(job.loop.step(0));
  const auto to_step = static_cast<std::int64_t>(job.loop.step(1));
  job.loop.Run(args, std::max<std::int64_t>(1, kElementGrain / job.run),
               [&](const BroadcastLoop::Offsets& at, std::int64_t, std::int64_t n) {
                 CopyElements(reinterpret_cast<const T*>(from) + at[0], from_step,
                              reinterpret_cast<T*>(to) + at[1], to_step, n);
               });
}

void RunLoop(const KernelArgs& args, const State& s, const Job& job, const std::byte* from,
             std::byte* to) {
  if (job.run == 1) {
    WithElement(s.element,
                [&](auto element) { RunLoopOf<decltype(element)>(args, job, from, to); });
    return;
  }
  // Such a row is aligned no better than its elements are.
  const std::int64_t bytes = job.run * s.element;
  if (bytes == 2) RunLoopOf<std::array<std::byte, 2>>(args, job, from, to);
  if (bytes == 4) RunLoopOf<std::array<std::byte, 4>>(args, job, from, to);
  if (bytes == 8) RunLoopOf<std::array<std::byte, 8>>(args, job, from, to);
  if (bytes == 16) RunLoopOf<std::array<std::byte, 16>>(args, job, from, to);
}

// A few rows of all columns at a time, so that a line of the table is in the cache for all of them.
void RunColumns(const KernelArgs& args, const State& s) {
  constexpr std::int64_t kRows = 128;
  const std::int64_t blocks = (s.column + kRows - 1) / kRows;
  const auto columns = static_cast<std::int64_t>(s.jobs.size());
  const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / (kRows * columns));
  WithElement(s.element, [&](auto element) {
    using T = decltype(element);
    Parallel(args, blocks, grain, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t row = begin * kRows; row < std::min(s.column, end * kRows); row += kRows) {
        const std::int64_t rows = std::min(kRows, s.column - row);
        for (const Job& job : s.jobs) {
          const auto from_step = static_cast<std::int64_t>(job.loop.step(0));
          const auto to_step = static_cast<std::int64_t>(job.loop.step(1));
          CopyRow(args.In<T>(job.in) + job.from + row * from_step, from_step,
                  args.Out<T>(job.out) + job.to + row * to_step, to_step, rows);
        }
      }
    });
  });
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  if (s.fills)
    FillElements(args, args.In<std::byte>(2), args.Out<std::byte>(0), s.count, s.element);
  if (s.column > 0) return RunColumns(args, s);
  for (const Job& job : s.jobs) {
    const auto* from = args.In<std::byte>(job.in) + job.from * s.element;
    auto* to = args.Out<std::byte>(job.out) + job.to * s.element;
    if (job.transposition) {
      RunTransposition(args, s, *job.transposition, from, to);
    } else {
      RunLoop(args, s, job, from, to);
    }
  }
}

// ---- Parts that follow each other in memory: nothing moves.

// Whether parts along the axis do: there is one row of them.
bool InOneRow(const Dims& whole, std::size_t axis) {
  return axis < whole.size() &&
         std::all_of(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(axis),
                     [](std::int64_t dim) { return dim == 1; });
}

Fit FitsJoin(const KernelQuery& q) {
  if (!InOneRow(q.out[0].dims, Axis(q))) return Fit::No("the parts do not lie behind each other");
  return Fit::Yes();
}

struct JoinState {
  std::vector<std::int64_t> bytes;  // of each part
  std::int64_t each = 0;            // where all parts have as many
};

Result<Prepared> PrepareJoin(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<JoinState>();
  for (std::size_t i = 0; i < q.own_inputs; ++i) state->bytes.push_back(q.in[i].bytes());
  const bool same = std::all_of(state->bytes.begin(), state->bytes.end(),
                                [&](std::int64_t bytes) { return bytes == state->bytes[0]; });
  state->each = same && !state->bytes.empty() ? state->bytes[0] : 0;
  return Prepared{state, 0};
}

// Parts of one element each, as the columns of one row of a table are: a copy of any length takes
// longer to begin than these take. One that is in its place already is copied to itself.
template <std::size_t kBytes>
void JoinElements(const KernelArgs& args) {
  auto* const to = args.Out<std::byte>(0);
  for (std::size_t i = 0; i < args.in.size(); ++i)
    std::memmove(to + i * kBytes, args.in[i], kBytes);
}

void RunJoin(const KernelArgs& args) {
  const JoinState& s = args.State<JoinState>();
  if (s.each == 4) return JoinElements<4>(args);
  if (s.each == 8) return JoinElements<8>(args);
  auto* to = args.Out<std::byte>(0);
  for (std::size_t i = 0; i < s.bytes.size(); ++i) {
    const std::int64_t bytes = s.bytes[i];
    const auto* from = args.In<std::byte>(i);
    if (from != to) {
      Parallel(args, bytes, std::int64_t{1} << 18, [&](std::int64_t begin, std::int64_t end, int) {
        std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
      });
    }
    to += bytes;
  }
}

Fit FitsPart(const KernelQuery& q) {
  if (!InOneRow(q.in[0].dims, Axis(q))) return Fit::No("the parts do not lie behind each other");
  return SplitPieces(q) ? Fit::Yes() : Fit::No("a part is not wanted");
}

std::int64_t PartAt(const KernelQuery& q, std::size_t output) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < output; ++i) at += q.out[i].bytes();
  return at;
}

// A slice that is one run of elements.
Fit FitsRun(const KernelQuery& q) {
  const Pieces pieces = SlicePieces(q);
  if (!pieces) return Fit::No("its parameters are computed by the model");
  const Piece& piece = pieces->front();
  std::int64_t run = 1;
  for (std::size_t a = piece.dims.size(); a-- > 0; run *= piece.dims[a]) {
    if (piece.dims[a] != 1 && piece.from_strides[a] != run)
      return Fit::No("the elements do not follow each other");
  }
  return Fit::Yes();
}

std::int64_t RunAt(const KernelQuery& q, std::size_t) {
  return SlicePieces(q)->front().from * static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
}

}  // namespace

std::vector<KernelDef> CopyKernels() {
  // What costs nothing comes first.
  std::vector<KernelDef> defs = {
      {.name = "Concat.joined",
       .op = "Concat",
       .joins = true,
       .fits = FitsJoin,
       .cost_ns = [](const KernelQuery& q) { return 0.5 * Cost(q); },
       .prepare = PrepareJoin,
       .run = RunJoin},
      {.name = "Split.view", .op = "Split", .view = true, .view_at = PartAt, .fits = FitsPart},
      {.name = "Slice.view", .op = "Slice", .view = true, .view_at = RunAt, .fits = FitsRun}};
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
