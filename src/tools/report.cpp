#include "tools/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace athanor::tools {
namespace {

constexpr int kWidth = 720;  // of every figure

constexpr const char* kStyle = R"(<style>
:root{--ink:#1c1b19;--soft:#6d6a63;--line:#e4e0d8;--paper:#fbfaf7;--gold:#b8791a;--fire:#d1491f;--good:#2f7d4f;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#ece8df;--soft:#a29d92;--line:#3a3731;--paper:#1a1917;--gold:#e0a84c;--fire:#f07a4f;--good:#6cc08b;--bad:#f2827b}}
body{margin:0 auto;max-width:780px;padding:32px 24px 64px;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:28px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 8px}p{margin:6px 0}
.verdict{font-size:18px;border-left:4px solid var(--gold);padding:6px 14px;margin:16px 0}
.note{color:var(--soft);font-size:14px}table{border-collapse:collapse;width:100%;font-size:14px}
td,th{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font:13px system-ui,sans-serif}svg .soft{fill:var(--soft)}
.bar{fill:var(--gold)}.bar.best{fill:var(--fire)}.axis{stroke:var(--line)}code{font-size:13px;overflow-wrap:anywhere}
.gallery{display:flex;flex-wrap:wrap;gap:12px}.gallery figure{margin:0;text-align:center;font-size:13px;width:72px}
.gallery img{width:64px;height:64px;image-rendering:pixelated;border:2px solid var(--line);border-radius:4px}
.gallery .wrong img{border-color:var(--bad)}.gallery .wrong figcaption{color:var(--bad)}
</style>
)";

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string Base64(const std::vector<std::uint8_t>& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += k <= left ? kDigits[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

std::string Milliseconds(double ms) {
  return ms < 1 ? fmt::format("{:.1f} us", ms * 1000) : fmt::format("{:.2f} ms", ms);
}

std::string Facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string html = "<table>";
  for (const auto& [name, value] : facts)
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>", Escape(name), Escape(value));
  return html + "</table>\n";
}

// Horizontal bars on a logarithmic scale: the rungs differ by orders of magnitude.
std::string LadderChart(const std::vector<Report::Rung>& ladder) {
  constexpr int kRow = 44, kLeft = 4, kSpan = kWidth - 150;
  double slowest = 0, fastest = INFINITY;
  for (const Report::Rung& rung : ladder) {
    slowest = std::max(slowest, rung.milliseconds);
    fastest = std::min(fastest, rung.milliseconds);
  }
  const double decades = std::max(0.5, std::log10(slowest / fastest) + 0.25);
  std::string svg =
      fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='time of each rung'>", kWidth,
                  kRow * static_cast<int>(ladder.size()) + 4);
  int y = 0;
  for (const Report::Rung& rung : ladder) {
    const double length = kSpan * (std::log10(rung.milliseconds / fastest) + 0.25) / decades;
    svg += fmt::format("<text x='{}' y='{}'>{} <tspan class='soft'>{}</tspan></text>", kLeft,
                       y + 14, Escape(rung.name), Escape(rung.what));
    svg += fmt::format("<rect class='bar{}' x='{}' y='{}' width='{:.1f}' height='14' rx='3'/>",
                       rung.milliseconds == fastest ? " best" : "", kLeft, y + 20, length);
    svg += fmt::format("<text x='{:.1f}' y='{}'>{} <tspan class='soft'>x{:.1f}</tspan></text>",
                       kLeft + length + 8, y + 32, Milliseconds(rung.milliseconds),
                       ladder.front().milliseconds / rung.milliseconds);
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string LadderTable(const std::vector<Report::Rung>& ladder) {
  std::string html =
      "<table><tr><th>step</th><th class='n'>time</th><th class='n'>speed</th><th "
      "class='n'>accuracy</th><th class='n'>max |difference|</th></tr>";
  for (const Report::Rung& rung : ladder) {
    html += fmt::format(
        "<tr><td>{}</td><td class='n'>{}</td><td class='n'>x{:.1f}</td><td class='n'>{:.2f} "
        "%</td><td class='n'>{:.1e}</td></tr>",
        Escape(rung.name), Milliseconds(rung.milliseconds),
        ladder.front().milliseconds / rung.milliseconds, 100 * rung.accuracy, rung.max_difference);
  }
  return html + "</table>\n";
}

std::string Histogram(std::vector<double> values) {
  constexpr int kBins = 48, kHeight = 120;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[std::min(values.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(values.size())))];
  };
  const double low = values.front(), high = std::max(at(0.995), low * 1.0001);
  std::vector<int> bins(kBins, 0);
  for (const double value : values) {
    if (value <= high)
      ++bins[std::min<std::size_t>(kBins - 1,
                                   static_cast<std::size_t>((value - low) / (high - low) * kBins))];
  }
  const int top = *std::max_element(bins.begin(), bins.end());
  std::string svg =
      fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='histogram of latencies'>",
                  kWidth, kHeight + 34);
  const double step = static_cast<double>(kWidth) / kBins;
  for (int i = 0; i < kBins; ++i) {
    const double height = static_cast<double>(kHeight) * bins[static_cast<std::size_t>(i)] / top;
    svg += fmt::format("<rect class='bar' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'/>",
                       i * step + 1, kHeight - height, step - 2, height);
  }
  const auto mark = [&](double share, const char* name, int line) {
    const double x = (at(share) - low) / (high - low) * kWidth;
    const char* anchor = x > kWidth * 0.7 ? "end" : "start";
    svg += fmt::format(
        "<line class='axis' x1='{0:.1f}' x2='{0:.1f}' y1='0' y2='{1}'/><text x='{0:.1f}' y='{2}' "
        "text-anchor='{3}' dx='{4}'>{5} {6}</text>",
        x, kHeight, kHeight + line, anchor, x > kWidth * 0.7 ? -3 : 3, name,
        Milliseconds(at(share)));
  };
  mark(0.5, "median", 14);
  mark(0.99, "p99", 30);
  return svg + "</svg>\n";
}

std::string LayerTable(const std::vector<Report::Layer>& layers) {
  double total = 0;
  for (const Report::Layer& layer : layers) total += layer.microseconds;
  std::string html =
      "<table><tr><th>layer</th><th>operator</th><th>kernel</th><th class='n'>time</th><th "
      "class='n'>share</th><th class='n'>GFLOP/s</th></tr>";
  for (const Report::Layer& layer : layers) {
    const std::string rate = layer.gflops > 0 ? fmt::format("{:.1f}", layer.gflops) : "";
    html += fmt::format(
        "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td class='n'>{:.1f} us</td><td "
        "class='n'>{:.1f} %</td><td class='n'>{}</td></tr>",
        Escape(layer.name), Escape(layer.op), Escape(layer.kernel), layer.microseconds,
        100 * layer.microseconds / total, rate);
  }
  return html + "</table>\n";
}

std::string StreamTable(const std::vector<Report::StreamPoint>& points) {
  std::string html =
      "<table><tr><th>streams</th><th class='n'>images per second</th><th class='n'>p99</th></tr>";
  for (const Report::StreamPoint& point : points) {
    html += fmt::format("<tr><td>{}</td><td class='n'>{:.0f}</td><td class='n'>{}</td></tr>",
                        point.streams, point.per_second, Milliseconds(point.p99_ms));
  }
  return html + "</table>\n";
}

std::string Gallery(const std::vector<Report::Picture>& pictures) {
  std::string html = "<div class='gallery'>";
  for (const Report::Picture& picture : pictures) {
    const bool right = picture.truth == picture.answer;
    html += fmt::format(
        "<figure{}><img alt='the digit {}' src='data:image/png;base64,{}'><figcaption>{}{} <span "
        "class='note'>{:.0f} %</span></figcaption></figure>",
        right ? "" : " class='wrong'", Escape(picture.truth), Base64(picture.png),
        Escape(picture.answer), right ? "" : " (is " + Escape(picture.truth) + ")",
        100 * picture.confidence);
  }
  return html + "</div>\n";
}

}  // namespace

std::string RenderHtml(const Report& report) {
  std::string html =
      "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width,initial-scale=1'>";
  html += fmt::format("<title>{0}</title>{1}</head><body><h1>{0}</h1><p class='verdict'>{2}</p>\n",
                      Escape(report.title), kStyle, Escape(report.verdict));
  const auto section = [&](const char* title, const char* note, const std::string& body) {
    html += fmt::format("<h2>{}</h2><p class='note'>{}</p>{}", title, note, body);
  };
  if (!report.ladder.empty())
    section("From the file to the fast form",
            "The same network, run several ways; time of one image, logarithmic scale.",
            LadderChart(report.ladder) + LadderTable(report.ladder));
  if (!report.pictures.empty())
    section("What it sees",
            "Held-out pictures, the answer below each, with the probability the network gives it.",
            Gallery(report.pictures));
  if (!report.layers.empty())
    section("Where the time goes", "Slowest first; the kernel that was chosen for each layer.",
            LayerTable(report.layers));
  if (!report.latencies_ms.empty())
    section("How steady it is", "Latency of single runs, one request at a time.",
            Histogram(report.latencies_ms));
  if (!report.streams.empty())
    section("How much it carries", "Several requests at once on this machine's cores.",
            StreamTable(report.streams));
  if (!report.tabular.empty())
    section("A tabular model, same command line", "Gradient-boosted trees on a table of payments.",
            Facts(report.tabular));
  if (!report.model.empty()) section("The model", "", Facts(report.model));
  if (!report.environment.empty())
    section("Measured on", "Figures of other machines, or of this one under load, differ.",
            Facts(report.environment));
  if (!report.commands.empty()) {
    std::string body = "<table>";
    for (const auto& [command, what] : report.commands)
      body += fmt::format("<tr><td><code>{}</code></td><td>{}</td></tr>", Escape(command),
                          Escape(what));
    section("Do it yourself", "", body + "</table>");
  }
  return html + "</body></html>\n";
}

}  // namespace athanor::tools
