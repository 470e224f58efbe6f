// The weights of a network: f32 lists of the file, and weights that it holds in fewer bits.
//
// QuantizedWeights::type 1: a table of up to 256 numbers of 8 bits, and for each weight its place
// in the table, packed from the highest bit on; 2: the same for weights that are not zero, with the
// steps from one to the next; 3: half precision; 4: 8-bit numbers. With an `index`, the weights at
// these places, and zero elsewhere. Types 1, 2 and 4 have a scale, or a smallest value and a scale,
// per filter or per block of a filter.
#pragma once

#include <memory>

#include "core/tensor.h"
#include "frontends/mnn/mnn_generated.h"

namespace athanor::mnn {

class WeightSource {
 public:
  // `file_size` bounds what is made of lists that operators may share.
  WeightSource(std::size_t file_size, std::shared_ptr<const void> owner);

  // The list must have as many elements as `dims`. A view into the file where it lies aligned.
  Result<Tensor> Floats(const flatbuffers::Vector<float>* values, const Dims& dims);
  Result<Tensor> Bytes(const flatbuffers::Vector<std::int8_t>* values, const Dims& dims);
  // Widened to f32.
  Result<Tensor> Widened(const schema::QuantizedWeights& from, const Dims& dims);
  // Elements of a constant.
  Result<Tensor> Constant(const schema::Blob& blob);

 private:
  Status Spend(std::uint64_t elements);

  std::shared_ptr<const void> owner_;
  std::uint64_t elements_left_;
};

}  // namespace athanor::mnn
