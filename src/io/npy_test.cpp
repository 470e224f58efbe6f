#include "io/npy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/file.h"

namespace athanor::io {
namespace {

std::vector<std::uint8_t> File(const std::string& header, const std::vector<std::uint8_t>& data) {
  std::vector<std::uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  bytes.push_back(static_cast<std::uint8_t>(header.size()));
  bytes.push_back(static_cast<std::uint8_t>(header.size() >> 8));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::string TempPath(const std::string& name) {
  return (std::filesystem::temp_directory_path() / (std::to_string(getpid()) + name)).string();
}

template <class T>
std::vector<T> Values(const Tensor& tensor) {
  const auto data = tensor.Data<T>();
  return {data.begin(), data.end()};
}

TEST(Npy, EveryPlainTypeSurvivesWritingAndReading) {
  const std::vector<Tensor> tensors = {
      Tensor::FromVector<float>({2, 3}, {1, 2, 3, 4, 5, 6}),
      Tensor::FromVector<std::int64_t>({}, {-5}),
      Tensor::FromVector<std::uint8_t>({0, 4}, {}),
      Tensor::FromVector<bool>({2}, {true, false}),
      Tensor::FromVector<Half>({1}, {Half(1.5F)}),
      Tensor::FromVector<std::complex<float>>({1}, {{1, -2}}),
      Tensor::FromVector<std::string>({2}, {"plain", "\xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80"}),
  };
  for (const Tensor& tensor : tensors) {
    const auto bytes = FormatNpy(tensor);
    ASSERT_TRUE(bytes.ok());
    const auto back = ParseNpy(*bytes);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE(back->SameAs(tensor)) << Name(tensor.dtype());
  }
}

TEST(Npy, TheHeaderIsPaddedTo64Bytes) {
  const auto bytes = FormatNpy(Tensor::FromVector<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ((bytes->size() - 24) % 64, 0U);
  const std::string text(bytes->begin() + 10, bytes->end());
  EXPECT_TRUE(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
}

TEST(NpyMatrix, GivesPiecesOfRowsOfEitherOrder) {
  const std::string path = TempPath("_matrix.npy");
  for (const bool fortran : {false, true}) {
    // Row r has 10 r, 10 r + 1.
    const std::vector<std::uint8_t> data =
        fortran ? std::vector<std::uint8_t>{0, 10, 20, 30, 1, 11, 21, 31}
                : std::vector<std::uint8_t>{0, 1, 10, 11, 20, 21, 30, 31};
    const auto bytes =
        File(fmt::format("{{'descr': '|u1', 'fortran_order': {}, 'shape': (4, 2), }}\n",
                         fortran ? "True" : "False"),
             data);
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
    const auto matrix = NpyMatrix::Open(path);
    ASSERT_TRUE(matrix.ok()) << matrix.status().ToString();
    EXPECT_EQ(matrix->rows(), 4);
    EXPECT_EQ(matrix->columns(), 2);
    const auto rows = matrix->Rows(1, 2);
    ASSERT_TRUE(rows.ok());
    EXPECT_TRUE(rows->SameAs(Tensor::FromVector<std::uint8_t>({2, 2}, {10, 11, 20, 21})));
  }
  // A shape that promises more than the file has.
  ASSERT_TRUE(
      WriteFileAtomically(
          path,
          File("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 9), }\n", {0}))
          .ok());
  EXPECT_EQ(NpyMatrix::Open(path).status().code(), ErrorCode::kCorruptFile);
  // A name for each of so many columns took all memory: no row bounds them by the file's size.
  for (const auto& [columns, fine] : {std::pair{"7", true}, std::pair{"1000000000000", false}}) {
    const auto bytes = File(
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {}), }}\n", columns),
        {});
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
    const auto matrix = NpyMatrix::Open(path);
    EXPECT_EQ(matrix.ok(), fine) << columns;
    if (!fine) {
      EXPECT_EQ(matrix.status().code(), ErrorCode::kUnsafeFile);
    }
  }
  std::remove(path.c_str());
}

TEST(Npy, FortranOrderIsTurnedAround) {
  const auto tensor = ParseNpy(
      File("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", {1, 4, 2, 5, 3, 6}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().ToString();
  EXPECT_EQ(Values<std::uint8_t>(*tensor), (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, BigEndianIsSwapped) {
  const auto tensor = ParseNpy(
      File("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n", {1, 2, 255, 254}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().ToString();
  EXPECT_EQ(Values<std::int16_t>(*tensor), (std::vector<std::int16_t>{0x0102, -2}));
}

TEST(Npy, Bfloat16IsWrittenAsFloat) {
  const auto bytes = FormatNpy(Tensor::FromVector<BFloat16>({1}, {BFloat16(2.5F)}));
  EXPECT_EQ(Values<float>(*ParseNpy(*bytes)), std::vector<float>{2.5F});
}

TEST(Npy, PickledObjectsAreUnsafe) {
  const auto status =
      ParseNpy(File("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", {0})).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsafeFile);
  EXPECT_FALSE(status.fix().empty());
}

TEST(Npy, StructuredArraysAreRefusedWithAWayOut) {
  const auto status =
      ParseNpy(File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", {0}))
          .status();
  EXPECT_EQ(status.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(status.message().find("structured"), std::string::npos);
}

TEST(Npy, ShapesThatOverflowOrExceedTheFileAreRefused) {
  for (const char* shape :
       {"(9223372036854775807, 9223372036854775807)", "(1000000000000,)", "(5,)"}) {
    const auto bytes = File(
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}\n", shape), {0});
    EXPECT_FALSE(ParseNpy(bytes).ok()) << shape;
  }
}

TEST(Npy, DamagedHeadersAreCorrupt) {
  for (const char* header : {"", "{", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 1, }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
                             "{'x': 1}", "{'descr: '<f4'"}) {
    EXPECT_EQ(ParseNpy(File(header, {})).status().code(), ErrorCode::kCorruptFile) << header;
  }
}

TEST(Npz, KeepsNamesOrderAndValues) {
  const std::string path = TempPath("names.npz");
  const NamedTensors tensors = {{"b", Tensor::FromVector<float>({2}, {1, 2})},
                                {"a/x", Tensor::FromVector<std::int32_t>({}, {3})}};
  ASSERT_TRUE(WriteNpz(path, tensors).ok());
  const auto back = ReadNpz(path);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  ASSERT_EQ(back->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*back)[i].first, tensors[i].first);
    EXPECT_TRUE((*back)[i].second.SameAs(tensors[i].second));
  }
  std::filesystem::remove(path);
}

TEST(Npz, AnEmptyArchiveIsWrittenAndRead) {
  const std::string path = TempPath("empty.npz");
  ASSERT_TRUE(WriteNpz(path, {}).ok());
  const auto back = ReadNpz(path);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_TRUE(back->empty());
  std::filesystem::remove(path);
}

TEST(Npz, CompressedArchivesOfNumpyAreRead) {
  const auto arrays = ReadNpz("examples/digits/golden.npz");
  ASSERT_TRUE(arrays.ok()) << arrays.status().ToString();
  ASSERT_EQ(arrays->size(), 2U);
  EXPECT_EQ((*arrays)[0].second.dims(), (Dims{16, 1, 32, 32}));
}

TEST(Npz, AnArchiveThatUnpacksBeyondTheLimitIsUnsafe) {
  const std::string path = TempPath("large.npz");
  ASSERT_TRUE(
      WriteNpz(path, {{"x", Tensor::FromVector<float>({100}, std::vector<float>(100))}}).ok());
  EXPECT_EQ(ReadNpz(path, {.max_bytes = 64}).status().code(), ErrorCode::kUnsafeFile);
  std::filesystem::remove(path);
}

TEST(Npz, EmptyStringsAreChargedWithTheMemoryTheyTake) {
  const std::string path = TempPath("strings.npz");
  const Tensor text = Tensor::FromVector<std::string>({64}, std::vector<std::string>(64));
  ASSERT_TRUE(WriteNpz(path, {{"a", text}, {"b", text}, {"c", text}}).ok());
  const std::size_t each = 64 * sizeof(std::string);
  EXPECT_TRUE(ReadNpz(path, {.max_bytes = 3 * each}).ok());
  EXPECT_FALSE(ReadNpz(path, {.max_bytes = 3 * each - 1}).ok());
  const auto status = ReadNpz(path, {.ratio_from = 2 * each, .max_ratio = 2}).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsafeFile) << status.ToString();
  std::filesystem::remove(path);
}

TEST(Npz, ADamagedMemberFailsItsChecksum) {
  const std::string path = TempPath("damaged.npz");
  ASSERT_TRUE(WriteNpz(path, {{"x", Tensor::FromVector<float>({4}, {1, 2, 3, 4})}}).ok());
  const auto file = *MappedFile::Open(path);
  std::vector<std::uint8_t> bytes(file->bytes().begin(), file->bytes().end());
  // The values are the last bytes of the member; the central directory of one member follows.
  bytes[170] ^= 1;
  EXPECT_EQ(ParseNpz(bytes).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(ParseNpz(std::span(bytes).first(60)).status().code(), ErrorCode::kCorruptFile);
  std::filesystem::remove(path);
}

// A file cut to nothing was read as an archive without members.
TEST(Npz, AFileOfNoBytesIsNoArchive) {
  EXPECT_EQ(ParseNpz({}).status().code(), ErrorCode::kCorruptFile);
}

// A packed size that lies made any bomb look well packed.
TEST(Npz, AMemberIsNeverLongerThanItsFile) {
  const std::string path = TempPath("packed_size.npz");
  ASSERT_TRUE(WriteNpz(path, {{"x", Tensor::FromVector<float>({4}, {1, 2, 3, 4})}}).ok());
  const auto file = *MappedFile::Open(path);
  std::vector<std::uint8_t> bytes(file->bytes().begin(), file->bytes().end());
  const std::uint8_t entry[] = {'P', 'K', 1, 2};
  const auto at = std::search(bytes.begin(), bytes.end(), std::begin(entry), std::end(entry));
  *(at + 23) = 0x70;  // the highest byte of the packed size
  EXPECT_EQ(ParseNpz(bytes).status().message(), "the member is longer than the file");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace athanor::io
