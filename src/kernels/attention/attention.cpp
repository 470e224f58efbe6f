// Attention, softmax(scale q k^T + mask) v, block by block of the keys, so that scores never leave
// the caches: for each block the largest score so far and the sum of exponentials are kept, and
// what was added up before is scaled when a larger score appears (Milakov and Gimelshein, "Online
// normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022, algorithm 1).
#include "kernels/attention/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention/rows_table.h"
#include "kernels/divide.h"
#include "kernels/elementwise/unary.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/product.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kQueryBlock = 64, kKeyBlock = 256;
// With so few queries packing keys and values costs more than it saves.
constexpr std::int64_t kFewQueries = 4;

// One of q, k, v where it lies: row i of head h of image b at b * image + h * head + i * row.
struct Layout {
  std::int64_t heads = 0, length = 0, size = 0;
  std::int64_t image = 0, head = 0, row = 0;

  std::int64_t At(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return b * image + h * head + i * row;
  }
};

Layout LayoutOf(const Dims& dims, std::int64_t heads) {
  if (dims.size() == 4) {
    return {dims[1], dims[2], dims[3], dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3]};
  }
  const std::int64_t size = dims[2] / heads;
  return {heads, dims[1], size, dims[1] * dims[2], size, dims[2]};
}

struct State {
  Isa isa = Isa::kBase;
  const AttentionTable* table = nullptr;
  UnaryF32 tanh = nullptr;
  Layout q, k, v, y, past_k, past_v, all_k, all_v;
  std::int64_t batch = 0, past = 0, keys = 0;  // keys: past and new ones
  float factor = 1, cap = 0;
  bool causal = false;
  std::int64_t left = -1, right = -1;
  // The mask as [batch, heads, queries, keys] with strides of 0 where it is repeated.
  bool bool_mask = false;
  std::int64_t mask_strides[3] = {0, 0, 0}, mask_keys = 0;
  // [whole, last] blocks of queries times [whole, last] blocks of keys.
  GemmShape scores[2][2], values[2][2];
  std::int64_t query_block = kQueryBlock;
  std::int64_t joined = 0;         // floats of scratch for past and new keys and values
  std::int64_t thread_floats = 0;  // of scratch
  std::int64_t packed_keys = 0, packed_values = 0, packed_a = 0;
};

bool Given(const std::vector<PortInfo>& ports, std::size_t i) {
  return i < ports.size() && ports[i].given();
}

Fit Fits(const KernelQuery& q) {
  for (const Input i : {kQ, kK, kV, kPastKey, kPastValue}) {
    if (q.Has(i) && q.in[i].dtype != DType::kF32) return Fit::No("f32 only");
  }
  if (q.Has(kMask) && q.in[kMask].dtype != DType::kF32 && q.in[kMask].dtype != DType::kBool)
    return Fit::No("a mask of f32 or bool only");
  if (Given(q.out, 3)) return Fit::No("does not give the scores");
  if (q.in[kQ].rank() != q.in[kK].rank() || (q.in[kQ].rank() != 3 && q.in[kQ].rank() != 4))
    return Fit::No("rank 3 or 4 only");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  const double work = static_cast<double>(q.in[kQ].count()) *
                      static_cast<double>(q.in[kK].dims[q.in[kK].dims.size() == 4 ? 2 : 1]);
  return RooflineNs(q.isa, 6 * work, static_cast<double>(q.in[kK].bytes() + q.in[kV].bytes()));
}

void ReadMask(const KernelQuery& q, State& s) {
  if (!q.Has(kMask)) return;
  Dims dims = q.in[kMask].dims;
  dims.insert(dims.begin(), 4 - dims.size(), 1);
  s.bool_mask = q.in[kMask].dtype == DType::kBool;
  s.mask_keys = dims[3];
  std::int64_t stride = dims[3];
  for (std::size_t i = 3; i-- > 0;) {
    s.mask_strides[i] = dims[i] == 1 ? 0 : stride;
    stride *= dims[i];
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  State& s = *state;
  s.isa = q.isa;
  s.table = &AttentionRows(q.isa);
  s.tanh = Unary(q.isa).tanh;
  s.batch = q.in[kQ].dims[0];
  s.q = LayoutOf(q.in[kQ].dims, q.Int("q_num_heads"));
  s.k = LayoutOf(q.in[kK].dims, q.Int("kv_num_heads"));
  s.v = LayoutOf(q.in[kV].dims, q.Int("kv_num_heads"));
  s.y = LayoutOf(q.out[0].dims, q.Int("q_num_heads"));
  if (q.Has(kPastKey)) {
    s.past_k = LayoutOf(q.in[kPastKey].dims, 0);
    s.past_v = LayoutOf(q.in[kPastValue].dims, 0);
    s.past = s.past_k.length;
  }
  s.keys = s.past + s.k.length;
  const bool joins = s.past > 0 || Given(q.out, 1) || Given(q.out, 2);
  s.all_k = s.k;
  s.all_v = s.v;
  if (joins) {
    s.all_k = LayoutOf({s.batch, s.k.heads, s.keys, s.k.size}, 0);
    s.all_v = LayoutOf({s.batch, s.v.heads, s.keys, s.v.size}, 0);
    s.joined = WholeLines(s.batch * (s.all_k.image + s.all_v.image));
  }
  s.factor = q.attributes->Find("scale") != nullptr ? q.Float("scale")
                                                    : 1 / std::sqrt(static_cast<float>(s.q.size));
  s.cap = q.Float("softcap");
  s.causal = q.Int("is_causal") != 0;
  // No window is wider than this, and sums with it do not overflow.
  constexpr std::int64_t kWidest = std::int64_t{1} << 48;
  s.left = std::min(q.Int("left_window_size"), kWidest);
  s.right = std::min(q.Int("right_window_size"), kWidest);
  ReadMask(q, s);
  s.query_block = std::min(kQueryBlock, s.q.length);
  const std::int64_t last_q = s.q.length % s.query_block, last_k = s.keys % kKeyBlock;
  for (const int i : {0, 1}) {
    const std::int64_t m = i == 0 || last_q == 0 ? s.query_block : last_q;
    for (const int j : {0, 1}) {
      const std::int64_t n = j == 0 || last_k == 0 ? kKeyBlock : last_k;
      s.scores[i][j] = GemmShape(q.isa, m, n, s.q.size);
      s.values[i][j] = GemmShape(q.isa, m, s.v.size, n);
      s.packed_keys = std::max(s.packed_keys, PackedBFloats(s.scores[i][j]));
      s.packed_values = std::max(s.packed_values, PackedBFloats(s.values[i][j]));
      s.packed_a = std::max(s.packed_a, PackedAFloats(s.scores[i][j]));
    }
  }
  const std::int64_t blocks = CeilDivide(s.keys, kKeyBlock);
  s.thread_floats = blocks * (s.packed_keys + s.packed_values) + s.packed_a +
                    s.query_block * (kKeyBlock + 2 * s.v.size + 16);
  s.thread_floats = WholeLines(s.thread_floats);
  return Prepared{state, (s.joined + q.threads * s.thread_floats) * 4};
}

// Keys and values of all steps.
struct Source {
  const float *k = nullptr, *v = nullptr;
};

// `past` before `now` along the length, into one tensor.
void Join(const State& s, const float* past, const Layout& of_past, const float* now,
          const Layout& of_now, float* to, const Layout& of_all) {
  const auto bytes = static_cast<std::size_t>(of_now.size) * 4;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < of_now.heads; ++h) {
      for (std::int64_t i = 0; i < s.past; ++i)
        std::memcpy(to + of_all.At(b, h, i), past + of_past.At(b, h, i), bytes);
      for (std::int64_t i = 0; i < of_now.length; ++i)
        std::memcpy(to + of_all.At(b, h, s.past + i), now + of_now.At(b, h, i), bytes);
    }
  }
}

Source JoinAll(const KernelArgs& args, const State& s) {
  if (s.joined == 0) return {args.In(kK), args.In(kV)};
  float* k = reinterpret_cast<float*>(args.scratch);
  float* v = k + s.batch * s.all_k.image;
  if (args.out.size() > 1 && args.out[1] != nullptr) k = args.Out(1);
  if (args.out.size() > 2 && args.out[2] != nullptr) v = args.Out(2);
  Join(s, args.In(kPastKey), s.past_k, args.In(kK), s.k, k, s.all_k);
  Join(s, args.In(kPastValue), s.past_v, args.In(kV), s.v, v, s.all_v);
  return {k, v};
}

// Keys [begin, end) that query i of image b may see, whatever the mask says.
struct Span {
  std::int64_t begin = 0, end = 0;
};

Span Visible(const KernelArgs& args, const State& s, std::int64_t b, std::int64_t i) {
  std::int64_t place = i + s.past;
  Span span = {0, s.keys};
  if (const auto* lengths = args.In<std::int64_t>(kLengths)) {
    span.end = std::clamp<std::int64_t>(lengths[b], 0, s.keys);
    place = i + lengths[b] - s.q.length;
  }
  if (s.causal) span.end = std::min(span.end, place + 1);
  if (s.right >= 0) span.end = std::min(span.end, place + s.right + 1);
  if (s.left >= 0) span.begin = std::max<std::int64_t>(0, place - s.left);
  if (args.In<void>(kMask) != nullptr) span.end = std::min(span.end, s.mask_keys);
  span.end = std::max(span.begin, span.end);
  return span;
}

// Caps and masks the scores of keys [first, first + n) for one query.
void FinishScores(const KernelArgs& args, const State& s, std::int64_t b, std::int64_t h,
                  std::int64_t i, std::int64_t first, std::int64_t n, float* row) {
  const auto count = static_cast<std::size_t>(n);
  if (s.cap > 0) {
    s.table->scale(row, 1 / s.cap, row, count);
    s.tanh(row, row, count, nullptr);
    s.table->scale(row, s.cap, row, count);
  }
  const Span span = Visible(args, s, b, i);
  const std::int64_t begin = std::clamp<std::int64_t>(span.begin - first, 0, n);
  const std::int64_t end = std::clamp<std::int64_t>(span.end - first, begin, n);
  std::fill(row, row + begin, kNever);
  std::fill(row + end, row + n, kNever);
  if (args.In<void>(kMask) == nullptr || begin == end) return;
  const std::int64_t at =
      b * s.mask_strides[0] + h * s.mask_strides[1] + i * s.mask_strides[2] + first;
  if (s.bool_mask) {
    const auto* seen = args.In<std::uint8_t>(kMask) + at;
    for (std::int64_t j = begin; j < end; ++j) row[j] = seen[j] != 0 ? row[j] : kNever;
  } else {
    s.table->add_scaled(args.In(kMask) + at + begin, 1, row + begin,
                        static_cast<std::size_t>(end - begin));
  }
}

// Few queries: keys and values are read where they lie, once per query. Hidden keys are skipped.
void AttendRow(const KernelArgs& args, const State& s, const Source& source, std::int64_t b,
               std::int64_t h, std::int64_t i, float* row) {
  const std::int64_t shared = h / (s.q.heads / s.k.heads);
  const float* q = args.In(kQ) + s.q.At(b, h, i);
  float* y = args.Out(0) + s.y.At(b, h, i);
  const auto size = static_cast<std::size_t>(s.q.size), width = static_cast<std::size_t>(s.v.size);
  float largest = kNever, sum = 0;
  std::fill(y, y + s.v.size, 0.0F);
  const Span span = Visible(args, s, b, i);
  for (std::int64_t first = span.begin; first < span.end; first += kKeyBlock) {
    const std::int64_t n = std::min(kKeyBlock, span.end - first);
    for (std::int64_t j = 0; j < n; ++j)
      row[j] = s.factor * s.table->dot(q, source.k + s.all_k.At(b, shared, first + j), size);
    FinishScores(args, s, b, h, i, first, n, row);
    const float here = std::max(largest, s.table->largest(row, static_cast<std::size_t>(n)));
    if (here == kNever) continue;
    const float before = std::exp(largest - here);
    sum = sum * before + s.table->exponentials(row, here, static_cast<std::size_t>(n));
    if (before != 1) s.table->scale(y, before, y, width);
    for (std::int64_t j = 0; j < n; ++j) {
      if (row[j] != 0)
        s.table->add_scaled(source.v + s.all_v.At(b, shared, first + j), row[j], y, width);
    }
    largest = here;
  }
  if (sum != 0) s.table->scale(y, 1 / sum, y, width);
}

// Scratch memory of one thread.
struct Work {
  float *keys, *values;  // packed, block after block
  float* packed_a;
  float* scores;         // [queries, kKeyBlock]
  float *part, *total;   // [queries, value size]
  float *largest, *sum;  // [queries]
};

Work Cut(const State& s, float* at) {
  const std::int64_t blocks = CeilDivide(s.keys, kKeyBlock);
  Work w = {};
  const auto take = [&at](std::int64_t floats) {
    float* part = at;
    at += floats;
    return part;
  };
  w.keys = take(blocks * s.packed_keys);
  w.values = take(blocks * s.packed_values);
  w.packed_a = take(s.packed_a);
  w.scores = take(s.query_block * kKeyBlock);
  w.part = take(s.query_block * s.v.size);
  w.total = take(s.query_block * s.v.size);
  w.largest = take(s.query_block);
  w.sum = take(s.query_block);
  return w;
}

std::size_t LastOf(std::int64_t at, std::int64_t block, std::int64_t length) {
  return at + block > length ? 1 : 0;
}

// All keys and values of one head, which all blocks of its queries use.
void PackHead(const State& s, const Source& source, std::int64_t b, std::int64_t shared,
              const Work& w) {
  for (std::int64_t first = 0, block = 0; first < s.keys; first += kKeyBlock, ++block) {
    const std::size_t last = LastOf(first, kKeyBlock, s.keys);
    const GemmShape &scores = s.scores[0][last], &values = s.values[0][last];
    const Matrix k = {source.k + s.all_k.At(b, shared, first), 1, s.all_k.row};
    const Matrix v = {source.v + s.all_v.At(b, shared, first), s.all_v.row, 1};
    PackPanels(scores, k, 0, scores.panels, w.keys + block * s.packed_keys);
    PackPanels(values, v, 0, values.panels, w.values + block * s.packed_values);
  }
}

// One block of keys for the queries from `query` on.
void AddBlock(const KernelArgs& args, const State& s, std::int64_t b, std::int64_t h,
              std::int64_t query, std::int64_t block, std::int64_t rows, const Work& w) {
  const std::int64_t first = block * kKeyBlock;
  const std::size_t i = LastOf(query, s.query_block, s.q.length),
                    j = LastOf(first, kKeyBlock, s.keys);
  const GemmShape &scores = s.scores[i][j], &values = s.values[i][j];
  PackTiles(scores, {args.In(kQ) + s.q.At(b, h, query), s.q.row, 1}, s.factor, 0, scores.tiles,
            w.packed_a);
  MultiplyPlain(scores, w.packed_a, w.keys + block * s.packed_keys, w.scores, kKeyBlock);
  const auto n = static_cast<std::size_t>(scores.n), width = static_cast<std::size_t>(s.v.size);
  std::array<float, static_cast<std::size_t>(kQueryBlock)> before;
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = w.scores + r * kKeyBlock;
    FinishScores(args, s, b, h, query + r, first, scores.n, row);
    const float here = std::max(w.largest[r], s.table->largest(row, n));
    float& factor = before[static_cast<std::size_t>(r)];
    factor = 1;
    if (here == kNever) {
      std::fill(row, row + scores.n, 0.0F);
      continue;
    }
    factor = std::exp(w.largest[r] - here);
    w.sum[r] = w.sum[r] * factor + s.table->exponentials(row, here, n);
    w.largest[r] = here;
  }
  MultiplyRows(values, w.scores, kKeyBlock, w.values + block * s.packed_values, w.part, s.v.size);
  for (std::int64_t r = 0; r < rows; ++r) {
    s.table->scale_add(w.part + r * s.v.size, before[static_cast<std::size_t>(r)],
                       w.total + r * s.v.size, width);
  }
}

void AttendHead(const KernelArgs& args, const State& s, std::int64_t b, std::int64_t h,
                const Work& w) {
  for (std::int64_t query = 0; query < s.q.length; query += s.query_block) {
    const std::int64_t rows = std::min(s.query_block, s.q.length - query);
    std::fill(w.largest, w.largest + rows, kNever);
    std::fill(w.sum, w.sum + rows, 0.0F);
    std::fill(w.total, w.total + rows * s.v.size, 0.0F);
    std::int64_t begin = s.keys, end = 0;  // what any of the queries may see
    for (std::int64_t r = 0; r < rows; ++r) {
      const Span span = Visible(args, s, b, query + r);
      begin = std::min(begin, span.begin);
      end = std::max(end, span.end);
    }
    for (std::int64_t block = begin / kKeyBlock; block * kKeyBlock < end; ++block)
      AddBlock(args, s, b, h, query, block, rows, w);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float factor = w.sum[r] == 0 ? 0 : 1 / w.sum[r];
      s.table->scale(w.total + r * s.v.size, factor, args.Out(0) + s.y.At(b, h, query + r),
                     static_cast<std::size_t>(s.v.size));
    }
  }
}

// A hidden key counts for nothing even when its value is NaN, but 0 * NaN is NaN.
bool AllFinite(const State& s, const Source& source) {
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < s.all_v.heads; ++h) {
      for (std::int64_t i = 0; i < s.keys; ++i) {
        const float* row = source.v + s.all_v.At(b, h, i);
        float zero = 0;
        for (std::int64_t c = 0; c < s.all_v.size; ++c) zero += row[c] * 0;
        if (zero != 0) return false;
      }
    }
  }
  return true;
}

// Whether the numbers of valid keys are such.
bool LengthsFit(const KernelArgs& args, const State& s) {
  const auto* lengths = args.In<std::int64_t>(kLengths);
  return lengths == nullptr || std::all_of(lengths, lengths + s.batch, [&](std::int64_t length) {
           return length >= 0 && length <= s.batch * s.k.image;
         });
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  if (!LengthsFit(args, s)) {
    args.data_error->store("nonpad_kv_seqlen is out of range", std::memory_order_relaxed);
    return;
  }
  const Source source = JoinAll(args, s);
  float* const scratch = reinterpret_cast<float*>(args.scratch) + s.joined;
  const bool hides = s.causal || s.left >= 0 || s.right >= 0 || args.In<void>(kMask) != nullptr ||
                     args.In<void>(kLengths) != nullptr;
  if (s.q.length < kFewQueries || (hides && !AllFinite(s, source))) {
    Parallel(args, s.batch * s.q.heads * s.q.length, 1,
             [&](std::int64_t begin, std::int64_t end, int thread) {
               for (std::int64_t n = begin; n < end; ++n) {
                 const std::int64_t head = n / s.q.length;
                 AttendRow(args, s, source, head / s.q.heads, head % s.q.heads, n % s.q.length,
                           Cut(s, scratch + thread * s.thread_floats).scores);
               }
             });
    return;
  }
  // Query heads that share a key head follow each other.
  Parallel(args, s.batch * s.q.heads, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    const Work w = Cut(s, scratch + thread * s.thread_floats);
    std::int64_t packed = -1;
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t b = n / s.q.heads, h = n % s.q.heads;
      const std::int64_t shared = h / (s.q.heads / s.k.heads);
      if (packed != b * s.k.heads + shared) PackHead(s, source, b, shared, w);
      packed = b * s.k.heads + shared;
      AttendHead(args, s, b, h, w);
    }
  });
}

}  // namespace

const AttentionTable& AttentionRows(Isa isa) {
  const AttentionTable* const tables[] = {&base::kAttention, &avx2::kAttention,
                                          &avx512::kAttention};
  return *tables[static_cast<std::size_t>(isa)];
}

std::vector<KernelDef> AttentionKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Attention.f32.blocks",
                        .op = "Attention",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
