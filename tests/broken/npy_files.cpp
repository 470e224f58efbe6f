#include <zip.h>

#include "corpus.h"
#include "io/npy.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes Npy(std::string_view header, std::size_t data_bytes = 0, std::uint8_t version = 1) {
  Bytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  for (std::size_t i = 0; i < length_bytes; ++i)
    bytes.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data_bytes, 1);
  return bytes;
}

Bytes Array(std::string_view descr, std::string_view shape, std::size_t data_bytes = 0,
            std::string_view fortran = "False") {
  return Npy(
      fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr, fortran, shape),
      data_bytes);
}

std::vector<std::pair<std::string, Tensor>> GoodTensors() {
  return {
      {"floats", Tensor::FromVector<float>({2, 3}, {1, -2, 3.5F, 4, 5, 6})},
      {"longs", Tensor::FromVector<std::int64_t>({4}, {1, 2, 3, 4})},
      {"flags", Tensor::FromVector<bool>({3}, {true, false, true})},
      {"number", Tensor::FromVector<double>({}, {0.5})},
      {"nothing", Tensor::FromVector<std::uint8_t>({0, 4}, {})},
      {"words", Tensor::FromVector<std::string>({2}, {"plain", "\xC3\xA9t\xC3\xA9"})},
  };
}

std::vector<File> WrongArrays() {
  constexpr std::string_view kShort = "{'descr': '<f4', 'fortran_order': False, ";
  const std::string nested = std::string(kShort) + "'shape': " + std::string(60'000, '(');
  std::string many = std::string(kShort) + "'shape': (";
  for (int i = 0; i < 1000; ++i) many += "1, ";
  Bytes wrong_magic = Array("<f4", "(2,)", 8), long_header = Array("<f4", "(2,)", 8);
  wrong_magic[1] = 'M';
  long_header[9] = 0xFF;
  Bytes endless = Npy("", 0, 2);
  for (std::size_t i = 8; i < 12; ++i) endless[i] = 0xFF;
  return {
      {"wrong_magic", wrong_magic, true},
      {"header_beyond_the_file", long_header, true},
      {"header_of_4_gib", endless, true},
      {"version_0", Npy("{}", 0, 0), true},
      {"version_9", Npy("{}", 0, 9), true},
      {"header_empty", Npy(""), true},
      {"header_no_dictionary", Npy("[1, 2]"), true},
      {"header_no_keys", Npy("{}"), true},
      {"header_no_shape", Npy(std::string(kShort) + "}"), true},
      {"header_unknown_key", Npy(std::string(kShort) + "'colour': 1, 'shape': (2,)}", 8), true},
      {"header_no_end", Npy(std::string(kShort) + "'shape': (2,)"), true},
      {"header_open_string", Npy("{'descr: <f4"), true},
      {"header_brackets", Npy(nested), true},
      {"rank_1000", Npy(many + ")}", 4), true},
      {"shape_negative", Array("<f4", "(-1,)", 4), true},
      {"shape_real", Array("<f4", "(1.5,)", 8), true},
      {"shape_word", Array("<f4", "(N,)", 8), true},
      {"shape_2_31", Array("<f4", "(2147483648,)", 8), true},
      {"shape_overflow", Array("<f8", "(4294967296, 4294967296)", 8), true},
      {"shape_too_long_a_number", Array("<f4", "(99999999999999999999,)", 8), true},
      {"shape_more_than_data", Array("<f4", "(3,)", 8), true},
      {"shape_zero_times_huge", Array("<f4", "(0, 9223372036854775807)"), false},
      {"fortran_more_than_data", Array("<f4", "(3, 2)", 20, "True"), true},
      {"fortran_huge", Array("<f4", "(1048576, 1048576)", 64, "True"), true},
      {"fortran_empty", Array("<f4", "(3, 0, 9223372036854775807)", 0, "True"), false},
      {"fortran_number", Array("<f4", "()", 4, "True"), false},
      {"fortran_maybe", Array("<f4", "(2,)", 8, "Maybe"), true},
      {"objects", Array("|O", "(2,)", 64), true},
      {"objects_named", Array("O8", "(2,)", 64), true},
      {"records", Npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4), true},
      {"dates", Array("<M8[ns]", "(1,)", 8), true},
      {"type_empty", Array("", "(1,)", 8), true},
      {"type_unknown", Array("<f3", "(1,)", 8), true},
      {"string_huge", Array("<U4294967295", "(1,)", 8), true},
      {"string_overflow", Array("<U99999999999999999999", "(1,)", 8), true},
      {"string_negative", Array("<U-1", "(1,)", 8), true},
      {"strings_empty_and_many", Array("|S0", "(4000000000,)"), true},
      {"strings_empty_and_many_wide", Array("<U0", "(134217728,)"), true},
      {"empty", {}, true},
  };
}

using Member = std::pair<std::string, Bytes>;

Bytes Zip(const std::vector<Member>& members) {
  zip_source_t* source = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  zip_source_keep(source);
  zip_t* archive = zip_open_from_source(source, ZIP_TRUNCATE, nullptr);
  ATH_CHECK(archive != nullptr, "an archive in memory can be started");
  for (const auto& [name, bytes] : members) {
    zip_source_t* data = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    ATH_CHECK(zip_file_add(archive, name.c_str(), data, ZIP_FL_ENC_UTF_8) >= 0, "names differ");
  }
  ATH_CHECK(zip_close(archive) == 0, "memory suffices");
  zip_stat_t stat;
  zip_stat_init(&stat);
  ATH_CHECK(zip_source_open(source) == 0 && zip_source_stat(source, &stat) == 0, "just written");
  Bytes zipped(stat.size);
  ATH_CHECK(zip_source_read(source, zipped.data(), zipped.size()) >= 0, "just written");
  zip_source_close(source);
  zip_source_free(source);
  return zipped;
}

// Writes `value` into a field of the central directory's entry of the first member.
Bytes WithDirectoryField(Bytes zip, std::size_t field, std::uint32_t value) {
  constexpr std::uint8_t kEntry[] = {'P', 'K', 1, 2};
  const auto entry = std::search(zip.begin(), zip.end(), std::begin(kEntry), std::end(kEntry));
  ATH_CHECK(entry != zip.end(), "every archive with members has a directory");
  for (std::ptrdiff_t i = 0; i < 4; ++i)
    *(entry + static_cast<std::ptrdiff_t>(field) + i) = static_cast<std::uint8_t>(value >> (8 * i));
  return zip;
}

std::vector<File> WrongArchives() {
  constexpr std::size_t kFlags = 8, kPackedSize = 20, kSize = 24, kOffset = 42;
  const Bytes small = Array("<f4", "(2,)", 8);
  const Bytes good = Zip({{"x.npy", small}});
  const Bytes bomb = Array("<f4", "(20971520,)", std::size_t{80} << 20);
  const Bytes part = Array("<f4", "(10485760,)", std::size_t{40} << 20);
  std::vector<Member> many;
  for (int i = 0; i < 8; ++i) many.emplace_back(fmt::format("{}.npy", i), Bytes(1 << 20, 'x'));
  std::vector<Member> strings;
  for (int i = 0; i < 300; ++i)
    strings.emplace_back(fmt::format("{}.npy", i), Array("|S0", "(1048576,)"));
  return {
      {"bomb", Zip({{"x.npy", bomb}}), true},
      {"bomb_in_parts", Zip({{"a.npy", part}, {"b.npy", part}, {"c.npy", part}}), true},
      {"bomb_no_array", Zip({{"x.npy", Bytes(std::size_t{80} << 20, 0)}}), true},
      {"bomb_of_strings", Zip(strings), true},
      {"many_no_arrays", Zip(many), true},
      {"member_no_array", Zip({{"x.npy", {'n', 'o'}}}), true},
      {"member_empty", Zip({{"x.npy", {}}}), true},
      {"member_not_npy", Zip({{"run.sh", {'#', '!'}}}), true},
      {"member_outside", Zip({{"../../x.npy", small}}), false},
      {"member_objects", Zip({{"x.npy", Array("|O", "(2,)", 64)}}), true},
      {"archive_in_archive", Zip({{"x.npz", good}}), true},
      {"size_4_gib", WithDirectoryField(good, kSize, 0xFFFFFFF0), true},
      {"size_smaller", WithDirectoryField(good, kSize, 20), true},
      {"packed_size_huge", WithDirectoryField(good, kPackedSize, 0x7FFFFFFF), true},
      {"offset_beyond", WithDirectoryField(good, kOffset, 0x7FFFFFFF), true},
      {"encrypted", WithDirectoryField(good, kFlags, 1), true},
      {"empty", {}, true},
  };
}

Status ReadArray(const std::string& path) { return io::ReadNpy(path).status(); }
Status ReadArchive(const std::string& path) { return io::ReadNpz(path).status(); }

}  // namespace

Family NpyFamily() {
  Family family = {"npy", {}, WrongArrays(), ReadArray};
  for (const auto& [name, tensor] : GoodTensors()) {
    Result<Bytes> bytes = io::FormatNpy(tensor);
    ATH_CHECK(bytes.ok(), "these types are written");
    family.good.push_back({name, *std::move(bytes)});
  }
  family.good.push_back({"fortran", Array(">i2", "(2, 3, 4)", 48, "True")});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  return family;
}

Family NpzFamily() {
  Family family = {"npz", {}, WrongArchives(), ReadArchive, "npy"};
  std::vector<Member> members;
  for (const File& good : NpyFamily().good) members.emplace_back(good.name + ".npy", good.bytes);
  members.emplace_back("zeros.npy", Array("<f4", "(1000,)", 4000));
  Bytes none(22, 0);  // the shortest zip
  none[0] = 'P', none[1] = 'K', none[2] = 5, none[3] = 6;
  family.good = {{"all", Zip(members)}, {"one", Zip({members.front()})}, {"none", none}};
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  return family;
}

}  // namespace athanor::broken
