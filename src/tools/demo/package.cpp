// The network with everything around it in one signed, encrypted file.
#include <filesystem>

#include "api/pipeline.h"
#include "core/file.h"
#include "core/text.h"
#include "tools/demo/demo.h"
#include "tools/package_parts.h"

namespace athanor::tools::demo {
namespace {

namespace fs = std::filesystem;
using package::Bytes;

struct Picture {
  std::string name;
  std::shared_ptr<const MappedFile> file;
  std::string answer;
  double score = 0;
  // File names begin with the digit they show.
  bool right() const { return answer == name.substr(0, 1); }
};

struct Keys {
  package::PrivateKey vendor, customer;
};

// New keys in every run; those of an earlier run are the demo's own.
Result<Keys> MakeKeys(const State& state) {
  ATH_TRY(package::PrivateKey vendor, package::PrivateKey::Make(package::KeyKind::kSigning));
  ATH_TRY(package::PrivateKey customer, package::PrivateKey::Make(package::KeyKind::kRecipient));
  Keys keys = {std::move(vendor), std::move(customer)};
  for (const auto& [name, key] :
       {std::pair("demo-vendor", &keys.vendor), std::pair("demo-customer", &keys.customer)}) {
    std::error_code error;
    for (const char* const ending : {".key", ".pub"})
      fs::remove(state.File(std::string(name) + ending), error);
    ATH_RETURN_IF_ERROR(key->Save(state.File(name)));
  }
  return keys;
}

Result<std::vector<Picture>> ReadPictures(const PipelineRunner& runner, const State& state) {
  std::vector<Picture> pictures;
  for (const auto& entry : fs::directory_iterator(state.folder)) {
    if (entry.path().extension() == ".png")
      pictures.push_back({entry.path().filename().string(), nullptr, "", 0});
  }
  std::sort(pictures.begin(), pictures.end(),
            [](const Picture& a, const Picture& b) { return a.name < b.name; });
  for (Picture& picture : pictures) {
    ATH_TRY(picture.file, MappedFile::Open(state.File(picture.name)));
    ATH_TRY(const PipelineResult result, runner.Run(picture.file->bytes()));
    picture.answer = result.classes.at(0).label;
    picture.score = result.classes.at(0).score;
  }
  return pictures;
}

// How many of `tries` copies with one bit changed are refused.
Result<std::size_t> CountRefused(const Bytes& file, std::size_t tries,
                                 const package::ReadOptions& access) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < tries; ++i) {
    const auto copy = std::make_shared<Bytes>(file);
    (*copy)[i * (file.size() - 1) / (tries - 1)] ^= static_cast<std::uint8_t>(1U << (i % 8));
    refused += package::Package::Open(*copy, copy, access).ok() ? 0 : 1;
  }
  return refused;
}

Drawing Gallery(const std::vector<Picture>& pictures) {
  constexpr double kWide = 72, kSide = 56, kTall = 84;
  Drawing drawing = {720, 0, "", "pictures with the answer below each"};
  double x = 0, y = 0;
  for (const Picture& picture : pictures) {
    if (x + kWide > 721) x = 0, y += kTall;
    const double left = x + (kWide - kSide) / 2;
    drawing.body += Image(left, y, kSide, kSide, "image/png", picture.file->bytes(), picture.name);
    drawing.body +=
        Rectangle(left, y, kSide, kSide, picture.right() ? "frame pale" : "frame bad", 5);
    drawing.body += fmt::format(
        "<text x='{:.1f}' y='{:.1f}' class='middle'><tspan class='strong'>{}</tspan> <tspan "
        "class='small soft'>{:.0f} %</tspan></text>",
        x + kWide / 2, y + kSide + 16, Escape(picture.answer), 100 * picture.score);
    x += kWide;
  }
  drawing.height = y + kTall;
  return drawing;
}

std::vector<Stop> Stages() {
  return {{"decode", "PNG or JPEG to grey"},
          {"resize", "32 x 32"},
          {"normalise", "/ 255"},
          {"model", "digits.ath"},
          {"softmax", "scores"},
          {"top k", "best 3"},
          {"labels", "names"}};
}

}  // namespace

Result<Outcome> Package(State& state) {
  ATH_TRY(const PackageParts parts, ReadPackageParts(state.File("pipeline.yaml")));
  ATH_TRY(const Keys keys, MakeKeys(state));
  const auto file = std::make_shared<Bytes>();
  ATH_TRY(*file,
          package::WritePackage(parts.Contents(),
                                {.sign = keys.vendor, .recipients = {keys.customer.public_key()}}));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(state.File("digits.athpkg"), *file));
  const package::ReadOptions access = {.key = keys.customer, .trust = keys.vendor.public_key()};
  const Clock::time_point begin = Clock::now();
  ATH_TRY(package::Package opened, package::Package::Open(*file, file, access));
  const double open_ms = 1000 * Seconds(begin);
  const std::string signer = opened.signer();
  ATH_TRY(const auto runner, PipelineRunner::Make(std::move(opened), {}));
  ATH_TRY(const std::vector<Picture> pictures, ReadPictures(*runner, state));
  const std::size_t tries = state.fast ? 32 : 256;
  ATH_TRY(const std::size_t refused, CountRefused(*file, tries, access));
  const bool no_key = !package::Package::Open(*file, file, {}).ok();
  const auto right = std::count_if(pictures.begin(), pictures.end(),
                                   [](const Picture& picture) { return picture.right(); });
  const std::string size = HumanBytes(static_cast<double>(file->size()));
  Outcome outcome;
  outcome.what = fmt::format(
      "{}, signed and encrypted, verified in {}; {} of {} pictures right; {} of {} changed files "
      "refused",
      size, HumanTime(open_ms), right, pictures.size(), refused, tries);
  outcome.section = {
      .id = "package",
      .title = "One file to hand over",
      .finding = fmt::format(
          "The network, what comes before it and what comes after it, in {}: signed by key {}, "
          "encrypted with AES-256-GCM for one recipient, every byte verified in {}. Without the "
          "key it {}. Of {} copies with one bit changed {} are refused.",
          size, signer, HumanTime(open_ms), no_key ? "does not open" : "OPENS", tries, refused),
      .figures = {{FlowChart(Stages()), "What happens to a picture inside the package."},
                  {Gallery(pictures),
                   fmt::format("{} of {} held-out pictures right, read by the package: the answer, "
                               "and the probability that the network gives it.",
                               right, pictures.size())}},
      .commands = {fmt::format("athanor run {} {} --key {} --trust {}", state.File("digits.athpkg"),
                               state.File("7_0174.png"), state.File("demo-customer.key"),
                               state.File("demo-vendor.pub"))}};
  outcome.figures = {
      {"bytes", file->size()},        {"open_ms", open_ms}, {"pictures", pictures.size()},
      {"pictures_right", right},      {"tampered", tries},  {"refused", refused},
      {"refused_without_key", no_key}};
  return outcome;
}

}  // namespace athanor::tools::demo
