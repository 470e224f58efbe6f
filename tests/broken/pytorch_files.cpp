#include "corpus.h"
#include "frontends/load.h"
#include "frontends/pytorch/files_for_test.h"

namespace athanor::broken {
namespace {

using namespace pytorch;  // NOLINT: the makers of files

File FileOf(const std::string& name, const std::string& bytes, bool must_fail = false) {
  return {name, {bytes.begin(), bytes.end()}, must_fail};
}
std::string Times(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// Part of a member's text replaced.
struct Change {
  const char* name;
  std::size_t member;
  std::string from, to;
};

std::vector<File> BrokenPrograms() {
  const Change changes[] = {
      {"no_module", 1, "graph_module", "graph_mogule"},
      {"json_cut", 1, "\"signature\"", "\"signature"},
      {"unknown_operator", 1, "aten.relu", "aten.rilu"},
      {"other_namespace", 1, "torch.ops.aten.relu", "os.system"},
      {"no_argument", 1, "\"name\":\"other\"", "\"name\":\"outer\""},
      {"before_made", 1, "{\"as_tensor\":{\"name\":\"matmul\"}},\"kind\"",
       "{\"as_tensor\":{\"name\":\"relu\"}},\"kind\""},
      {"argument_kind", 1, "\"as_tensor\":{\"name\":\"matmul\"}},\"kind\"",
       "\"as_graph\":{\"name\":\"matmul\"}},\"kind\""},
      {"argument_type", 1, "{\"as_tensor\":{\"name\":\"p_w\"}},\"kind\"",
       "{\"as_float\":1.5},\"kind\""},
      {"input_type", 1, "\"x\":{\"dtype\":7", "\"x\":{\"dtype\":99"},
      {"input_size", 1, "\"as_expr\":{\"expr_str\":\"s0\"",
       "\"as_int\":-3,\"b\":{\"expr_str\":\"s0\""},
      {"claimed_type", 1, "\"matmul\":{\"dtype\":7", "\"matmul\":{\"dtype\":5"},
      {"weight_name", 1, "\"parameter_name\":\"w\"", "\"parameter_name\":\"v\""},
      {"custom_object", 1, "{\"parameter\":", "{\"custom_obj\":"},
      {"no_output", 1, "\"user_output\"", "\"loss_output\""},
      {"output_unmade", 1, "\"user_output\":{\"arg\":{\"as_tensor\":{\"name\":\"relu\"",
       "\"user_output\":{\"arg\":{\"as_tensor\":{\"name\":\"gelu\""},
      {"mutation", 1, "{\"user_output\":", "{\"buffer_mutation\":"},
      {"config_cut", 2, "}}}", "}"},
      {"path_escapes", 2, "weight_0", "../../../etc/passwd"},
      {"weight_dtype", 2, "\"dtype\":7", "\"dtype\":0"},
      {"weight_large", 2, "[{\"as_int\":2},{\"as_int\":2}]",
       "[{\"as_int\":9000000000},{\"as_int\":9000000000}]"},
      {"weight_negative", 2, "[{\"as_int\":2},{\"as_int\":2}]", "[{\"as_int\":-2},{\"as_int\":2}]"},
      {"stride_beyond", 2, "\"strides\":[{\"as_int\":2}",
       "\"strides\":[{\"as_int\":9223372036854775807}"},
      {"stride_negative", 2, "\"strides\":[{\"as_int\":2}", "\"strides\":[{\"as_int\":-2}"},
      {"offset_beyond", 2, "\"storage_offset\":{\"as_int\":0}",
       "\"storage_offset\":{\"as_int\":4}"},
      {"repeated_bomb", 2,
       "[{\"as_int\":2},{\"as_int\":2}],\"requires_grad\":false,\"device\":{\"type\":\"cpu\","
       "\"index\":null},\"strides\":[{\"as_int\":2}",
       "[{\"as_int\":4000000000},{\"as_int\":2}],\"requires_grad\":false,\"device\":{\"type\":"
       "\"cpu\",\"index\":null},\"strides\":[{\"as_int\":0}"},
      {"pickled_weight", 2, "\"use_pickle\":false", "\"use_pickle\":true"},
      {"weight_short", 3, FourFloats(), "short"},
      {"byte_order", 4, "little", "big"},
  };
  std::vector<File> files;
  for (const Change& change : changes)
    files.push_back(FileOf(change.name,
                           ZipOf(Changed(ProgramMembers(), change.member, change.from, change.to)),
                           true));
  Members nested = ProgramMembers();
  nested[1].second = Times("{\"graph_module\":", 5000) + "1" + Times("}", 5000);
  files.push_back(FileOf("json_deep", ZipOf(nested), true));
  return files;
}

std::vector<File> BrokenScripts() {
  std::vector<File> files;
  const std::pair<const char*, std::string> bodies[] = {
      {"unknown_call", "    return torch.frobnicate(x)\n"},
      {"wrong_arguments", "    return torch.conv2d(x, 1)\n"},
      {"no_attribute", "    return self.v\n"},
      {"no_method", "    return (self).backward(x, )\n"},
      {"no_function", "    return __torch__.other.function(x)\n"},
      {"no_constant", "    return CONSTANTS.c7\n"},
      {"no_return", "    y = torch.relu(x)\n"},
      {"calls_itself", "    return (self).forward(x, )\n"},
      {"endless", "    while True:\n      y = 1\n    return x\n"},
      {"endless_for", "    for i in range(9223372036854775807):\n      y = 1\n    return x\n"},
      {"list_bomb",
       "    l = [1, 2, 3, 4]\n    for i in range(60):\n      l = torch.add(l, l)\n    return x\n"},
      {"indent", "    y = x\n  z = x\n      return x\n"},
      {"bracket", "    return torch.relu(x\n"},
      {"quote", "    y = \"abc\n    return x\n"},
      {"deep_brackets", "    return " + Times("(", 100'000) + "x\n"},
      {"deep_minus", "    y = " + Times("-", 100'000) + "1\n    return x\n"},
      {"deep_chain", "    return x" + Times(".a", 100'000) + "\n"},
      {"deep_blocks",
       [] {
         std::string t;
         for (int i = 2; i < 600; ++i) t += std::string(2 * i, ' ') + "if True:\n";
         return t;
       }()},
      {"decides_by_data",
       "    if bool(torch.gt(torch.sum(x), 0)):\n      y = x\n    else:\n      y = x\n    return "
       "y\n"},
      {"unpacks", "    a, b, = torch.relu(x)\n    return a\n"},
      {"raises", "    ops.prim.RaiseException(\"no\")\n    return x\n"},
      {"negative_axis", "    return torch.select(x, -9, 0)\n"},
      {"huge_int", "    return torch.select(x, 0, 99999999999999999999999)\n"},
      {"mod_zero", "    y = torch.remainder(1, 0)\n    return x\n"},
      {"lstm_sizes",
       "    a, b, c, = torch.lstm(x, [x, x], [x], True, 1000000, 0., False, True, False)\n    "
       "return a\n"},
      {"stale_view",
       "    y = torch.mul(x, 2)\n    z = torch.t(y)\n    _0 = torch.neg_(y)\n    return z\n"},
  };
  for (const auto& [name, body] : bodies)
    files.push_back(FileOf(name, ZipOf(ScriptMembers(body)), true));
  // Nothing is allocated before it runs.
  files.push_back(
      FileOf("huge_shape",
             ZipOf(ScriptMembers("    return torch.zeros([4611686018427387904, 4], dtype=6)\n"))));
  const std::pair<const char*, std::string> pickles[] = {
      {"pickle_system",
       "\x80\x02"
       "cos\nsystem\n(" +
           PickledText("true") + "tR."},
      {"pickle_builtins", "\x80\x04" + std::string("\x8c\x08"
                                                   "builtins"
                                                   "\x8c\x04"
                                                   "eval"
                                                   "\x93.")},
      {"pickle_reduce",
       "\x80\x02"
       "ccopyreg\n_reconstructor\n."},
      {"pickle_cut",
       "\x80\x02"
       "c__torch__\nNet\n)\x81}("},
      {"pickle_empty", ""},
      {"pickle_opcode", "\x80\x02\xff."},
      {"pickle_protocol", "\x80\x63."},
      {"pickle_text", std::string("\x80\x02X\xff\xff\xff\xff.", 8)},
      {"pickle_memo", "\x80\x02h\x05."},
      {"pickle_no_mark", "\x80\x02t."},
      {"pickle_no_stack",
       "\x80\x02"
       "0."},
      {"pickle_cycle",
       "\x80\x02]q\x01h\x01"
       "a."},
      {"pickle_deep", "\x80\x02" + Times("]", 200'000) + Times("a", 199'999) + "."},
      {"pickle_tensor",
       "\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\n)R."},
      {"pickle_no_storage", "\x80\x02" + PickledTensor("7") + "."},
      {"pickle_repeats",
       "\x80\x02"
       "c__torch__\nNet\n)\x81}(" +
           PickledText("w") +
           Replaced(PickledTensor("0"), "(K\x02K\x02t(K\x02K\x01t",
                    "(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K" + std::string(1, '\0') + "K" +
                        std::string(1, '\0') + "t") +
           "ub."},
  };
  for (const auto& [name, pickle] : pickles) {
    Members members = ScriptMembers();
    members[0].second = pickle;
    files.push_back(FileOf(name, ZipOf(members), true));
  }
  Members members = ScriptMembers();
  members[4].second = "f32[9223372036854775807, 9223372036854775807]\nf99[1]\n";
  files.push_back(FileOf("input_types", ZipOf(members), true));
  members.erase(members.begin() + 4);
  files.push_back(FileOf("no_input_types", ZipOf(members), true));
  return files;
}

std::vector<File> BrokenArchives() {
  std::string zip = ZipOf(ScriptMembers());
  std::vector<File> files;
  const std::size_t end = zip.size() - 22;
  const auto patched = [&](std::size_t at, const std::string& bytes) {
    std::string changed = zip;
    changed.replace(at, bytes.size(), bytes);
    return changed;
  };
  files.push_back(FileOf("zip_count", patched(end + 10, "\xff\xff"), true));
  files.push_back(FileOf("zip_start", patched(end + 16, "\xff\xff\xff\x7f"), true));
  files.push_back(FileOf("zip_no_end", zip.substr(0, end), true));
  files.push_back(FileOf("zip_only_mark", "PK\x03\x04", true));
  Members other = {{"a/readme.txt", "hello"}};
  files.push_back(FileOf("zip_other", ZipOf(other), true));
  Members twice = ScriptMembers();
  twice.push_back(twice[0]);
  files.push_back(FileOf("zip_twice", ZipOf(twice), true));
  const std::string directory = zip.substr(zip.find("PK\x01\x02"));
  const std::size_t entry = zip.size() - directory.size();
  files.push_back(FileOf("zip_method", patched(entry + 10, "\x63"), true));
  files.push_back(FileOf(
      "zip_bomb",
      patched(entry + 10, std::string("\x08\0", 2)).replace(entry + 24, 4, "\xff\xff\xff\x0f"),
      true));
  files.push_back(FileOf("zip_encrypted", patched(entry + 8, "\x01"), true));
  files.push_back(FileOf("zip_offset", patched(entry + 42, "\xff\xff\xff\x7f"), true));
  files.push_back(FileOf("weights_only", ZipOf(WeightMembers()), true));
  files.push_back(FileOf("tensors_only", SmallSafetensors(), true));
  files.push_back(FileOf(
      "tensors_beyond",
      SafetensorsOf(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,9000]}})", FourFloats()),
      true));
  files.push_back(
      FileOf("tensors_shape",
             SafetensorsOf(
                 R"({"w":{"dtype":"F32","shape":[9000000000,9000000000],"data_offsets":[0,16]}})",
                 FourFloats()),
             true));
  files.push_back(FileOf("tensors_json", SafetensorsOf("{\"w\":", FourFloats()), true));
  files.push_back(
      FileOf("old_pickle",
             std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15), true));
  files.push_back(FileOf("empty", "", true));
  return files;
}

Status Read(const std::string& path) { return LoadModel(path).status(); }

}  // namespace

Family PytorchFamily() {
  Family family = {"pytorch", {}, {}, Read};
  family.good.push_back(FileOf("program", ZipOf(ProgramMembers())));
  family.good.push_back(FileOf("script", ZipOf(ScriptMembers())));
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (auto* make : {BrokenPrograms, BrokenScripts, BrokenArchives}) {
    for (File& file : make()) family.bad.push_back(std::move(file));
  }
  return family;
}

}  // namespace athanor::broken
