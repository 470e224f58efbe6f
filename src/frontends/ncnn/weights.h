// The .bin file beside a .param file: the weights of all layers, one after the other, in the order
// of the layers. Nothing in it says where a weight starts, so every layer reads exactly its own.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace athanor::ncnn {

class WeightReader {
 public:
  // `owner` keeps the bytes alive; weights point into them where they can.
  WeightReader(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  // Numbers as they are: biases, scales, statistics.
  Result<Tensor> Raw(Dims dims);
  // A mark of four bytes says how the numbers are stored: f32, f16 or indices into a table of 256.
  Result<Tensor> Marked(Dims dims);

  // The same, but numbers of 8 bits are given as they are, i8.
  Result<Tensor> MarkedOrBytes(Dims dims);

  // Numbers that the file leaves out, all of one value. Few of them are given per file: they are
  // not bounded by its size.
  Result<Tensor> Implied(std::int64_t count, float value);

  std::size_t left() const { return bytes_.size() - position_; }

 private:
  Result<std::span<const std::uint8_t>> Take(std::size_t size);

  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
  std::int64_t implied_left_ = std::int64_t{1} << 22;
  std::shared_ptr<const void> owner_;
};

class WeightWriter {
 public:
  // The tensor is f32.
  void Raw(const Tensor& tensor);
  void Marked(const Tensor& tensor);
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace athanor::ncnn
