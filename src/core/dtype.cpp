#include "core/dtype.h"

#include <array>

namespace athanor {
namespace {

enum class Family : std::uint8_t { kOther, kFloat, kSigned, kUnsigned, kComplex };

struct Entry {
  DType dtype;
  std::string_view name;
  std::uint8_t bytes;
  std::uint8_t bits;
  Family family;
};

constexpr std::array kEntries = {
    Entry{DType::kUndefined, "undefined", 0, 0, Family::kOther},
    Entry{DType::kF64, "f64", 8, 64, Family::kFloat},
    Entry{DType::kF32, "f32", 4, 32, Family::kFloat},
    Entry{DType::kF16, "f16", 2, 16, Family::kFloat},
    Entry{DType::kBF16, "bf16", 2, 16, Family::kFloat},
    Entry{DType::kF8E4M3, "f8e4m3", 1, 8, Family::kFloat},
    Entry{DType::kF8E4M3Fnuz, "f8e4m3fnuz", 1, 8, Family::kFloat},
    Entry{DType::kF8E5M2, "f8e5m2", 1, 8, Family::kFloat},
    Entry{DType::kF8E5M2Fnuz, "f8e5m2fnuz", 1, 8, Family::kFloat},
    Entry{DType::kF8E8M0, "f8e8m0", 1, 8, Family::kFloat},
    Entry{DType::kF4E2M1, "f4e2m1", 1, 4, Family::kFloat},
    Entry{DType::kI64, "i64", 8, 64, Family::kSigned},
    Entry{DType::kI32, "i32", 4, 32, Family::kSigned},
    Entry{DType::kI16, "i16", 2, 16, Family::kSigned},
    Entry{DType::kI8, "i8", 1, 8, Family::kSigned},
    Entry{DType::kI4, "i4", 1, 4, Family::kSigned},
    Entry{DType::kI2, "i2", 1, 2, Family::kSigned},
    Entry{DType::kU64, "u64", 8, 64, Family::kUnsigned},
    Entry{DType::kU32, "u32", 4, 32, Family::kUnsigned},
    Entry{DType::kU16, "u16", 2, 16, Family::kUnsigned},
    Entry{DType::kU8, "u8", 1, 8, Family::kUnsigned},
    Entry{DType::kU4, "u4", 1, 4, Family::kUnsigned},
    Entry{DType::kU2, "u2", 1, 2, Family::kUnsigned},
    Entry{DType::kBool, "bool", 1, 8, Family::kOther},
    Entry{DType::kString, "string", sizeof(std::string), 0, Family::kOther},
    Entry{DType::kC64, "c64", 8, 64, Family::kComplex},
    Entry{DType::kC128, "c128", 16, 128, Family::kComplex},
};

const Entry& Find(DType dtype) { return kEntries[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view Name(DType dtype) { return Find(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

std::size_t ElementBytes(DType dtype) { return Find(dtype).bytes; }
int ElementBits(DType dtype) { return Find(dtype).bits; }
bool IsFloat(DType dtype) { return Find(dtype).family == Family::kFloat; }
bool IsInteger(DType dtype) {
  return Find(dtype).family == Family::kSigned || Find(dtype).family == Family::kUnsigned;
}
bool IsSigned(DType dtype) { return Find(dtype).family == Family::kSigned; }
bool IsComplex(DType dtype) { return Find(dtype).family == Family::kComplex; }

}  // namespace athanor
