#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <unordered_map>

#include "contestant.h"
#include "kernels/conv/spatial.h"

namespace athanor::bench {
namespace {

using dnnl::memory;
using kernels::EpilogueStep;
using kernels::KernelQuery;
using Tag = memory::format_tag;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& Stream() {
  static dnnl::stream stream(Engine());
  return stream;
}

Tag PlainTag(std::size_t rank) {
  constexpr Tag kTags[] = {Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde};
  return kTags[rank - 1];
}

memory::data_type TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return memory::data_type::u8;
    case DType::kI8:
      return memory::data_type::s8;
    default:
      return memory::data_type::f32;
  }
}

memory::desc Plain(const memory::dims& dims, DType dtype = DType::kF32) {
  return {dims, TypeOf(dtype), PlainTag(dims.size())};
}

memory::desc Any(const memory::dims& dims, DType dtype = DType::kF32) {
  return {dims, TypeOf(dtype), Tag::any};
}

void Copy(memory& from, memory& to) {
  dnnl::reorder(from, to).execute(Stream(), from, to);
  Stream().wait();
}

// A memory of layout `wanted` with the values of a tensor in plain layout.
memory Reordered(const Tensor& tensor, const memory::dims& dims, const memory::desc& wanted) {
  memory plain(Plain(dims, tensor.dtype()), Engine(), const_cast<void*>(tensor.raw()));
  memory made(wanted, Engine());
  Copy(plain, made);
  return made;
}

// What of the epilogue oneDNN can do in place. The first step may add a tensor as large as the
// result: oneDNN sums into its output, which holds that tensor.
struct Fused {
  dnnl::primitive_attr attributes;
  std::size_t residual = 0;  // operand
  std::string left_out;
};

Fused Fuse(const KernelQuery& query) {
  Fused fused;
  fused.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (query.quant != nullptr) {
    std::vector<float> factors;
    for (const float scale : query.quant->inputs[1].scales)
      factors.push_back(query.quant->inputs[0].scales[0] * scale /
                        query.quant->outputs[0].scales[0]);
    fused.attributes.set_output_scales(1 << 1, factors);
    return fused;
  }
  dnnl::post_ops ops;
  for (const EpilogueStep& step : query.epilogue) {
    const bool sum = step.kind == EpilogueStep::Kind::kBinary && step.op == "Add" &&
                     step.spread == EpilogueStep::Spread::kSame && fused.residual == 0;
    if (sum) {
      ops.append_sum(1.0F);
      fused.residual = static_cast<std::size_t>(step.operand);
    } else if (step.op == "Relu") {
      ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0, 0);
    } else if (step.op == "Clip") {
      ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_clip, step.params[0], step.params[1]);
    } else {
      fused.left_out += " " + step.op;
    }
  }
  fused.attributes.set_post_ops(ops);
  return fused;
}

// oneDNN's bias is in units of the sums. It has the zero point of the result in it, which costs
// nothing there; not every primitive would take it elsewhere.
Tensor BiasOfSums(const KernelQuery& query, const std::vector<Tensor>& operands) {
  const QuantSpec& spec = *query.quant;
  const QuantPort& y = spec.outputs[0];
  std::vector<float> bias;
  for (std::size_t c = 0; c < spec.inputs[1].scales.size(); ++c) {
    const float real = query.Has(2) ? operands[2].Data<float>()[c] : 0.0F;
    bias.push_back((real + static_cast<float>(y.zeros[0]) * y.scales[0]) /
                   (spec.inputs[0].scales[0] * spec.inputs[1].scales[c]));
  }
  return Tensor::FromVector({std::ssize(bias)}, bias);
}

class OneDnnLayer : public Contestant {
 public:
  OneDnnLayer(std::string name, dnnl::primitive primitive, std::unordered_map<int, memory> memories,
              memory::dims out, DType dtype = DType::kF32)
      : Contestant(std::move(name)),
        primitive_(std::move(primitive)),
        memories_(std::move(memories)),
        out_(std::move(out)),
        dtype_(dtype) {}

  void Run() override {
    primitive_.execute(Stream(), memories_);
    Stream().wait();
  }
  std::vector<float> Output() override {
    memory plain(Plain(out_, dtype_), Engine());
    Copy(memories_.at(DNNL_ARG_DST), plain);
    const std::size_t bytes = plain.get_desc().get_size();
    if (dtype_ == DType::kU8) {
      const auto* data = static_cast<const std::uint8_t*>(plain.get_data_handle());
      return {data, data + bytes};
    }
    const auto* data = static_cast<const float*>(plain.get_data_handle());
    return {data, data + bytes / sizeof(float)};
  }

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> memories_;
  memory::dims out_;
  DType dtype_;
};

template <class Descriptor>
memory Scratch(const Descriptor& descriptor) {
  return memory(descriptor.scratchpad_desc(), Engine());
}

memory Destination(const Fused& fused, const std::vector<Tensor>& operands,
                   const memory::dims& dims, const memory::desc& wanted) {
  if (fused.residual == 0) return memory(wanted, Engine());
  return Reordered(operands[fused.residual], dims, wanted);
}

std::unique_ptr<Contestant> Convolution(const KernelQuery& query,
                                        const std::vector<Tensor>& operands, const Fused& fused) {
  const auto spatial = kernels::Spatial2d::From(query);
  if (!spatial || query.in[0].rank() != 4) return nullptr;
  const auto& [conv, h, w] = *spatial;
  const memory::dims x = {conv.batch, conv.in_channels, h.in, w.in};
  const memory::dims y = {conv.batch, conv.out_channels, h.out, w.out};
  memory::dims weights = {conv.out_channels, conv.in_channels / conv.group, h.kernel, w.kernel};
  if (conv.group > 1) {
    weights[0] /= conv.group;
    weights.insert(weights.begin(), conv.group);
  }
  const memory::dims bias = {conv.out_channels};
  const bool has_bias = query.quant != nullptr || query.Has(2);
  const memory::desc from = Any(x, query.in[0].dtype), with = Any(weights, query.in[1].dtype),
                     to = Any(y, query.out[0].dtype);
  const memory::dims strides = {h.stride, w.stride};
  const memory::dims dilations = {h.dilation - 1, w.dilation - 1};
  const memory::dims before = {h.pad_begin, w.pad_begin}, after = {h.pad_end, w.pad_end};
  using Forward = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_auto;
  const Forward::desc described =
      has_bias ? Forward::desc(kind, algorithm, from, with, Any(bias), to, strides, dilations,
                               before, after)
               : Forward::desc(kind, algorithm, from, with, to, strides, dilations, before, after);
  const Forward::primitive_desc descriptor(described, fused.attributes, Engine());
  std::unordered_map<int, memory> memories = {
      {DNNL_ARG_SRC, Reordered(operands[0], x, descriptor.src_desc())},
      {DNNL_ARG_WEIGHTS, Reordered(operands[1], weights, descriptor.weights_desc())},
      {DNNL_ARG_DST, Destination(fused, operands, y, descriptor.dst_desc())},
      {DNNL_ARG_SCRATCHPAD, Scratch(descriptor)}};
  if (has_bias)
    memories.emplace(DNNL_ARG_BIAS, Reordered(operands[2], bias, descriptor.bias_desc()));
  return std::make_unique<OneDnnLayer>(fmt::format("onednn {}", descriptor.impl_info_str()),
                                       Forward(descriptor), std::move(memories), y,
                                       query.out[0].dtype);
}

// x [m, k] and a constant matrix of n columns, as a fully connected layer.
struct Product {
  memory::dims x, w, y;  // w as it lies
  DType x_type, w_type, y_type;
  bool transposed = false;                    // w is [n, k]
  std::optional<Tensor> bias = std::nullopt;  // n values
};

std::optional<Product> AsProduct(const KernelQuery& query, const std::vector<Tensor>& operands) {
  if (query.in[1].rank() != 2 || query.in[0].rank() < 2 || query.Int("transA") != 0)
    return std::nullopt;
  Product product;
  product.x_type = query.in[0].dtype;
  product.w_type = query.in[1].dtype;
  product.y_type = query.out[0].dtype;
  product.transposed = query.Int("transB") != 0;
  product.w = {query.in[1].dims.begin(), query.in[1].dims.end()};
  const std::int64_t k = query.in[0].dims.back(), n = product.w[product.transposed ? 0 : 1];
  const std::int64_t m = query.in[0].count() / k;
  product.x = {m, k};
  product.y = {m, n};
  const bool gemm = query.op->name == "Gemm";
  if (gemm && (query.Float("alpha") != 1.0F || query.Float("beta") != 1.0F)) return std::nullopt;
  if (gemm && (query.quant != nullptr || query.Has(2))) {
    if (operands[2].count() != n) return std::nullopt;
    product.bias = operands[2].Reshaped({n});
  }
  return product;
}

std::unique_ptr<Contestant> InnerProduct(const Product& product,
                                         const std::vector<Tensor>& operands, const Fused& fused) {
  using Forward = dnnl::inner_product_forward;
  const memory::dims weights = {product.y[1], product.x[1]}, bias = {product.y[1]};
  const auto kind = dnnl::prop_kind::forward_inference;
  const memory::desc from = Any(product.x, product.x_type), with = Any(weights, product.w_type),
                     to = Any(product.y, product.y_type);
  const Forward::desc described = product.bias ? Forward::desc(kind, from, with, Any(bias), to)
                                               : Forward::desc(kind, from, with, to);
  const Forward::primitive_desc descriptor(described, fused.attributes, Engine());
  // The same bytes seen as [n, k].
  const memory::desc lies(weights, TypeOf(product.w_type), product.transposed ? Tag::ab : Tag::ba);
  memory plain(lies, Engine(), const_cast<void*>(operands[1].raw()));
  memory w(descriptor.weights_desc(), Engine());
  Copy(plain, w);
  std::unordered_map<int, memory> memories = {
      {DNNL_ARG_SRC, Reordered(operands[0], product.x, descriptor.src_desc())},
      {DNNL_ARG_WEIGHTS, std::move(w)},
      {DNNL_ARG_DST, Destination(fused, operands, product.y, descriptor.dst_desc())},
      {DNNL_ARG_SCRATCHPAD, Scratch(descriptor)}};
  if (product.bias)
    memories.emplace(DNNL_ARG_BIAS, Reordered(*product.bias, bias, descriptor.bias_desc()));
  return std::make_unique<OneDnnLayer>(fmt::format("onednn {}", descriptor.impl_info_str()),
                                       Forward(descriptor), std::move(memories), product.y,
                                       product.y_type);
}

// Both factors as they lie, any number of leading dimensions.
std::unique_ptr<Contestant> Multiply(const KernelQuery& query, const std::vector<Tensor>& operands,
                                     const Fused& fused) {
  const bool plain = query.op->name == "MatMul" && query.in[0].rank() == query.in[1].rank();
  if (!plain || query.in[0].rank() > 4 || query.in[0].rank() < 2) return nullptr;
  const auto dims = [](const Dims& from) { return memory::dims(from.begin(), from.end()); };
  const memory::dims a = dims(query.in[0].dims), b = dims(query.in[1].dims),
                     c = dims(query.out[0].dims);
  const bool constant = query.in[1].constant != nullptr;
  const dnnl::matmul::desc described(Plain(a), constant ? Any(b) : Plain(b), Plain(c));
  const dnnl::matmul::primitive_desc descriptor(described, fused.attributes, Engine());
  std::unordered_map<int, memory> memories = {
      {DNNL_ARG_SRC, Reordered(operands[0], a, descriptor.src_desc())},
      {DNNL_ARG_WEIGHTS, Reordered(operands[1], b, descriptor.weights_desc())},
      {DNNL_ARG_DST, Destination(fused, operands, c, descriptor.dst_desc())},
      {DNNL_ARG_SCRATCHPAD, Scratch(descriptor)}};
  return std::make_unique<OneDnnLayer>(fmt::format("onednn {}", descriptor.impl_info_str()),
                                       dnnl::matmul(descriptor), std::move(memories), c);
}

}  // namespace

std::vector<std::unique_ptr<Contestant>> OneDnn(const Layer& layer,
                                                const std::vector<Tensor>& given,
                                                std::string& why) {
  const KernelQuery& query = layer.group.query;
  const Fused fused = Fuse(query);
  std::vector<Tensor> operands = given;
  if (query.quant != nullptr) {
    operands.resize(std::max<std::size_t>(3, operands.size()));
    operands[2] = BiasOfSums(query, given);
  }
  if (!fused.left_out.empty()) why = "it does not fuse" + fused.left_out;
  std::vector<std::unique_ptr<Contestant>> made;
  const auto add = [&](const auto& make) {
    try {
      if (auto contestant = make()) made.push_back(std::move(contestant));
    } catch (const dnnl::error& error) {
      why = error.what();
    }
  };
  if (query.op->name == "Conv") {
    add([&] { return Convolution(query, operands, fused); });
    return made;
  }
  if (const auto product = AsProduct(query, operands))
    add([&] { return InnerProduct(*product, operands, fused); });
  if (query.quant == nullptr) add([&] { return Multiply(query, operands, fused); });
  return made;
}

}  // namespace athanor::bench
