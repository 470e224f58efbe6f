#include "frontends/caffe/upgrade.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "frontends/caffe/params.h"

namespace athanor::caffe {
namespace {

struct TypeName {
  std::string_view old, name;
};

// Version 1: an enumerator.
constexpr TypeName kTypes1[] = {
    {"ABSVAL", "AbsVal"},
    {"ACCURACY", "Accuracy"},
    {"ARGMAX", "ArgMax"},
    {"BNLL", "BNLL"},
    {"CONCAT", "Concat"},
    {"CONTRASTIVE_LOSS", "ContrastiveLoss"},
    {"CONVOLUTION", "Convolution"},
    {"CROP", "Crop"},
    {"DATA", "Data"},
    {"DECONVOLUTION", "Deconvolution"},
    {"DROPOUT", "Dropout"},
    {"DUMMY_DATA", "DummyData"},
    {"ELTWISE", "Eltwise"},
    {"EUCLIDEAN_LOSS", "EuclideanLoss"},
    {"EXP", "Exp"},
    {"FLATTEN", "Flatten"},
    {"HDF5_DATA", "HDF5Data"},
    {"HDF5_OUTPUT", "HDF5Output"},
    {"HINGE_LOSS", "HingeLoss"},
    {"IM2COL", "Im2col"},
    {"IMAGE_DATA", "ImageData"},
    {"INFOGAIN_LOSS", "InfogainLoss"},
    {"INNER_PRODUCT", "InnerProduct"},
    {"LRN", "LRN"},
    {"MEMORY_DATA", "MemoryData"},
    {"MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"},
    {"MVN", "MVN"},
    {"POOLING", "Pooling"},
    {"POWER", "Power"},
    {"RELU", "ReLU"},
    {"SIGMOID", "Sigmoid"},
    {"SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"},
    {"SILENCE", "Silence"},
    {"SLICE", "Slice"},
    {"SOFTMAX", "Softmax"},
    {"SOFTMAX_LOSS", "SoftmaxWithLoss"},
    {"SPLIT", "Split"},
    {"TANH", "TanH"},
    {"THRESHOLD", "Threshold"},
    {"WINDOW_DATA", "WindowData"},
};

// Version 0: a string, and all parameters side by side in the layer.
constexpr TypeName kTypes0[] = {
    {"accuracy", "Accuracy"},
    {"bnll", "BNLL"},
    {"concat", "Concat"},
    {"conv", "Convolution"},
    {"data", "Data"},
    {"dropout", "Dropout"},
    {"euclidean_loss", "EuclideanLoss"},
    {"flatten", "Flatten"},
    {"hdf5_data", "HDF5Data"},
    {"hdf5_output", "HDF5Output"},
    {"im2col", "Im2col"},
    {"images", "ImageData"},
    {"infogain_loss", "InfogainLoss"},
    {"innerproduct", "InnerProduct"},
    {"lrn", "LRN"},
    {"multinomial_logistic_loss", "MultinomialLogisticLoss"},
    {"pool", "Pooling"},
    {"relu", "ReLU"},
    {"sigmoid", "Sigmoid"},
    {"softmax", "Softmax"},
    {"softmax_loss", "SoftmaxWithLoss"},
    {"split", "Split"},
    {"tanh", "TanH"},
    {"window_data", "WindowData"},
};

struct OldField {
  std::string_view type, old, param, field;
};

constexpr OldField kFields0[] = {
    {"conv", "num_output", "convolution_param", "num_output"},
    {"conv", "biasterm", "convolution_param", "bias_term"},
    {"conv", "weight_filler", "convolution_param", "weight_filler"},
    {"conv", "bias_filler", "convolution_param", "bias_filler"},
    {"conv", "pad", "convolution_param", "pad"},
    {"conv", "kernelsize", "convolution_param", "kernel_size"},
    {"conv", "group", "convolution_param", "group"},
    {"conv", "stride", "convolution_param", "stride"},
    {"innerproduct", "num_output", "inner_product_param", "num_output"},
    {"innerproduct", "biasterm", "inner_product_param", "bias_term"},
    {"innerproduct", "weight_filler", "inner_product_param", "weight_filler"},
    {"innerproduct", "bias_filler", "inner_product_param", "bias_filler"},
    {"pool", "pool", "pooling_param", "pool"},
    {"pool", "pad", "pooling_param", "pad"},
    {"pool", "kernelsize", "pooling_param", "kernel_size"},
    {"pool", "stride", "pooling_param", "stride"},
    {"dropout", "dropout_ratio", "dropout_param", "dropout_ratio"},
    {"lrn", "local_size", "lrn_param", "local_size"},
    {"lrn", "alpha", "lrn_param", "alpha"},
    {"lrn", "beta", "lrn_param", "beta"},
    {"lrn", "k", "lrn_param", "k"},
    {"concat", "concat_dim", "concat_param", "concat_dim"},
    {"data", "source", "data_param", "source"},
    {"data", "batchsize", "data_param", "batch_size"},
    {"data", "scale", "transform_param", "scale"},
    {"data", "meanfile", "transform_param", "mean_file"},
    {"data", "cropsize", "transform_param", "crop_size"},
    {"data", "mirror", "transform_param", "mirror"},
    {"images", "source", "image_data_param", "source"},
    {"images", "batchsize", "image_data_param", "batch_size"},
    {"images", "new_height", "image_data_param", "new_height"},
    {"images", "new_width", "image_data_param", "new_width"},
    {"images", "scale", "transform_param", "scale"},
    {"images", "meanfile", "transform_param", "mean_file"},
    {"images", "cropsize", "transform_param", "crop_size"},
    {"images", "mirror", "transform_param", "mirror"},
};

Result<std::string_view> NewType(std::span<const TypeName> types, const std::string& old) {
  std::vector<std::string> known;
  for (const TypeName& type : types) {
    if (type.old == old) return type.name;
    known.emplace_back(type.old);
  }
  return Error(ErrorCode::kUnknownOperator, "there is no layer type \"{}\"{}", old,
               DidYouMean(old, known));
}

// The layer that version 0 nests in one that only says how it is connected.
Status UpgradeInner(const Message& inner, Message& layer) {
  const std::string type = inner.Text("type");
  ATH_TRY(const std::string_view name, NewType(kTypes0, type));
  layer.String("type", name);
  layer.String("name", inner.Text("name"));
  for (const auto& [field, values] : inner.fields()) {
    if (field == "blobs") layer.Put("blobs", values);
    for (const OldField& known : kFields0) {
      if (known.type == type && known.old == field)
        layer.ChildOrNew(known.param).Put(known.field, values);
    }
  }
  return {};
}

// `layers { ... }` of versions 0 and 1.
Result<std::shared_ptr<Message>> UpgradeLayer(const Message& old) {
  auto layer = std::make_shared<Message>();
  layer->line = old.line;
  if (const Message* inner = old.Child("layer")) {
    ATH_RETURN_IF_ERROR(UpgradeInner(*inner, *layer));
  } else {
    ATH_TRY(const std::string_view type, NewType(kTypes1, old.Text("type")));
    layer->String("type", type);
  }
  constexpr std::string_view kDropped[] = {"layer",           "type", "blobs_lr", "weight_decay",
                                           "blob_share_mode", "param"};
  for (const auto& [field, values] : old.fields()) {
    if (std::find(std::begin(kDropped), std::end(kDropped), field) == std::end(kDropped))
      layer->Put(field, values);
  }
  return layer;
}

// Version 0 pads with a layer of its own; the convolution or pooling behind it takes the pad over.
Status FoldPadding(std::vector<FieldValue>& layers) {
  std::map<std::string, FieldValue> pads;  // by what a padding layer makes
  std::map<std::string, std::string> sources;
  std::vector<FieldValue> kept;
  for (FieldValue& value : layers) {
    const Message* inner = value.message ? value.message->Child("layer") : nullptr;
    if (inner != nullptr && inner->Text("type") == "padding") {
      const FieldValue* pad = inner->Last("pad");
      pads[value.message->Text("top")] = pad == nullptr ? FieldValue() : *pad;
      sources[value.message->Text("top")] = value.message->Text("bottom");
      continue;
    }
    if (inner != nullptr && pads.count(value.message->Text("bottom")) != 0) {
      const std::string bottom = value.message->Text("bottom");
      const std::string type = inner->Text("type");
      if (type != "conv" && type != "pool")
        return InvalidModel("layer \"{}\" ({}) reads what a padding layer makes; conv and pool may",
                            inner->Text("name"), type);
      value.message->ChildOrNew("layer").Put("pad", {pads[bottom]});
      value.message->Take("bottom");
      value.message->String("bottom", sources[bottom]);
    }
    kept.push_back(std::move(value));
  }
  layers = std::move(kept);
  return {};
}

// `input: "data" input_dim: ...` or `input_shape { ... }`, as an Input layer.
Result<std::vector<FieldValue>> InputLayers(Message& net) {
  Status problem;
  Params params(&net, problem);
  const std::vector<std::string> names = net.Texts("input");
  const std::vector<std::int64_t> sizes = params.Ints("input_dim");
  const std::vector<std::shared_ptr<Message>> shapes = net.Children("input_shape");
  ATH_RETURN_IF_ERROR(problem);
  std::vector<FieldValue> layers;
  if (!shapes.empty() ? shapes.size() != names.size() && shapes.size() != 1
                      : !sizes.empty() && sizes.size() != 4 * names.size())
    return InvalidModel("{} inputs, {} sizes (input_dim) and {} shapes (input_shape) do not fit",
                        names.size(), sizes.size(), shapes.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto layer = std::make_shared<Message>();
    layer->String("name", names[i]).String("type", "Input").String("top", names[i]);
    Message& input = layer->AddChild("input_param");
    if (!shapes.empty()) {
      input.AddChild("shape", shapes[std::min(i, shapes.size() - 1)]);
    } else if (!sizes.empty()) {
      Message& shape = input.AddChild("shape");
      for (std::size_t k = 0; k < 4; ++k)
        shape.Number("dim", static_cast<double>(sizes[4 * i + k]));
    }
    FieldValue& value = layers.emplace_back();
    value.kind = FieldValue::Kind::kMessage;
    value.message = std::move(layer);
  }
  return layers;
}

// Before transform_param existed, data layers had these fields themselves.
void MoveTransform(Message& layer) {
  for (const char* param : {"data_param", "image_data_param", "window_data_param"}) {
    if (layer.Child(param) == nullptr) continue;
    Message& data = layer.ChildOrNew(param);
    for (const char* field : {"scale", "mean_file", "crop_size", "mirror"}) {
      std::vector<FieldValue> values = data.Take(field);
      if (!values.empty()) layer.ChildOrNew("transform_param").Put(field, std::move(values));
    }
  }
}

bool Meets(const Message& rule, const Message& state) {
  Status ignored;
  Params wanted(&rule, ignored), is(&state, ignored);
  const auto phases = {std::string_view("TRAIN"), std::string_view("TEST")};
  if (wanted.Has("phase") && wanted.Choice("phase", phases, 1) != is.Choice("phase", phases, 1))
    return false;
  const std::int64_t level = is.Int("level", 0);
  if (level < wanted.Int("min_level", level) || level > wanted.Int("max_level", level))
    return false;
  const std::vector<std::string> stages = state.Texts("stage");
  const auto has = [&](const std::string& stage) {
    return std::find(stages.begin(), stages.end(), stage) != stages.end();
  };
  const std::vector<std::string> all = rule.Texts("stage"), none = rule.Texts("not_stage");
  return std::all_of(all.begin(), all.end(), has) && std::none_of(none.begin(), none.end(), has);
}

}  // namespace

Status Upgrade(Message& net) {
  if (net.Find("layer") != nullptr && net.Find("layers") != nullptr)
    return InvalidModel("the network has layers of two kinds, layer and layers");
  std::vector<FieldValue> old = net.Take("layers");
  ATH_RETURN_IF_ERROR(FoldPadding(old));
  for (const FieldValue& value : old) {
    if (!value.message) return InvalidModel("layers must be fields in brackets");
    Result<std::shared_ptr<Message>> layer = UpgradeLayer(*value.message);
    if (!layer.ok()) {
      const std::string place =
          fmt::format("line {}, layer \"{}\"", value.message->line, value.message->Text("name"));
      return std::move(layer).status().In(place);
    }
    net.AddChild("layer", *std::move(layer));
  }
  ATH_TRY(std::vector<FieldValue> layers, InputLayers(net));
  for (FieldValue& value : net.Take("layer")) {
    if (!value.message) return InvalidModel("layer must be fields in brackets");
    MoveTransform(*value.message);
    layers.push_back(std::move(value));
  }
  net.Put("layer", std::move(layers));
  return {};
}

bool IsUsed(const Message& layer, const Message& net) {
  const Message* given = net.Child("state");
  const Message test;
  const Message& state = given == nullptr ? test : *given;
  const auto meets = [&](const std::shared_ptr<Message>& rule) { return Meets(*rule, state); };
  const auto include = layer.Children("include"), exclude = layer.Children("exclude");
  if (!include.empty()) return std::any_of(include.begin(), include.end(), meets);
  return std::none_of(exclude.begin(), exclude.end(), meets);
}

}  // namespace athanor::caffe
