#include "frontends/caffe/weights.h"

#include <cstring>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/caffe/params.h"

namespace athanor::caffe {
namespace {

// Four legacy sizes, or a shape.
Dims StoredDims(const Message& blob) {
  Status ignored;
  if (const Message* shape = blob.Child("shape")) return Params(shape, ignored).Ints("dim");
  Params params(&blob, ignored);
  Dims dims;
  for (const char* name : {"num", "channels", "height", "width"})
    dims.push_back(params.Int(name, 1));
  return dims;
}

std::int64_t StoredElements(const Message& blob) {
  std::int64_t count = 0;
  for (const auto& [name, size] :
       {std::pair("data", sizeof(float)), std::pair("double_data", sizeof(double))}) {
    const std::vector<FieldValue>* values = blob.Find(name);
    if (values == nullptr) continue;
    for (const FieldValue& value : *values) {
      count += value.kind == FieldValue::Kind::kNumber
                   ? 1
                   : static_cast<std::int64_t>(value.packed.size() / size);
    }
  }
  return count;
}

class FileWeights : public WeightSource {
 public:
  FileWeights(const Message& net, std::shared_ptr<const void> owner) : owner_(std::move(owner)) {
    for (const auto& layer : net.Children("layer")) {
      const std::vector<std::shared_ptr<Message>> blobs = layer->Children("blobs");
      if (blobs.empty()) continue;  // its name would be no help to who looks for weights
      names_.push_back(layer->Text("name"));
      layers_.emplace(names_.back(), blobs);
    }
  }

  std::optional<std::size_t> Count(const std::string& layer) const override {
    const auto found = layers_.find(layer);
    return found == layers_.end() ? 0 : found->second.size();
  }

  Result<Dims> DimsOf(const std::string& layer, std::size_t i) const override {
    const auto found = layers_.find(layer);
    if (found == layers_.end() || i >= found->second.size())
      return InvalidModel("the .caffemodel has no weight {} for it", i);
    return StoredDims(*found->second[i]);
  }

  Result<Tensor> Get(const std::string& layer, std::size_t i, const Dims& dims, Fill) override {
    const auto found = layers_.find(layer);
    if (found == layers_.end())
      return InvalidModel("the .caffemodel has no weights for it{}", DidYouMean(layer, names_))
          .Fix("take the .caffemodel file that was trained with this .prototxt file");
    if (i >= found->second.size())
      return InvalidModel("the .caffemodel has {} weights for it; one more is expected",
                          found->second.size());
    return Read(*found->second[i], i, dims);
  }

 private:
  Result<Tensor> Read(const Message& blob, std::size_t i, const Dims& dims) const {
    const std::int64_t count = StoredElements(blob);
    const std::optional<std::int64_t> wanted = CheckedCount(dims);
    const Dims stored = StoredDims(blob);
    if (!wanted || *wanted != count || CheckedCount(stored) != count)
      return InvalidModel(
          "weight {} has {} numbers and the shape {} in the .caffemodel; {} is expected", i, count,
          ToString(stored), ToString(dims));
    const FieldValue* data = blob.Last("data");
    const std::vector<FieldValue>* all = blob.Find("data");
    const bool one_piece =
        data != nullptr && all->size() == 1 && data->kind == FieldValue::Kind::kFloats;
    if (one_piece && reinterpret_cast<std::uintptr_t>(data->packed.data()) % alignof(float) == 0)
      return Tensor::View(DType::kF32, dims, data->packed.data(), owner_);
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, dims));
    float* to = tensor.MutableData<float>().data();
    for (const char* name : {"data", "double_data"}) {
      const std::vector<FieldValue>* values = blob.Find(name);
      if (values == nullptr) continue;
      for (const FieldValue& value : *values) to = Copy(value, to);
    }
    return tensor;
  }

  static float* Copy(const FieldValue& value, float* to) {
    if (value.kind == FieldValue::Kind::kNumber) {
      *to = static_cast<float>(value.number);
      return to + 1;
    }
    if (value.kind == FieldValue::Kind::kFloats) {
      if (!value.packed.empty()) std::memcpy(to, value.packed.data(), value.packed.size());
      return to + value.packed.size() / sizeof(float);
    }
    for (std::size_t at = 0; at < value.packed.size(); at += sizeof(double)) {
      double wide = 0;
      std::memcpy(&wide, value.packed.data() + at, sizeof(wide));
      *to++ = static_cast<float>(wide);
    }
    return to;
  }

  std::map<std::string, std::vector<std::shared_ptr<Message>>> layers_;
  std::vector<std::string> names_;
  std::shared_ptr<const void> owner_;
};

class MadeUp : public WeightSource {
 public:
  std::optional<std::size_t> Count(const std::string&) const override { return std::nullopt; }

  Result<Dims> DimsOf(const std::string&, std::size_t i) const override {
    return Unsupported("weight {} of an operator of a plug-in cannot be made up", i);
  }

  Result<Tensor> Get(const std::string& layer, std::size_t i, const Dims& dims,
                     Fill fill) override {
    return seeded_.Draw(layer, i, dims, fill);
  }

 private:
  SeededWeights seeded_;
};

}  // namespace

std::unique_ptr<WeightSource> WeightsOf(const Message& net, std::shared_ptr<const void> owner) {
  return std::make_unique<FileWeights>(net, std::move(owner));
}

std::unique_ptr<WeightSource> MadeUpWeights() { return std::make_unique<MadeUp>(); }

}  // namespace athanor::caffe
