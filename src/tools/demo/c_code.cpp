// The network as C for a microcontroller: what it needs, and whether it computes the same.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "codegen/program.h"
#include "core/file.h"
#include "core/text.h"
#include "frontends/save.h"
#include "quant/quantize.h"
#include "tools/demo/demo.h"
#include "tools/samples.h"

extern char** environ;

namespace athanor::tools::demo {
namespace {

// Runs a program without a shell and without its output; its exit code, or -1 when it cannot run.
int RunProgram(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

enum class Proof { kSame, kDifferent, kNoCompiler };

// Compiles the C with the compiler of this machine and runs its self-test, which compares with what
// the references gave.
Proof Prove(const std::string& folder) {
  if (RunProgram({"cc", "--version"}) != 0) return Proof::kNoCompiler;
  const std::string program = folder + "/self_test";
  const int compiled = RunProgram(
      {"cc", "-std=c99", "-O2", folder + "/digits.c", folder + "/digits_test.c", "-o", program});
  const bool same = compiled == 0 && RunProgram({std::filesystem::absolute(program).string()}) == 0;
  return same ? Proof::kSame : Proof::kDifferent;
}

Result<codegen::Program> Generate(const State& state, int self_tests) {
  ATH_TRY(const Samples samples,
          Samples::Open(*state.plain, state.File("calib.npz"), {.std = "255"}, 128));
  quant::QuantizeReport report;
  ATH_TRY(Graph integers,
          quant::QuantizeGraph(
              *state.plain, samples.count(), [&](std::size_t i) { return samples.Read(i); },
              {.arithmetic = "fixed31"}, report));
  ATH_RETURN_IF_ERROR(SaveModel(integers, state.File("digits.mcu.ath")));
  return codegen::Generate(std::move(integers), {.name = "digits", .self_tests = self_tests});
}

Drawing ArenaMap(const codegen::Program& program, double width, double height) {
  std::vector<Block> blocks;
  for (const codegen::Buffer& buffer : program.buffers) {
    blocks.push_back({static_cast<double>(buffer.first), static_cast<double>(buffer.last) + 1,
                      static_cast<double>(buffer.offset) / 1024,
                      static_cast<double>(buffer.offset + buffer.bytes) / 1024, buffer.name,
                      HumanBytes(static_cast<double>(buffer.bytes))});
  }
  return BlockMap(blocks, {.width = width,
                           .height = height,
                           .x = "call of the C program",
                           .y_text = [](double kib) { return fmt::format("{:g} KiB", kib); },
                           .top = static_cast<double>(program.arena_bytes) / 1024});
}

std::string Say(Proof proof, int runs) {
  if (proof == Proof::kSame)
    return fmt::format("compiled with cc and run here: 0 wrong bytes in {} runs", runs);
  if (proof == Proof::kNoCompiler) return "not compiled: this machine has no cc";
  return "the compiled self-test FAILED";
}

}  // namespace

Result<Outcome> CCode(State& state) {
  const int runs = state.fast ? 2 : 8;
  ATH_TRY(const codegen::Program program, Generate(state, runs));
  const std::string folder = state.File("firmware");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error(ErrorCode::kFileWrite, "{}: {}", folder, error.message());
  std::size_t lines = 0;
  for (const codegen::File& file : program.files) {
    ATH_RETURN_IF_ERROR(WriteFileAtomically(folder + "/" + file.name, std::string_view(file.text)));
    if (file.name == "digits.c") lines = std::ranges::count(file.text, '\n');
  }
  const Proof proof = Prove(folder);
  if (proof == Proof::kDifferent)
    return Error(ErrorCode::kInternal, "{}: the self-test of the generated C fails", folder);
  const std::string flash = HumanBytes(static_cast<double>(program.constant_bytes)),
                    ram = HumanBytes(static_cast<double>(program.arena_bytes)),
                    least = HumanBytes(static_cast<double>(program.arena_bound));
  state.highlights.emplace_back("memory of the C program", ArenaMap(program, kHighlightWidth, 170));
  state.tiles.emplace_back(
      ram, fmt::format("of RAM and {} of constants as C99, without a library", flash));
  Outcome outcome;
  outcome.what = fmt::format("{} of constants, {} of RAM (at least {}), {} lines; {}", flash, ram,
                             least, lines, Say(proof, runs));
  outcome.section = {
      .id = "c-code",
      .title = "C for a microcontroller",
      .finding = fmt::format(
          "The int8 network as {} lines of C99 without malloc and without a library: {} of "
          "constants for the flash, one static array of {} for the activations ({} is the least "
          "that any placement needs). The C was {}.",
          lines, flash, ram, least, Say(proof, runs)),
      .figures = {{ArenaMap(program, 720, 230),
                   "The static array: which result lies where, and during which calls."}},
      .commands = {fmt::format("athanor codegen {} --name digits -o {}",
                               state.File("digits.mcu.ath"), folder),
                   fmt::format("cc -std=c99 -O2 {0}/digits.c {0}/digits_test.c -o self_test && "
                               "./self_test",
                               folder)}};
  outcome.figures = {{"constant_bytes", program.constant_bytes},
                     {"arena_bytes", program.arena_bytes},
                     {"arena_lower_bound", program.arena_bound},
                     {"lines", lines},
                     {"compiled", proof == Proof::kSame}};
  return outcome;
}

}  // namespace athanor::tools::demo
