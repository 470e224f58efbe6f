// How NumPy calls our element types, and the letters of its buffers (struct's, native). Those that
// NumPy does not have come as integers of their bits, and are not taken.
#pragma once

#include <Python.h>

#include <cstring>
#include <iterator>
#include <string>

#include "athanor/athanor.h"

struct ElementType {
  ath_dtype dtype;
  const char* name;
  const char* letters;
  int bytes;
};
inline constexpr ElementType kTypes[] = {
    {ATH_F64, "float64", "d", 8},      {ATH_F32, "float32", "f", 4}, {ATH_F16, "float16", "e", 2},
    {ATH_BF16, "uint16", "", 2},       {ATH_I64, "int64", "lq", 8},  {ATH_I32, "int32", "il", 4},
    {ATH_I16, "int16", "h", 2},        {ATH_I8, "int8", "b", 1},     {ATH_I4, "int8", "", 1},
    {ATH_I2, "int8", "", 1},           {ATH_U64, "uint64", "LQ", 8}, {ATH_U32, "uint32", "IL", 4},
    {ATH_U16, "uint16", "H", 2},       {ATH_BOOL, "bool", "?", 1},   {ATH_C64, "complex64", "F", 8},
    {ATH_C128, "complex128", "D", 16}, {ATH_U8, "uint8", "B", 1},  // the last: all others are bytes
                                                                   // as well
};

inline std::size_t IndexOf(int32_t dtype) {
  std::size_t i = 0;
  while (i + 1 < std::size(kTypes) && kTypes[i].dtype != dtype) ++i;
  return i;
}

// The element type of a buffer of native numbers; ATH_UNDEFINED when it is of something else.
inline ath_dtype TypeOf(const Py_buffer& buffer) {
  const char* format = buffer.format == nullptr ? "B" : buffer.format;
  if (*format == '@' || *format == '=') ++format;
  std::string letter = format;
  if (letter == "Zf") letter = "F";
  if (letter == "Zd") letter = "D";
  if (letter.size() != 1) return ATH_UNDEFINED;
  for (const ElementType& type : kTypes) {
    if (type.bytes == buffer.itemsize && std::strchr(type.letters, letter[0]) != nullptr)
      return type.dtype;
  }
  return ATH_UNDEFINED;
}
