#include "frontends/coreml/network.h"

#include <algorithm>
#include <set>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/unread_kinds.h"

namespace athanor::coreml {
namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr std::int64_t kFirstOfAnyRank = 600;  // layers of the fourth version and later
constexpr std::int64_t kConcat = 320, kSequenceRepeat = 340, kFirstRecurrent = 400,
                       kLastRecurrent = 430;

enum ColorSpace : std::int64_t { kGrayscale = 10, kRgb = 20, kBgr = 30, kGrayscaleHalf = 40 };
enum ArrayKind : std::int64_t {
  kHalves = 65552,
  kFloats = 65568,
  kDoubles = 65600,
  kInts = 131104
};

bool IsRecurrent(const Layer& layer) {
  return layer.kind >= kFirstRecurrent && layer.kind <= kLastRecurrent;
}

// Whether a layer speaks of the sequence's axis.
bool KnowsSequence(const Layer& layer) {
  struct AlongSequence {
    std::int64_t value = 0;
    void Fields(protobuf::internal::FieldReader& v) { v(100, value); }
  };
  if (layer.kind != kConcat) return IsRecurrent(layer) || layer.kind == kSequenceRepeat;
  const auto concat = protobuf::Parse<AlongSequence>(layer.parameters, "layer");
  return concat.ok() && concat->value != 0;
}

// ---- from outside

// A size that may differ from run to run gets a name.
Dim DimOf(std::int64_t size, bool varies, std::string_view name, std::size_t axis) {
  return varies ? Dim::Symbol(fmt::format("{}_{}", name, axis)) : Dim(size);
}

Result<Shape> ShapeOfArray(const ArrayType& array, std::string_view name) {
  constexpr std::size_t kMostAxes = 8;
  IntList sizes = array.shape;
  if (sizes.empty() && array.enumerated && !array.enumerated->shapes.empty())
    sizes = array.enumerated->shapes[0].values;
  const std::size_t rank = array.range ? array.range->ranges.size() : sizes.size();
  if (sizes.empty()) sizes.assign(rank, 0);
  if (sizes.size() > kMostAxes || sizes.size() != rank)
    return Unsupported("a shape of {} axes with ranges of {}", sizes.size(), rank);
  Shape shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    bool varies = false;
    if (array.range) {
      const SizeRange& range = array.range->ranges[axis];
      varies = range.lower != range.upper;
      if (!varies) sizes[axis] = range.lower;
    }
    if (array.enumerated) {
      for (const IntVector& other : array.enumerated->shapes)
        varies = varies || other.values.size() != rank || other.values[axis] != sizes[axis];
    }
    if (!varies && (sizes[axis] < 1 || sizes[axis] > kLargestSize))
      return InvalidModel("its size along axis {} is {}", axis, sizes[axis]);
    shape.push_back(DimOf(sizes[axis], varies, name, axis));
  }
  return shape;
}

// [channels, height, width]
Result<Shape> ShapeOfImage(const ImageType& image, std::string_view name) {
  const bool is_gray = image.color_space == kGrayscale || image.color_space == kGrayscaleHalf;
  if (!is_gray && image.color_space != kRgb && image.color_space != kBgr)
    return Unsupported("colours of kind {} are not read", image.color_space);
  std::int64_t height = image.height, width = image.width;
  bool varies_height = false, varies_width = false;
  if (image.range) {
    varies_height = image.range->height.lower != image.range->height.upper;
    varies_width = image.range->width.lower != image.range->width.upper;
  }
  if (image.enumerated) {
    for (const ImageSize& other : image.enumerated->sizes) {
      varies_height = varies_height || other.height != height;
      varies_width = varies_width || other.width != width;
    }
  }
  if ((!varies_height && (height < 1 || height > kLargestSize)) ||
      (!varies_width && (width < 1 || width > kLargestSize)))
    return InvalidModel("a picture of {} x {}", width, height);
  return Shape{Dim(is_gray ? 1 : 3), DimOf(height, varies_height, name, 1),
               DimOf(width, varies_width, name, 2)};
}

}  // namespace

std::string Place(std::string_view what, std::string_view name) {
  return fmt::format("{} {}", what, Quote(name.substr(0, 100)));
}

Result<std::vector<Layer>> ReadLayers(const NeuralNetwork& network) {
  std::vector<Layer> layers;
  for (const Bytes bytes : network.layers) {
    ATH_TRY(Layer layer, ReadLayer(bytes));
    layers.push_back(std::move(layer));
  }
  return layers;
}

// Five axes are kept where the file says so and nothing else; the first two as one unless a layer
// counts axes from the front.
Forms FormsOf(const NeuralNetwork& network, const Description& description,
              const std::vector<Layer>& layers) {
  Forms forms;
  bool has_sequence = false, counts_axes = false, is_mixed = false;
  std::set<std::string_view> states;
  for (const Layer& layer : layers) {
    has_sequence = has_sequence || KnowsSequence(layer);
    counts_axes = counts_axes || layer.kind >= kFirstOfAnyRank;
    for (std::size_t i = 1; IsRecurrent(layer) && i < layer.inputs.size(); ++i)
      states.insert(layer.inputs[i]);
  }
  for (const Feature& input : description.inputs) {
    const bool is_exact = (input.type.image ? network.image_mapping : network.array_mapping) == 1;
    is_mixed = is_mixed || is_exact;
    forms.of_input[input.name] = is_exact                       ? InputForm::kExact
                                 : states.count(input.name) > 0 ? InputForm::kState
                                 : has_sequence                 ? InputForm::kSequence
                                                                : InputForm::kBatch;
  }
  if (!is_mixed) forms.network = counts_axes ? Form::kFive : Form::kMerged;
  return forms;
}

Result<Type> TypeOfInput(const Feature& input, const Forms& forms) {
  const InputForm form = forms.Of(input.name);
  const ArrayType* array = input.type.array ? &*input.type.array : nullptr;
  if (array == nullptr && !input.type.image)
    return Unsupported("it is neither an array nor a picture");
  Shape shape;
  if (array != nullptr) {
    ATH_TRY(shape, ShapeOfArray(*array, input.name));
  } else {
    ATH_TRY(shape, ShapeOfImage(*input.type.image, input.name));
  }
  const bool is_whole = array != nullptr && (form == InputForm::kExact || shape.size() == 5);
  if (form != InputForm::kExact && !is_whole && shape.size() != 1 && shape.size() != 3)
    return Unsupported("an array of {} axes; 1, 3 or 5 are wanted", shape.size());
  if (!is_whole) {
    const Dim front = form == InputForm::kBatch      ? Dim::Symbol("N")
                      : form == InputForm::kSequence ? Dim::Symbol(input.name + "_steps")
                                                     : Dim(1);
    shape.insert(shape.begin(), front);
  }
  // Networks compute with f32 whatever the width of their inputs is.
  if (array == nullptr) return Type::Tensor(DType::kF32, std::move(shape));
  for (const std::int64_t kind : {kHalves, kFloats, kDoubles}) {
    if (array->data_type == kind) return Type::Tensor(DType::kF32, std::move(shape));
  }
  if (array->data_type == kInts) return Type::Tensor(DType::kI32, std::move(shape));
  return Error(ErrorCode::kUnsupportedType, "element type {} is not read", array->data_type);
}

namespace {

class NetworkImport {
 public:
  NetworkImport(Graph& graph, const NeuralNetwork& network, const Description& description,
                std::shared_ptr<const void> owner, Features& features)
      : graph_(graph),
        network_(network),
        description_(description),
        owner_(std::move(owner)),
        features_(features) {}

  Status Run() {
    ATH_TRY(const std::vector<Layer> layers, ReadLayers(network_));
    ATH_RETURN_IF_ERROR(CheckKinds(layers));
    forms_ = FormsOf(network_, description_, layers);
    for (const Feature& input : description_.inputs) {
      Status status = AddInput(input);
      if (!status.ok()) return std::move(status).In(Place("input", input.name));
    }
    for (const Layer& layer : layers) {
      if (problems_.size() >= kMaxProblems) break;
      AddLayer(layer);
    }
    ATH_RETURN_IF_ERROR(Status::All(std::move(problems_)));
    if (network_.string_labels || network_.int_labels) ATH_RETURN_IF_ERROR(AddClasses(layers));
    for (const Feature& output : description_.outputs) {
      Status status = AddOutput(output);
      if (!status.ok()) return std::move(status).In(Place("output", output.name));
    }
    return {};
  }

 private:
  // Every kind of layer that is not read, once.
  static Status CheckKinds(const std::vector<Layer>& layers) {
    UnreadKinds unread;
    for (const Layer& layer : layers) {
      if (FindRow(layer.kind) == nullptr) unread.Add(NameOf(layer.kind));
    }
    return unread.Problems("layer", {});
  }

  // What the layers see of an input: floats, with the axes of the network's form, a picture
  // preprocessed.
  Status AddInput(const Feature& input) {
    const auto found = features_.find(input.name);
    if (found == features_.end()) return InvalidModel("nothing makes it");
    ValueSteps steps(graph_, input.name);
    ValueId x = steps.Cast(found->second, DType::kF32);
    if (input.type.image) {
      ATH_RETURN_IF_ERROR(Preprocess(*input.type.image, input.name, x));
    }
    const InputForm form = forms_.Of(input.name);
    const std::int64_t rank = steps.Rank(x);
    const bool is_five = form != InputForm::kExact && rank == 5;
    if (is_five && forms_.network == Form::kMerged) x = MergeFirst(steps, x);
    if (form != InputForm::kExact && !is_five) {
      if (rank == 2) x = steps.Unsqueeze(x, {2, 3});
      // The sequence stands in front of the batch.
      if (forms_.network != Form::kMerged)
        x = steps.Unsqueeze(x, {form == InputForm::kSequence ? 1 : 0});
    }
    ATH_RETURN_IF_ERROR(steps.problem());
    blobs_[input.name] = x;
    return {};
  }

  static ValueId MergeFirst(ValueSteps& steps, ValueId x) {
    const ValueId tail = steps.Op("Shape", {x}, {{"start", steps.Rank(x) - 3}});
    return steps.Op("Reshape", {x, steps.Join({steps.Ints({-1}), tail}, 0)});
  }

  Status Preprocess(const ImageType& image, const std::string& name, ValueId& x) {
    ValueSteps steps(graph_, name);
    for (const Preprocessing& step : network_.preprocessing) {
      if (!step.feature.empty() && step.feature != name) continue;
      if (step.scaler) {
        const ImageScaler& s = *step.scaler;
        std::vector<float> bias = {s.gray};
        if (image.color_space == kRgb) bias = {s.red, s.green, s.blue};
        if (image.color_space == kBgr) bias = {s.blue, s.green, s.red};
        x = steps.Affine(x, s.scale, 0);
        const Dims dims = {std::ssize(bias), 1, 1};
        x = steps.Op("Add", {x, steps.Floats(dims, bias)});
      }
      if (step.mean) {
        const std::int64_t channels = steps.Static(x, 1), height = steps.Static(x, 2),
                           width = steps.Static(x, 3);
        ATH_RETURN_IF_ERROR(steps.problem());
        const std::vector<float>& values = step.mean->values;
        const Dims dims = {channels, height, width};
        const auto count = CheckedCount(dims);
        if (!count || *count != std::ssize(values))
          return InvalidModel("a mean picture of {} numbers for {}", values.size(), ToString(dims));
        x = steps.Op("Sub", {x, steps.Floats(dims, values)});
      }
    }
    return steps.problem();
  }

  void AddLayer(const Layer& layer) {
    const auto is_lost = [&](const std::string& name) { return lost_.count(name) != 0; };
    const bool waits = std::any_of(layer.inputs.begin(), layer.inputs.end(), is_lost);
    Status status;
    if (!waits) status = AddOne(layer);
    if (!waits && status.ok()) return;
    lost_.insert(layer.outputs.begin(), layer.outputs.end());
    if (waits) return;
    problems_.push_back(std::move(status).In(
        fmt::format("layer {} ({})", Quote(layer.name.substr(0, 100)), NameOf(layer.kind))));
  }

  Status AddOne(const Layer& layer) {
    const Row& row = *FindRow(layer.kind);
    const auto count = static_cast<std::int64_t>(layer.inputs.size());
    if (count < row.least || (row.most >= 0 && count > row.most))
      return InvalidModel("{} inputs are given; {} to {} are expected", count, row.least,
                          row.most < 0 ? "any number" : std::to_string(row.most));
    const auto results = static_cast<std::int64_t>(layer.outputs.size());
    if (results < 1 || (row.outputs >= 0 && results > row.outputs))
      return InvalidModel("{} outputs are wanted; it gives {}", results, row.outputs);
    std::vector<ValueId> inputs;
    for (const std::string& name : layer.inputs) {
      const auto found = blobs_.find(name);
      if (found == blobs_.end())
        return InvalidModel("it reads {}, which nothing before it makes",
                            Quote(name.substr(0, 100)));
      inputs.push_back(found->second);
    }
    LayerImport ctx(graph_, layer, row, std::move(inputs), forms_.network, owner_);
    row.make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    if (std::ssize(ctx.outputs) < results)
      return InvalidModel("{} outputs are wanted; it gives {}", results, ctx.outputs.size());
    for (std::size_t i = 0; i < layer.outputs.size(); ++i) {
      const Value& value = graph_.value(ctx.outputs[i]);
      if (value.producer != kNoNode && value.name.empty())
        graph_.SetName(ctx.outputs[i], layer.outputs[i]);
      blobs_[layer.outputs[i]] = ctx.outputs[i];
    }
    return {};
  }

  // Probabilities as [pictures, classes], and the label of the largest one.
  Status AddClasses(const std::vector<Layer>& layers) {
    std::string source = network_.probability_layer;
    if (source.empty() && !layers.empty()) source = layers.back().outputs[0];
    const auto found = blobs_.find(source);
    if (found == blobs_.end())
      return InvalidModel("probabilities are {}, which no layer makes",
                          Quote(source.substr(0, 100)));
    const Tensor labels = Labels();
    if (labels.count() == 0) return InvalidModel("the classifier has no labels");
    ValueSteps steps(graph_, "classes");
    const ValueId scores = steps.Reshape(found->second, {-1, labels.count()});
    const ValueId best =
        steps.Op("ArgMax", {scores}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}});
    const ValueId label =
        steps.Op("Gather", {steps.Constant(labels), best}, {{"axis", std::int64_t{0}}});
    ATH_RETURN_IF_ERROR(steps.problem());
    classes_ = {{description_.probabilities_name, scores}, {description_.label_name, label}};
    return {};
  }

  Tensor Labels() const {
    if (network_.string_labels) {
      const std::vector<std::string>& values = network_.string_labels->values;
      return Tensor::FromVector<std::string>({std::ssize(values)}, values);
    }
    const IntList& values = network_.int_labels->values;
    return Tensor::FromVector<std::int64_t>({std::ssize(values)}, values);
  }

  Status AddOutput(const Feature& output) {
    if (const auto found = classes_.find(output.name); found != classes_.end()) {
      features_[output.name] = found->second;
      return {};
    }
    const auto found = blobs_.find(output.name);
    if (found == blobs_.end()) return InvalidModel("no layer makes it");
    ValueSteps steps(graph_, output.name);
    ValueId y = found->second;
    if (forms_.network != Form::kExact) {
      const bool is_list = output.type.array && output.type.array->shape.size() == 1;
      if (steps.Rank(y) == 5) y = MergeFirst(steps, y);
      if (is_list && steps.Rank(y) == 4) y = steps.Op("Flatten", {y}, {{"axis", std::int64_t{1}}});
    }
    if (output.type.array && output.type.array->data_type == kInts) y = steps.Cast(y, DType::kI32);
    ATH_RETURN_IF_ERROR(steps.problem());
    features_[output.name] = y;
    return {};
  }

  Graph& graph_;
  const NeuralNetwork& network_;
  const Description& description_;
  std::shared_ptr<const void> owner_;
  Features& features_;
  Forms forms_;
  Features blobs_, classes_;
  std::set<std::string> lost_;  // outputs of layers with a problem, and of what reads them
  std::vector<Status> problems_;
};

}  // namespace

Status AddNetwork(Graph& graph, const NeuralNetwork& network, const Description& description,
                  const std::shared_ptr<const void>& owner, Features& features) {
  return NetworkImport(graph, network, description, owner, features).Run();
}

}  // namespace athanor::coreml
