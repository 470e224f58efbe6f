// Broken pickled estimators: of XGBoost, whose model is an attribute of its booster.
#include "corpus.h"
#include "frontends/load.h"
#include "frontends/tabular/small_files_for_test.h"

namespace athanor::broken {
namespace {

constexpr std::string_view kRightChildren = "[2,-1,4,-1,-1]";

// --- Opcodes of pickles of protocol 2 (Lib/pickletools.py).

std::string Text(std::string_view text) {
  std::string code = "X";
  const auto size = static_cast<std::uint32_t>(text.size());
  code.append(reinterpret_cast<const char*>(&size), sizeof(size));
  return code + std::string(text);
}

std::string Global(std::string_view module, std::string_view name) {
  return fmt::format("c{}\n{}\n", module, name);
}

// What its state is set to is a dictionary of these pairs.
std::string ObjectOf(std::string_view module, std::string_view name, const std::string& pairs) {
  return Global(module, name) + ")\x81}(" + pairs + "ub";
}

std::string Pickle(const std::string& code) { return "\x80\x02" + code + "."; }

std::string Bytearray(const std::string& content) {
  return Global("builtins", "bytearray") + "(" + content + "tR";
}

// An estimator whose booster holds `handle`.
std::string EstimatorWith(const std::string& handle) {
  return Pickle(
      ObjectOf("xgboost.sklearn", "XGBRegressor",
               Text("_Booster") + ObjectOf("xgboost.core", "Booster", Text("handle") + handle)));
}

std::string GoodXgboost() {
  return EstimatorWith(Bytearray(Text(tabular::XgboostFile("binary:logistic", kRightChildren))));
}

std::string Again(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

File AsFile(const char* name, const std::string& content) {
  return {name, {content.begin(), content.end()}, true};
}

// Programs that do what no estimator needs, or that no machine can follow.
std::vector<File> BrokenPrograms() {
  const std::string command = Text("true");
  return {
      AsFile("empty", ""),
      AsFile("only_the_mark", "\x80\x02"),
      AsFile("protocol", "\x80\x63."),
      AsFile("no_end", "\x80\x02}"),
      AsFile("unknown_opcode", Pickle("\xff")),
      AsFile("system", Pickle(Global("posix", "system") + "(" + command + "tR")),
      AsFile("system_of_os", Pickle(Global("os", "system") + "(" + command + "tR")),
      AsFile("eval", Pickle(Global("builtins", "eval") + "(" + command + "tR")),
      AsFile("getattr", Pickle(Global("builtins", "getattr") + "(" + command + "tR")),
      AsFile("popen", Pickle(Global("subprocess", "Popen") + "(" + command + "tR")),
      AsFile("eval_by_stack", std::string("\x80\x04") + "\x8c\x08"
                                                        "builtins"
                                                        "\x8c\x04"
                                                        "eval"
                                                        "\x93."),
      AsFile("instance_of_old", Pickle("(" + command + "iposix\nsystem\n")),
      AsFile("object_of_old", Pickle("(" + Global("posix", "system") + command + "o")),
      AsFile("extension", Pickle("\x82\x01")),
      AsFile("persistent", Pickle("Pkey\n")),
      AsFile("unknown_class", Pickle(ObjectOf("my.models", "Net", ""))),
      AsFile("hidden_class", EstimatorWith(ObjectOf("my.models", "Handle", Text("a") + Text("b")))),
      AsFile("a_number", Pickle("K\x05")),
      AsFile("a_list", Pickle("]")),
      AsFile("a_text", Pickle(Text("xgboost"))),
      AsFile("a_dictionary", Pickle("}")),
      AsFile("a_class", Pickle(Global("xgboost.sklearn", "XGBRegressor"))),
      AsFile("label_encoder", Pickle(ObjectOf("sklearn.preprocessing._label", "LabelEncoder", ""))),
      AsFile("text_beyond_the_end", std::string("\x80\x02X\xff\xff\xff\x7f.", 8)),
      AsFile("long_text_beyond", std::string("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", 12)),
      AsFile("bytes_beyond", std::string("\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", 12)),
      AsFile("frame_beyond", std::string("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", 12)),
      AsFile("number_beyond", Pickle("\x8a\xff")),
      AsFile("memo", Pickle("h\x05")),
      AsFile("long_memo", Pickle(std::string("j\xff\xff\xff\x7f", 5))),
      AsFile("no_mark", Pickle("t")),
      AsFile("no_stack", Pickle("0")),
      AsFile("pop_mark", Pickle("1")),
      AsFile("odd_pairs", Pickle("}(" + Text("a") + "u")),
      AsFile("state_of_a_number", Pickle("K\x01}b")),
      AsFile("call_of_a_number", Pickle("K\x01)R")),
      AsFile("cycle", Pickle("]q\x01h\x01"
                             "a")),
      AsFile("deep", Pickle(Again("]", 200'000) + Again("a", 199'999))),
      AsFile("many_marks", "\x80\x02" + Again("(", 1'000'000)),
      AsFile("grows_by_memo", Pickle("]q\x01" + Again("(h\x01h\x01"
                                                      "lq\x01",
                                                      5'000))),
  };
}

std::string NoneOfMany() {
  const std::string size("\x8a\x08\0\0\0\0\0\0\0\x40", 10);
  return std::string("K\0", 2) + size + size;
}

// One text of a megabyte that stands in a list of objects a thousand times.
std::string OneTextForAll() {
  constexpr int kTimes = 1000;
  const std::string shape = "(M\xe8\x03t";
  const std::string dtype = Global("numpy", "dtype") + "(" + Text("O8") + "tR";
  const std::string list =
      "](" + Text(std::string(1 << 20, 'a')) + "q\x01" + Again("h\x01", kTimes - 1) + "e";
  return Global("numpy.core.multiarray", "_reconstruct") + "(" + Global("numpy", "ndarray") +
         std::string("(K\0t", 4) + Text("b") + "tR(K\x01" + shape + dtype + "\x89" + list + "tb";
}

// A LightGBM classifier whose classes are this array.
std::string LightgbmOf(const std::string& classes) {
  return Pickle(ObjectOf("lightgbm.sklearn", "LGBMClassifier",
                         Text("_Booster") +
                             ObjectOf("lightgbm.basic", "Booster", Text("handle") + Text("tree")) +
                             Text("_classes") + classes));
}

// A LightGBM classifier whose classes are a list of bytes, of elements of this type.
std::string ClassesOf(std::string_view type, const std::string& bytes, const std::string& shape) {
  const std::string dtype = Global("numpy", "dtype") + "(" + Text(type) + "tR";
  return LightgbmOf(Global("numpy.core.numeric", "_frombuffer") + "(" + Text(bytes) + dtype + "(" +
                    shape + "ttR");
}

// Estimators that hold no model, or one that is broken.
std::vector<File> BrokenEstimators() {
  const std::string model = tabular::XgboostFile("binary:logistic", kRightChildren);
  return {
      AsFile("not_fitted", Pickle(ObjectOf("xgboost.sklearn", "XGBRegressor", ""))),
      AsFile("booster_none",
             Pickle(ObjectOf("xgboost.sklearn", "XGBRegressor", Text("_Booster") + "N"))),
      AsFile("handle_none", EstimatorWith("N")),
      AsFile("handle_number", EstimatorWith("K\x07")),
      AsFile("handle_list", EstimatorWith("]")),
      AsFile("handle_text_empty", EstimatorWith(Text(""))),
      AsFile("bytes_of_nothing", EstimatorWith(Global("builtins", "bytearray") + ")R")),
      AsFile("bytes_of_two", EstimatorWith(Bytearray(Text("a") + Text("b")))),
      AsFile("bytes_of_a_number", EstimatorWith(Bytearray("J\xff\xff\xff\x7f"))),
      AsFile("bytes_of_bytes", EstimatorWith(Bytearray(Bytearray(Text(model))))),
      AsFile("model_of_another_library",
             EstimatorWith(Bytearray(Text("tree\nversion=v4\nnum_class=1\n")))),
      AsFile("model_cut", EstimatorWith(Bytearray(Text(model.substr(0, model.size() / 2))))),
      AsFile("model_with_a_cycle", EstimatorWith(Bytearray(Text(tabular::XgboostFile(
                                       "binary:logistic", "[2,-1,0,-1,-1]"))))),
      AsFile("model_within_the_model", EstimatorWith(Text(GoodXgboost()))),
      AsFile("lightgbm_without_text",
             Pickle(ObjectOf("lightgbm.sklearn", "LGBMRegressor",
                             Text("_Booster") + ObjectOf("lightgbm.basic", "Booster",
                                                         Text("handle") + Text(model))))),
      // Elements of three bytes were read eight at a time, beyond the last.
      AsFile("classes_of_objects", ClassesOf("O3", std::string(24, 'a'), "K\x08")),
      AsFile("classes_of_too_few_bytes", ClassesOf("f8", std::string(24, 'a'), "K\x08")),
      // No element, but sizes whose product no number holds: 0, 2^62 and 2^62.
      AsFile("classes_beyond_numbers", ClassesOf("f8", "", NoneOfMany())),
      AsFile("classes_of_one_text", LightgbmOf(OneTextForAll())),
      AsFile("catboost_without_model",
             Pickle(ObjectOf("catboost.core", "CatBoostRegressor", Text("__model") + Text(model)))),
  };
}

Status ReadPickledFile(const std::string& path) {
  return LoadModel(path, {.format = "pickle"}).status();
}

}  // namespace

Family PickledFamily() {
  Family family = {"pickled", {}, {}, ReadPickledFile};
  const std::string good = GoodXgboost();
  family.good.push_back({"xgboost", {good.begin(), good.end()}});
  const std::string in_text =
      EstimatorWith(Text(tabular::XgboostFile("binary:logistic", kRightChildren)));
  family.good.push_back({"xgboost_in_a_text", {in_text.begin(), in_text.end()}});
  for (const File& file : family.good) {
    for (File& bad : Damage(file)) family.bad.push_back(std::move(bad));
  }
  for (auto* make : {BrokenPrograms, BrokenEstimators}) {
    for (File& file : make()) family.bad.push_back(std::move(file));
  }
  return family;
}

}  // namespace athanor::broken
