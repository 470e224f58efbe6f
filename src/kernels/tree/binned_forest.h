// A forest made ready for forest_table.h: columns of bins, and a program for each tree.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/tree/forest_table.h"
#include "kernels/tree/walked_forest.h"

namespace athanor::kernels {

// Bytes of bins that lie in a tile for one feature: its thresholds from `first` on, at most 255.
struct BinColumn {
  std::int32_t first = 0;
  bool missing_is_high = false;
};

// All columns of a feature that trees compare with "<". They lie one behind the other.
template <class T>
struct BinnedFeature {
  std::size_t feature = 0;
  std::size_t first_column = 0;  // in the tile
  std::vector<BinColumn> columns = {};
  BinSearch<T> search = {};
  // What it points into.
  struct alignas(64) Register {
    float numbers[16] = {};
  };
  std::vector<T> blocks = {};
  std::vector<Register> heap = {};
};

// What cannot be asked with "<": a column of its own, lowest bin for yes and highest for no.
template <class T>
struct AskedColumn {
  Node<T> node;
  Question<T> question;
};

// Trees whose values can be added at once: programs [begin, end) of one target; or one tree.
struct TreeRun {
  static constexpr int kMixed = -1;  // its leaves belong to several targets
  // How values are added: from memory, or from planes (forest_table.h).
  enum class Form : std::uint8_t { kValues, kPlanes, kOblivious };
  std::int32_t begin = 0, end = 0;
  std::int32_t target = 0;
  Form form = Form::kValues;
  std::int32_t walked = -1;  // a tree of too many leaves: its place in WalkedForest::trees
};

template <class T>
struct BinnedForest {
  static constexpr std::size_t kMostLeaves = 256;

  WalkedForest<T> walked;
  std::vector<BinnedFeature<T>> features;
  std::vector<AskedColumn<T>> asked;
  std::size_t columns = 0;  // of a tile; those of `asked` are the last
  std::vector<TreeProgram> programs;
  std::vector<const T*> values;              // of each program's leaves, in their order
  std::vector<LeafPlanes<T>> planes;         // of each program, where a run uses them
  std::vector<const std::int32_t*> targets;  // the same; used where a run is mixed
  std::vector<TreeRun> runs;
  std::size_t most_steps = 1;

  // What the pointers above point into.
  std::vector<BinTest> tests;
  std::vector<std::uint8_t> levels;
  std::vector<std::uint16_t> joined;
  std::vector<T> leaf_values;
  std::vector<std::int32_t> leaf_targets;
};

// The columns alone, and what each inner node asks of them (nothing where it has one way only).
template <class T>
struct ForestColumns {
  std::vector<BinnedFeature<T>> features;
  std::vector<AskedColumn<T>> asked;
  std::size_t columns = 0;
  std::vector<BinTest> tests;
};
template <class T>
ForestColumns<T> ColumnsOf(const WalkedForest<T>& walked);
// How many there are.
template <class T>
std::size_t CountColumns(const WalkedForest<T>& walked);

// Shared and immutable, because it points into itself. `planes`: values may be added from them.
template <class T>
std::shared_ptr<const BinnedForest<T>> BinForest(const ops::Forest& forest, bool planes);

extern template ForestColumns<float> ColumnsOf(const WalkedForest<float>&);
extern template ForestColumns<double> ColumnsOf(const WalkedForest<double>&);
extern template std::size_t CountColumns(const WalkedForest<float>&);
extern template std::size_t CountColumns(const WalkedForest<double>&);
extern template std::shared_ptr<const BinnedForest<float>> BinForest(const ops::Forest&, bool);
extern template std::shared_ptr<const BinnedForest<double>> BinForest(const ops::Forest&, bool);

}  // namespace athanor::kernels
