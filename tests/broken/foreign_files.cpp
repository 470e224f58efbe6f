// Files with nodes of an operator that a plug-in brings, in every format that takes one.
#include <flatbuffers/flexbuffers.h>

#include <algorithm>

#include "core/file.h"
#include "corpus.h"
#include "frontends/foreign_for_fuzz.h"
#include "frontends/onnx/export.h"
#include "frontends/pytorch/files_for_test.h"
#include "frontends/tensorflow/model_for_test.h"
#include "frontends/tflite/model_for_test.h"
#include "ir/text.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <class T>
File FileOf(const char* name, ForeignFile format, const T& content) {
  File file = {name, {static_cast<std::uint8_t>(format)}};
  for (const auto byte : content) file.bytes.push_back(static_cast<std::uint8_t>(byte));
  return file;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ATH_CHECK(at != std::string::npos, "the small files have the part that is replaced");
  return text.replace(at, from.size(), to);
}

std::string Caffe() {
  return R"(layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }
layer { name: "f" type: "Foreign" bottom: "x" top: "y" foreign_param { whole: 3 part: 0.5 list: 1 list: 2 text: "a" } })";
}

std::string Mxnet() {
  return R"json({"nodes": [{"op": "null", "name": "x", "attrs": {"__shape__": "(2,)"}, "inputs": []},
{"op": "Custom", "name": "f", "attrs": {"op_type": "Foreign", "whole": "3", "part": "0.5", "list": "(1, 2)", "text": "7"},
"inputs": [[0, 0, 0]]}], "arg_nodes": [0], "heads": [[1, 0, 0]]})json" +
         std::string(1, '\0') + mxnet::ParameterFile({});
}

std::string Openvino() {
  return R"(<net name="n" version="11"><layers><layer id="0" name="x" type="Parameter" version="opset1">
<data shape="2" element_type="f32"/><output><port id="0"/></output></layer>
<layer id="1" name="f" type="Foreign" version="extension"><data whole="3" part="0.5" list="1,2" text="a"/>
<input><port id="0"/></input><output><port id="1"/></output></layer>
<layer id="2" name="r" type="Result" version="opset1"><input><port id="0"/></input></layer></layers><edges>
<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/><edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>)" +
         std::string(1, '\0');
}

Bytes Paddle() {
  paddle::DescMaker maker = paddle::SmallDesc();
  maker.op(3).type = "Foreign";
  paddle::DescMaker::Int(maker.op(3), "whole", 3);
  paddle::DescMaker::Ints(maker.op(3), "list", {1, 2});
  return paddle::Packed(maker.Bytes(), paddle::SmallParameters());
}

Bytes Pir() {
  return paddle::Packed(Replaced(paddle::SmallPir(), R"("1.relu","A":[])",
                                 R"("3.Foreign","A":[{"AT":{"#":"0.a_i32","D":3},"N":"whole"}])"),
                        paddle::SmallParameters());
}

std::string Pytorch() {
  const std::string call = "    return ops.pytorch.Foreign(x, 3, 0.5, [1, 2], \"a\")\n";
  return pytorch::ZipOf(pytorch::ScriptMembers(call));
}

Bytes Tensorflow() {
  using tensorflow::NodeMaker;
  tensorflow::GraphDef graph = tensorflow::SmallGraph();
  graph.library.function[0].node[0].op = "Foreign";
  tensorflow::NodeDef& node = graph.library.function[0].node[0];
  NodeMaker::Set(node, "T").type = tensorflow::kFloat;
  NodeMaker::Set(node, "whole").i = 3;
  NodeMaker::Set(node, "part").f = 0.5F;
  NodeMaker::Set(node, "text").s = "a";
  auto list = std::make_shared<tensorflow::ListValue>();
  list->i = {1, 2};
  NodeMaker::Set(node, "list").list = std::move(list);
  return protobuf::Serialize(graph);
}

Bytes Tflite() {
  using namespace tflite;
  flexbuffers::Builder options;
  options.Map([&] {
    options.Int("whole", -3);
    options.Float("part", 0.5F);
    options.String("text", "a");
    options.TypedVector("list", [&] { options.Int(1), options.Int(2); });
  });
  options.Finish();
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", schema::TensorType_INT8, {2});
  const std::int32_t y = m.Tensor("y", schema::TensorType_INT8, {2});
  m.Quantize(x, {0.5F}, {0});
  m.Quantize(y, {0.5F}, {0});
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  m.Operator(schema::BuiltinOperator_CUSTOM, {x}, {y}).custom_options = options.GetBuffer();
  m.model.operator_codes.back()->custom_code = "Foreign";
  return m.Bytes();
}

Bytes Onnx() {
  AddForeignOperators();
  const Result<Graph> graph = ParseText(
      "graph g(x: f32[2]) -> (y) { %y = onnx::Foreign(%x) {whole = 3, part = 0.5, list = [1, 2], "
      "text = \"a\"} }",
      ops::Standard());
  ATH_CHECK(graph.ok(), "the text is right");
  Result<Bytes> bytes = onnx::ExportOnnx(*graph);
  ATH_CHECK(bytes.ok(), "ONNX files take operators of any domain");
  return *std::move(bytes);
}

// The small file of Keras with its flattening layer as one of a plug-in's.
std::string Keras() {
  const Result<std::string> file = ReadTextFile("tests/broken/keras_small.h5");
  ATH_CHECK(file.ok(), "tests run in the repository's root");
  return Replaced(*file, "\"class_name\": \"Flatten\"", "\"class_name\": \"Foreign\"");
}

Status Read(const std::string& path) {
  ATH_TRY(const auto file, MappedFile::Open(path));
  return ReadForeignFile(file->bytes()).In(path);
}

}  // namespace

Family ForeignFamily() {
  Family family = {"foreign", {}, {}, Read};
  constexpr std::string_view kNcnn =
      "7767517\n2 2\nInput x 0 1 x 0=2\nForeign f 1 1 x y 0=3 1=0.5 -23302=2,7,8\n";
  family.good = {FileOf("caffe", ForeignFile::kCaffe, Caffe()),
                 FileOf("mxnet", ForeignFile::kMxnet, Mxnet()),
                 FileOf("ncnn", ForeignFile::kNcnn, kNcnn),
                 FileOf("onnx", ForeignFile::kOnnx, Onnx()),
                 FileOf("openvino", ForeignFile::kOpenvino, Openvino()),
                 FileOf("paddle", ForeignFile::kPaddle, Paddle()),
                 FileOf("pir", ForeignFile::kPaddle, Pir()),
                 FileOf("pytorch", ForeignFile::kPytorch, Pytorch()),
                 FileOf("tensorflow", ForeignFile::kTensorflow, Tensorflow()),
                 FileOf("tflite", ForeignFile::kTflite, Tflite())};
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  // A layer behind it wants another shape than the operator gives.
  family.bad.push_back(FileOf("keras", ForeignFile::kKeras, Keras()));
  return family;
}

}  // namespace athanor::broken
