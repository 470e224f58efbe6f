// Arrow's interface with arrays made by hand, broken ones too; those of other libraries are in
// tests/arrow_test.py.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>

#include "api/arrow/column.h"
#include "api/arrow/score.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::arrow {
namespace {

// A table with one batch of these columns. What it hands out lies in it and is not freed.
struct Table {
  struct Part {
    std::string format, name;
    ArrowSchema schema = {};
    ArrowArray array = {};
    std::vector<const void*> buffers;
    std::vector<std::vector<std::uint8_t>> memory;
  };
  std::deque<Part> parts;
  std::vector<ArrowSchema*> schemas;
  std::vector<ArrowArray*> arrays;
  ArrowArray root = {};
  const void* no_validity = nullptr;
  int batches = 1;
  int released = 0;

  template <class T>
  static std::vector<std::uint8_t> Bytes(const std::vector<T>& values) {
    std::vector<std::uint8_t> bytes(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }

  Part& Add(const std::string& name, const std::string& format, std::int64_t length,
            std::vector<std::vector<std::uint8_t>> buffers, std::vector<std::uint8_t> valid = {}) {
    Part& part = parts.emplace_back();
    part.format = format;
    part.name = name;
    part.memory = std::move(buffers);
    part.memory.insert(part.memory.begin(), std::move(valid));
    for (const auto& memory : part.memory)
      part.buffers.push_back(memory.empty() ? nullptr : memory.data());
    part.schema = {.format = part.format.c_str(),
                   .name = part.name.c_str(),
                   .metadata = nullptr,
                   .flags = 2,
                   .n_children = 0,
                   .children = nullptr,
                   .dictionary = nullptr,
                   .release = [](ArrowSchema* s) { s->release = nullptr; },
                   .private_data = nullptr};
    part.array = {.length = length,
                  .null_count = part.memory[0].empty() ? 0 : -1,
                  .offset = 0,
                  .n_buffers = static_cast<std::int64_t>(part.buffers.size()),
                  .n_children = 0,
                  .buffers = part.buffers.data(),
                  .children = nullptr,
                  .dictionary = nullptr,
                  .release = [](ArrowArray* a) { a->release = nullptr; },
                  .private_data = nullptr};
    return part;
  }
  template <class T>
  Part& Numbers(const std::string& name, const std::string& format, const std::vector<T>& values,
                std::vector<std::uint8_t> valid = {}) {
    return Add(name, format, static_cast<std::int64_t>(values.size()), {Bytes(values)},
               std::move(valid));
  }

  Owned<ArrowArrayStream> Stream(std::int64_t rows) {
    for (Part& part : parts) {
      schemas.push_back(&part.schema);
      arrays.push_back(&part.array);
    }
    root = {.length = rows,
            .null_count = 0,
            .offset = 0,
            .n_buffers = 1,
            .n_children = static_cast<std::int64_t>(arrays.size()),
            .buffers = &no_validity,
            .children = arrays.data(),
            .dictionary = nullptr,
            .release =
                [](ArrowArray* a) {
                  ++static_cast<Table*>(a->private_data)->released;
                  a->release = nullptr;
                },
            .private_data = this};
    ArrowArrayStream stream = {
        .get_schema =
            [](ArrowArrayStream* s, ArrowSchema* out) {
              auto& t = *static_cast<Table*>(s->private_data);
              for (Part& part : t.parts)
                part.schema.release = [](ArrowSchema* child) { child->release = nullptr; };
              *out = {.format = "+s",
                      .name = "",
                      .metadata = nullptr,
                      .flags = 0,
                      .n_children = static_cast<std::int64_t>(t.schemas.size()),
                      .children = t.schemas.data(),
                      .dictionary = nullptr,
                      .release = [](ArrowSchema* root) { root->release = nullptr; },
                      .private_data = nullptr};
              return 0;
            },
        .get_next =
            [](ArrowArrayStream* s, ArrowArray* out) {
              auto& t = *static_cast<Table*>(s->private_data);
              if (t.batches-- > 0) *out = t.root;
              return 0;
            },
        .get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; },
        .release = [](ArrowArrayStream* s) { s->release = nullptr; },
        .private_data = this};
    return Owned<ArrowArrayStream>(&stream);
  }
};

std::shared_ptr<Session> SessionOf(const std::string& text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return nullptr;
  Result<std::unique_ptr<Session>> session =
      Session::Create(*std::move(graph), {.device = "reference"});
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return session.ok() ? *std::move(session) : nullptr;
}

constexpr const char* kTwice = "graph g(x: f64[N, 1]) -> (y) { %y = Add(%x, %x) }";

// The first column of answers, as f64; an error as the text that the consumer sees.
struct Answered {
  std::vector<double> values;
  std::int64_t missing = 0;
  std::string error;
};
Answered Twice(Table& table, std::int64_t rows, ScoreOptions options = {}) {
  Result<Owned<ArrowArrayStream>> answers =
      Score(SessionOf(kTwice), std::move(options), table.Stream(rows));
  if (!answers.ok()) return {{}, 0, answers.status().ToString()};
  Answered all;
  for (;;) {
    ArrowArray raw = {};
    if ((*answers)->get_next(answers->get(), &raw) != 0) {
      all.error = (*answers)->get_last_error(answers->get());
      return all;
    }
    const Owned<ArrowArray> batch(&raw);
    if (batch.released()) return all;
    const ArrowArray& column = *batch->children[batch->n_children - 1];
    const auto* cells = static_cast<const double*>(column.buffers[1]);
    all.values.insert(all.values.end(), cells, cells + column.length);
    all.missing += column.null_count;
  }
}

TEST(Arrow, ReadsEveryKindOfNumber) {
  const auto first = [](auto value, const char* format) {
    Table table;
    table.Numbers("x", format, std::vector{value});
    const Answered answered = Twice(table, 1);
    EXPECT_EQ(answered.error, "") << format;
    EXPECT_EQ(table.released, 1);
    return answered.values.empty() ? std::nan("") : answered.values[0];
  };
  EXPECT_EQ(first(std::int8_t{-100}, "c"), -200);
  EXPECT_EQ(first(std::uint8_t{200}, "C"), 400);
  EXPECT_EQ(first(std::int16_t{-30000}, "s"), -60000);
  EXPECT_EQ(first(std::uint16_t{60000}, "S"), 120000);
  EXPECT_EQ(first(std::int32_t{-2000000000}, "i"), -4e9);
  EXPECT_EQ(first(std::uint32_t{4000000000U}, "I"), 8e9);
  EXPECT_EQ(first(std::int64_t{1} << 40, "l"), 0x1p41);
  EXPECT_EQ(first(std::uint64_t{1} << 63, "L"), 0x1p64);
  EXPECT_EQ(first(std::uint16_t{0x3E00}, "e"), 3);  // 1.5 as a half
  EXPECT_EQ(first(0.25F, "f"), 0.5);
  EXPECT_EQ(first(0.1, "g"), 0.2);
  EXPECT_EQ(first(std::uint8_t{1}, "b"), 2);
}

TEST(Arrow, TakesNullAsMissingAndGivesMissingAsNull) {
  Table table;
  table.Numbers("x", "g", std::vector<double>{1, 99, 3}, {0b101});
  const Answered answered = Twice(table, 3);
  ASSERT_EQ(answered.values.size(), 3U) << answered.error;
  EXPECT_EQ(answered.values[0], 2);
  EXPECT_EQ(answered.values[2], 6);
  EXPECT_EQ(answered.missing, 1);
}

TEST(Arrow, FollowsOffsetsOfTheBatchAndOfTheColumn) {
  Table table;
  table.Numbers("x", "g", std::vector<double>{9, 9, 9, 1, 2}).array.length = 4;
  table.parts[0].array.offset = 1;
  Owned<ArrowArrayStream> stream = table.Stream(2);
  table.root.offset = 2;
  Result<Owned<ArrowArrayStream>> answers =
      Score(SessionOf(kTwice), {.keep = {"x"}}, std::move(stream));
  ASSERT_TRUE(answers.ok()) << answers.status().ToString();
  ArrowArray raw = {};
  ASSERT_EQ((*answers)->get_next(answers->get(), &raw), 0);
  const Owned<ArrowArray> batch(&raw);
  ASSERT_EQ(batch->n_children, 2);
  EXPECT_EQ(batch->children[0]->offset, 3);  // kept: where the rows lie now
  EXPECT_EQ(batch->children[0]->length, 2);
  EXPECT_EQ(static_cast<const double*>(batch->children[1]->buffers[1])[1], 4);
}

TEST(Arrow, LooksNumbersUpInADictionary) {
  Table table;
  Table::Part& indices = table.Numbers("x", "c", std::vector<std::int8_t>{1, 0, 1});
  Table values;
  Table::Part& words = values.Numbers("", "i", std::vector<std::int32_t>{10, 20});
  indices.schema.dictionary = &words.schema;
  indices.array.dictionary = &words.array;
  EXPECT_EQ(Twice(table, 3).values, (std::vector<double>{40, 20, 40}));
  for (const std::int8_t bad : {-1, 2}) {
    Table broken;
    Table::Part& wrong = broken.Numbers("x", "c", std::vector<std::int8_t>{0, bad});
    wrong.schema.dictionary = &words.schema;
    wrong.array.dictionary = &words.array;
    EXPECT_NE(Twice(broken, 2).error.find("row 1: the Arrow array is damaged: index"),
              std::string::npos)
        << Twice(broken, 2).error;
  }
}

// The lengths of the texts that a model sees, or why it sees none.
std::string LengthOf(Table& table, std::int64_t rows) {
  const std::string model = "graph g(s: string[N, 1]) -> (y) { %y = StringLength(%s) }";
  Result<Owned<ArrowArrayStream>> answers = Score(SessionOf(model), {}, table.Stream(rows));
  if (!answers.ok()) return answers.status().ToString();
  ArrowArray raw = {};
  if ((*answers)->get_next(answers->get(), &raw) != 0)
    return (*answers)->get_last_error(answers->get());
  const Owned<ArrowArray> batch(&raw);
  std::string text;
  for (std::int64_t i = 0; i < rows; ++i)
    text += fmt::format("{} ", static_cast<const std::int64_t*>(batch->children[0]->buffers[1])[i]);
  return text;
}

std::vector<std::uint8_t> Letters(const std::string& text) { return {text.begin(), text.end()}; }

TEST(Arrow, ReadsTextOfAllForms) {
  Table small;
  small.Add("s", "u", 3, {Table::Bytes<std::int32_t>({0, 1, 1, 4}), Letters("abcd")}, {0b111});
  EXPECT_EQ(LengthOf(small, 3), "1 0 3 ");
  Table large;
  large.Add("s", "U", 2, {Table::Bytes<std::int64_t>({2, 4, 5}), Letters("..abc")});
  EXPECT_EQ(LengthOf(large, 2), "2 1 ");
  // A text of 12 bytes lies in its view, one of 13 in a buffer.
  Table views;
  std::vector<std::uint8_t> cells(32, 'x');
  const std::int32_t heads[2][4] = {{12, 0, 0, 0}, {13, 0, 0, 2}};
  std::memcpy(cells.data(), heads[0], 4);
  std::memcpy(cells.data() + 16, heads[1], 16);
  views.Add("s", "vu", 2, {cells, Letters("..thirteen byte"), Table::Bytes<std::int64_t>({15})});
  EXPECT_EQ(LengthOf(views, 2), "12 13 ");
  // Numbers where the model reads text are what a csv file would hold.
  Table numbers;
  numbers.Numbers("s", "g", std::vector<double>{0.5, -12});
  EXPECT_EQ(LengthOf(numbers, 2), "3 3 ");
}

TEST(Arrow, RefusesTextThatLeadsOutOfItsBuffers) {
  Table falling;
  falling.Add("s", "u", 2, {Table::Bytes<std::int32_t>({0, 4, 1}), Letters("abcd")});
  EXPECT_NE(LengthOf(falling, 2).find("offsets of its texts do not rise"), std::string::npos);
  Table below;
  below.Add("s", "U", 1, {Table::Bytes<std::int64_t>({-8, 4}), Letters("abcd")});
  EXPECT_NE(LengthOf(below, 1).find("offsets of its texts do not rise"), std::string::npos);
  for (const auto& [head, sentence] :
       std::vector<std::pair<std::vector<std::int32_t>, std::string>>{
           {{-1, 0, 0, 0}, "a length below 0"},
           {{13, 0, 1, 0}, "a text in buffer 1 of 1"},
           {{13, 0, -1, 0}, "a text in buffer -1 of 1"},
           {{13, 0, 0, 3}, "behind the end of its buffer"},
           {{13, 0, 0, -3}, "behind the end of its buffer"},
           {{std::numeric_limits<std::int32_t>::max(), 0, 0, 2}, "behind the end of its buffer"}}) {
    Table views;
    views.Add("s", "vu", 1,
              {Table::Bytes(head), Letters("..thirteen byte"), Table::Bytes<std::int64_t>({15})});
    EXPECT_NE(LengthOf(views, 1).find(sentence), std::string::npos) << LengthOf(views, 1);
  }
}

// Which sentence refuses a table after `damage`.
template <class F>
std::string Refusal(F damage) {
  Table table;
  Table::Part& part = table.Numbers("x", "g", std::vector<double>{1, 2});
  damage(table, part);
  return Twice(table, 2).error;
}

TEST(Arrow, ChecksWhatAProducerSaysBeforeItIsFollowed) {
  using Part = Table::Part;
  const auto expect = [](const std::string& error, const std::string& sentence) {
    EXPECT_NE(error.find(sentence), std::string::npos) << error;
  };
  expect(Refusal([](Table&, Part& p) { p.array.length = 1; }), "1 cells for 2 rows");
  expect(Refusal([](Table&, Part& p) { p.array.length = -1; }), "below 0");
  expect(Refusal([](Table&, Part& p) { p.array.offset = -1; }), "below 0");
  expect(
      Refusal([](Table&, Part& p) { p.array.offset = std::numeric_limits<std::int64_t>::max(); }),
      "cannot be counted");
  expect(Refusal([](Table&, Part& p) { p.array.n_buffers = 1; }), "1 buffers, 2 are expected");
  expect(Refusal([](Table&, Part& p) { p.array.buffers = nullptr; }), "buffers are missing");
  expect(Refusal([](Table&, Part& p) { p.buffers[1] = nullptr; }), "its values are missing");
  expect(Refusal([](Table&, Part& p) { p.array.null_count = 1; }), "no buffer says which");
  expect(Refusal([](Table&, Part& p) { p.array.dictionary = &p.array; }), "it has a dictionary");
  expect(Refusal([](Table&, Part& p) { p.array.release = nullptr; }), "a column is missing");
  expect(Refusal([](Table&, Part& p) { p.schema.format = "tdD"; }), "the column is a date");
  expect(Refusal([](Table&, Part& p) { p.schema.format = "?!"; }), "no format of an Arrow column");
  expect(Refusal([](Table&, Part& p) { p.schema.format = nullptr; }), "the schema has no format");
  expect(Refusal([](Table&, Part& p) { p.schema.name = "X"; }), "no column \"x\"");
  expect(Refusal([](Table& t, Part&) {
           t.Numbers("x", "g", std::vector<double>{1, 2});
         }),
         "column \"x\" twice: its columns 1 and 2");
}

TEST(Arrow, NamesTheRowWhoseNumberTheModelCannotTake) {
  const std::string model = "graph g(x: i32[N, 1]) -> (y) { %y = Add(%x, %x) }";
  const auto error = [&](auto value, const char* format, std::vector<std::uint8_t> valid = {}) {
    Table table;
    table.Numbers("x", format, std::vector{decltype(value){1}, value}, std::move(valid));
    const auto answers = Score(SessionOf(model), {}, table.Stream(2));
    return answers.ok() ? std::string() : answers.status().ToString();
  };
  EXPECT_EQ(error(std::int64_t{7}, "l"), "");
  EXPECT_NE(error(std::int64_t{1} << 31, "l").find("column \"x\": row 1: 2147483648 is no i32"),
            std::string::npos)
      << error(std::int64_t{1} << 31, "l");
  EXPECT_NE(error(1.5, "g").find("1.5 is no i32"), std::string::npos);
  EXPECT_NE(error(std::nan(""), "g").find("nan is no i32"), std::string::npos);
  EXPECT_NE(error(1.0, "g", {0b01}).find("the value is missing"), std::string::npos);
}

TEST(Arrow, RefusesAModelWhoseRowsDependOnEachOther) {
  Table table;
  table.Numbers("x", "g", std::vector<double>{1, 2});
  const auto answers =
      Score(SessionOf("graph g(x: f64[N, 1]) -> (y) { %y = Softmax(%x) {axis = 0} }"), {},
            table.Stream(2));
  ASSERT_FALSE(answers.ok());
  EXPECT_NE(answers.status().message().find("a row among others"), std::string::npos)
      << answers.status().ToString();
}

}  // namespace
}  // namespace athanor::arrow
