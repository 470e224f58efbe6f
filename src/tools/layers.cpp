#include "tools/layers.h"

#include <algorithm>

#include "kernels/conv/spatial.h"

namespace athanor::tools {
namespace {

using kernels::KernelQuery;

std::string EpilogueText(const KernelQuery& query) {
  std::string text;
  for (const kernels::EpilogueStep& step : query.epilogue) text += " +" + step.op;
  return text;
}

std::string ConvName(const KernelQuery& query) {
  const auto spatial = kernels::Spatial2d::From(query);
  if (!spatial) return "";
  const ops::ConvGeometry& conv = spatial->conv;
  std::string name =
      fmt::format("{}x{}/{} {}->{} {}x{}", spatial->h.kernel, spatial->w.kernel, spatial->h.stride,
                  conv.in_channels, conv.out_channels, spatial->h.in, spatial->w.in);
  if (spatial->h.dilation > 1) name += fmt::format(" dilation {}", spatial->h.dilation);
  if (conv.group > 1)
    name += conv.group == conv.in_channels ? " depthwise" : fmt::format(" groups {}", conv.group);
  if (conv.batch > 1) name += fmt::format(" batch {}", conv.batch);
  return name + EpilogueText(query);
}

std::string ProductName(const KernelQuery& query) {
  return fmt::format("{} {}{} x {}{}{}", query.op->name, query.Int("transA") != 0 ? "T" : "",
                     ToString(query.in[0].dims), query.Int("transB") != 0 ? "T" : "",
                     ToString(query.in[1].dims), EpilogueText(query));
}

double FlopsOf(const KernelQuery& query) {
  std::vector<Type> in, out;
  const auto fill = [](const std::vector<kernels::PortInfo>& ports, std::size_t count,
                       std::vector<Type>& types) {
    for (std::size_t i = 0; i < count; ++i) {
      Shape shape(ports[i].dims.begin(), ports[i].dims.end());
      types.push_back(ports[i].given() ? Type::Tensor(ports[i].dtype, std::move(shape)) : Type());
    }
  };
  fill(query.in, query.own_inputs, in);
  fill(query.out, query.out.size(), out);
  std::vector<const Type*> inputs;
  for (std::size_t i = 0; i < in.size(); ++i) inputs.push_back(query.Has(i) ? &in[i] : nullptr);
  const Dim flops = Flops(*query.op, {inputs, out, *query.attributes});
  return flops.IsConst() ? static_cast<double>(flops.value()) : 0;
}

// "" for what is not measured.
std::string NameOf(const plan::Group& group, const LayerOptions& options) {
  const KernelQuery& query = group.query;
  if (query.op == nullptr || query.in.empty()) return "";
  if (options.quantized ? query.quant == nullptr : query.in[0].dtype != DType::kF32) return "";
  if (query.op->name == "Conv") return options.conv ? ConvName(query) : "";
  if (query.op->name == "Gemm" || query.op->name == "MatMul")
    return options.gemm ? ProductName(query) : "";
  return "";
}

void AddVariants(Layer& layer) {
  if (layer.group.kernel() != nullptr)
    layer.variants.push_back({layer.group.query, layer.group.candidates});
  for (const bool plain_input : {false, true}) {
    plan::Variant variant = plan::InBlocks(layer.group, plain_input, BestIsa());
    if (variant.fits()) layer.variants.push_back(std::move(variant));
  }
}

}  // namespace

std::vector<Type> InputTypes(const Graph& graph, std::int64_t batch) {
  constexpr std::int64_t kSequence = 128;
  std::vector<Type> types;
  for (const ValueId id : graph.inputs()) {
    const Type& type = graph.value(id).type;
    Shape shape;
    for (std::int64_t i = 0; i < type.rank(); ++i) {
      const Dim& dim = type.dim(i);
      const bool sequence = !dim.IsConst() && dim.ToString().starts_with("s");
      shape.emplace_back(dim.IsConst() ? dim.value() : sequence ? kSequence : batch);
    }
    types.push_back(Type::Tensor(type.dtype, std::move(shape)));
  }
  return types;
}

Status AddNetwork(Graph made, const std::string& name, const LayerOptions& options,
                  Layers& layers) {
  layers.graphs.push_back(std::make_unique<Graph>(std::move(made)));
  Graph& graph = *layers.graphs.back();
  ATH_RETURN_IF_ERROR(OptimizeForPlans(graph));
  if (options.quantized) ATH_RETURN_IF_ERROR(LowerQuantized(graph, /*for_kernels=*/true));
  ATH_RETURN_IF_ERROR(plan::BindShapes(graph, InputTypes(graph, options.batch)));
  ATH_TRY(
      std::vector<plan::Group> groups,
      plan::MakeGroups(
          graph, {.isa = BestIsa(), .threads = options.threads, .precision = options.precision}));
  for (plan::Group& group : groups) {
    std::string layer = NameOf(group, options);
    if (layer.empty()) continue;
    const auto known = std::find_if(layers.list.begin(), layers.list.end(),
                                    [&](const Layer& other) { return other.name == layer; });
    if (known != layers.list.end()) {
      known->networks.push_back(name);
      continue;
    }
    const double flops = FlopsOf(group.query);
    layers.list.push_back({std::move(layer), std::move(group), flops, {name}, {}});
    AddVariants(layers.list.back());
  }
  return {};
}

}  // namespace athanor::tools
