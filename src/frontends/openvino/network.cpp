#include "frontends/openvino/network.h"

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>
#include <unordered_map>

#include "core/number.h"
#include "core/text.h"
#include "frontends/xml_document.h"

namespace athanor::openvino {
namespace {

using Element = pugi::xml_node;

constexpr int kDeepest = 16;                    // bodies within bodies
constexpr std::size_t kMostLayers = 1'000'000;  // of all networks of a file
constexpr std::size_t kLargestXml = std::size_t{1} << 29;
constexpr std::string_view kSpaces = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::optional<std::int64_t> ParseInt(std::string_view text) { return ReadInteger(Trim(text)); }

Result<std::int64_t> Number(const Element& element, const char* attribute) {
  const std::string_view text = element.attribute(attribute).value();
  const std::optional<std::int64_t> value = ParseInt(text);
  if (!value)
    return InvalidModel("<{}> {} is {}; a whole number is expected", element.name(), attribute,
                        Quote(text.substr(0, 40)));
  return *value;
}

Result<std::int64_t> NumberOr(const Element& element, const char* attribute,
                              std::int64_t otherwise) {
  if (element.attribute(attribute).empty()) return otherwise;
  return Number(element, attribute);
}

// The first of names that commas separate; "\," is a comma within one.
std::string FirstName(std::string_view names) {
  std::string first;
  for (std::size_t i = 0; i < names.size() && names[i] != ','; ++i) {
    if (names[i] == '\\' && i + 1 < names.size()) ++i;
    first += names[i];
  }
  return first;
}

class Parser {
 public:
  Result<Network> Parse(const Element& net, int depth);

 private:
  using Ids = std::unordered_map<std::int64_t, std::size_t>;

  Result<Layer> ReadLayer(const Element& element, int depth);
  Result<Body> ReadBody(const Element& element, const char* name, const char* map, int depth);
  static Result<std::size_t> LayerOf(const Element& element, const char* attribute, const Ids& ids);
  static Status ReadEdges(const Element& net, Network& network, const Ids& ids);
  static Result<Network> Sorted(Network network, Ids& ids);

  Ids last_ids_;  // of the network read last: where its layers are now
  std::size_t layers_ = 0;
};

Result<Layer> Parser::ReadLayer(const Element& element, int depth) {
  Layer layer;
  layer.name = element.attribute("name").value();
  layer.type = element.attribute("type").value();
  if (++layers_ > kMostLayers)
    return Error(ErrorCode::kResource, "there are more than {} layers", kMostLayers);
  const std::string_view version = element.attribute("version").value();
  if (version.starts_with("opset"))
    layer.opset = static_cast<int>(ParseInt(version.substr(5)).value_or(0));
  for (const pugi::xml_attribute& attribute : element.child("data").attributes())
    layer.attributes[attribute.name()] = attribute.value();
  if (const pugi::xml_attribute names = element.attribute("output_names"); !names.empty())
    layer.attributes["output_names"] = FirstName(names.value());
  for (const Element& port : element.child("input").children("port")) {
    ATH_TRY(const std::int64_t id, Number(port, "id"));
    layer.input_ports.push_back(id);
  }
  for (const Element& port : element.child("output").children("port")) {
    ATH_TRY(const std::int64_t id, Number(port, "id"));
    layer.output_ports.push_back(id);
    layer.output_names.push_back(FirstName(port.attribute("names").value()));
  }
  layer.output_used.resize(layer.output_ports.size());
  constexpr std::pair<const char*, const char*> kBodies[] = {
      {"body", "port_map"}, {"then_body", "then_port_map"}, {"else_body", "else_port_map"}};
  for (const auto& [body, map] : kBodies) {
    if (element.child(body).empty()) continue;
    ATH_TRY(Body read, ReadBody(element, body, map, depth));
    layer.bodies.push_back(std::move(read));
  }
  return layer;
}

Result<std::size_t> Parser::LayerOf(const Element& element, const char* attribute, const Ids& ids) {
  ATH_TRY(const std::int64_t id, Number(element, attribute));
  const auto found = ids.find(id);
  if (found == ids.end())
    return InvalidModel("<{}> {} names layer {}, which does not exist", element.name(), attribute,
                        id);
  return found->second;
}

Result<Body> Parser::ReadBody(const Element& element, const char* name, const char* map,
                              int depth) {
  Body body;
  ATH_TRY(body.network, Parse(element.child(name), depth + 1));
  const Ids ids = std::move(last_ids_);
  for (const Element& port : element.child(map).children()) {
    PortMap entry;
    ATH_TRY(entry.external, Number(port, "external_port_id"));
    ATH_TRY(entry.internal, LayerOf(port, "internal_layer_id", ids));
    if (!port.attribute("axis").empty()) {
      ATH_TRY(entry.axis, Number(port, "axis"));
    }
    ATH_TRY(entry.start, NumberOr(port, "start", 0));
    ATH_TRY(entry.end, NumberOr(port, "end", -1));
    ATH_TRY(entry.stride, NumberOr(port, "stride", 1));
    ATH_TRY(entry.part_size, NumberOr(port, "part_size", 1));
    entry.purpose = port.attribute("purpose").value();
    const bool is_input = std::strcmp(port.name(), "input") == 0;
    const Layer& inside = body.network.layers[entry.internal];
    if (inside.type != (is_input ? "Parameter" : "Result"))
      return InvalidModel("<{}> names {}", port.name(), Place(inside));
    (is_input ? body.inputs : body.outputs).push_back(std::move(entry));
  }
  for (const Element& edge : element.child("back_edges").children("edge")) {
    ATH_TRY(const std::size_t from, LayerOf(edge, "from-layer", ids));
    ATH_TRY(const std::size_t to, LayerOf(edge, "to-layer", ids));
    if (body.network.layers[from].type != "Result" || body.network.layers[to].type != "Parameter")
      return InvalidModel("a back edge goes from {} to {}", Place(body.network.layers[from]),
                          Place(body.network.layers[to]));
    body.back_edges.emplace_back(from, to);
  }
  return body;
}

Status Parser::ReadEdges(const Element& net, Network& network, const Ids& ids) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  for (Layer& layer : network.layers) layer.inputs.assign(layer.input_ports.size(), {kNone, 0});
  const auto index = [](const std::vector<std::int64_t>& ports, std::int64_t id) {
    return static_cast<std::size_t>(std::find(ports.begin(), ports.end(), id) - ports.begin());
  };
  for (const Element& edge : net.child("edges").children("edge")) {
    ATH_TRY(const std::size_t from, LayerOf(edge, "from-layer", ids));
    ATH_TRY(const std::size_t to, LayerOf(edge, "to-layer", ids));
    ATH_TRY(const std::int64_t from_port, Number(edge, "from-port"));
    ATH_TRY(const std::int64_t to_port, Number(edge, "to-port"));
    Layer &source = network.layers[from], &target = network.layers[to];
    const std::size_t output = index(source.output_ports, from_port);
    const std::size_t input = index(target.input_ports, to_port);
    if (output == source.output_ports.size())
      return InvalidModel("an edge leaves port {} of {}, which has no such output", from_port,
                          Place(source));
    if (input == target.input_ports.size())
      return InvalidModel("an edge enters port {} of {}, which has no such input", to_port,
                          Place(target));
    if (target.inputs[input].layer != kNone)
      return InvalidModel("two edges enter port {} of {}", to_port, Place(target));
    target.inputs[input] = {from, output};
    source.output_used[output] = true;
  }
  for (const Layer& layer : network.layers) {
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
      if (layer.inputs[i].layer == kNone)
        return InvalidModel("no edge enters port {}", layer.input_ports[i]).In(Place(layer));
    }
  }
  return {};
}

// Kahn's order, which keeps that of the file where it can; `ids` follow.
Result<Network> Parser::Sorted(Network network, Ids& ids) {
  const std::size_t count = network.layers.size();
  std::vector<std::vector<std::size_t>> readers(count);
  std::vector<std::size_t> waits(count), order, place(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const Source& source : network.layers[i].inputs) readers[source.layer].push_back(i);
    waits[i] = network.layers[i].inputs.size();
    if (waits[i] == 0) order.push_back(i);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    place[order[next]] = next;
    for (const std::size_t reader : readers[order[next]]) {
      if (--waits[reader] == 0) order.push_back(reader);
    }
  }
  if (order.size() != count) return InvalidModel("the layers depend on each other in a circle");
  Network sorted;
  for (const std::size_t i : order) {
    Layer& layer = sorted.layers.emplace_back(std::move(network.layers[i]));
    for (Source& source : layer.inputs) source.layer = place[source.layer];
  }
  for (auto& [id, index] : ids) index = place[index];
  for (std::size_t i = 0; i < count; ++i) {
    if (sorted.layers[place[i]].type == "Result") sorted.results.push_back(place[i]);
  }
  return sorted;
}

Result<Network> Parser::Parse(const Element& net, int depth) {
  if (depth > kDeepest) return Unsupported("bodies are nested more than {} deep", kDeepest);
  Network network;
  Ids ids;
  for (const Element& element : net.child("layers").children("layer")) {
    ATH_TRY(const std::int64_t id, Number(element, "id"));
    if (!ids.emplace(id, network.layers.size()).second)
      return InvalidModel("two layers have the id {}", id);
    Result<Layer> layer = ReadLayer(element, depth);
    if (!layer.ok()) {
      return std::move(layer).status().In(
          fmt::format("layer {}", Quote(element.attribute("name").value())));
    }
    network.layers.push_back(*std::move(layer));
  }
  ATH_RETURN_IF_ERROR(ReadEdges(net, network, ids));
  ATH_TRY(network, Sorted(std::move(network), ids));
  last_ids_ = std::move(ids);
  return network;
}

}  // namespace

std::string Place(const Layer& layer) {
  return fmt::format("layer {} ({})", Quote(layer.name), layer.type);
}

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  if (Trim(text).empty()) return words;
  for (;;) {
    const std::size_t comma = text.find(',');
    words.push_back(Trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return words;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::vector<std::int64_t>> ParseInts(std::string_view text) {
  std::vector<std::int64_t> values;
  for (const std::string_view word : SplitWords(text)) {
    const std::optional<std::int64_t> value = ParseInt(word);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

bool IsOpenvino(std::span<const std::uint8_t> bytes) {
  const std::string_view head = XmlHead(bytes);
  return head.find("<net ") != std::string_view::npos ||
         head.find("<net>") != std::string_view::npos;
}

Result<Network> ParseNetwork(std::string_view xml) {
  if (xml.size() > kLargestXml)
    return Error(ErrorCode::kResource, "the XML has {}; up to {} are read",
                 HumanBytes(static_cast<double>(xml.size())),
                 HumanBytes(static_cast<double>(kLargestXml)));
  pugi::xml_document document;
  ATH_RETURN_IF_ERROR(
      ReadXml({reinterpret_cast<const std::uint8_t*>(xml.data()), xml.size()}, document));
  const Element net = document.child("net");
  if (net.empty()) return InvalidModel("there is no <net> in the document");
  ATH_TRY(const std::int64_t version, Number(net, "version"));
  if (version != 10 && version != 11)
    return Unsupported("IR version {} is not read; 10 and 11 are", version)
        .Fix("convert the original model again with a current OpenVINO: ovc MODEL");
  ATH_TRY(Network network, Parser().Parse(net, 0));
  network.version = static_cast<int>(version);
  return network;
}

}  // namespace athanor::openvino
