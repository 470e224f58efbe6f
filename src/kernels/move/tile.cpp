// Tile. Axis by axis from the last: what an axis holds is written once and then copied, whole, as
// often as it is repeated, so that most of the result comes from long copies.
#include <algorithm>
#include <cstring>

#include "kernels/move/copy.h"
#include "kernels/move/elements.h"

namespace athanor::kernels {
namespace {

// Sizes in bytes, of what one element of the axis holds.
struct Axis {
  std::int64_t size = 1, repeats = 1;
  std::int64_t from = 1, to = 1;
};

struct State {
  std::vector<Axis> axes;  // at least one
};

Fit Fits(const KernelQuery& q) {
  return q.out[0].count() > 0 ? Fit::Yes() : Fit::No("nothing to repeat");
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 0, 2 * static_cast<double>(q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  std::vector<Axis>& axes = state->axes;
  for (std::size_t a = 0; a < q.in[0].dims.size(); ++a) {
    const std::int64_t size = q.in[0].dims[a], repeats = q.out[0].dims[a] / size;
    // Behind another axis one that is not repeated only makes its elements larger.
    if (!axes.empty() && repeats == 1) {
      axes.back().size *= size;
    } else {
      axes.push_back({.size = size, .repeats = repeats});
    }
  }
  if (axes.empty()) axes.emplace_back();
  std::int64_t from = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype)), to = from;
  for (std::size_t a = axes.size(); a-- > 0;) {
    axes[a].from = from;
    axes[a].to = to;
    from *= axes[a].size;
    to *= axes[a].size * axes[a].repeats;
  }
  return Prepared{state, 0};
}

// `count` times the first `bytes` of `to`, which are there already.
void Repeat(std::byte* to, std::int64_t bytes, std::int64_t count) {
  const bool element = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  if (element) {
    WithElement(bytes, [&](auto zero) {
      auto* const elements = reinterpret_cast<decltype(zero)*>(to);
      std::fill_n(elements, count, *elements);
    });
    return;
  }
  for (std::int64_t i = 1; i < count; ++i)
    std::memcpy(to + i * bytes, to, static_cast<std::size_t>(bytes));
}

void Write(const State& s, std::size_t a, const std::byte* from, std::byte* to) {
  const Axis& axis = s.axes[a];
  if (a + 1 == s.axes.size()) {
    std::memcpy(to, from, static_cast<std::size_t>(axis.size * axis.from));
  } else {
    for (std::int64_t i = 0; i < axis.size; ++i)
      Write(s, a + 1, from + i * axis.from, to + i * axis.to);
  }
  Repeat(to, axis.size * axis.to, axis.repeats);
}

// The first axis is shared between threads: first its elements, then their repeats.
void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 65536;
  const State& s = args.State<State>();
  const Axis& axis = s.axes.front();
  const auto* from = args.In<std::byte>(0);
  auto* to = args.Out<std::byte>(0);
  Parallel(args, axis.size, std::max<std::int64_t>(1, kGrain / axis.to),
           [&](std::int64_t begin, std::int64_t end, int) {
             if (s.axes.size() == 1) {
               std::memcpy(to + begin * axis.to, from + begin * axis.from,
                           static_cast<std::size_t>((end - begin) * axis.from));
               return;
             }
             for (std::int64_t i = begin; i < end; ++i)
               Write(s, 1, from + i * axis.from, to + i * axis.to);
           });
  const std::int64_t bytes = axis.size * axis.to;
  Parallel(args, axis.repeats - 1, std::max<std::int64_t>(1, kGrain / bytes),
           [&](std::int64_t begin, std::int64_t end, int) {
             std::byte* const own = to + (begin + 1) * bytes;
             std::memcpy(own, to, static_cast<std::size_t>(bytes));
             Repeat(own, bytes, end - begin);
           });
}

}  // namespace

std::vector<KernelDef> TileKernels() {
  return {{.name = "Tile.copy",
           .op = "Tile",
           .fits = Fits,
           .cost_ns = Cost,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
