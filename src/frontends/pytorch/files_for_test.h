// Small files as PyTorch writes them, made by hand for tests and for the corpus of broken files.
#pragma once

#include <zlib.h>

#include <string>
#include <utility>
#include <vector>

namespace athanor::pytorch {

// Member name and content, in order.
using Members = std::vector<std::pair<std::string, std::string>>;

inline std::string LittleEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 0xFFU);
  return text;
}

// A zip archive of stored members, each starting at a multiple of 64 as PyTorch has it.
inline std::string ZipOf(const Members& members) {
  std::string file, directory;
  for (const auto& [name, content] : members) {
    const std::size_t header = file.size();
    const std::size_t gap = (64 - (header + 30 + name.size() + 4) % 64) % 64;
    const auto crc =
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    const std::string sizes = LittleEndian(crc, 4) + LittleEndian(content.size(), 4) +
                              LittleEndian(content.size(), 4) + LittleEndian(name.size(), 2);
    file += LittleEndian(0x04034B50, 4) + LittleEndian(0, 10) + sizes + LittleEndian(gap + 4, 2) +
            name + "FB" + LittleEndian(gap, 2) + std::string(gap, 'Z') + content;
    directory += LittleEndian(0x02014B50, 4) + LittleEndian(0, 12) + sizes + LittleEndian(0, 12) +
                 LittleEndian(header, 4) + name;
  }
  const std::size_t start = file.size();
  return file + directory + LittleEndian(0x06054B50, 4) + LittleEndian(0, 4) +
         LittleEndian(members.size(), 2) + LittleEndian(members.size(), 2) +
         LittleEndian(directory.size(), 4) + LittleEndian(start, 4) + LittleEndian(0, 2);
}

// ---- pickles
inline std::string PickledText(const std::string& text) {
  return "X" + LittleEndian(text.size(), 4) + text;
}
// A tensor f32[2, 2] of storage `key` with 4 elements.
inline std::string PickledTensor(const std::string& key) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + PickledText("storage") +
         "ctorch\nFloatStorage\n" + PickledText(key) + PickledText("cpu") + "K\x04tQK" +
         std::string(1, '\0') + "(K\x02K\x02t(K\x02K\x01t\x89" + "ccollections\nOrderedDict\n)RtR";
}
inline std::string FourFloats() {
  const float values[] = {1, 2, -3, 4};
  return {reinterpret_cast<const char*>(values), sizeof values};
}

// relu(x @ w) with x [3, 2], as a script. `code` replaces the body of forward.
inline Members ScriptMembers(const std::string& code =
                                 "    w = self.w\n"
                                 "    y = torch.matmul(x, w)\n"
                                 "    return torch.relu(y)\n") {
  return {{"net/data.pkl",
           "\x80\x02"
           "c__torch__\nNet\n)\x81}(" +
               PickledText("training") + "\x89" + PickledText("w") + PickledTensor("0") + "ub."},
          {"net/data/0", FourFloats()},
          {"net/code/__torch__.py",
           "class Net(Module):\n"
           "  __parameters__ = [\"w\", ]\n"
           "  training : bool\n"
           "  w : Tensor\n"
           "  def forward(self: __torch__.Net,\n"
           "    x: Tensor) -> Tensor:\n" +
               code},
          {"net/constants.pkl", "\x80\x02)."},
          {"net/extra/athanor_inputs.txt", "f32[3, 2]"},
          {"net/version", "6\n"}};
}

inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// relu(x @ w) with x [batch, 2], as an exported program.
inline Members ProgramMembers() {
  const std::string tensor =
      R"({"dtype":7,"sizes":[%],"requires_grad":false,"device":{"type":"cpu","index":null},)"
      R"("strides":[{"as_int":2},{"as_int":1}],"storage_offset":{"as_int":0},"layout":7})";
  const std::string square = Replaced(tensor, "%", R"({"as_int":2},{"as_int":2})");
  const std::string rows =
      Replaced(tensor, "%", R"({"as_expr":{"expr_str":"s0","hint":{"as_int":3}}},{"as_int":2})");
  const std::string model =
      R"({"graph_module":{"graph":{"inputs":[{"as_tensor":{"name":"p_w"}},{"as_tensor":{"name":"x"}}],)"
      R"("outputs":[{"as_tensor":{"name":"relu"}}],"nodes":[)"
      R"({"target":"torch.ops.aten.matmul.default","inputs":[{"name":"self","arg":{"as_tensor":{"name":"x"}},"kind":1},)"
      R"({"name":"other","arg":{"as_tensor":{"name":"p_w"}},"kind":1}],"outputs":[{"as_tensor":{"name":"matmul"}}],)"
      R"("metadata":{"stack_trace":"File \"/home/user/net.py\", line 12, in forward\n    return x @ w"},"name":"matmul"},)"
      R"({"target":"torch.ops.aten.relu.default","inputs":[{"name":"self","arg":{"as_tensor":{"name":"matmul"}},"kind":1}],)"
      R"("outputs":[{"as_tensor":{"name":"relu"}}],"metadata":{},"name":"relu"}],)"
      R"("tensor_values":{"p_w":)" +
      square + R"(,"x":)" + rows + R"(,"matmul":)" + rows + R"(,"relu":)" + rows +
      R"(},"sym_int_values":{}},"signature":{"input_specs":[{"parameter":{"arg":{"name":"p_w"},"parameter_name":"w"}},)"
      R"({"user_input":{"arg":{"as_tensor":{"name":"x"}}}}],"output_specs":[{"user_output":{"arg":{"as_tensor":{"name":"relu"}}}}]}},)"
      R"("opset_version":{"aten":10},"range_constraints":{"s0":{"min_val":2,"max_val":16}},"schema_version":{"major":8,"minor":20}})";
  return {
      {"net/archive_format", "pt2"},
      {"net/models/model.json", model},
      {"net/data/weights/model_weights_config.json",
       R"({"config":{"w":{"path_name":"weight_0","is_param":true,"use_pickle":false,"tensor_meta":)" +
           square + "}}}"},
      {"net/data/weights/weight_0", FourFloats()},
      {"net/byteorder", "little"}};
}

// {"w": tensor} of torch.save.
inline Members WeightMembers() {
  return {{"net/data.pkl", "\x80\x02}(" + PickledText("w") + PickledTensor("0") + "u."},
          {"net/data/0", FourFloats()},
          {"net/version", "3\n"}};
}

inline std::string SafetensorsOf(const std::string& header, const std::string& data) {
  return LittleEndian(header.size(), 8) + header + data;
}
inline std::string SmallSafetensors() {
  return SafetensorsOf(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})",
                       FourFloats());
}

// The members with part of one's text replaced.
inline Members Changed(Members members, std::size_t index, const std::string& from,
                       const std::string& to) {
  members[index].second = Replaced(members[index].second, from, to);
  return members;
}

}  // namespace athanor::pytorch
