#!/usr/bin/env python3
"""The verbs that measure, from the outside: profile, bench, tune and doctor.

Needs nothing but Python. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor. Figures are checked against each
other by arithmetic that is written down here, never against what an earlier run gave.
"""
import html.parser
import json
import os
import resource
import subprocess
import time
import unittest

from cli_test import DIGITS, MODEL, Case, athanor, document, onnx_model
from running import binary

CORES = len(os.sched_getaffinity(0))


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


class Profile(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run = athanor("profile", MODEL, "--threads", 1, "--runs", 5, "--json")
        cls.result = json.loads(run.stdout)
        cls.nodes = sorted(cls.result["nodes"], key=lambda node: node["position"])

    def test_a_floor_is_the_longer_of_arithmetic_and_bytes_at_the_probed_peaks(self):
        machine, seen = self.result["machine"], 0
        self.assertEqual(machine["threads"], 1)
        for node in self.nodes:
            if node["floor_ms"] is None:
                continue
            levels = [level for level in machine["reads"] if (level["capacity_bytes"] or 1e30) >= node["bytes"]]
            arithmetic = node["flops"] / machine[node["arithmetic"]]["giga_operations_per_s"] / 1e6
            memory = node["bytes"] / levels[0]["gb_per_s"] / 1e6
            self.assertAlmostEqual(node["floor_ms"], max(arithmetic, memory), 9, node)
            self.assertEqual(node["memory_level"], levels[0]["level"])
            self.assertAlmostEqual(node["percent_of_floor"], 100 * node["floor_ms"] / node["ms"], 6)
            if node["bound"] != "overhead":
                self.assertEqual(node["bound"], "compute" if arithmetic >= memory else "memory", node)
            seen += 1
        self.assertGreater(seen, 5)
        self.assertAlmostEqual(sum(node["floor_ms"] or 0 for node in self.nodes), self.result["floor_ms"], 9)

    def test_a_first_layer_counts_its_products_and_its_bytes(self):
        stem = next(node for node in self.nodes if node["name"] == "stem.conv")
        # 3x3 on one channel of 32x32 to 16 channels: 9 products and sums, the bias, Relu.
        self.assertEqual(stem["flops"], (2 * 9 + 1 + 1) * 16 * 32 * 32)
        self.assertEqual(stem["bytes"], 4 * (32 * 32 + 16 * 9 + 16 + 16 * 32 * 32))

    def test_memory_is_told_for_each_step_and_its_peak_is_named(self):
        memory = self.result["memory"]
        self.assertEqual([node["alive_bytes"] for node in self.nodes], memory["alive_bytes"])
        self.assertEqual(max(memory["alive_bytes"]), memory["peak_bytes"])
        self.assertEqual(memory["alive_bytes"].index(memory["peak_bytes"]), memory["peak_position"])
        self.assertEqual(sum(piece["bytes"] for piece in memory["at_peak"]), memory["peak_bytes"])
        self.assertTrue(all(piece["value"] for piece in memory["at_peak"]))
        self.assertLessEqual(memory["peak_bytes"], memory["arena_bytes"])
        self.assertEqual(memory["peak_bytes"], memory["lower_bound_bytes"])

    def test_advice_is_ranked_and_says_what_it_gains(self):
        advice = self.result["advice"]
        gains = [one["gain_ms"] for one in advice]
        self.assertEqual(gains, sorted(gains, reverse=True))
        for one in advice:
            self.assertGreaterEqual(one["gain_percent"], 1)
            self.assertAlmostEqual(one["gain_percent"], 100 * one["gain_ms"] / self.result["total_ms"], 6)
            self.assertLess(one["gain_ms"], self.result["total_ms"])
            self.assertTrue(one["command"].startswith("athanor "), one)

    def test_the_text_ends_with_the_advice_and_what_to_do_next(self):
        run = athanor("profile", MODEL)
        self.assertEqual(run.returncode, 0, run.stderr)
        for word in ("of floor", "bound", "memory       ", "floor        ", "advice", "at most in use, at step"):
            self.assertIn(word, run.stdout)
        self.assertTrue(run.stdout.splitlines()[-1].startswith("next: "))

    def test_int8_is_advised_where_products_take_the_time(self):
        machine = self.result["machine"]
        if machine["int8"] is None or machine["int8"]["giga_operations_per_s"] < 1.5 * machine["f32"]["giga_operations_per_s"]:
            self.skipTest("bytes are no faster than f32 here")
        self.assertIn("int8", [one["kind"] for one in self.result["advice"]])

    def test_a_step_without_a_kernel_is_told(self):
        # Two strings compared: no kernel has them.
        model = self.file("plain.onnx", onnx_model([("Equal", ["a", "b"], ["same"])], [("a", (64,), 8), ("b", (64,), 8)],
                                                   [("same", (64,), 9)]))
        run = athanor("profile", model, "--json")
        if run.returncode != 0:
            self.skipTest("strings are not made up")
        advice = {one["kind"]: one for one in json.loads(run.stdout)["advice"]}
        self.assertIn("1 step of 1 (Equal) has no kernel", advice["reference"]["text"])

    def test_the_reference_has_times_and_points_to_kernels(self):
        result = document(self, "profile", MODEL, "--device", "reference", "--runs", 1)
        self.assertIsNone(result["floor_ms"])
        self.assertEqual([one["kind"] for one in result["advice"]], ["device"])

    def test_a_trace_opens_where_chrome_traces_do(self):
        path = self.folder / "trace.json"
        result = document(self, "profile", MODEL, "--runs", 2, "--advice", 0, "--trace", path)
        events = json.loads(path.read_text())["traceEvents"]
        # The format: a complete event has a name, a begin and a length in microseconds, a process and a thread.
        steps = [e for e in events if e["ph"] == "X"]
        self.assertEqual(len(steps), 3 * len(result["nodes"]))  # the fastest of each, and two runs
        fastest = [e for e in steps if e["tid"] == 0]
        self.assertAlmostEqual(sum(e["dur"] for e in fastest) / 1e3, result["total_ms"], 6)
        for thread in range(3):
            end = 0
            for event in (e for e in steps if e["tid"] == thread):
                self.assertGreaterEqual(event["ts"], end - 1e-6)
                end = event["ts"] + event["dur"]
        memory = [e["args"]["bytes"] for e in events if e["ph"] == "C"]
        self.assertEqual(memory, result["memory"]["alive_bytes"])
        self.assertEqual({e["ph"] for e in events}, {"M", "X", "C"})

    def test_a_page_needs_nothing_else(self):
        path = self.folder / "profile.html"
        result = document(self, "profile", MODEL, "--html", path)
        text = path.read_text()
        page = Page(text)
        for tag, attributes in page.elements:
            self.assertNotIn(tag, ("link", "iframe", "img", "object", "embed"))
            for name in ("src", "href"):
                self.assertTrue(attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes))
        self.assertNotIn("@import", text)
        self.assertEqual(sum(tag == "script" for tag, _ in page.elements), 1)
        self.assertEqual(sum(tag == "table" and a.get("class") == "sortable" for tag, a in page.elements), 1)
        self.assertGreaterEqual(sum(tag == "svg" for tag, _ in page.elements), 4)
        for node in result["nodes"]:
            self.assertIn(node["kernel"], page.text)
        self.assertLess(len(text), 1 << 20)

    def test_names_do_not_become_markup(self):
        name = "<script>alert(1)</script>"
        model = self.file("marks.onnx", onnx_model([("Exp", ["x"], [name])], [("x", (64,))], [(name, (64,))]))
        page, trace = self.folder / "p.html", self.folder / "t.json"
        self.assertEqual(athanor("profile", model, "--html", page, "--trace", trace).returncode, 0)
        self.assertNotIn("alert(1)</script>", page.read_text())

    def test_results_that_cannot_be_written_are_told_first(self):
        for option, name in (("--trace", "x.txt"), ("--html", "x.json")):
            run = athanor("profile", MODEL, option, self.folder / name)
            self.assertEqual(run.returncode, 1)
            self.assertIn(f"{option} ", run.stderr)
        run = athanor("profile", MODEL, "--trace", self.folder / "no" / "x.json")
        self.assertEqual(run.returncode, 1)


class Bench(Case):
    def test_the_machine_and_its_noise_are_told(self):
        result = document(self, "bench", MODEL, "--time", 0.1)
        environment, noise = result["environment"], result["noise"]
        self.assertEqual(environment["cores"], CORES)
        for key in ("id", "cpu", "kernels", "system", "governor", "turbo", "cpu_quota", "hypervisor", "load", "athanor"):
            self.assertIn(key, environment)
        self.assertGreater(noise["before"]["mean_ms"], 0)
        variation = max(noise[part]["variation_percent"] for part in ("before", "after"))
        drift = 100 * abs(noise["after"]["mean_ms"] / noise["before"]["mean_ms"] - 1)
        self.assertAlmostEqual(noise["comparable_percent"], max(2 * variation, drift), 6)
        self.assertEqual(noise["noisy"], noise["comparable_percent"] > 5)
        text = athanor("bench", MODEL, "--time", 0.05).stdout
        self.assertRegex(text, r"machine      .*, load \d+\.\d\d\n")
        self.assertRegex(text, r"noise        .*(differences of .* can be told apart|too noisy to compare within 5 %)")
        again = document(self, "bench", MODEL, "--time", 0.05)["environment"]["id"]
        self.assertEqual(again, environment["id"])  # whatever the load

    def test_every_combination_is_measured_and_the_knee_follows_its_rule(self):
        result = document(self, "bench", MODEL, "--time", 0.05, "--sweep", "streams=1,2", "batch=1,4", "threads=1,2")
        points, sweep = result["sweep"]["points"], result["sweep"]
        self.assertEqual({(p["streams"], p["batch"], p["threads"]) for p in points},
                         {(s, b, t) for s in (1, 2) for b in (1, 4) for t in (1, 2)})
        rates = [(p["latency_ms"]["median"], p["throughput_per_s"]) for p in points]
        beaten = {i for i, (ms, rate) in enumerate(rates)
                  if any(other <= ms and more >= rate and (other, more) != (ms, rate) for other, more in rates)}
        self.assertEqual(set(sweep["frontier"]), set(range(len(points))) - beaten)
        order = sorted(sweep["frontier"], key=lambda i: rates[i])
        knee = order[0]
        for i in order[1:]:
            if rates[i][1] / rates[knee][1] - 1 >= 0.5 * (rates[i][0] / rates[knee][0] - 1):
                knee = i
        self.assertEqual(sweep["knee"], knee)
        self.assertEqual(result["throughput_per_s"], points[knee]["throughput_per_s"])
        self.assertEqual([p["knee"] for p in points].index(True), knee)
        self.assertTrue(all("energy_j_per_run" in p for p in points))

    def test_any_throughput_is_worth_it_where_latency_costs_nothing(self):
        result = document(self, "bench", MODEL, "--time", 0.05, "--sweep", "batch=1,2,4", "--knee", 0)
        self.assertEqual(result["sweep"]["knee"], result["sweep"]["frontier"][-1])
        run = athanor("bench", MODEL, "--time", 0.05, "--sweep", "threads")
        self.assertEqual(run.stdout.count("<- knee"), 1)
        self.assertIn("knee         threads ", run.stdout)

    def test_a_sweep_that_is_not_one_says_what_is_expected(self):
        for words, told in ((["rows=1"], "streams, batch or threads is expected"), (["batch=1,x"], "numbers from 1 to"),
                            (["batch=0"], "numbers from 1 to"), (["batch=1", "batch=2"], "given twice"),
                            (["batch=" + ",".join(map(str, range(1, 99))), "threads=1,2,3,4"], "at most 256")):
            run = athanor("bench", MODEL, "--sweep", *words)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(told, run.stderr)

    def test_streams_without_threads_are_an_error(self):
        """A thread that could not be started ended the program."""
        def little_room():  # stacks of 256 MiB in 16 GiB
            resource.setrlimit(resource.RLIMIT_STACK, (256 << 20, 256 << 20))
            resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        run = athanor("bench", MODEL, "--streams", 200, "--threads", 1, "--time", 0.1, preexec_fn=little_room)
        self.assertEqual(run.returncode, 4, run.stderr)
        self.assertRegex(run.stderr, r"error ATH-4001 .*200 streams are wanted; the system gave threads to \d+\n *fix: fewer --streams")

    def test_a_batch_that_does_not_fit_is_told_before_anything_is_measured(self):
        fixed = self.file("fixed.onnx", onnx_model([("MatMul", ["a", "b"], ["c"])], [("a", (3, 3)), ("b", (3, 2))], [("c", (3, 2))]))
        begin = time.monotonic()
        run = athanor("bench", fixed, "--sweep", "batch=3,5", "--time", 30)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("batch 5", run.stderr)
        self.assertIn("the model fixes its batch inside", run.stderr)


class Tune(Case):
    def test_it_tells_how_far_it_is(self):
        out = self.folder / "out.athplan"
        process = subprocess.Popen([binary(), "tune", "zoo:resnet50", "--threads", "1", "--budget", "60", "--progress", "plain",
                                    "-o", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for line in process.stderr:
                if line.startswith("measuring kernels (ms): "):
                    break
            else:
                self.fail("no progress was told")
            self.assertRegex(line, r"^measuring kernels \(ms\): \d+/\d+ \(\d+%\)")
        finally:
            process.terminate()
            process.communicate()


class Doctor(Case):
    def test_each_figure_says_how_it_was_probed(self):
        result = document(self, "doctor")
        one, everything = result["probed"]
        self.assertEqual((one["threads"], everything["threads"]), (1, CORES))
        for part in (one, everything):
            for name in ("f32", "int8", "bf16"):
                if part[name] is not None:
                    self.assertGreater(part[name]["giga_operations_per_s"], 1)
                    self.assertTrue(part[name]["how"])
            levels = [level["level"] for level in part["reads"]]
            self.assertEqual(levels[-1], "memory")
            self.assertEqual(levels[:-1], sorted(levels[:-1]))
            self.assertTrue(all(level["gb_per_s"] > 0.1 and level["how"] for level in part["reads"]))
        if "avx512_vnni" in result["instruction_sets"]:
            self.assertEqual(one["int8"]["instruction_set"], "avx512_vnni")
            # Four products of bytes where f32 has one.
            self.assertGreater(one["int8"]["giga_operations_per_s"], 2 * one["f32"]["giga_operations_per_s"])
        if "avx512_bf16" not in result["instruction_sets"]:
            self.assertIsNone(one["bf16"])
        text = athanor("doctor").stdout
        self.assertIn("how it was probed", text)
        for level in one["reads"]:
            self.assertIn(f"read {level['level']}, one core", text)


class Dumps(Case):
    def test_verbs_that_take_two_models_print_each(self):
        run = athanor("compare", MODEL, "--device-b", "reference", "--dump-ir", "after:fold-linear")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout.count("graph digits("), 2)
        run = athanor("bisect", MODEL, "--dump-ir", "after:import")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("BatchNormalization", run.stdout)

    def test_quantize_prints_what_it_begins_with(self):
        run = athanor("quantize", MODEL, "--calib", DIGITS / "calib.npz", "-o", self.folder / "q.ath", "--dump-ir", "after:import")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("graph digits(", run.stdout)


class Deadline(Case):
    def test_a_run_that_takes_longer_ends_with_its_code(self):
        run = athanor("run", "zoo:squeezenet1_1", "random", "--deadline-ms", "0.01")
        self.assertEqual(run.returncode, 4, run.stderr)
        self.assertRegex(run.stderr, r"error ATH-4002 \[limit\] random: before node \"[^\"]+\" \(\w+\): "
                                     r"0\.01 ms were allowed, [\d.]+ ms have passed\n *fix: a later deadline")
        self.assertEqual(athanor("run", MODEL, "random", "--deadline-ms", "60000").returncode, 0)
        self.assertEqual(athanor("run", MODEL, "random", "--deadline", "60000").returncode, 0)
        self.assertEqual(athanor("run", MODEL, "random", "--deadline-ms", "0").returncode, 1)


class RunInputs(Case):
    def product(self, rows):
        return self.file("product.onnx", onnx_model([("MatMul", ["a", "b"], ["c"])],
                                                    [("a", ("N", "K")), ("b", (rows, 2))], [("c", ("N", 2))]))

    def test_inspect_suggests_inputs_that_run(self):
        run = athanor("inspect", self.product(4))
        self.assertIn("sizes        1 does not do for K, N", run.stdout)
        command = run.stdout.splitlines()[-1].removeprefix("next: ").split()
        self.assertEqual(command[-3:], ["random", "--set-dim", "K=4"])
        self.assertEqual(athanor(*command[1:]).returncode, 0)
        self.assertEqual(document(self, "inspect", MODEL)["run_inputs"], "random")

    def test_where_no_size_fits_a_file_is_asked_for(self):
        self.assertTrue(athanor("inspect", self.product(3)).stdout.splitlines()[-1].endswith(" --input a=x.npy"))


if __name__ == "__main__":
    unittest.main()
