// .cbm: "CBM1", the size of a flatbuffer, the flatbuffer, and behind it the parts that it names.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/text.h"
#include "frontends/catboost/catboost_generated.h"
#include "frontends/catboost/information.h"
#include "frontends/flatbuffer.h"

namespace athanor::catboost {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::string_view kMagic = "CBM1";
constexpr int kMaxDepth = 16;  // of tables within tables

template <class T>
T Load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// The bytes of the file, one part after the other.
class Parts {
 public:
  explicit Parts(Bytes bytes) : bytes_(bytes) {}

  Result<Bytes> Take(std::uint64_t count) {
    if (count > bytes_.size())
      return Error(ErrorCode::kCorruptFile, "the file ends early: {} bytes are left of {}",
                   bytes_.size(), count);
    const Bytes taken = bytes_.first(static_cast<std::size_t>(count));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  // Four bytes, or eight behind four of 255.
  Result<std::uint64_t> TakeSize() {
    ATH_TRY(const Bytes four, Take(4));
    const auto size = Load<std::uint32_t>(four.data());
    if (size != 0xFFFFFFFF) return std::uint64_t{size};
    ATH_TRY(const Bytes eight, Take(8));
    return Load<std::uint64_t>(eight.data());
  }
  // A flatbuffer with its size before it, as a copy: it may lie anywhere in the file.
  template <class T>
  Result<std::vector<std::uint8_t>> TakeBuffer() {
    ATH_TRY(const std::uint64_t size, TakeSize());
    ATH_TRY(const Bytes taken, Take(size));
    std::vector<std::uint8_t> copy(taken.begin(), taken.end());
    // The smallest table takes 8 bytes: more visits than that come from sharing.
    const auto most_tables = static_cast<flatbuffers::uoffset_t>(copy.size() / 4 + 64);
    flatbuffers::Verifier verifier(copy.data(), copy.size(), kMaxDepth, most_tables);
    if (copy.empty() || !verifier.VerifyBuffer<T>(nullptr))
      return Error(ErrorCode::kCorruptFile,
                   "the file is not a valid flatbuffer: truncated or damaged");
    return copy;
  }

 private:
  Bytes bytes_;
};

// Lists may be shared in a hostile file: what is copied of them in all is bounded by its size.
class Reader {
 public:
  explicit Reader(std::size_t file_bytes) : left_(4 * file_bytes + (1U << 16)) {}

  Status Core(const schema::Core& core, Model& model) {
    if (TextOf(core.format()) != "FlabuffersModel_v1")
      return Unsupported("model format {} is not read; FlabuffersModel_v1 is",
                         Quote(TextOf(core.format())));
    if (core.trees() == nullptr) return InvalidModel("there are no trees");
    const schema::Trees& trees = *core.trees();
    ATH_RETURN_IF_ERROR(RefuseOtherColumns(trees));
    ATH_RETURN_IF_ERROR(Columns(trees, model));
    ATH_RETURN_IF_ERROR(StatisticFeatures(trees, model));
    ATH_RETURN_IF_ERROR(AllTrees(trees, model));
    model.scale = trees.scale();
    ATH_TRY(model.bias, List<double>(trees.biases()));
    if (model.bias.empty() && trees.bias() != 0) model.bias = {trees.bias()};
    tabular::Value information = {.kind = tabular::Value::Kind::kObject};
    for (std::size_t i = 0; i < SizeOf(core.notes()); ++i) {
      const schema::Note& note = *At(core.notes(), i);
      ATH_TRY(std::string key, Text(note.key()));
      ATH_TRY(std::string value, Text(note.value()));
      information.members.emplace_back(
          std::move(key),
          tabular::Value{.kind = tabular::Value::Kind::kString, .text = std::move(value)});
    }
    return ReadInformation(information, model);
  }

  Result<StatisticTable> Table(const schema::StatisticTable& from) {
    StatisticTable table;
    ATH_RETURN_IF_ERROR(ReadCounted(from.counted(), table.counted));
    table.denominator = from.denominator();
    const Statistic statistic = table.counted.statistic;
    const bool mean =
        statistic == Statistic::kBinarizedTargetMean || statistic == Statistic::kFloatTargetMean;
    const bool share = IsShareOfRows(statistic);
    if (from.classes() < 0 || from.classes() > (1 << 16))
      return InvalidModel("statistics of {} classes", from.classes());
    table.width = mean ? 2 : share ? 1 : static_cast<std::size_t>(from.classes());
    ATH_RETURN_IF_ERROR(Entries(from, mean, table));
    return table;
  }

 private:
  template <class T>
  static const T* At(const flatbuffers::Vector<flatbuffers::Offset<T>>* list, std::size_t at) {
    return list->Get(static_cast<flatbuffers::uoffset_t>(at));
  }

  Status Charge(std::size_t count) {
    if (count > left_)
      return Error(ErrorCode::kCorruptFile, "its lists name more entries than the file has bytes");
    left_ -= count;
    return {};
  }
  template <class To, class T>
  Result<std::vector<To>> List(const flatbuffers::Vector<T>* items) {
    ATH_RETURN_IF_ERROR(Charge(SizeOf(items)));
    return ListOf<To>(items);
  }
  Result<std::string> Text(const flatbuffers::String* text) {
    ATH_RETURN_IF_ERROR(Charge(SizeOf(text)));
    return TextOf(text);
  }

  static Status RefuseOtherColumns(const schema::Trees& trees) {
    if (SizeOf(trees.estimated_features()) == 0) return {};
    return Unsupported(
               "text and embedding features are not implemented; numbers and categories are")
        .Fix("train without them, or compute columns of numbers from them first");
  }

  Status Columns(const schema::Trees& trees, Model& model) {
    for (std::size_t i = 0; i < SizeOf(trees.float_features()); ++i) {
      const schema::FloatFeature& from = *At(trees.float_features(), i);
      FloatFeature feature = {.index = from.index(), .flat_index = from.flat_index()};
      ATH_TRY(feature.name, Text(from.name()));
      ATH_TRY(feature.borders, List<float>(from.borders()));
      feature.missing_is_largest = from.has_missing() && from.missing() == schema::Missing_LARGEST;
      model.float_features.push_back(std::move(feature));
    }
    for (std::size_t i = 0; i < SizeOf(trees.category_features()); ++i) {
      const schema::CategoryFeature& from = *At(trees.category_features(), i);
      CategoryFeature feature = {.index = from.index(), .flat_index = from.flat_index()};
      ATH_TRY(feature.name, Text(from.name()));
      model.category_features.push_back(std::move(feature));
    }
    for (std::size_t i = 0; i < SizeOf(trees.one_hot_features()); ++i) {
      const schema::OneHotFeature& from = *At(trees.one_hot_features(), i);
      OneHotFeature feature = {.category = from.category()};
      ATH_TRY(feature.values, List<std::int32_t>(from.values()));
      model.one_hot_features.push_back(std::move(feature));
    }
    return {};
  }

  Status ReadCounted(const schema::Counted* from, Counted& counted) {
    if (from == nullptr || from->combination() == nullptr)
      return InvalidModel("a statistic is of nothing");
    if (from->statistic() < 0 || from->statistic() >= kStatistics)
      return Unsupported("statistic {} is not known", from->statistic());
    counted.statistic = static_cast<Statistic>(from->statistic());
    counted.target = from->target();
    Combination& combination = counted.combination;
    const schema::Combination& of = *from->combination();
    ATH_RETURN_IF_ERROR(Charge(SizeOf(of.float_splits()) + SizeOf(of.equal_splits())));
    ATH_TRY(combination.categories, List<std::int64_t>(of.categories()));
    for (std::size_t i = 0; i < SizeOf(of.float_splits()); ++i) {
      const auto* split = of.float_splits()->Get(static_cast<flatbuffers::uoffset_t>(i));
      combination.float_splits.push_back({split->feature(), split->border()});
    }
    for (std::size_t i = 0; i < SizeOf(of.equal_splits()); ++i) {
      const auto* split = of.equal_splits()->Get(static_cast<flatbuffers::uoffset_t>(i));
      combination.equal_splits.push_back({split->category(), split->value()});
    }
    return {};
  }

  Status StatisticFeatures(const schema::Trees& trees, Model& model) {
    for (std::size_t i = 0; i < SizeOf(trees.statistic_features()); ++i) {
      const schema::StatisticFeature& from = *At(trees.statistic_features(), i);
      if (from.statistic() == nullptr) return InvalidModel("statistic feature {} is of nothing", i);
      const schema::Statistic& of = *from.statistic();
      StatisticFeature feature = {.target_border = of.target_border(),
                                  .prior = of.prior(),
                                  .prior_denominator = of.prior_denominator(),
                                  .shift = of.shift(),
                                  .scale = of.scale()};
      ATH_RETURN_IF_ERROR(ReadCounted(of.counted(), feature.counted));
      ATH_TRY(feature.borders, List<float>(from.borders()));
      model.statistic_features.push_back(std::move(feature));
    }
    return {};
  }

  Status AllTrees(const schema::Trees& trees, Model& model) {
    model.dimension = trees.dimension();
    if (model.dimension < 1) return InvalidModel("a leaf has {} values", model.dimension);
    ATH_TRY(const std::vector<std::int64_t> splits, List<std::int64_t>(trees.splits()));
    ATH_TRY(const std::vector<std::int64_t> sizes, List<std::int64_t>(trees.sizes()));
    ATH_TRY(const std::vector<std::int64_t> starts, List<std::int64_t>(trees.starts()));
    ATH_TRY(const std::vector<double> leaves, List<double>(trees.leaves()));
    const bool levels = SizeOf(trees.steps()) == 0;
    std::size_t split = 0, leaf = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const auto size = static_cast<std::uint64_t>(sizes[i]);
      if (size > splits.size() - split)
        return InvalidModel("tree {} has {} splits; {} are left", i, sizes[i],
                            splits.size() - split);
      if (i < starts.size() && static_cast<std::size_t>(starts[i]) != split)
        return InvalidModel("tree {} begins at split {}; {} is expected", i, starts[i], split);
      const std::span<const std::int64_t> own(splits.data() + split, size);
      Tree tree;
      Status status = levels ? Levels(own, leaves, model.dimension, leaf, tree)
                             : Nodes(own, trees, split, leaves, model.dimension, tree);
      if (!status.ok()) return std::move(status).In(fmt::format("tree {}", i));
      model.trees.push_back(std::move(tree));
      split += size;
    }
    return {};
  }

  static Status Levels(std::span<const std::int64_t> splits, const std::vector<double>& leaves,
                       std::int64_t dimension, std::size_t& leaf, Tree& tree) {
    const auto left = static_cast<std::int64_t>(leaves.size() - leaf);
    if (splits.size() > 30 || (left / dimension) >> splits.size() == 0)
      return InvalidModel("{} levels with {} values per leaf; {} values are left", splits.size(),
                          dimension, left);
    const auto count = static_cast<std::size_t>(dimension) << splits.size();
    tree.level_splits.assign(splits.begin(), splits.end());
    const auto from = leaves.begin() + static_cast<std::ptrdiff_t>(leaf);
    tree.leaves.assign(from, from + static_cast<std::ptrdiff_t>(count));
    leaf += count;
    return {};
  }

  // Nodes `first` and on: how far on its children are, 0 where the node's own leaf is meant.
  Status Nodes(std::span<const std::int64_t> splits, const schema::Trees& trees, std::size_t first,
               const std::vector<double>& leaves, std::int64_t dimension, Tree& tree) {
    if (SizeOf(trees.steps()) < first + splits.size() ||
        SizeOf(trees.leaf_of_node()) < first + splits.size())
      return InvalidModel("the lists of the nodes differ in length");
    if (splits.empty()) return InvalidModel("it has no node");
    for (std::size_t i = 0; i < splits.size(); ++i) {
      const auto at = static_cast<flatbuffers::uoffset_t>(first + i);
      const auto* step = trees.steps()->Get(at);
      Tree::Node node = {.split = splits[i]};
      for (const bool right : {false, true}) {
        const std::size_t skip = right ? step->right() : step->left();
        if (skip == 0) continue;
        if (skip >= splits.size() - i)
          return InvalidModel("node {} has a child beyond its tree", i);
        (right ? node.right : node.left) = static_cast<std::int64_t>(i + skip);
      }
      if (node.left < 0 || node.right < 0) {
        const std::size_t value = trees.leaf_of_node()->Get(at);
        if (value > leaves.size() || leaves.size() - value < static_cast<std::size_t>(dimension))
          return InvalidModel("node {} has no leaf", i);
        ATH_RETURN_IF_ERROR(Charge(static_cast<std::size_t>(dimension)));
        node.leaf = static_cast<std::int64_t>(tree.leaves.size()) / dimension;
        const auto from = leaves.begin() + static_cast<std::ptrdiff_t>(value);
        tree.leaves.insert(tree.leaves.end(), from, from + static_cast<std::ptrdiff_t>(dimension));
      }
      tree.nodes.push_back(node);
    }
    return {};
  }

  // The index has places of 12 bytes, a hash and where its counts are; a hash of all ones: empty.
  Status Entries(const schema::StatisticTable& from, bool mean, StatisticTable& table) {
    constexpr std::size_t kPlace = 12;
    const std::size_t places = SizeOf(from.index()) / kPlace;
    const std::size_t entry = 4 * table.width;
    for (std::size_t i = 0; i < places; ++i) {
      const std::uint8_t* place = from.index()->Data() + i * kPlace;
      const auto hash = Load<std::uint64_t>(place);
      const std::size_t at = Load<std::uint32_t>(place + 8);
      if (hash == ~std::uint64_t{0}) continue;
      if (entry == 0 || at >= SizeOf(from.counts()) / entry)
        return InvalidModel("entry {} of a statistic has no counts", at);
      ATH_RETURN_IF_ERROR(Charge(table.width));
      table.hashes.push_back(hash);
      const std::uint8_t* counts = from.counts()->Data() + at * entry;
      for (std::size_t k = 0; k < table.width; ++k) {
        const std::uint8_t* count = counts + 4 * k;
        // Of a mean the first number is the sum.
        table.counts.push_back(mean && k == 0 ? static_cast<double>(Load<float>(count))
                                              : static_cast<double>(Load<std::int32_t>(count)));
      }
    }
    return {};
  }

  std::size_t left_;
};

}  // namespace

bool IsBinary(Bytes bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), 4) == 0;
}

Result<Model> ReadBinary(Bytes bytes) {
  Parts parts(bytes.subspan(std::min(bytes.size(), kMagic.size())));
  Reader reader(bytes.size());
  Model model;
  ATH_TRY(const std::vector<std::uint8_t> buffer, parts.TakeBuffer<schema::Core>());
  const schema::Core& core = *flatbuffers::GetRoot<schema::Core>(buffer.data());
  ATH_RETURN_IF_ERROR(reader.Core(core, model));
  for (std::size_t i = 0; i < SizeOf(core.parts()); ++i) {
    const std::string name = TextOf(core.parts()->Get(static_cast<flatbuffers::uoffset_t>(i)));
    if (name != "static_provider_v1") return Unsupported("part {} is not read", Quote(name));
    ATH_TRY(const std::uint64_t count, parts.TakeSize());
    for (std::uint64_t k = 0; k < count; ++k) {
      ATH_TRY(const std::vector<std::uint8_t> table, parts.TakeBuffer<schema::StatisticTable>());
      ATH_TRY(StatisticTable read,
              reader.Table(*flatbuffers::GetRoot<schema::StatisticTable>(table.data())));
      model.tables.push_back(std::move(read));
    }
  }
  return model;
}

}  // namespace athanor::catboost
