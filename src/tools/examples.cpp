#include "tools/examples.h"

#include <algorithm>

#include "core/text.h"
#include "io/npy.h"

namespace athanor::tools {
namespace {

Result<const Tensor*> Member(const io::NamedTensors& arrays, const std::string& path,
                             const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [key, tensor] : arrays) {
    if (key == name) return &tensor;
    names.push_back(key);
  }
  return Error(ErrorCode::kInvalidInput, "{} has no array \"{}\"{}; it has: {}", path, name,
               DidYouMean(name, names), Join(names, ", "))
      .Fix("two arrays are read: pixels u8 [count, h, w] or [count, c, h, w], and labels");
}

}  // namespace

Result<train::Examples> ReadExamples(const std::string& path, float mean, float std) {
  ATH_TRY(const io::NamedTensors arrays, io::ReadNpz(path));
  ATH_TRY(const Tensor* const pixels, Member(arrays, path, "pixels"));
  ATH_TRY(const Tensor* const labels, Member(arrays, path, "labels"));
  train::Examples examples = {.pixels = *pixels, .labels = {}, .mean = mean, .std = std};
  if (pixels->rank() == 3) {  // grey pictures need no axis of channels
    const Dims dims = {pixels->dim(0), 1, pixels->dim(1), pixels->dim(2)};
    examples.pixels = pixels->Reshaped(dims);
  }
  if (examples.pixels.dtype() != DType::kU8 || examples.pixels.rank() != 4) {
    return Error(ErrorCode::kInvalidInput,
                 "{}: pixels are {}{}; u8 [count, h, w] or [count, c, h, w] is expected", path,
                 Name(pixels->dtype()), ToString(pixels->dims()));
  }
  ATH_TRY(examples.labels, ToInts(*labels));
  if (examples.pixels.dim(0) != std::ssize(examples.labels)) {
    return Error(ErrorCode::kInvalidInput, "{}: {} pictures and {} labels; one each is expected",
                 path, examples.pixels.dim(0), examples.labels.size());
  }
  return examples;
}

Result<Tensor> ExampleInput(const train::Examples& examples, std::int64_t begin, std::int64_t end) {
  Dims dims = examples.pixels.dims();
  const std::int64_t size = dims[1] * dims[2] * dims[3];
  dims[0] = end - begin;
  ATH_TRY(Tensor input, Tensor::Allocate(DType::kF32, std::move(dims)));
  const std::uint8_t* pixels = examples.pixels.Data<std::uint8_t>().data();
  std::transform(pixels + begin * size, pixels + end * size, input.MutableData<float>().data(),
                 [&](std::uint8_t pixel) {
                   return (static_cast<float>(pixel) - examples.mean) / examples.std;
                 });
  return input;
}

Result<Accuracy> MeasureAccuracy(Session& session, const train::Examples& examples) {
  Accuracy accuracy;
  for (std::int64_t i = 0; i < examples.pixels.dim(0); ++i) {
    ATH_TRY(Tensor input, ExampleInput(examples, i, i + 1));
    ATH_TRY(const std::vector<Datum> outputs, session.Run({std::move(input)}));
    const auto scores = outputs[0].tensor().Data<float>();
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    accuracy.right += best == examples.labels[static_cast<std::size_t>(i)] ? 1 : 0;
    ++accuracy.count;
  }
  return accuracy;
}

}  // namespace athanor::tools
