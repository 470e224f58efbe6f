"""Tables, one line a row, and the plot, from the document that peers.py writes."""
import html
import json
import os
import re

import figures

FLAGS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile")


def machine(athanor):
    """What decides speed, by class of CPU: no names of machines. `athanor`: calls the program."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()

    def fact(key):
        found = re.search(rf"^{key}\s*: (.*)$", text, re.M)
        return found[1] if found else "?"

    flags = fact("flags").split()
    doctor = json.loads(athanor("doctor", "--json"))
    peaks = {"1": doctor["peak_gflops_one_core"], str(doctor["cores"]): doctor["peak_gflops"]}
    return {"peak_gflops": peaks, "caches": doctor["caches"], "cpu": fact("model name"), "family": fact("cpu family"), "model": fact("model"),
            "instruction_sets": [flag for flag in FLAGS if flag in flags], "cores": len(os.sched_getaffinity(0))}


def results_of(row):
    return {(result["engine"], result["variant"]): result for result in row["results"]}


def row_line(row):
    results, key = results_of(row), "time"
    best = figures.best_of(results, key)
    parts = [f"{engine} {best[engine][key]:.3f}" for engine in best]
    ratio = figures.ratio_row(results, key)
    text = f"{row['network']} {row['threads']}T b{row['batch']}: " + ", ".join(parts)
    if ratio:
        text += f"; ratio {ratio[0]:.2f} ({ratio[1]})"
    wrong = [f"{engine} {variant} WRONG {result['wrong']}" for (engine, variant), result in results.items() if "wrong" in result]
    faults = [f"{engine} {variant}: {result['fault']}" for (engine, variant), result in results.items() if "fault" in result]
    return "; ".join([text, *wrong, *faults])


def table(head, rows):
    """Columns as wide as they must be; the first and the last are set left."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        last = len(cells) - 1
        return "  ".join(cell.ljust(w) if i in (0, last) else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths))).rstrip()

    return "\n".join([line(head), "  ".join("-" * w for w in widths), *map(line, rows)])


def ms(value):
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def notes(row):
    """What is not in the figures of a row: wrong answers, refusals, disturbance."""
    found = []
    for result in row["results"]:
        who = result["engine"] if result["variant"] in ("default", "high", "fp32") else f"{result['engine']} {result['variant']}"
        if "wrong" in result:
            found.append(f"{who} wrong: {result['wrong']}")
        elif "fault" in result:
            found.append(f"{who}: {result['fault'][:60]}")
        elif "skip" in result:
            found.append(f"{who} not run")
    noisy = max((result["noisy_slices"] / result["slices"] for result in row["results"] if "slices" in result), default=0)
    if noisy > 0:
        found.append(f"{100 * noisy:.0f} % of slices disturbed")
    return "; ".join(found)


def percent_of_peak(row, ms_a_run, peaks):
    peak = peaks.get(str(row["threads"]))
    return f"{100 * row['flops'] / (ms_a_run * 1e6) / peak:.0f}" if peak and row["flops"] else "-"


def latency_table(rows, engines, peaks):
    head = ["network", *engines, "ratio", "medians", "spread", "% of peak", "peer %", "best peer and notes"]
    lines = []
    for row in rows:
        results, key = results_of(row), "time"
        best = figures.best_of(results, key)
        ratio, medians = figures.ratio_row(results, key), figures.ratio_row(results, "median")
        ours = best.get(figures.OURS)
        spread = f"{ours['p90'] / ours['min']:.2f}" if ours else "-"
        peer = f"{ratio[1]} {best[ratio[1]]['variant']}" if ratio else ""
        shares = [percent_of_peak(row, best[engine][key], peaks) if engine in best else "-"
                  for engine in (figures.OURS, ratio[1] if ratio else None)]
        lines.append([row["network"], *(ms(best[e][key]) if e in best else "-" for e in engines),
                      f"{ratio[0]:.2f}" if ratio else "-", f"{medians[0]:.2f}" if medians and row["batch"] == 1 else "-", spread, *shares,
                      "; ".join(filter(None, [peer, notes(row)]))])
    return table(head, lines)


def bar_text(bar, aim):
    return "-" if bar is None else f"{bar} / {aim}"


def verdict(held):
    return {None: "", True: "reached", False: "missed"}[held]


def group_table(ratios):
    lines = [[entry["title"], entry["networks"], f"{entry['mean']:.2f}", bar_text(entry["bar"], entry["aim"]),
              f"{entry['lowest']:.2f} {entry['worst']}", verdict(entry["held"])] for entry in figures.group_rows(ratios)]
    return table(["group", "networks", "mean ratio", "bar / aim", "lowest", "verdict"], lines)


def ratios_by(rows, measure):
    """network -> ratio, where `measure(row)` gives one."""
    found = {row["network"]: measure(row) for row in rows}
    return {name: value for name, value in found.items() if value is not None}


def one_line(title, ratios, bar, aim, lowest=figures.LOWEST_RATIO):
    if not ratios:
        return f"{title}: not measured"
    mean, worst = figures.geometric_mean(ratios.values()), min(ratios, key=ratios.get)
    held = mean >= bar and (lowest is None or ratios[worst] >= lowest)
    return f"{title}: {mean:.2f} over {len(ratios)} networks (bar {bar}, aim {aim}; lowest {ratios[worst]:.2f} {worst}): {verdict(held)}"


def best_ratio(row, key):
    found = figures.ratio_row(results_of(row), key)
    return found[0] if found else None


def variant_ratio(row, engine, variant):
    results = results_of(row)
    ours, other = figures.best_of(results, "time").get(figures.OURS), results.get((engine, variant), {})
    return other["time"] / ours["time"] if ours and "time" in other else None


def contention(row, quiet_rows):
    """engine -> (median of two threads with one core taken) / (median of one thread, quiet)."""
    alone = next((other for other in quiet_rows if other["network"] == row["network"]), None)
    if alone is None:
        return {}
    quiet = figures.best_of(results_of(alone), "median")
    taken = figures.best_of(results_of(row), "contended_median")
    return {engine: taken[engine]["contended_median"] / quiet[engine]["median"] for engine in taken
            if engine in quiet and quiet[engine]["median"] >= 5}


def contention_table(rows, quiet_rows):
    per_row = [(row["network"], contention(row, quiet_rows)) for row in rows]
    engines = sorted({engine for _, ratios in per_row for engine in ratios}, key=lambda e: (e != figures.OURS, e))
    lines = [[name, *(f"{ratios[e]:.2f}" if e in ratios else "-" for e in engines), ""] for name, ratios in per_row if ratios]
    return table(["network", *engines, ""], lines) if lines else ""


def engines_of(rows):
    names = {result["engine"] for row in rows for result in row["results"]}
    return sorted(names, key=lambda name: (name != figures.OURS, name))


def part(document, threads, batch):
    rows = [row for row in document["rows"] if row["threads"] == threads and row["batch"] == batch]
    if not rows:
        return []
    what = "ms of CPU time, minima" if threads == 1 else "ms, minima"
    ratios = ratios_by(rows, lambda row: best_ratio(row, "time"))
    plural = "s" if threads > 1 else ""
    out = [f"\n## {threads} thread{plural}, batch {batch} ({what})\n", latency_table(rows, engines_of(rows), document["machine"]["peak_gflops"])]
    if batch != 1:
        return [*out, "", one_line("batch 16, throughput", ratios, 1.05, 1.2)]
    cnn = [row for row in rows if row["group"] in figures.CNN_GROUPS]
    out += ["", group_table(ratios), "",
            one_line("load to first result, caches warm", ratios_by(rows, lambda row: best_ratio(row, "ready_ms")), 1.5, 4, None),
            one_line("peak memory, whole process", ratios_by(rows, lambda row: best_ratio(row, "peak_kib")), 1.0, 1.4, None),
            one_line("PyTorch eager, CNNs", ratios_by(cnn, lambda row: variant_ratio(row, "torch", "eager")), 2.5, 4, None),
            one_line("PyTorch TorchScript, CNNs", ratios_by(cnn, lambda row: variant_ratio(row, "torch", "script")), 1.0, 1.0, None)]
    for engine in engines_of(rows)[1:]:
        alone = ratios_by(rows, lambda row, e=engine: figures.ratio_row(
            {k: r for k, r in results_of(row).items() if k[0] in (figures.OURS, e)}, "time"))
        if alone:
            mean = figures.geometric_mean(value for value, _ in alone.values())
            out.append(f"{engine} alone, best variant: {mean:.2f} over {len(alone)} networks")
    quiet = [row for row in document["rows"] if row["threads"] == 1 and row["batch"] == 1]
    contended = contention_table(rows, quiet)
    if contended:
        out += ["\nOne core taken by another process: median on 2 threads over the quiet median on 1 (bar for ours: 1.3)\n", contended]
    return out


def tables(document):
    cpu = document["machine"]
    peaks = ", ".join(f"{value:.0f} GFLOP/s on {cores}" for cores, value in cpu["peak_gflops"].items())
    lines = [f"CPU family {cpu['family']} model {cpu['model']} ({cpu['cpu']}), {cpu['cores']} cores, {' '.join(cpu['instruction_sets'])}; "
             f"f32 peak {peaks}",
             "versions: " + ", ".join(f"{name} {version}" for name, version in document["versions"].items()),
             "load average {:.1f} at the begin, {:.1f} at the end".format(document["load_begin"][0], document["load_end"][0]),
             f"ratio: best peer's time / {figures.OURS}'s; above 1 {figures.OURS} is faster. spread: p90 / min of {figures.OURS}"]
    for threads, batch in sorted({(row["threads"], row["batch"]) for row in document["rows"]}, key=lambda k: (k[1], k[0])):
        lines += part(document, threads, batch)
    lines += [f"not made: {name}: {why}" for name, why in document["refused"].items()]
    return "\n".join(lines)


COLOURS = {"athanor": "#c2410c", "onnxruntime": "#2563eb", "openvino": "#7c3aed", "ncnn": "#059669", "mnn": "#d97706", "torch": "#64748b"}


def plot(document):
    """Bars: for each row, each peer's best time over ours; the line at 1 is ours."""
    rows = [row for row in document["rows"] if figures.ratio_row(results_of(row), "time")]
    left, scale, height, most = 260, 90, 12, 6.0
    parts, y = [], 40
    for row in rows:
        best, key = figures.best_of(results_of(row), "time"), "time"
        label = f"{row['network']} {row['threads']}T" + (f" batch {row['batch']}" if row["batch"] > 1 else "")
        parts.append(f'<text x="{left - 6}" y="{y + 10}" text-anchor="end">{html.escape(label)}</text>')
        for engine in engines_of([row])[1:]:
            if engine not in best:
                continue
            ratio = best[engine][key] / best[figures.OURS][key]
            width = min(ratio, most) * scale
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{height - 2}" fill="{COLOURS[engine]}"/>'
                         f'<text x="{left + width + 4:.1f}" y="{y + 9}">{ratio:.2f}</text>')
            y += height
        y += 8
    legend = "".join(f'<rect x="{left + i * 110}" y="10" width="10" height="10" fill="{COLOURS[e]}"/>'
                     f'<text x="{left + i * 110 + 14}" y="19">{e}</text>' for i, e in enumerate(engines_of(rows)[1:]))
    line = f'<line x1="{left + scale}" y1="30" x2="{left + scale}" y2="{y}" stroke="{COLOURS[figures.OURS]}" stroke-width="2"/>'
    width = left + int(most * scale) + 60
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" font-family="sans-serif" font-size="10">'
            f'<rect width="{width}" height="{y + 10}" fill="white"/>{legend}{"".join(parts)}{line}</svg>\n')
