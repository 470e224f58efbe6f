// Fields of a flatbuffer that may be absent.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <string>
#include <vector>

namespace athanor {

template <class T>
std::size_t SizeOf(const T* vector) {
  return vector == nullptr ? 0 : vector->size();
}

inline std::string TextOf(const flatbuffers::String* text) {
  return text == nullptr ? "" : text->str();
}

// Copies bytes, because the verifier does not check that elements of 8 bytes are aligned.
template <class To, class T>
std::vector<To> ListOf(const flatbuffers::Vector<T>* items) {
  std::vector<T> values(SizeOf(items));
  if (!values.empty()) std::memcpy(values.data(), items->Data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

}  // namespace athanor
