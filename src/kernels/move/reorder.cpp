#include "kernels/move/reorder.h"

#include <algorithm>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/move/reorder_table.h"

namespace athanor::kernels {
namespace {

struct State {
  const ReorderTable* table = nullptr;
  bool into = false;
  std::int64_t lanes = 0, channels = 0, blocks = 0, batch = 0, plane = 0;
};

const ReorderTable& Reorders(Isa isa) {
  const ReorderTable* const tables[] = {&base::kReorder, &avx2::kReorder, &avx512::kReorder};
  return *tables[static_cast<std::size_t>(isa)];
}

bool IsByte(DType dtype) { return dtype == DType::kI8 || dtype == DType::kU8; }

const ReorderOf<float>& TableOf(const State& s, float) { return s.table->floats; }
const ReorderOf<std::uint8_t>& TableOf(const State& s, std::uint8_t) { return s.table->bytes; }

template <class T>
Fit Fits(const KernelQuery& q) {
  const DType dtype = q.in[0].dtype;
  if (sizeof(T) == 1 ? !IsByte(dtype) : dtype != DType::kF32)
    return Fit::No(sizeof(T) == 1 ? "8 bits only" : "f32 only");
  if (q.in[0].block == q.out[0].block) return Fit::No("both sides lie alike");
  return Fit::Yes();
}

// With one position per channel both layouts are the same, as long as nobody reads or writes beyond
// the last channel.
Fit FitsView(const KernelQuery& q) {
  const Dims& dims = q.in[0].dims;
  const bool whole = dims[1] % q.block() == 0;
  if (dims[2] * dims[3] != 1) return Fit::No("more than one position");
  if (!whole && (dims[0] != 1 || q.in[0].block == 0)) return Fit::No("a block is not full");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 8 * static_cast<double>(q.in[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const Dims& dims = q.in[0].dims;
  *state = {.table = &Reorders(q.isa),
            .into = q.out[0].block != 0,
            .lanes = q.block(),
            .channels = dims[1],
            .blocks = CeilDivide(dims[1], q.block()),
            .batch = dims[0],
            .plane = dims[2] * dims[3]};
  return Prepared{state, 0};
}

template <class T>
void Run(const KernelArgs& args) {
  constexpr std::int64_t kPiece = 1024;  // positions
  const State& s = args.State<State>();
  const std::int64_t pieces = (s.plane + kPiece - 1) / kPiece;
  Parallel(args, s.batch * s.blocks * pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = i % pieces * kPiece, n = std::min(kPiece, s.plane - at);
      const std::int64_t image = i / pieces / s.blocks, block = i / pieces % s.blocks;
      const std::int64_t first = block * s.lanes;
      const std::int64_t in_planes = (image * s.channels + first) * s.plane + at;
      const std::int64_t in_blocks = ((image * s.blocks + block) * s.plane + at) * s.lanes;
      const ReorderOf<T>& table = TableOf(s, T());
      const auto run = s.into ? table.into : table.from;
      run(args.In<T>(0) + (s.into ? in_planes : in_blocks), static_cast<std::size_t>(s.plane),
          static_cast<std::size_t>(std::min(s.lanes, s.channels - first)),
          static_cast<std::size_t>(n), args.Out<T>(0) + (s.into ? in_blocks : in_planes));
    }
  });
}

}  // namespace

std::vector<KernelDef> ReorderKernels() {
  std::vector<KernelDef> defs;
  KernelDef def = {
      .name = "Reorder.f32", .op = "Reorder", .blocked = true, .cost_ns = Cost, .prepare = Prepare};
  def.fits = Fits<float>;
  def.run = Run<float>;
  AddForEveryIsa(defs, def);
  def.name = "Reorder.i8";
  def.fits = Fits<std::uint8_t>;
  def.run = Run<std::uint8_t>;
  AddForEveryIsa(defs, def);
  AddForEveryIsa(
      defs,
      {.name = "Reorder.view", .op = "Reorder", .view = true, .blocked = true, .fits = FitsView});
  return defs;
}

}  // namespace athanor::kernels
