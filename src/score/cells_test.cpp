#include "score/cells.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace athanor::score {
namespace {

// In the form that read_numbers promises to take.
bool IsShort(std::string_view text) {
  if (text.size() > kMostCellLength) return false;
  if (text.starts_with('-')) text.remove_prefix(1);
  std::size_t points = 0, digits = 0;
  for (const char c : text) {
    if (c == '.') {
      ++points;
    } else if (c >= '0' && c <= '9') {
      ++digits;
    } else {
      return false;
    }
  }
  return points <= 1 && digits > 0;
}

class Tile {
 public:
  explicit Tile(std::size_t most) : text_(kCellBytes * most), stops_(most + kCellRound) {}

  // What follows the cell is noise.
  void Add(const std::string& cell, std::mt19937& random) {
    const std::string noise = "0123456789.-,\n e";
    const std::size_t begin = kCellBytes * behind_.size();
    for (std::size_t i = 0; i < kCellBytes; ++i)
      text_[begin + i] = i < cell.size() ? cell[i] : noise[random() % noise.size()];
    stops_[behind_.size()] = StopOf(cell.size());
    behind_.push_back(static_cast<std::uint32_t>(begin) - 1);
  }
  CellTile tile() const {
    return {.text = text_.data(),
            .behind = behind_.data(),
            .stops = stops_.data(),
            .count = behind_.size()};
  }

 private:
  std::vector<char> text_;
  std::vector<std::uint32_t> behind_;
  std::vector<std::uint16_t> stops_;
};

// Reads the cells on every instruction set; counts those that are not as strtod has them.
std::size_t Differences(const std::vector<std::string>& cells, std::mt19937& random) {
  Tile tile(cells.size());
  for (const std::string& cell : cells) tile.Add(cell, random);
  const std::size_t room = cells.size() + kCellRound;
  std::vector<double> f64(room), or_nan(room);
  std::vector<float> f32(room);
  std::vector<std::uint16_t> unread(room), others(room);
  std::size_t wrong = 0;
  for (const Isa isa : AvailableIsas()) {
    const CellReader reader = CellReaderFor(isa);
    CellNumbers numbers = {.f64 = f64.data(), .f32 = nullptr, .unread = unread.data()};
    reader.read_numbers(tile.tile(), numbers);
    const std::size_t num_unread = numbers.num_unread;
    numbers.f32 = f32.data();
    reader.read_numbers(tile.tile(), numbers);
    wrong += numbers.num_unread == num_unread ? 0U : 1U;
    CellTile with_empty = tile.tile();
    with_empty.empty_is_nan = true;
    CellNumbers with_nan = {.f64 = or_nan.data(), .f32 = nullptr, .unread = others.data()};
    reader.read_numbers(with_empty, with_nan);
    std::size_t next = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const bool read = next == num_unread || unread[next] != i;
      if (!read) ++next;
      bool good = read == IsShort(cells[i]);
      if (good && read) {
        const double expected = std::strtod(cells[i].c_str(), nullptr);
        const auto narrow = static_cast<float>(expected);
        good = std::memcmp(&expected, &f64[i], sizeof(double)) == 0 &&
               std::memcmp(&narrow, &f32[i], sizeof(float)) == 0;
      }
      if (good && cells[i].size() <= kMostCellLength)
        good = cells[i].empty() ? std::isnan(or_nan[i]) : !read || or_nan[i] == f64[i];
      if (!good && ++wrong < 10)
        ADD_FAILURE() << Name(isa) << " \"" << cells[i] << "\": " << f64[i];
    }
  }
  return wrong;
}

std::string RandomNumber(std::mt19937& random) {
  std::string text;
  if (random() % 3 == 0) text += '-';
  const std::size_t digits = 1 + random() % 14, point = random() % (digits + 2);
  for (std::size_t i = 0; i < digits; ++i) {
    if (i == point) text += '.';
    const unsigned kind = random() % 8;
    text += kind == 0 ? '0' : kind == 1 ? '9' : static_cast<char>('0' + random() % 10);
  }
  return text;
}

TEST(CellsTest, ReadsShortNumbersAsStrtodDoes) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same numbers every time
  std::size_t wrong = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < 1000 + random() % 9; ++i) cells.push_back(RandomNumber(random));
    wrong += Differences(cells, random);
  }
  EXPECT_EQ(wrong, 0U);
}

TEST(CellsTest, LeavesOtherTextsUnread) {
  std::mt19937 random(2);  // NOLINT(cert-msc51-cpp)
  const std::string letters = "0123456789.-+eE ,NaninfTRU\r\t\0\x80\xFF/:";
  std::size_t wrong = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> cells = {"",
                                      "-",
                                      ".",
                                      "-.",
                                      "1-",
                                      "1.2.3",
                                      "--1",
                                      "0",
                                      "-0",
                                      "-0.",
                                      ".5",
                                      "999999999999999",
                                      "-99999999999999",
                                      "0.0000000000001",
                                      "1234567890123456",
                                      "00000000000000.1"};
    for (std::size_t i = 0; i < 500; ++i) {
      std::string cell = RandomNumber(random);
      const std::size_t changes = random() % 3;
      for (std::size_t k = 0; k < changes; ++k)
        cell.insert(random() % (cell.size() + 1), 1, letters[random() % letters.size()]);
      cells.push_back(cell);
    }
    wrong += Differences(cells, random);
  }
  EXPECT_EQ(wrong, 0U);
}

TEST(CellsTest, FindsEveryMark) {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp)
  const auto marks = std::make_unique<Marks>();
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = round == 0 ? kMostPiece : random() % (round < 200 ? 200 : 5000);
    const std::string letters = round % 3 == 0 ? ",\n\"" : "0123456789.,,\n\"\r;\xAC";
    std::string text(size + kReadBehind, ',');  // marks behind the end do not count
    for (std::size_t i = 0; i < size; ++i) text[i] = letters[random() % letters.size()];
    std::vector<std::uint32_t> ends = {~0U}, lines, quotes;
    for (std::uint32_t i = 0; i < size; ++i) {
      if (text[i] == '\n') lines.push_back(static_cast<std::uint32_t>(ends.size() - 1));
      if (text[i] == '\n' || text[i] == ',') ends.push_back(i);
      if (text[i] == '"') quotes.push_back(i);
    }
    for (const Isa isa : AvailableIsas()) {
      const CellReader reader = CellReaderFor(isa);
      reader.find_marks(text.data(), size, ',', *marks);
      const Marks& m = *marks;
      EXPECT_EQ(std::vector(m.ends, m.ends + m.num_cells + 1), ends) << Name(isa);
      EXPECT_EQ(std::vector(m.lines, m.lines + m.num_lines), lines) << Name(isa);
      EXPECT_EQ(std::vector(m.quotes, m.quotes + m.num_quotes), quotes) << Name(isa);
      EXPECT_EQ(reader.count_lines(text.data(), size), lines.size()) << Name(isa);
    }
  }
}

}  // namespace
}  // namespace athanor::score
