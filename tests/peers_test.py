#!/usr/bin/env python3
"""The arithmetic of `./dev peers`: statistics, the noise test, groups, ratios, who is timed. No peer is needed. And of bench/brakes.py."""
import json
import math
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "bench" / folder) for folder in ("peers", "")]
import brakes
import driver
import figures
import report
import tabular

QUIET = {"foreign": 0.02, "steal": 0.0, "waited": 0.001}
BUSY = {"foreign": 0.8, "steal": 0.0, "waited": 0.3}


def piece(ms, noise=None):
    times = [int(value * 1e6) for value in ms]
    return {"ns": times, "cpu_ns": [t * 9 // 10 for t in times], "wall_ns": sum(times), "noise": noise or QUIET}


def timed(ms, **more):
    return {"min": ms, "median": ms * 1.1, "p90": ms * 1.2, "time": ms, "slices": 2, "noisy_slices": 0, **more}


class Statistics(unittest.TestCase):
    def test_percentile_is_the_nearest_rank(self):
        # Of 15, 20, 35, 40, 50 the 30th percentile is the 2nd value: ceil(0.3 * 5) = 2.
        self.assertEqual(figures.percentile([50, 15, 40, 20, 35], 30), 20)
        self.assertEqual(figures.percentile([50, 15, 40, 20, 35], 100), 50)
        self.assertEqual(figures.percentile([7], 1), 7)

    def test_geometric_mean(self):
        self.assertAlmostEqual(figures.geometric_mean([1, 4]), 2)
        self.assertAlmostEqual(figures.geometric_mean([2, 0.5, 8]), 2)
        self.assertIsNone(figures.geometric_mean([]))

    def test_a_disturbed_slice_counts_only_for_the_minimum(self):
        result = figures.summarise([piece([10, 12, 14]), piece([9, 90, 95], BUSY)])
        self.assertEqual((result["min"], result["median"], result["p90"]), (9, 12, 14))
        self.assertEqual((result["slices"], result["noisy_slices"], result["runs"]), (2, 1, 3))

    def test_when_all_slices_are_disturbed_all_count(self):
        result = figures.summarise([piece([10, 12], BUSY), piece([20], BUSY)])
        self.assertEqual((result["median"], result["noisy_slices"]), (12, 2))

    def test_one_thread_is_compared_by_cpu_time(self):
        # The second slice never had the core to itself: 40 ms by the clock, 9 of them its own.
        slices = [piece([10, 12]), {"ns": [40 * 10**6], "cpu_ns": [8 * 10**6], "wall_ns": 40 * 10**6, "noise": BUSY}]
        result = figures.summarise(slices)
        self.assertEqual((result["min"], result["cpu"], result["time"]), (10, 8, 8))
        # Of two threads the CPU time says nothing about latency.
        self.assertEqual(figures.summarise(slices, threads=2)["time"], 10)

    def test_throughput_of_streams_is_items_by_wall_time(self):
        # Two streams, each two batches of 16 in 2 s of wall time: 32 items a second, a batch each half second.
        both = {"ns": [10**9] * 4, "cpu_ns": [10**9] * 4, "wall_ns": 2 * 10**9, "noise": QUIET}
        result = figures.summarise([both], batch=16, streams=2)
        self.assertAlmostEqual(result["per_s"], 32)
        self.assertAlmostEqual(result["time"], 500)

    def test_rel_l2(self):
        self.assertAlmostEqual(figures.rel_l2([3, 4.5], [3, 4]), 0.1)
        self.assertEqual(figures.rel_l2([1, 2], [1, 2, 3]), math.inf)
        self.assertEqual(figures.rel_l2([float("nan")], [1.0]), math.inf)
        self.assertEqual(figures.rel_l2([2.0], [0.0]), 2.0)


class NoiseTest(unittest.TestCase):
    def test_each_kind_of_disturbance_is_seen(self):
        self.assertFalse(figures.is_noisy(QUIET))
        for kind, value in (("foreign", 0.2), ("steal", 0.05), ("waited", 0.1)):
            self.assertTrue(figures.is_noisy({**QUIET, kind: value}), kind)

    def test_the_machine_is_read(self):
        busy, stolen = driver.machine_times()
        self.assertGreater(busy, 0)
        self.assertGreaterEqual(stolen, 0)

    def test_the_own_work_is_not_foreign(self):
        import os
        import time
        noise = driver.Noise(os.getpid())
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        computed = driver.process_times(os.getpid())[0]
        self.assertGreater(computed, 0.05)
        self.assertLess(noise.end()["foreign"], os.cpu_count() + 0.2)

    def test_a_busy_neighbour_is_seen(self):
        import os
        import time
        neighbour = driver.BusyNeighbour(sorted(os.sched_getaffinity(0))[0])
        try:
            noise = driver.Noise(os.getpid())
            time.sleep(0.5)
            self.assertGreater(noise.end()["foreign"], figures.FOREIGN_LIMIT)
        finally:
            neighbour.close()


class Groups(unittest.TestCase):
    def test_networks_are_where_the_bars_want_them(self):
        expected = {"vgg16": "3x3", "resnet18": "3x3", "resnet34": "3x3", "unet": "3x3", "yolov4_tiny": "3x3", "resnet50": "dense",
                    "resnet101": "dense", "densenet121": "dense", "inception_v3": "dense", "googlenet": "dense",
                    "mobilenet_v2": "mobile", "efficientnet_b0": "mobile", "shufflenet_v1": "mobile", "squeezenet1_1": "mobile",
                    "mnasnet": "mobile", "RFB-320_stripped": "mobile", "RFB-320_published": "published", "ds_cnn": "tiny",
                    "mlperf_vww_96_float": "tiny", "lstm": "tiny", "bert-base": "encoder", "vit_b16": "encoder", "alexnet": "other"}
        self.assertEqual({name: figures.group_of(name) for name in expected}, expected)

    def test_a_group_holds_by_its_mean_and_its_lowest(self):
        rows = {row["group"]: row for row in figures.group_rows({"vgg16": 1.3, "resnet18": 1.2, "resnet50": 2.0, "densenet121": 0.9})}
        self.assertTrue(rows["3x3"]["held"])
        self.assertAlmostEqual(rows["3x3"]["mean"], math.sqrt(1.3 * 1.2))
        # The mean of 1.34 would do; 0.9 is below what a single network may have.
        self.assertFalse(rows["dense"]["held"])
        self.assertEqual((rows["dense"]["worst"], rows["dense"]["lowest"]), ("densenet121", 0.9))
        self.assertNotIn("mobile", rows)

    def test_networks_without_a_bar_have_no_verdict(self):
        self.assertIsNone(figures.group_rows({"alexnet": 0.5})[0]["held"])


class Ratios(unittest.TestCase):
    RESULTS = {("athanor", "default"): timed(2.0), ("openvino", "latency"): timed(3.0), ("openvino", "throughput"): timed(2.5),
               ("ncnn", "fp32"): timed(4.0), ("mnn", "high"): {"wrong": "rel-L2 1.0 from onnxruntime"}}

    def test_the_best_variant_of_the_best_peer_counts(self):
        ratio, peer = figures.ratio_row(self.RESULTS, "time")
        self.assertAlmostEqual(ratio, 1.25)
        self.assertEqual(peer, "openvino")
        self.assertEqual(figures.best_of(self.RESULTS, "time")["openvino"]["variant"], "throughput")

    def test_wrong_engines_are_not_compared(self):
        self.assertNotIn("mnn", figures.best_of(self.RESULTS, "time"))
        self.assertIsNone(figures.ratio_row({("athanor", "default"): {"wrong": "x"}, ("ncnn", "fp32"): timed(1.0)}, "time"))


def doctor(*_):
    return json.dumps({"cores": 2, "peak_gflops_one_core": 100.0, "peak_gflops": 200.0, "caches": []})


def document():
    rows = []
    for threads in (1, 2):
        for name in ("resnet18", "mobilenet_v1", "ds_cnn"):
            results = [{"engine": e, "variant": v, **r, "ready_ms": 10.0, "peak_kib": 1000} for (e, v), r in Ratios.RESULTS.items()]
            rows.append({"network": name, "group": figures.group_of(name), "threads": threads, "batch": 1, "precision": "f32",
                         "flops": 1e8, "results": results})
    return {"schema": "athanor.peers/1", "machine": report.machine(doctor), "versions": {"ncnn": "1"}, "settings": {},
            "load_begin": [1.0, 1, 1], "load_end": [2.0, 1, 1], "rows": rows, "refused": {"x": "why"}}


class Report(unittest.TestCase):
    def test_tables_name_wrong_engines_and_ratios(self):
        text = report.tables(json.loads(json.dumps(document())))
        self.assertIn("1.25", text)
        self.assertIn("mnn wrong: rel-L2 1.0 from onnxruntime", text)
        self.assertIn("3x3-heavy fp32", text)
        self.assertIn("not made: x: why", text)

    def test_percent_of_peak(self):
        # 1e9 operations in 20 ms are 50 GFLOP/s, of 200.
        self.assertEqual(report.percent_of_peak({"threads": 2, "flops": 1e9}, 20, {"1": 100.0, "2": 200.0}), "25")
        self.assertEqual(report.percent_of_peak({"threads": 4, "flops": 1e9}, 20, {"2": 200.0}), "-")

    def test_contention_is_against_one_quiet_thread(self):
        quiet = {"network": "n", "results": [{"engine": "athanor", "variant": "default", **timed(10.0), "median": 10.0}]}
        row = {"network": "n", "results": [{"engine": "athanor", "variant": "default", **timed(6.0), "contended_median": 13.0}]}
        self.assertAlmostEqual(report.contention(row, [quiet])["athanor"], 1.3)
        # Below 5 ms there is no bar.
        quiet["results"][0]["median"] = 4.0
        self.assertEqual(report.contention(row, [quiet]), {})

    def test_the_plot_is_well_formed_and_has_a_bar_per_peer(self):
        root = xml.etree.ElementTree.fromstring(report.plot(document()))
        bars = [element for element in root.iter() if element.tag.endswith("rect") and element.get("height") == "10"]
        # Two peers were timed in each of six rows; the legend names every engine there was: three.
        self.assertEqual(len(bars), 2 * 6 + 3)


class Trees(unittest.TestCase):
    def test_peers_that_cannot_win_are_timed_once(self):
        slices = {"athanor": [piece([50])], "xgboost": [piece([20])], "treelite": [piece([90])], "onnxruntime": [piece([70])],
                  "tl2cgen": [piece([900])]}
        # Of the interpreters one takes more than four times the fastest; the compiler is the best of its kind.
        self.assertEqual(tabular.contenders(slices), ["athanor", "xgboost", "onnxruntime", "tl2cgen"])
        self.assertEqual(tabular.contenders({"athanor": [], "treelite": []}), ["athanor", "treelite"])


class Brakes(unittest.TestCase):
    def test_an_activation_behind_a_convolution_is_no_brake(self):
        self.assertFalse(brakes.is_small("Conv + Swish + Add"))
        self.assertTrue(brakes.is_small("Swish"))
        self.assertTrue(brakes.is_small("Sigmoid + Mul"))
        self.assertTrue(brakes.is_small("Reorder"))

    def test_each_step_counts_by_its_fastest_run(self):
        def profile(conv, concat, lrn):
            steps = (("Conv + Relu", conv), ("Concat", concat), ("LRN", lrn))
            return {"nodes": [{"position": i, "op": op, "ms": ms} for i, (op, ms) in enumerate(steps)]}

        # 6 + 1 + 1 of the fastest of each: a quarter is small.
        total, share, parts = brakes.shares(brakes.least([profile(6, 3, 1), profile(8, 1, 5)]))
        self.assertEqual((total, share), (8, 0.25))
        self.assertEqual(parts, {"Concat": 0.125, "LRN": 0.125})


if __name__ == "__main__":
    unittest.main()
