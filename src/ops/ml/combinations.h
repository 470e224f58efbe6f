// Tables of values by the hash of several categories: what CombinationStatistics looks up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/status.h"
#include "ir/attributes.h"

namespace athanor::ops {

class Combinations {
 public:
  // Fails unless the lists have the lengths that they promise one another and no hash stands twice.
  static Result<Combinations> Of(const AttrMap& attributes);

  // Columns that a row must have.
  std::int64_t num_categories() const { return num_categories_; }
  std::int64_t num_numbers() const { return num_numbers_; }
  std::int64_t num_values() const { return num_values_; }
  // Values per row and lookups, for estimates.
  std::size_t size() const { return parts_.size(); }

  // The values of one row. Thread-safe.
  void Find(std::span<const std::int32_t> categories, std::span<const float> numbers,
            std::span<float> values) const;

 private:
  struct Above {
    std::size_t feature = 0;
    float border = 0;
  };
  struct Equal {
    std::size_t category = 0;
    std::int32_t value = 0;
  };
  // Hash and the number of the entry plus one; 0: the place is empty.
  struct Place {
    std::uint64_t hash = 0;
    std::uint32_t entry = 0;
  };
  struct Part {
    std::vector<std::size_t> categories = {};
    std::vector<Above> above = {};
    std::vector<Equal> equal = {};
    std::vector<Place> places = {};  // a power of two, at most half of them taken
    std::size_t width = 0;
    std::vector<float> values = {};  // [entry][width]; the last entry is for all other hashes
  };
  class Maker;

  static std::uint64_t HashOf(const Part& part, std::span<const std::int32_t> categories,
                              std::span<const float> numbers);

  std::vector<Part> parts_;
  std::int64_t num_categories_ = 0, num_numbers_ = 0, num_values_ = 0;
};

}  // namespace athanor::ops
