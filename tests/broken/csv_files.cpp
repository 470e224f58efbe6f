#include "corpus.h"
#include "io/csv.h"

namespace athanor::broken {
namespace {

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

std::string Repeat(std::string_view text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

Status Read(const std::string& path) { return io::ReadCsvMatrix(path).status(); }

}  // namespace

Family CsvFamily() {
  Family family = {"csv", {}, {}, Read};
  family.good = {
      {"commas", Bytes("a,b,c\n1,2,3\n4,5.5,-6e3\n")},
      {"semicolons", Bytes("1;2\r\n3;4\r\n")},
      {"tabs_and_missing", Bytes("x\ty\n1\t\nNA\t2\n")},
      {"quotes", Bytes("\"a, b\",\"say \"\"c\"\"\"\n\"1\",2\n")},
      {"mark", Bytes("\xEF\xBB\xBFx,y\n1,2")},
  };
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  const std::vector<File> mistakes = {
      {"empty", {}, false},
      {"only_a_mark", Bytes("\xEF\xBB\xBF"), false},
      {"only_line_ends", Bytes(Repeat("\r\n", 100'000)), false},
      {"zeros", std::vector<std::uint8_t>(100'000, 0), false},
      {"ragged", Bytes("a,b\n1,2\n3\n"), true},
      {"wider", Bytes("a,b\n1,2,3\n"), true},
      {"words", Bytes("a,b\n1,2\nthree,4\n"), true},
      {"open_quote", Bytes("a,b\n1,\"2\n"), true},
      {"open_quote_in_header", Bytes("a,\"b\n1,2\n"), true},
      {"text_after_quote", Bytes("a,b\n\"1\"x,2\n"), true},
      {"open_quote_long", Bytes("a\n\"" + std::string(std::size_t{17} << 20, 'x')), true},
      {"row_long", Bytes("a\n" + std::string(std::size_t{17} << 20, '1') + "\n"), true},
      {"columns_many", Bytes("1" + Repeat(",1", 1'100'000) + "\n"), true},
      {"number_huge", Bytes("a\n1e999999999\n"), false},
      {"number_long", Bytes("a\n" + std::string(1'000'000, '9') + "\n"), false},
      {"quotes_only", Bytes("a\n" + std::string(999'999, '"') + "\n"), true},
      {"picture", Bytes("\x89PNG\r\n\x1A\n,,,\n1,2,3"), true},
  };
  family.bad.insert(family.bad.end(), mistakes.begin(), mistakes.end());
  return family;
}

}  // namespace athanor::broken
