// Fields of a flatbuffer that may be absent, and lists of texts that may be shared.
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

// Checks a list of texts as flatbuffers' verifier does, but counts it: many tables of a hostile
// file may share one long list, which would be looked through once for each. Texts are counted by
// the eight, so that short lists which a writer shares cost nothing.
inline bool VerifyTexts(flatbuffers::Verifier& verifier,
                        const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* list) {
  constexpr flatbuffers::uoffset_t kForOne = 8;
  for (flatbuffers::uoffset_t i = 0; list != nullptr && i < list->size(); ++i) {
    const bool is_counted = i % kForOne == kForOne - 1;
    if (is_counted && !(verifier.VerifyComplexity() && verifier.EndTable())) return false;
    if (!verifier.VerifyString(list->Get(i))) return false;
  }
  return true;
}

// Copies bytes, because the verifier does not check that elements of 8 bytes are aligned.
template <class To, class T>
std::vector<To> ListOf(const flatbuffers::Vector<T>* items) {
  std::vector<T> values(SizeOf(items));
  if (!values.empty()) std::memcpy(values.data(), items->Data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

}  // namespace athanor
