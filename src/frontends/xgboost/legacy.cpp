#include "frontends/xgboost/legacy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace athanor::xgboost {
namespace {

using tabular::Value;

constexpr std::string_view kMark = "binf";
// Bytes of the structs, all of them in 4-byte words but for one 8-byte field.
constexpr std::size_t kLearnerBytes = 136, kForestBytes = 160, kTreeBytes = 148, kLinearBytes = 136;
constexpr std::size_t kNodeBytes = 20, kStatisticBytes = 16;
constexpr std::size_t kLongestName = 64;
constexpr std::int64_t kMostTrees = 1 << 20;
constexpr std::uint64_t kMostAttributes = 4096;

Value NumberValue(double number) { return {.kind = Value::Kind::kNumber, .number = number}; }
Value NumbersValue(std::vector<double> numbers) {
  return {.kind = Value::Kind::kNumbers, .numbers = std::move(numbers)};
}
Value TextValue(std::string text) {
  return {.kind = Value::Kind::kString, .text = std::move(text)};
}
Value ObjectValue(std::vector<std::pair<std::string, Value>> members) {
  return {.kind = Value::Kind::kObject, .members = std::move(members)};
}

// Little-endian, as every machine that wrote such files.
template <class T>
T ReadAs(std::span<const std::uint8_t> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

class LegacyReader {
 public:
  explicit LegacyReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  Result<LegacyFile> File() {
    if (Rest().size() >= kMark.size() && std::memcmp(Rest().data(), kMark.data(), 4) == 0) at_ += 4;
    ATH_TRY(const auto head, Take(kLearnerBytes));
    ATH_TRY(std::string objective, Name());
    ATH_TRY(std::string booster, Name());
    std::vector<std::pair<std::string, Value>> held = {{"name", TextValue(booster)}};
    if (booster == "gblinear") {
      ATH_TRY(Value model, Linear());
      held.emplace_back("model", std::move(model));
    } else {
      ATH_TRY(Value model, Forest(booster == "dart"));
      // JSON keeps the trees of dart one level deeper.
      if (booster == "dart") {
        Value drop = std::move(model.members.back().second);
        model.members.pop_back();
        held.emplace_back("weight_drop", std::move(drop));
        held.emplace_back("gbtree", ObjectValue({{"model", std::move(model)}}));
      } else {
        held.emplace_back("model", std::move(model));
      }
    }
    Value attributes = ObjectValue({});
    if (Word(head, 3) != 0) {
      ATH_TRY(attributes, Attributes());
    }
    const std::int64_t major = Word(head, 5);
    const std::int64_t targets = major >= 1 ? std::max<std::int64_t>(1, Word(head, 7)) : 1;
    Value param = ObjectValue(
        {{"base_score", TextValue(fmt::format("{}", ReadAs<float>(head, 0)))},
         {"num_feature", NumberValue(static_cast<double>(ReadAs<std::uint32_t>(head, 4)))},
         {"num_class", NumberValue(static_cast<double>(Word(head, 2)))},
         {"num_target", NumberValue(static_cast<double>(targets))}});
    Value learner =
        ObjectValue({{"attributes", std::move(attributes)},
                     {"gradient_booster", ObjectValue(std::move(held))},
                     {"learner_model_param", std::move(param)},
                     {"objective", ObjectValue({{"name", TextValue(std::move(objective))}})}});
    return LegacyFile{ObjectValue({{"learner", std::move(learner)}}), major < 1};
  }

 private:
  std::span<const std::uint8_t> Rest() const { return bytes_.subspan(at_); }

  Status Broken(std::string_view what) const {
    return Error(ErrorCode::kCorruptFile, "the file is broken at byte {}: {}", at_, what);
  }

  Result<std::span<const std::uint8_t>> Take(std::size_t size) {
    if (Rest().size() < size) return Broken("it ends early");
    const auto taken = Rest().first(size);
    at_ += size;
    return taken;
  }
  // `count` items of so many bytes.
  Result<std::span<const std::uint8_t>> TakeItems(std::uint64_t count, std::size_t bytes) {
    if (count > Rest().size() / bytes) return Broken("it ends early");
    return Take(static_cast<std::size_t>(count) * bytes);
  }

  static std::int64_t Word(std::span<const std::uint8_t> bytes, std::size_t index) {
    return ReadAs<std::int32_t>(bytes, 4 * index);
  }

  Result<std::uint64_t> Length() {
    ATH_TRY(const auto bytes, Take(8));
    return ReadAs<std::uint64_t>(bytes, 0);
  }
  Result<std::string> Text() {
    ATH_TRY(const std::uint64_t length, Length());
    ATH_TRY(const auto bytes, TakeItems(length, 1));
    return std::string(bytes.begin(), bytes.end());
  }
  Result<std::string> Name() {
    ATH_TRY(std::string name, Text());
    if (name.size() > kLongestName) return Broken("a name is too long");
    return name;
  }
  Result<Value> Floats(std::uint64_t count) {
    ATH_TRY(const auto bytes, TakeItems(count, 4));
    std::vector<double> numbers;
    for (std::size_t at = 0; at < bytes.size(); at += 4)
      numbers.push_back(static_cast<double>(ReadAs<float>(bytes, at)));
    return NumbersValue(std::move(numbers));
  }

  Result<Value> Linear() {
    ATH_TRY([[maybe_unused]] const auto reserved, Take(kLinearBytes));
    ATH_TRY(const std::uint64_t count, Length());
    ATH_TRY(Value weights, Floats(count));
    return ObjectValue({{"weights", std::move(weights)}});
  }

  // `dart`: the last member is what each tree counts.
  Result<Value> Forest(bool dart) {
    ATH_TRY(const auto head, Take(kForestBytes));
    const std::int64_t count = Word(head, 0);
    if (count < 0 || count > kMostTrees) return Broken("the number of trees is impossible");
    Value trees = {.kind = Value::Kind::kArray};
    for (std::int64_t i = 0; i < count; ++i) {
      Result<Value> tree = Tree();
      if (!tree.ok()) return std::move(tree).status().In(fmt::format("tree {}", i));
      trees.items.push_back(*std::move(tree));
    }
    ATH_TRY(const auto groups, TakeItems(static_cast<std::uint64_t>(count), 4));
    std::vector<double> info;
    for (std::int64_t i = 0; i < count; ++i)
      info.push_back(static_cast<double>(Word(groups, static_cast<std::size_t>(i))));
    Value param =
        ObjectValue({{"num_parallel_tree",
                      NumberValue(static_cast<double>(std::max<std::int64_t>(1, Word(head, 1))))}});
    Value model = ObjectValue({{"gbtree_model_param", std::move(param)},
                               {"tree_info", NumbersValue(std::move(info))},
                               {"trees", std::move(trees)}});
    if (!dart) return model;
    Value drop = NumbersValue({});
    if (count > 0) {
      ATH_TRY(const std::uint64_t weights, Length());
      ATH_TRY(drop, Floats(weights));
    }
    model.members.emplace_back("weight_drop", std::move(drop));
    return model;
  }

  Result<Value> Tree() {
    ATH_TRY(const auto head, Take(kTreeBytes));
    const std::int64_t count = Word(head, 1), leaf_size = Word(head, 5);
    if (count < 1) return Broken("a tree has no nodes");
    ATH_TRY(const auto nodes, TakeItems(static_cast<std::uint64_t>(count), kNodeBytes));
    ATH_TRY([[maybe_unused]] const auto statistics,
            TakeItems(static_cast<std::uint64_t>(count), kStatisticBytes));
    std::array<std::vector<double>, 5> lists;  // left, right, feature, condition, default left
    for (std::size_t at = 0; at < nodes.size(); at += kNodeBytes) {
      const auto node = nodes.subspan(at, kNodeBytes);
      const auto index = ReadAs<std::uint32_t>(node, 12);
      lists[0].push_back(static_cast<double>(Word(node, 1)));
      lists[1].push_back(static_cast<double>(Word(node, 2)));
      lists[2].push_back(static_cast<double>(index & 0x7FFFFFFFU));
      lists[3].push_back(static_cast<double>(ReadAs<float>(node, 16)));
      lists[4].push_back(static_cast<double>(index >> 31));
    }
    Value param = ObjectValue({{"size_leaf_vector", NumberValue(static_cast<double>(leaf_size))}});
    return ObjectValue({{"tree_param", std::move(param)},
                        {"left_children", NumbersValue(std::move(lists[0]))},
                        {"right_children", NumbersValue(std::move(lists[1]))},
                        {"split_indices", NumbersValue(std::move(lists[2]))},
                        {"split_conditions", NumbersValue(std::move(lists[3]))},
                        {"default_left", NumbersValue(std::move(lists[4]))}});
  }

  Result<Value> Attributes() {
    ATH_TRY(const std::uint64_t count, Length());
    if (count > kMostAttributes) return Broken("there are too many attributes");
    Value attributes = ObjectValue({});
    for (std::uint64_t i = 0; i < count; ++i) {
      ATH_TRY(std::string key, Text());
      ATH_TRY(std::string value, Text());
      attributes.members.emplace_back(std::move(key), TextValue(std::move(value)));
    }
    return attributes;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

// Older files have no mark: the name of an objective and that of a booster lie where they should.
bool IsLegacy(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kMark)) return true;
  if (text.size() < kLearnerBytes + 16) return false;
  const auto length = ReadAs<std::uint64_t>(bytes, kLearnerBytes);
  if (length > kLongestName || text.size() - kLearnerBytes - 16 < length) return false;
  const std::string_view rest = text.substr(kLearnerBytes + 16 + length, 8);
  return rest.starts_with("gbtree") || rest.starts_with("gblinear") || rest.starts_with("dart");
}

Result<LegacyFile> ReadLegacy(std::span<const std::uint8_t> bytes) {
  return LegacyReader(bytes).File();
}

}  // namespace athanor::xgboost
