#!/usr/bin/env python3
"""The workbench from the outside: who may ask, its JSON, broken requests, and the page in a browser.

The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor. The browser tests need chromium and what `./dev web`
installs into web/node_modules, and are skipped without them.
"""
import filecmp
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

from running import ROOT, Running, SharedServer, binary

WEB = ROOT / "web"
DIGITS = ROOT / "examples" / "digits" / "digits.onnx"
LABELS = ROOT / "examples" / "digits" / "labels.txt"
SEVEN = ROOT / "examples" / "digits" / "images" / "7_0174.png"
FRAUD = ROOT / "examples" / "tabular" / "fraud.onnx"


def verb(*arguments):
    """What the command line says, as JSON."""
    run = subprocess.run([binary(), *map(str, arguments), "--json"], capture_output=True, text=True, check=False)
    return json.loads(run.stdout)


class Workbench(Running):
    def __init__(self, *arguments):
        super().__init__("workbench", *arguments, "--no-open")
        self.token, self.url = self.facts["token"], self.facts["url"]

    def ask(self, screen, body=None, **values):
        """status, document"""
        query = urllib.parse.urlencode({"token": self.token, **values})
        status, _, text = self.request("GET" if body is None else "POST", f"/api/{screen}?{query}", body)
        return status, json.loads(text)


class Shared(SharedServer):
    arguments = [DIGITS, "--std", "255", "--labels", LABELS]

    @classmethod
    def start(cls):
        cls.bench = Workbench(*cls.arguments)
        return cls.bench

    def alive(self):
        return self.bench.ask("model")[0]


class WhoMayAsk(Shared):
    def test_without_the_token_everything_is_refused(self):
        wrong = "0" * len(self.bench.token)
        for path in ["/", "/app.js", "/api", "/api/graph", f"/api/model?token={wrong}", "/api/model?token=", "/nowhere",
                     f"/api/model?token={self.bench.token[:-1]}"]:
            status, headers, body = self.bench.request("GET", path)
            self.assertEqual(status, 401, path)
            self.assertIn("token", json.loads(body)["error"])
            self.assertNotIn("Set-Cookie", headers)
        self.assertEqual(self.bench.request("POST", "/api/run?kind=random")[0], 401)
        self.assertEqual(self.bench.request("GET", "/", headers={"Cookie": f"athanor={self.bench.token}"})[0], 401)

    def test_the_page_gives_the_cookie_that_opens_the_rest(self):
        status, headers, body = self.bench.request("GET", f"/?token={self.bench.token}")
        self.assertEqual(status, 200)
        self.assertIn(b"<!DOCTYPE html>", body)
        cookie, *flags = [part.strip() for part in headers["Set-Cookie"].split(";")]
        self.assertEqual({"HttpOnly", "SameSite=Strict", "Path=/"}, set(flags))
        for path, kind in [("/app.js", "text/javascript"), ("/layout.js", "text/javascript"), ("/app.css", "text/css"),
                           ("/LICENSES.txt", "text/plain"), ("/api/model", "application/json")]:
            status, headers, body = self.bench.request("GET", path, headers={"Cookie": f"other=1; {cookie}"})
            self.assertEqual(status, 200, path)
            self.assertIn(kind, headers["Content-Type"])
            self.assertNotIn("Set-Cookie", headers)

    def test_the_page_may_reach_nothing_else(self):
        headers = self.bench.request("GET", f"/?token={self.bench.token}")[1]
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual({policy["script-src"], policy["connect-src"], policy["style-src"]}, {"'self'"})
        self.assertEqual(policy["frame-ancestors"], "'none'")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_other_names_of_this_machine_are_refused(self):
        path = f"/api/model?token={self.bench.token}"
        for host in ["evil.example", f"evil.example:{self.bench.port}", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", ""]:
            self.assertEqual(self.bench.request("GET", path, headers={"Host": host})[0], 421, host)
        for host in ["localhost", f"localhost:{self.bench.port}", "127.0.0.1:1", "[::1]:80", "192.0.2.7"]:
            self.assertEqual(self.bench.request("GET", path, headers={"Host": host})[0], 200, host)

    def test_other_pages_may_not_post(self):
        path = f"/api/run?kind=random&token={self.bench.token}"
        own = f"127.0.0.1:{self.bench.port}"
        for origin in ["http://evil.example", f"https://{own}", "null", "http://127.0.0.1:1"]:
            self.assertEqual(self.bench.request("POST", path, headers={"Origin": origin})[0], 403, origin)
        self.assertEqual(self.bench.request("POST", path, headers={"Origin": f"http://{own}"})[0], 200)

    def test_it_listens_on_this_machine_only(self):
        lines = pathlib.Path("/proc/net/tcp").read_text().split("\n")[1:]
        addresses = {line.split()[1] for line in lines if line and line.split()[3] == "0A"}
        self.assertIn(f"0100007F:{self.bench.port:04X}", addresses)
        self.assertNotIn(f"00000000:{self.bench.port:04X}", addresses)


class Screens(Shared):
    def test_screens_are_listed(self):
        status, _, body = self.bench.request("GET", f"/api?token={self.bench.token}")
        self.assertEqual(status, 200)
        self.assertEqual({s["path"] for s in json.loads(body)["screens"]},
                         {"/api/model", "/api/graph", "/api/plan", "/api/profile", "/api/passes", "/api/run"})

    def test_the_model_is_what_inspect_says(self):
        told = verb("inspect", DIGITS)
        model = self.bench.ask("model")[1]
        self.assertEqual(model["schema_version"], 1)
        for key in ["inputs", "outputs", "ops", "nodes", "params", "flops", "weight_bytes", "symbols"]:
            self.assertEqual(model[key], told[key], key)
        self.assertEqual(model["picture_inputs"], ["image"])
        self.assertEqual(model["labels"], 10)

    def test_the_graph_is_the_files(self):
        graph = self.bench.ask("graph", form="raw")[1]
        ops = [node["op"] for node in graph["nodes"]]
        self.assertEqual({op: ops.count(op) for op in set(ops)}, verb("inspect", DIGITS)["ops"])
        values = {value["id"]: value for value in graph["values"]}
        first = graph["nodes"][0]
        self.assertEqual((first["op"], first["name"]), ("Conv", "stem.conv"))
        self.assertEqual([values[v]["type"] for v in first["in"][:2]], ["f32[N, 1, 32, 32]", "f32[16, 1, 3, 3]"])
        self.assertEqual(values[first["in"][1]]["bytes"], 16 * 9 * 4)
        self.assertIn(["pads", "[1, 1, 1, 1]"], first["attributes"])
        self.assertEqual(first["flops"], 2 * 9 * 16 * 32 * 32)  # multiply-adds of a 3x3 convolution
        given = {v for node in graph["nodes"] for v in node["out"]} | set(graph["inputs"])
        for node in graph["nodes"]:
            for value in node["in"]:
                self.assertTrue(value in given or "bytes" in values[value])

    def test_the_plan_is_what_explain_says(self):
        told, plan = verb("explain", DIGITS)["steps"], self.bench.ask("plan")[1]
        graph = {node["id"]: node for node in self.bench.ask("graph", form="optimized")[1]["nodes"]}
        self.assertEqual(len(plan["steps"]), len(told))
        for step, line in zip(plan["steps"], told):
            self.assertEqual((step["op"], step["kernel"], step["candidates"]), (line["op"], line["kernel"], line["candidates"]))
            self.assertEqual(" + ".join(graph[node]["op"] for node in step["nodes"]), step["op"])
            self.assertLessEqual(step["alive_bytes"], plan["arena_bytes"])
        refused = [c for step in plan["steps"] for c in step["candidates"] if not c["fits"]]
        self.assertTrue(refused and all(c["reason"] for c in refused))
        self.assertLessEqual(plan["lower_bound_bytes"], plan["arena_bytes"])

    def test_every_step_is_measured(self):
        profile, plan = self.bench.ask("profile", runs=3)[1], self.bench.ask("plan")[1]
        self.assertEqual(len(profile["steps_ms"]), len(plan["steps"]))
        self.assertTrue(all(ms > 0 for ms in profile["steps_ms"]))
        self.assertAlmostEqual(sum(profile["steps_ms"]), profile["total_ms"])

    def test_the_passes_are_what_optimize_says(self):
        with tempfile.TemporaryDirectory() as folder:
            told = verb("optimize", DIGITS, "-o", f"{folder}/plain.ath")
        passes = self.bench.ask("passes")[1]
        self.assertEqual((passes["before"]["nodes"], passes["after"]["nodes"]), (told["nodes_before"], told["nodes_after"]))
        fired = {}
        for run in passes["runs"]:
            for rule, times in run["fired"].items():
                fired[rule] = fired.get(rule, 0) + times
        self.assertEqual(fired, told["fired"])
        self.assertEqual(passes["before"]["ops"]["BatchNormalization"], 6)
        self.assertNotIn("BatchNormalization", passes["after"]["ops"])
        # Each batch normalisation was taken up by the convolution before it, whose own value is gone.
        fates = {fate["id"]: fate for fate in passes["fates"]}
        for node in self.bench.ask("graph", form="raw")[1]["nodes"]:
            expected = {"BatchNormalization": "changed", "Conv": "gone"}.get(node["op"], "kept")
            self.assertEqual(fates[node["id"]]["fate"], expected, node)
            if expected == "changed":
                self.assertEqual(fates[node["id"]]["op"], "Conv")

    def test_a_picture_gets_the_answer_of_run(self):
        told = verb("run", DIGITS, SEVEN, "--std", "255", "--labels", LABELS)["outputs"][0]
        status, answer = self.bench.ask("run", SEVEN.read_bytes(), kind="file", name=SEVEN.name)
        self.assertEqual(status, 200)
        self.assertEqual(answer["input"], SEVEN.name)
        self.assertEqual(answer["outputs"][0]["top"], told["top"])
        self.assertEqual(answer["outputs"][0]["top"][0]["label"], "7")
        self.assertRegex(answer["text"], r"\n +7  7 +[\d.]+ +\d+\.\d %\n")
        # Preprocessing of the page wins over that of the command line.
        other = self.bench.ask("run", SEVEN.read_bytes(), kind="file", name=SEVEN.name, std="1")[1]
        self.assertNotEqual(other["outputs"][0]["values"], answer["outputs"][0]["values"])

    def test_random_values_are_seeded(self):
        told = verb("run", DIGITS, "random", "--seed", "3")["outputs"][0]
        for _ in range(2):
            self.assertEqual(self.bench.ask("run", b"", kind="random", seed=3)[1]["outputs"][0]["values"], told["values"])

    def test_wrong_questions_say_what_is_accepted(self):
        for screen, body, values, status, text in [
                ("graph", None, {"form": "round"}, 400, "raw or optimized"),
                ("profile", None, {"runs": "many"}, 400, "runs"),
                ("profile", None, {"runs": "100000000"}, 400, "0 to 1000"),
                ("nothing", None, {}, 404, "/api"),
                ("plan", b"", {}, 405, "GET"),
                ("run", b"not a picture", {"kind": "file", "name": "x.png"}, 400, "image"),
                ("run", b"", {"kind": "file", "name": "x.png"}, 400, "image"),
                ("run", b"x", {"kind": "file", "name": "../../../../etc/passwd"}, 400, "image"),
                ("run", b"1,2", {"kind": "file", "name": "x.csv", "input": "imgae"}, 404, "did you mean"),
                ("run", b"{", {"kind": "json"}, 400, "JSON"),
                ("run", b"[1]", {"kind": "json"}, 400, "object"),
                ("run", b'{"imgae": [1]}', {"kind": "json"}, 404, "image"),
                ("run", b'{"image": [[[[1, 2]]]]}', {"kind": "json"}, 400, "image"),
                ("run", b'{"image": ' + b"[" * 5000 + b"]" * 5000 + b"}", {"kind": "json"}, 400, ""),
                ("run", b'{"image": [[1], [1, 2]]}', {"kind": "json"}, 400, "")]:
            got, document = self.bench.ask(screen, body, **values)
            self.assertEqual(got, status, (screen, values, document))
            self.assertIn(text, document["error"], (screen, values))

    def test_requests_that_are_none(self):
        token = self.bench.token
        for data in [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000,
                     f"POST /api/run?token={token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n".encode(),
                     f"POST /api/run?token={token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc".encode(),
                     f"GET /../../etc/passwd?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
                     f"GET /%2e%2e%2fetc%2fpasswd?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()]:
            answer = self.bench.raw(data)
            self.assertNotIn(b" 200 ", answer[:20], data[:60])
            self.assertNotIn(b"root:", answer)


class Tables(Shared):
    arguments = [FRAUD]

    def test_rows_get_the_answer_of_run(self):
        row = [float(x) if x else None for x in (ROOT / "examples/tabular/rows.csv").read_text().split("\n")[1].split(",")[:10]]
        status, answer = self.bench.ask("run", json.dumps({"features": [row]}).encode(), kind="json")
        self.assertEqual(status, 200, answer)
        # A single row needs no brackets around it.
        self.assertEqual(self.bench.ask("run", json.dumps({"features": row}).encode(), kind="json")[1]["outputs"], answer["outputs"])
        text = ",".join("" if x is None else repr(x) for x in row) + "\n"
        csv = self.bench.ask("run", text.encode(), kind="file", name="row.csv")[1]
        self.assertEqual(csv["outputs"], answer["outputs"])
        self.assertEqual({o["name"] for o in answer["outputs"]}, {o["name"] for o in verb("inspect", FRAUD)["outputs"]})


class Ends(unittest.TestCase):
    def test_what_cannot_be_opened_is_said_at_once(self):
        run = subprocess.run([binary(), "workbench", "nothing.onnx"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("ATH-1004", run.stderr)
        run = subprocess.run([binary(), "workbench", DIGITS, "--host", "localhost"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("IP address", run.stderr)

    def test_each_start_has_a_token_of_its_own(self):
        benches = [Workbench(DIGITS) for _ in range(2)]
        self.assertNotEqual(benches[0].token, benches[1].token)
        self.assertRegex(benches[0].token, "^[0-9a-f]{32}$")
        self.assertEqual(benches[1].request("GET", f"/api/model?token={benches[0].token}")[0], 401)
        # Ctrl-C and SIGTERM both end it.
        for bench, number in zip(benches, [signal.SIGINT, signal.SIGTERM]):
            self.assertEqual(bench.stop(number)[0], 0)


def node_modules():
    """Why what npm installs is not there, or nothing."""
    if not (shutil.which("npm") and shutil.which("node")):
        return "npm is absent"
    return "" if (WEB / "node_modules" / "esbuild").exists() else "web/node_modules is absent (./dev web)"


@unittest.skipIf(node_modules(), node_modules())
class Bundle(unittest.TestCase):
    def test_the_committed_page_is_what_the_sources_give(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["node", WEB / "build.mjs", folder], check=True, timeout=120)
            built = sorted(path.name for path in pathlib.Path(folder).iterdir())
            self.assertEqual(built, sorted(path.name for path in (WEB / "dist").iterdir()))
            stale = [name for name in built if not filecmp.cmp(f"{folder}/{name}", WEB / "dist" / name, shallow=False)]
        self.assertEqual(stale, [], "run ./dev web")

    def test_types_agree(self):
        run = subprocess.run([WEB / "node_modules" / ".bin" / "tsc", "-p", WEB], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_the_page_is_small_and_the_lock_names_no_address(self):
        self.assertLess(sum(path.stat().st_size for path in (WEB / "dist").iterdir()), 400 << 10)
        packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
        self.assertFalse([name for name, about in packages.items() if "resolved" in about])


def browser():
    """Why there is no browser to test in, or nothing."""
    if node_modules():
        return node_modules()
    if not (WEB / "node_modules" / "playwright-core").exists():
        return "playwright-core is absent (./dev web)"
    return "" if pathlib.Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists() else "chromium is absent"


def use(scenario, bench, *more):
    run = subprocess.run(["node", WEB / "browser_test.mjs", scenario, bench.url, *more], capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@unittest.skipIf(browser(), browser())
class Browser(Shared):
    def test_a_visit(self):
        seen = use("tour", self.bench, SEVEN)
        print(f"first paint {seen['paint_ms']:.0f} ms, graph drawn {seen['drawn_ms']:.0f} ms")
        self.assertEqual(seen["problems"], [])
        self.assertEqual(seen["foreign"], [])
        self.assertLessEqual(seen["paint_ms"], 1000)
        self.assertNotIn("token", seen["address"])
        steps = verb("explain", DIGITS)["steps"]
        # Steps, the input and the output, and two views without a step: Flatten, and the Reorder of one pixel; every shape stands on its edge.
        self.assertEqual(seen["run"]["nodes"], len(steps) + 4)
        self.assertEqual(seen["run"]["titles"], [step["op"] for step in steps])
        self.assertEqual([seen[form]["loose"] for form in ("run", "optimized", "read")], [[], [], []])
        self.assertIn("1\u00d716\u00d732\u00d732", seen["run"]["labels"])
        self.assertGreater(seen["colours"], 20)
        self.assertIn("9.19 M FLOPs", seen["facts"])
        self.assertEqual(seen["read"]["nodes"], 24 + 2)
        self.assertEqual(seen["optimized"]["nodes"], 18 + 1 + 2)  # the Reorder that the planner added
        self.assertIn("N\u00d716\u00d732\u00d732", seen["read"]["labels"])
        # The residual block: two convolutions, the second with its sum.
        residual = next(step for step in steps if step["op"] == "Conv + Add + Relu")
        self.assertEqual(seen["hits"], "1 found")
        self.assertEqual(seen["chosen"], residual["kernel"])
        refused = [c for c in residual["candidates"] if not c["fits"]]
        self.assertEqual(len(seen["refused"]), len(refused))
        for text, candidate in zip(seen["refused"], refused):
            self.assertIn(candidate["kernel"], text)
            self.assertIn(candidate["reason"], text)
        for word in ["Conv + Add + Relu", "kernel_shape", "[3, 3]", "f32[1, 48, 8, 8]", "% of"]:
            self.assertIn(word, seen["panel"])
        self.assertEqual(seen["below"], "GlobalAveragePool")
        self.assertTrue(seen["closed"])
        self.assertEqual(seen["clicked"], steps[0]["op"])
        self.assertEqual({fate for op, fate in seen["fates"] if op == "BatchNormalization"}, {"changed"})
        self.assertEqual({fate for op, fate in seen["fates"] if op == "Conv"}, {"gone"})
        self.assertEqual(seen["rows"], len(steps))
        self.assertEqual(seen["gone_ops"], ["BatchNormalization"])
        self.assertEqual(seen["answer"], "7")
        self.assertEqual(seen["again"], len(steps) + 4)
        for key, start in [("command_read", "athanor inspect "), ("command_layers", "athanor profile "), ("command_try", "athanor run ")]:
            self.assertTrue(seen[key].startswith(f"{start}{DIGITS}"), seen[key])
        # The command that is shown gives what the page shows.
        told = subprocess.run([binary(), *shlex.split(seen["command_try"])[1:], "--json"], capture_output=True, text=True, check=True, cwd=SEVEN.parent)
        self.assertEqual(json.loads(told.stdout)["outputs"][0]["top"][0]["class"], 7)


def spoilt_network(folder):
    """A chain of products, each of which adds to the error of those before, and its samples."""
    lines, last = ["graph spoilt(x: f32[1, 32]) -> (y: f32[1, 256]) {"], "x"
    for i in range(6):
        lines += [f"  const %w{i}: f32[{256 if i else 32}, 256] = random({i + 1})", f"  %p{i} = MatMul(%{last}, %w{i}) @product{i}", f"  %r{i} = Tanh(%p{i}) @bend{i}"]
        last = f"r{i}"
    path = folder / "spoilt.txt"
    path.write_text("\n".join(lines).replace("%r5", "%y") + "\n}\n")
    numbers = random.Random(5)
    rows = "\n".join(",".join(f"{numbers.gauss(0, 1):.4f}" for _ in range(32)) for _ in range(80))
    (folder / "rows.csv").write_text(",".join(f"c{i}" for i in range(32)) + "\n" + rows + "\n")
    return path


class Quantised(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.kept.name)
        cls.report, cls.out = cls.folder / "report", cls.folder / "digits.int8.ath"
        examples = ROOT / "examples" / "digits"
        subprocess.run([binary(), "quantize", DIGITS, "--calib", examples / "calib.npz", "--std", "255", "--data", examples / "heldout.npz",
                        "-o", cls.out, "--report", cls.report, "--quiet"], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    def test_the_document_is_the_report(self):
        written = json.loads((self.report / "report.json").read_text())
        for name in [self.report, self.report / "report.json"]:
            bench = Workbench(self.out, "--report", name)
            try:
                self.assertEqual(bench.ask("quantized"), (200, written))
                self.assertTrue(bench.ask("model")[1]["quantized"])
            finally:
                self.assertEqual(bench.stop()[0], 0)

    def test_without_a_report_there_is_no_such_screen(self):
        bench = Workbench(self.out)
        try:
            self.assertEqual(bench.ask("quantized")[0], 404)
            self.assertFalse(bench.ask("model")[1]["quantized"])
        finally:
            self.assertEqual(bench.stop()[0], 0)

    def test_what_is_no_report_is_refused_at_once(self):
        good = json.loads((self.report / "report.json").read_text())
        path = self.folder / "other.json"
        for text, word in [("", "other.json"), ("[1]", "report.json of athanor quantize"), ("[" * 100000, "other.json"), ('{"float": 3}', "no \"float\""),
                           (json.dumps({**good, "schema_version": 2}), "schema_version is not 1"), ("\xff{}", "other.json")]:
            path.write_text(text, encoding="latin-1")
            run = subprocess.run([binary(), "workbench", self.out, "--report", path, "--no-open"], capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(run.returncode, 0, text[:40])
            self.assertIn(word, run.stderr, text[:40])
        run = subprocess.run([binary(), "workbench", self.out, "--report", self.folder / "none"], capture_output=True, text=True, timeout=60, check=False)
        self.assertIn("ATH-1004", run.stderr)

    def see(self, model, report):
        bench = Workbench(model, "--report", report)
        try:
            return use("quantized", bench)
        finally:
            self.assertEqual(bench.stop()[0], 0)

    @unittest.skipIf(browser(), browser())
    def test_the_page_shows_it(self):
        written, seen = json.loads((self.report / "report.json").read_text()), self.see(self.out, self.report)
        self.assertEqual((seen["problems"], seen["foreign"]), ([], []))
        self.assertEqual([row[0] for row in seen["costs"]], ["float", "int8"])
        self.assertEqual([row[3] for row in seen["costs"]], [f"{100 * written[form]['top1']:.2f} %" for form in ("float", "int8")])
        self.assertEqual(seen["in_float"], [[one["node"], one["op"], one["reason"]] for one in written["float_products"]])
        known = [tensor for tensor in written["tensors"] if "sqnr_db" in tensor]
        ranked = sorted(known, key=lambda tensor: tensor["sqnr_db"])
        self.assertEqual([row[2] for row in seen["errors"]], [f"{tensor['sqnr_db']:.1f}" for tensor in ranked])
        self.assertEqual(sorted(row[1] for row in seen["errors"]), sorted(tensor["tensor"] for tensor in known))
        self.assertEqual(seen["best_first"], f"{ranked[-1]['sqnr_db']:.1f}")
        self.assertEqual(seen["drawn"], [[tensor["tensor"], 64, 2] for tensor in written["tensors"]])
        self.assertEqual([row[0] for row in seen["corrections"]], [row["name"] for row in written["ablation"]])
        self.assertEqual(seen["pareto"], [])
        self.assertTrue(seen["command"].startswith(f"athanor quantize {DIGITS} "), seen["command"])

    @unittest.skipIf(browser(), browser())
    def test_what_was_tried_is_drawn_and_texts_stay_texts(self):
        model, report = spoilt_network(self.folder), self.folder / "spoilt"
        subprocess.run([binary(), "quantize", model, "--calib", self.folder / "rows.csv", "-o", self.folder / "spoilt.ath", "--max-drop", "0.1%", "--report", report, "--quiet"],
                       check=True, capture_output=True)
        written = json.loads((report / "report.json").read_text())
        self.assertGreater(len(written["decision"]["trials"]), 2)
        written["dead_channels"] = [{"node": "<img src=x onerror=alert(1)>", "channels": [3, 5]}]
        (report / "report.json").write_text(json.dumps(written))
        seen = self.see(self.folder / "spoilt.ath", report)
        self.assertEqual(seen["problems"], [])
        real = written["float"].get("top1", written["float"].get("agreement"))
        tried = sorted((trial["estimated_ms"], 100 * (real - trial["value"])) for trial in written["decision"]["trials"])
        least, front = float("inf"), []
        for ms, drop in tried:
            if drop < least:
                least = drop
                front.append([ms, drop])
        for found, expected in [(seen["pareto"][0], [list(pair) for pair in tried]), (seen["pareto"][1], front)]:
            self.assertEqual(len(found), len(expected))
            for point, other in zip(found, expected):
                self.assertAlmostEqual(point[0], other[0])
                self.assertAlmostEqual(point[1], other[1])
        self.assertEqual(seen["dead"], [["<img src=x onerror=alert(1)>", "3, 5"]])
        self.assertEqual(len(seen["ranked"]), len(written["decision"]["ranked"]))


@unittest.skipIf(browser(), browser())
class LargeGraph(unittest.TestCase):
    def test_a_thousand_nodes_pan_smoothly(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = Workbench(wide_network(pathlib.Path(folder)))
            try:
                seen = use("pan", bench)
            finally:
                self.assertEqual(bench.stop()[0], 0)
        self.assertEqual(seen["problems"], [])
        self.assertGreaterEqual(seen["picture"]["nodes"], 1000)
        print(f"{seen['picture']['nodes']} nodes: graph drawn {seen['drawn_ms']:.0f} ms")
        for pan in seen["pans"]:
            print(f"pan, {pan['zoom']}: median {pan['median_ms']:.1f} ms, p95 {pan['p95_ms']:.1f} ms, worst {pan['worst_ms']:.1f} ms of {pan['frames']} frames")
            # 60 frames a second are one every 16.7 ms; a busy machine may drop some.
            self.assertLess(pan["median_ms"], 20)
            self.assertLess(pan["p95_ms"], 100)


def wide_network(folder):
    """A network of over a thousand nodes in the text form: residual blocks of four branches."""
    lines, last = ["graph wide(x: f32[1, 8, 16, 16]) -> (y: f32[1, 8, 16, 16]) {", "  const %w: f32[8, 8, 1, 1] = random(7)"], "x"
    for block in range(84):
        for branch in range(4):
            lines += [f"  %b{block}.{branch}.c = Conv(%{last}, %w) @conv{block}.{branch}", f"  %b{block}.{branch} = Sigmoid(%b{block}.{branch}.c)"]
        lines += [f"  %s{block}.0 = Add(%b{block}.0, %b{block}.1)", f"  %s{block}.1 = Mul(%b{block}.2, %b{block}.3)", f"  %s{block}.2 = Add(%s{block}.0, %s{block}.1)",
                  f"  %o{block} = Max(%s{block}.2, %{last}) @block{block}"]
        last = f"o{block}"
    path = folder / "wide.txt"
    path.write_text("\n".join([*lines, f"  %y = Tanh(%{last})", "}", ""]))
    return path


if __name__ == "__main__":
    unittest.main()
