// Bins and the evaluation of trees over them.
#include "kernels/simd.h"
#include "kernels/tree/forest_table.h"
#if defined(__AVX512BW__)
#include "kernels/tree/in_registers.h"
#endif

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

using ByteTag = hn::ScalableTag<std::int8_t>;
using I8 = hn::Vec<ByteTag>;
constexpr ByteTag kI8;
constexpr std::size_t kByteLanes = HWY_LANES(std::int8_t);
constexpr std::size_t kVectors = kTileRows / kByteLanes;

// A byte of every row of a tile.
struct Tile {
  I8 part[kVectors];
};

// The exit that the tests lead to, of the exits below node `kNode` of the heap.
template <int kLevels, int kNode, class Exit>
HWY_INLINE Tile Choose(const BinTest* tests, const std::int8_t* bins, const Exit& exit) {
  if constexpr (kLevels == 0) {
    return exit(kNode);
  } else {
    const Tile yes = Choose<kLevels - 1, 2 * kNode + 1>(tests, bins, exit);
    const Tile no = Choose<kLevels - 1, 2 * kNode + 2>(tests, bins, exit);
    const hn::ScalableTag<std::uint32_t> words;
    const I8 threshold = hn::BitCast(kI8, hn::Set(words, tests[kNode].threshold));
    const std::int8_t* column = bins + tests[kNode].column;
    Tile chosen;
    for (std::size_t i = 0; i < kVectors; ++i) {
      const auto is_yes = hn::Gt(threshold, hn::LoadU(kI8, column + i * kByteLanes));
      chosen.part[i] = hn::IfThenElse(is_yes, yes.part[i], no.part[i]);
    }
    return chosen;
  }
}

HWY_INLINE void StoreTile(const Tile& tile, std::int8_t* to) {
  for (std::size_t i = 0; i < kVectors; ++i) hn::StoreU(tile.part[i], kI8, to + i * kByteLanes);
}

// What is left to do of a program.
struct Cursor {
  const BinTest* tests;
  const std::uint16_t* joined;
  std::int8_t* to;  // the next step
  int leaf = 0;     // the next leaf's number
};

template <int kLevels>
HWY_INLINE void ChooseLeaf(const std::int8_t* bins, Cursor& at) {
  constexpr int kFirst = (1 << kLevels) - 1;
  const Tile tile = Choose<kLevels, 0>(at.tests, bins, [&](int node) {
    Tile same;
    for (I8& part : same.part) part = hn::Set(kI8, static_cast<std::int8_t>(node - kFirst));
    return same;
  });
  const I8 leaf = hn::Set(kI8, static_cast<std::int8_t>(at.leaf));
  for (std::size_t i = 0; i < kVectors; ++i)
    hn::StoreU(hn::Add(tile.part[i], leaf), kI8, at.to + i * kByteLanes);
  at.tests += kFirst;
  at.leaf += 1 << kLevels;
  at.to += kTileRows;
}

template <int kLevels>
HWY_INLINE void Join(const std::int8_t* bins, const std::int8_t* steps, Cursor& at) {
  constexpr int kFirst = (1 << kLevels) - 1;
  const Tile tile = Choose<kLevels, 0>(at.tests, bins, [&](int node) {
    const std::int8_t* from = steps + at.joined[node - kFirst] * kTileRows;
    Tile step;
    for (std::size_t i = 0; i < kVectors; ++i) step.part[i] = hn::LoadU(kI8, from + i * kByteLanes);
    return step;
  });
  StoreTile(tile, at.to);
  at.tests += kFirst;
  at.joined += kFirst + 1;
  at.to += kTileRows;
}

void EvaluateOblivious(const TreeProgram& program, const std::int8_t* bins, std::uint8_t* leaves) {
  const hn::ScalableTag<std::uint32_t> words;
  Tile leaf;
  for (I8& part : leaf.part) part = hn::Zero(kI8);
  I8 bit = hn::Set(kI8, 1);
  for (int level = 0; level < program.oblivious; ++level) {
    const I8 threshold = hn::BitCast(kI8, hn::Set(words, program.tests[level].threshold));
    const std::int8_t* column = bins + program.tests[level].column;
    for (std::size_t i = 0; i < kVectors; ++i) {
      const auto is_yes = hn::Gt(threshold, hn::LoadU(kI8, column + i * kByteLanes));
      leaf.part[i] = hn::Or(leaf.part[i], hn::IfThenElseZero(is_yes, bit));
    }
    bit = hn::Add(bit, bit);
  }
  StoreTile(leaf, reinterpret_cast<std::int8_t*>(leaves));
}

void Evaluate(const TreeProgram& program, const std::uint8_t* bins_u8, std::uint8_t* steps_u8,
              std::uint8_t* leaves) {
  const auto* bins = reinterpret_cast<const std::int8_t*>(bins_u8);
  if (program.oblivious > 0) return EvaluateOblivious(program, bins, leaves);
  auto* const steps = reinterpret_cast<std::int8_t*>(steps_u8);
  Cursor at = {program.tests, program.joined, steps};
  for (int i = 0; i < program.leaves[3]; ++i) ChooseLeaf<3>(bins, at);
  for (int i = 0; i < program.leaves[2]; ++i) ChooseLeaf<2>(bins, at);
  for (int i = 0; i < program.leaves[1]; ++i) ChooseLeaf<1>(bins, at);
  for (int i = 0; i < program.leaves[0]; ++i) ChooseLeaf<0>(bins, at);
  for (int i = 0; i < program.joins; ++i) {
    if (program.levels[i] == 3) {
      Join<3>(bins, steps, at);
    } else if (program.levels[i] == 2) {
      Join<2>(bins, steps, at);
    } else {
      Join<1>(bins, steps, at);
    }
  }
  const std::int8_t* root = at.to - kTileRows;
  for (std::size_t i = 0; i < kTileRows; i += kByteLanes)
    hn::StoreU(hn::LoadU(kI8, root + i), kI8, reinterpret_cast<std::int8_t*>(leaves) + i);
}

template <class T>
void Rank(const BinSearch<T>& search, const T* x, std::size_t stride, std::size_t rows,
          std::int32_t* ranks) {
#if defined(__AVX512BW__)
  constexpr std::size_t kFewRows = 4;
  if (search.heap != nullptr && stride <= BinSearch<T>::kMostStride &&
      (rows > kFewRows || search.depth == 0))
    return RankTile(search, x, stride, rows, ranks);
#endif
  constexpr std::size_t kBlock = BinSearch<T>::kBlock;
  const hn::CappedTag<T, kBlock> tag;
  constexpr std::size_t kWidth = hn::MaxLanes(tag);
  for (std::size_t row = 0; row < rows; ++row) {
    const T value = x[row * stride];
    const auto values = hn::Set(tag, value);
    std::size_t rank = 0;
    for (int level = 0; level < search.depth; ++level) {
      const T* block = search.levels[level] + rank * kBlock;
      rank *= kBlock;
      for (std::size_t i = 0; i < kBlock; i += kWidth)
        rank += hn::CountTrue(tag, hn::Le(hn::LoadU(tag, block + i), values));
    }
    ranks[row] = value == value ? static_cast<std::int32_t>(rank) : -1;
  }
}

void Bin(const std::int32_t* ranks, std::int32_t first, bool missing_is_high, std::uint8_t* bins) {
  const hn::Rebind<std::uint8_t, IntTag> bytes;
  const I32 from = hn::Set(kI32, first);
  // Without its sign the rank of NaN is above all others, and DemoteTo cuts at both ends.
  const I32 kept = hn::Set(kI32, missing_is_high ? 0x7FFFFFFF : -1);
  const auto sign = hn::Set(bytes, kBinSign);
  for (std::size_t i = 0; i < kTileRows; i += kLanes) {
    const I32 rank = hn::And(hn::LoadU(kI32, ranks + i), kept);
    hn::StoreU(hn::Xor(hn::DemoteTo(bytes, hn::Sub(rank, from)), sign), bytes, bins + i);
  }
}

// How many numbers of a block are not above x.
template <class T>
HWY_INLINE std::size_t CountIn(const T* block, T x) {
  constexpr std::size_t kBlock = RowSearch<T>::kBlock;
  const hn::CappedTag<T, kBlock> tag;
  constexpr std::size_t kWidth = hn::MaxLanes(tag);
  const auto values = hn::Set(tag, x);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kBlock; i += kWidth)
    count += hn::CountTrue(tag, hn::Le(hn::LoadU(tag, block + i), values));
  return count;
}

template <class T>
void BinRow(const RowSearch<T>* searches, std::size_t count, const T* x, std::uint8_t* bins) {
  constexpr std::size_t kBlock = RowSearch<T>::kBlock;
#pragma GCC unroll 2
  for (std::size_t i = 0; i < count; ++i) {
    const RowSearch<T>& search = searches[i];
    const T value = x[search.feature];
    const std::size_t full = CountIn(search.blocks, value) * kBlock;
    const std::size_t rank = full + CountIn(search.blocks + kBlock + full, value);  // 0 of NaN
    bins[i] = static_cast<std::uint8_t>(rank | (value == value ? 0 : search.missing));
  }
}

#if !defined(__AVX512BW__)
template <class T>
constexpr std::uint8_t SlotOf(std::size_t row) {
  return static_cast<std::uint8_t>(row);
}
#endif

template <class T>
struct Slots {
  std::uint8_t of[kTileRows] = {};
  constexpr Slots() {
    for (std::size_t row = 0; row < kTileRows; ++row) of[row] = SlotOf<T>(row);
  }
};
template <class T>
constexpr Slots<T> kSlots;

// Scalar loads: eight rows keep as many sums in registers, and gathers are no faster.
template <class T>
void Add(const T* const* values, const std::uint8_t* leaves, std::size_t trees, T* sums) {
  for (std::size_t row = 0; row < kTileRows; row += 8) {
    const std::uint8_t* const slot = kSlots<T>.of + row;
    T s[8];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) s[i] = sums[slot[i]];
    for (std::size_t tree = 0; tree < trees; ++tree) {
      std::uint64_t leaf;  // of all eight: loads are what this loop waits for
      __builtin_memcpy(&leaf, leaves + tree * kTileRows + row, sizeof(leaf));
      const T* const value = values[tree];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < 8; ++i) s[i] += value[leaf >> (8 * i) & 0xFF];
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) sums[slot[i]] = s[i];
  }
}

template <class T>
constexpr Adders<T> MakeAdders() {
  Adders<T> adders = {.add = Add<T>, .slots = kSlots<T>.of};
#if defined(__AVX512BW__)
  adders.add_planes = AddPlanes<T>;
  adders.add_oblivious = AddOblivious<T>;
#endif
  return adders;
}

}  // namespace

const ForestTable kForests = {.evaluate = Evaluate,
                              .rank_f32 = Rank<float>,
                              .rank_f64 = Rank<double>,
                              .searches_heaps = kLanes == 16,
                              .bin = Bin,
                              .bin_row_f32 = BinRow<float>,
                              .bin_row_f64 = BinRow<double>,
                              .f32 = MakeAdders<float>(),
                              .f64 = MakeAdders<double>()};

}  // namespace athanor::kernels::ATH_ISA
