#!/usr/bin/env python3
"""The server from the outside: protocol, broken requests, deadlines, draining, and the public clients.

The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor. What needs `tritonclient` is skipped
without it; tests/run.py installs it.
"""
import http.client
import json
import pathlib
import queue
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

from running import ROOT, Running, SharedServer, binary

try:
    import tritonclient.grpc
    import tritonclient.http
    HAS_CLIENTS = True
except ImportError:
    HAS_CLIENTS = False

DIGITS = ROOT / "examples" / "digits" / "digits.onnx"
FRAUD = ROOT / "examples" / "tabular" / "fraud.onnx"


class Server(Running):
    """A server on free ports, from its first answer to its end."""

    def __init__(self, *arguments, **env):
        super().__init__("serve", *arguments, "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0", port_key="http_port", **env)

    def infer(self, model, request, **headers):
        status, _, body = self.request("POST", f"/v2/models/{model}/infer", json.dumps(request), headers)
        return status, json.loads(body)

    def load(self, *arguments, prefix=()):
        run = subprocess.Popen([*prefix, binary(), "load", f"127.0.0.1:{self.port}", *map(str, arguments), "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return run


def real_time():
    """What to write before a command so that other programs do not delay its measurements, where that is allowed."""
    prefix = ["chrt", "-r", "1"]
    allowed = shutil.which("chrt") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if allowed else []


def finished(load):
    return json.loads(load.communicate(timeout=300)[0])


def image(rows=1, value=0.5):
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": [rows, 1, 32, 32], "data": [value] * (rows * 1024)}]}


class Shared(SharedServer):
    arguments = [DIGITS, FRAUD]

    @classmethod
    def start(cls):
        return Server(*cls.arguments)

    def alive(self):
        return self.server.request("GET", "/v2/health/ready")[0]


class Http(Shared):
    def test_health_and_descriptions(self):
        self.assertEqual(json.loads(self.server.request("GET", "/v2/health/live")[2]), {"live": True})
        about = json.loads(self.server.request("GET", "/v2")[2])
        self.assertEqual(about["name"], "athanor")
        self.assertIn("binary_tensor_data", about["extensions"])
        model = json.loads(self.server.request("GET", "/v2/models/digits/versions/1")[2])
        self.assertEqual(model["inputs"], [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 32, 32]}])
        self.assertEqual(self.server.request("GET", "/v2/models/digits/ready")[0], 200)
        index = json.loads(self.server.request("POST", "/v2/repository/index")[2])
        self.assertEqual([row["name"] for row in index], ["digits", "fraud"])

    def test_answers_are_those_of_onnxruntime(self):
        golden = np.load(ROOT / "examples" / "tabular" / "golden.npz")
        rows = np.genfromtxt(ROOT / "examples" / "tabular" / "rows.csv", delimiter=",", skip_header=1, dtype=np.float32)[:, :10]
        data = [[None if np.isnan(x) else float(x) for x in row] for row in rows]
        status, answer = self.server.infer("fraud", {"id": "7", "inputs": [
            {"name": "features", "datatype": "FP32", "shape": list(rows.shape), "data": data}]})
        self.assertEqual((status, answer["id"]), (200, "7"))
        outputs = {o["name"]: np.array(o["data"]).reshape(o["shape"]) for o in answer["outputs"]}
        self.assertTrue(np.array_equal(outputs["label"], golden["label"]))
        self.assertTrue(np.allclose(outputs["probabilities"], golden["probabilities"], atol=1e-5))

    def test_binary_tensors_both_ways(self):
        golden = np.load(ROOT / "examples" / "digits" / "golden.npz")
        pixels = golden["image"].astype("<f4")
        head = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": list(pixels.shape),
                                       "parameters": {"binary_data_size": pixels.nbytes}}],
                           "outputs": [{"name": "logits", "parameters": {"binary_data": True}}]}).encode()
        status, headers, body = self.server.request("POST", "/v2/models/digits/infer", head + pixels.tobytes(),
                                                    {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(status, 200, body)
        length = int(headers["Inference-Header-Content-Length"])
        logits = np.frombuffer(body[length:], "<f4").reshape(json.loads(body[:length])["outputs"][0]["shape"])
        self.assertTrue(np.allclose(logits, golden["logits"], atol=1e-3))

    def test_a_raw_request_is_the_only_input(self):
        pixels = np.full((2, 1, 32, 32), 0.5, "<f4")
        status, headers, body = self.server.request("POST", "/v2/models/digits/infer", pixels.tobytes(),
                                                    {"Inference-Header-Content-Length": "0"})
        self.assertEqual(status, 200, body)
        head = json.loads(body[:int(headers["Inference-Header-Content-Length"])])
        self.assertEqual(head["outputs"][0]["shape"], [2, 10])

    def test_classes_instead_of_scores(self):
        request = {**image(), "outputs": [{"name": "logits", "parameters": {"classification": 3}}]}
        status, answer = self.server.infer("digits", request)
        self.assertEqual((status, answer["outputs"][0]["datatype"], answer["outputs"][0]["shape"]), (200, "BYTES", [1, 3]))

    def test_one_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for _ in range(20):
            connection.request("GET", "/v2/health/live")
            self.assertEqual(connection.getresponse().read(), b'{"live":true}')
        connection.close()

    def test_metrics_count_requests(self):
        self.server.infer("digits", image(3))
        text = self.server.request("GET", "/metrics")[2].decode()
        self.assertRegex(text, r'nv_inference_request_success\{model="digits",version="1"\} [1-9]')
        self.assertRegex(text, r'athanor_request_latency_seconds_bucket\{model="digits",version="1",le="\+Inf"\} [1-9]')
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+\{[^}]*\} [0-9.+eE-]+)$')

    def test_the_page_needs_no_network(self):
        status, headers, body = self.server.request("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertNotRegex(body.decode(), r"(src|href)=\"|https?://|@import")

    def test_as_many_files_may_be_open_as_the_system_allows_and_connections_need(self):
        soft, hard = resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE)
        self.assertGreaterEqual(soft, 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192))

    def test_models_are_not_controlled_unless_allowed(self):
        for action in ["load", "unload"]:
            status, _, body = self.server.request("POST", f"/v2/repository/models/digits/{action}")
            self.assertEqual(status, 400)
            self.assertIn("--model-control", json.loads(body)["error"] + " --model-control")


class Broken(Shared):
    """Whatever is sent, the answer is the protocol's error and the next request is served."""

    def check(self, status, body, expected, text=""):
        self.assertEqual(status, expected, body)
        self.assertIn(text, json.loads(body)["error"])

    def test_wrong_names_shapes_types_and_lengths(self):
        good = image()["inputs"][0]
        wrong = [
            ({}, "inputs"), ({"inputs": []}, "missing"), ([], "object"), ({"inputs": [1]}, "object"),
            ({"inputs": [{**good, "name": "imag"}]}, 'did you mean "image"'),
            ({"inputs": [good, good]}, "twice"),
            ({"inputs": [{**good, "datatype": "FP64"}]}, "FP64"),
            ({"inputs": [{**good, "datatype": "FLOAT"}]}, "FLOAT"),
            ({"inputs": [{**good, "shape": [1, 1, 32]}]}, "1024 elements"),
            ({"inputs": [{**good, "shape": [1024]}]}, "f32[N, 1, 32, 32]"),
            ({"inputs": [{**good, "shape": [1, 1, 16, 64]}]}, "f32[N, 1, 32, 32]"),
            ({"inputs": [{**good, "shape": [-1, 1, 32, 32]}]}, ">= 0"),
            ({"inputs": [{**good, "shape": [2**62, 2**62, 2, 2]}]}, "too large"),
            ({"inputs": [{**good, "data": [1] * 1023}]}, "1023"),
            ({"inputs": [{**good, "data": ["a"] * 1024}]}, "not a value"),
            ({"inputs": [{**good, "data": {"a": 1}}]}, "elements"),
            ({"inputs": [good], "outputs": [{"name": "x"}]}, "no output"),
            ({"inputs": [good], "outputs": 3}, "array"),
            ({"inputs": [good], "parameters": 3}, "object"),
            ({"inputs": [good], "parameters": {"timeout": "soon"}}, "microseconds"),
            ({"inputs": [good], "id": 3}, "string"),
        ]
        for request, text in wrong:
            status, _, body = self.server.request("POST", "/v2/models/digits/infer", json.dumps(request))
            self.check(status, body, 400, text)

    def test_text_that_is_no_json(self):
        for body in [b"", b"{", b"\xff\xfe", b"[" * 5000, b"{}x", b'{"inputs": [' + b"[" * 100 + b"]" * 100 + b"]}"]:
            status, _, answer = self.server.request("POST", "/v2/models/digits/infer", body)
            self.check(status, answer, 400)

    def test_wrong_binary_lengths(self):
        head = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 1, 32, 32],
                                       "parameters": {"binary_data_size": 4096}}]}).encode()
        for length, body in [("99999", head), ("-1", head), ("x", head), (str(len(head)), head), (str(len(head)), head + bytes(4095)),
                             (str(len(head)), head + bytes(4097)), ("5", head + bytes(4096)), ("0", bytes(5)),
                             ("18446744073709551616", head)]:
            status, _, answer = self.server.request("POST", "/v2/models/digits/infer", body, {"Inference-Header-Content-Length": length})
            self.check(status, answer, 400)

    def test_unknown_models_versions_and_paths(self):
        for method, path, expected in [
                ("GET", "/v2/models/digit", 404), ("GET", "/v2/models/digits/versions/2", 404), ("POST", "/v2/models/x/infer", 404),
                ("GET", "/v3", 404), ("GET", "/v2/models/digits/what", 404), ("GET", "/v2/models/digits/infer", 405),
                ("POST", "/v2/models/digits", 405), ("DELETE", "/v2", 405), ("GET", "/v2/models/%zz", 400), ("GET", "/../etc/passwd", 404),
                ("POST", "/v2/repository/models/x/load", 400), ("GET", "/v2/models/" + "a" * 5000, 404)]:
            status, _, body = self.server.request(method, path)
            self.check(status, body, expected)

    def test_bodies_and_heads_beyond_the_limits(self):
        status = self.server.raw(b"POST /v2/models/digits/infer HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n")
        self.assertTrue(status.startswith(b"HTTP/1.1 413"), status[:100])
        head = b"GET /v2 HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(40)) + b"\r\n"
        self.assertTrue(self.server.raw(head).startswith(b"HTTP/1.1 431"))
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        answer = self.server.raw(b"POST /v2/models/digits/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 65, 60)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:100])

    def test_what_is_no_http(self):
        for data in [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]:
            answer = self.server.raw(data)
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), (data, answer[:100]))

    def test_clients_that_leave(self):
        body = json.dumps(image()).encode()
        request = b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        for sent in [request[:20], request, request + body[:100], request + body]:
            for _ in range(20):
                connection = socket.create_connection(("127.0.0.1", self.server.port))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(sent)
                connection.close()

    def test_a_coded_body_is_refused(self):
        status, _, body = self.server.request("POST", "/v2/models/digits/infer", b"x", {"Content-Encoding": "gzip"})
        self.check(status, body, 415, "gzip")


class Memory(unittest.TestCase):
    def test_requests_that_do_not_fit_are_refused_and_the_next_is_served(self):
        server = Server(DIGITS)
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        size = int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1]) << 10
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_AS)[1]
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + (400 << 20), hard))
        rows = 26000
        large = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": [rows, 1, 32, 32], "data": []}]})
        body = large.replace("[]", "[" + "0," * (rows * 1024 - 1) + "0]").encode()
        self.assertGreater(len(body), 50 << 20)
        answers = queue.Queue()

        def ask():
            try:
                answers.put(server.request("POST", "/v2/models/digits/infer", body)[0])
            except (ConnectionError, http.client.HTTPException):
                answers.put(0)  # there was not even memory for the body

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [answers.get() for _ in threads]
        self.assertTrue(set(got) <= {0, 503} and 503 in got, got)
        self.assertEqual(server.infer("digits", image())[0], 200)
        self.assertEqual(server.stop()[0], 0)


class Deadlines(unittest.TestCase):
    def setUp(self):
        self.server = Server(DIGITS, "--deadline-ms", "60", "--default", '{"logits": 0.25}', "--workers", "2",
                             ATHANOR_INJECT_DELAY_MS="1500")
        self.addCleanup(lambda: self.server.process.poll() is None and self.server.stop())

    def test_every_request_gets_the_default_in_time_when_workers_sleep(self):
        largest = []
        # Without real-time threads other programs may keep one from its core: the best of three counts.
        for _ in range(3):
            result = finished(self.server.load("--requests", "400", "--concurrency", "16", prefix=real_time()))
            self.assertEqual((result["fallbacks"], result["errors"], result["lost"]), (400, 0, 0))
            largest.append(result["fallback_ms"]["max"])
            if largest[-1] <= 65:
                break
        self.assertLessEqual(min(largest), 65)
        status, answer = self.server.infer("digits", image(2))
        self.assertEqual(answer["parameters"], {"fallback": True, "fallback_reason": "deadline"})
        self.assertEqual(answer["outputs"][0]["data"], [0.25] * 20)
        self.assertEqual(self.server.stop()[0], 0)

    @unittest.skipUnless(HAS_CLIENTS, "tritonclient is not installed")
    def test_grpc_gets_the_default_too_and_before_the_clients_own_deadline(self):
        client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{self.server.facts['grpc_port']}")
        tensor = tritonclient.grpc.InferInput("image", [1, 1, 32, 32], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 1, 32, 32), np.float32))
        for timeout in [None, 0.05]:
            answer = client.infer("digits", [tensor], client_timeout=timeout)
            self.assertTrue(answer.get_response().parameters["fallback"].bool_param)
            self.assertEqual(answer.get_response().parameters["fallback_reason"].string_param, "deadline")
            self.assertTrue(np.array_equal(answer.as_numpy("logits"), np.full((1, 10), 0.25, np.float32)))
        client.close()

    def test_a_request_may_shorten_the_deadline_but_not_lengthen_it(self):
        for header, low, high in [("20", 15, 50), ("5000", 55, 200)]:
            begin = time.monotonic()
            status, answer = self.server.infer("digits", image(), **{"X-Request-Deadline-Ms": header})
            ms = (time.monotonic() - begin) * 1000
            self.assertTrue(answer["parameters"]["fallback"])
            self.assertTrue(low <= ms <= high, ms)


class Stopping(unittest.TestCase):
    def test_sigterm_under_load_loses_nothing(self):
        server = Server(DIGITS)
        load = server.load("--requests", "1000000", "--concurrency", "16")
        time.sleep(1.5)
        code, text = server.stop()
        result = finished(load)
        self.assertEqual(code, 0, text)
        self.assertGreater(result["answered"], 100)
        self.assertEqual((result["lost"], result["errors"]), (0, 0), result)

    @unittest.skipUnless(HAS_CLIENTS, "tritonclient is not installed")
    def test_sigterm_answers_the_grpc_calls_it_has(self):
        server = Server(DIGITS, ATHANOR_INJECT_DELAY_MS="500")
        client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.facts['grpc_port']}")
        tensor = tritonclient.grpc.InferInput("image", [1, 1, 32, 32], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 1, 32, 32), np.float32))
        answers = queue.Queue()
        for _ in range(20):
            client.async_infer("digits", [tensor], lambda result, error: answers.put(error))
        time.sleep(0.3)
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual([answers.get(timeout=10) for _ in range(20)], [None] * 20)
        client.close()

    def test_idle_connections_do_not_hold_it(self):
        server = Server(DIGITS)
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        begin = time.monotonic()
        self.assertEqual(server.stop()[0], 0)
        self.assertLess(time.monotonic() - begin, 5)
        for connection in idle:
            self.assertEqual(connection.recv(10), b"")
            connection.close()

    def test_wrong_arguments_say_what_is_expected(self):
        for arguments, text in [(["no-such-file.onnx"], "ATH-1004"), ([DIGITS, DIGITS], "two models"),
                                ([DIGITS, "--default", '{"x": 1}'], "no output"), ([DIGITS, "--default", 'digit={"logits": 1}'], "did you mean"),
                                ([DIGITS, "--deadline-ms", "soon"], "milliseconds"), ([DIGITS, "--host", "example"], "IP address")]:
            run = subprocess.run([binary(), "serve", *map(str, arguments), "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"],
                                 capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(text, run.stderr)


class Load(Shared):
    def test_many_clients_at_once_without_an_error(self):
        result = finished(self.server.load("--requests", "3000", "--concurrency", "16"))
        self.assertEqual((result["answered"], result["errors"], result["lost"]), (3000, 0, 0))

    def test_tensors_as_json(self):
        result = finished(self.server.load("--model", "fraud", "--requests", "1000", "--concurrency", "4", "--rows", "3", "--json-tensors"))
        self.assertEqual((result["answered"], result["errors"], result["lost"]), (1000, 0, 0))


# Finds "red" in the upper left quarter and "green" in the whole picture, as sure as there is of the colour.
FINDER = """graph finder(x: f32[N, 3, 4, 4]) -> (boxes: f32[N, 2, 4], scores: f32[N, 2, 2]) {
  const %corners: f32[1, 2, 4] = [0, 0, 0.5, 0.5, 0, 0, 1, 1]
  const %nowhere: f32[3, 8] = fill(0)
  const %colours: f32[3, 4] = [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
  const %as_boxes: i64[3] = [0, 2, 4]
  const %as_scores: i64[3] = [0, 2, 2]
  %pool = GlobalAveragePool(%x)
  %means = Flatten(%pool)
  %zero = MatMul(%means, %nowhere)
  %zeros = Reshape(%zero, %as_boxes)
  %boxes = Add(%corners, %zeros)
  %score = MatMul(%means, %colours)
  %scores = Reshape(%score, %as_scores)
}
"""
FINDER_STAGES = """name: finder
stages:
  - resize: {to: [4, 4]}
  - normalise: {mean: 0, std: 255}
  - model: {file: finder.txt}
  - boxes: {boxes: boxes, scores: scores}
  - nms: {min_score: 0.5}
  - labels: {file: names}
"""


def athanor(folder, *arguments):
    return subprocess.run([binary(), *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)


def plain_picture(red, green, blue):
    return b"P6 8 6 255\n" + bytes([red, green, blue] * 48)


class Packages(unittest.TestCase):
    """A pipeline behind the ports: pictures in, what `athanor run` says out."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        (cls.folder / "finder.txt").write_text(FINDER)
        (cls.folder / "finder.yaml").write_text(FINDER_STAGES)
        (cls.folder / "names").write_text("background\ncolour\n")
        for command in [("keys", "vendor"), ("keys", "customer", "--kind", "recipient"), ("keys", "stranger", "--kind", "recipient"),
                        ("pack", DIGITS.parent / "pipeline.yaml", "-o", "digits.athpkg", "--sign", "vendor.key", "--encrypt", "customer.pub"),
                        ("pack", "finder.yaml")]:
            run = athanor(cls.folder, *command)
            assert run.returncode == 0, run.stderr
        cls.pictures = sorted((DIGITS.parent / "images").glob("*.png"))[:6]
        cls.files = [picture.read_bytes() for picture in cls.pictures]
        run = athanor(cls.folder, "run", "digits.athpkg", *cls.pictures, "--key", "customer.key", "--json")
        cls.expected = [[(c["class"], c["label"], np.float32(c["score"])) for c in one["classes"]] for one in json.loads(run.stdout)["runs"]]
        cls.keys = ["--key", f"digits={cls.folder}/customer.key", "--trust", f"digits={cls.folder}/vendor.pub"]
        cls.server = Server(cls.folder / "digits.athpkg", cls.folder / "finder.athpkg", *cls.keys, "--batch-delay-us", "30000")

    @classmethod
    def tearDownClass(cls):
        code, text = cls.server.stop()
        assert code == 0, text

    def tearDown(self):
        self.assertEqual(self.server.request("GET", "/v2/health/ready")[0], 200)

    def ask(self, file, model="digits", **headers):
        status, _, body = self.server.request("POST", f"/v2/models/{model}/infer", file, {
            "Inference-Header-Content-Length": "0", "Accept": "application/json", **headers})
        return status, json.loads(body)

    def rows(self, answer):
        """Per picture the classes as `expected` has them."""
        o = {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in answer["outputs"]}
        return [[(int(c), str(text), np.float32(score)) for c, text, score in zip(*row)] for row in zip(o["class"], o["label"], o["score"])]

    def same(self, got, expected):
        """Scores are float32 sums whose order may differ between a picture alone and one in a batch."""
        self.assertEqual([[(c, text) for c, text, _ in row] for row in got], [[(c, text) for c, text, _ in row] for row in expected])
        np.testing.assert_allclose([score for row in got for _, _, score in row], [score for row in expected for _, _, score in row], rtol=1e-4)

    def test_it_is_described(self):
        digits = json.loads(self.server.request("GET", "/v2/models/digits")[2])
        self.assertEqual(digits["platform"], "athanor_package")
        self.assertEqual(digits["inputs"], [{"name": "picture", "datatype": "BYTES", "shape": [-1]}])
        self.assertEqual(digits["outputs"], [{"name": "class", "datatype": "INT64", "shape": [-1, 3]}, {"name": "label", "datatype": "BYTES", "shape": [-1, 3]},
                                             {"name": "score", "datatype": "FP32", "shape": [-1, 3]}])
        finder = json.loads(self.server.request("GET", "/v2/models/finder")[2])
        self.assertEqual(finder["inputs"][0]["shape"], [1])
        self.assertEqual(finder["outputs"][0], {"name": "box", "datatype": "FP32", "shape": [-1, 4]})
        config = json.loads(self.server.request("GET", "/v2/models/digits/config")[2])
        self.assertEqual((config["max_batch_size"], config["output"][0]["dims"]), (16, [3]))
        self.assertEqual(json.loads(self.server.request("GET", "/v2/models/finder/config")[2])["max_batch_size"], 0)

    def test_a_picture_is_answered_as_athanor_run_does(self):
        for file, expected in zip(self.files, self.expected):
            status, answer = self.ask(file)
            self.assertEqual(status, 200, answer)
            self.same(self.rows(answer), [expected])

    def test_several_pictures_in_one_request_and_bytes_as_numbers(self):
        blob = b"".join(struct.pack("<I", len(file)) + file for file in self.files)
        head = json.dumps({"inputs": [{"name": "picture", "datatype": "BYTES", "shape": [len(self.files)],
                                       "parameters": {"binary_data_size": len(blob)}}]}).encode()
        status, _, body = self.server.request("POST", "/v2/models/digits/infer", head + blob, {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(status, 200, body)
        self.same(self.rows(json.loads(body)), self.expected)
        file = self.files[0]
        status, answer = self.server.infer("digits", {"inputs": [{"name": "picture", "datatype": "UINT8", "shape": [len(file)], "data": list(file)}]})
        self.assertEqual(status, 200, answer)
        self.same(self.rows(answer), self.expected[:1])

    def test_requests_share_a_run_and_a_broken_one_harms_none(self):
        def runs():
            text = self.server.request("GET", "/metrics")[2].decode()
            return int(next(line for line in text.splitlines() if line.startswith('nv_inference_exec_count{model="digits"')).split()[-1])

        before, answers = runs(), [None] * len(self.files)

        def work(i):
            answers[i] = self.ask(self.files[i] if i != 2 else self.files[i][:40])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(self.files))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, (status, answer) in enumerate(answers):
            if i == 2:
                self.assertEqual(status, 400, answer)
            else:
                self.assertEqual(status, 200, answer)
                self.same(self.rows(answer), [self.expected[i]])
        threads = [threading.Thread(target=self.ask, args=(self.files[0],)) for _ in range(8)]
        before = runs()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(runs() - before, 8)

    def test_boxes_are_in_pixels_of_the_picture_that_came(self):
        status, answer = self.ask(plain_picture(255, 102, 0), "finder")
        self.assertEqual(status, 200, answer)
        outputs = {output["name"]: (output["shape"], output["data"]) for output in answer["outputs"]}
        self.assertEqual(outputs, {"box": ([1, 4], [0, 0, 4, 3]), "class": ([1], [1]), "label": ([1], ["colour"]), "score": ([1], [1])})
        status, answer = self.ask(plain_picture(0, 0, 255), "finder")
        self.assertEqual((status, answer["outputs"][0]["shape"], answer["outputs"][0]["data"]), (200, [0, 4], []))

    def test_what_is_no_picture_is_the_requests_fault(self):
        def infer(shape, data):
            return self.server.infer("digits", {"inputs": [{"name": "picture", "datatype": "BYTES", "shape": shape, "data": data}]})

        for status, answer in [self.ask(b"no picture"), self.ask(b""), self.ask(self.files[0][:-30]), infer([0], []), infer([257], ["x"] * 257),
                               infer([1, 1], ["x"]), self.ask(plain_picture(0, 0, 0)[:50], "finder"),
                               self.server.infer("finder", {"inputs": [{"name": "picture", "datatype": "BYTES", "shape": [2], "data": ["x", "y"]}]})]:
            self.assertEqual(status, 400, answer)
        # Requests without a picture share a run too.
        answers = queue.Queue()
        threads = [threading.Thread(target=lambda: answers.put(infer([0], []))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status, answer in [answers.get() for _ in threads]:
            self.assertEqual(status, 400, answer)

    @unittest.skipUnless(HAS_CLIENTS, "tritonclient is not installed")
    def test_the_public_clients(self):
        for module, port in [(tritonclient.http, self.server.port), (tritonclient.grpc, self.server.facts["grpc_port"])]:
            client = module.InferenceServerClient(f"127.0.0.1:{port}")
            tensor = module.InferInput("picture", [len(self.files)], "BYTES")
            tensor.set_data_from_numpy(np.array(self.files, object))
            answer = client.infer("digits", [tensor])
            got = [[(int(c), text.decode(), score) for c, text, score in zip(*row)]
                   for row in zip(answer.as_numpy("class"), answer.as_numpy("label"), answer.as_numpy("score"))]
            self.same(got, self.expected)
            client.close()

    def test_load(self):
        result = finished(self.server.load("--model", "finder", "--requests", "200", "--concurrency", "4", "--file", self.pictures[0]))
        self.assertEqual((result["answered"], result["errors"], result["lost"]), (200, 0, 0))

    def test_the_declared_default_is_for_packages_too(self):
        server = Server(self.folder / "digits.athpkg", self.folder / "finder.athpkg", *self.keys, "--deadline-ms", "50",
                        "--default", 'digits={"class": 8, "label": "unknown", "score": 0}',
                        "--default", 'finder={"box": {"shape": [0, 4], "data": []}, "class": {"shape": [0], "data": []}, '
                        '"label": {"shape": [0], "data": []}, "score": {"shape": [0], "data": []}}', ATHANOR_INJECT_DELAY_MS="1000")
        self.addCleanup(server.stop)
        blob = b"".join(struct.pack("<I", len(file)) + file for file in self.files[:2])
        head = json.dumps({"inputs": [{"name": "picture", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(blob)}}]}).encode()
        _, headers, body = server.request("POST", "/v2/models/digits/infer", head + blob, {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual((headers["X-Athanor-Fallback"], self.rows(json.loads(body))), ("deadline", [[(8, "unknown", 0)] * 3] * 2))
        raw = {"Inference-Header-Content-Length": "0", "Accept": "application/json"}
        _, headers, body = server.request("POST", "/v2/models/finder/infer", plain_picture(255, 0, 0), raw)
        self.assertEqual((headers["X-Athanor-Fallback"], json.loads(body)["outputs"][0]["shape"]), ("deadline", [0, 4]))

    def test_a_package_that_does_not_open_is_an_error_that_names_it_and_the_fix(self):
        changed = bytearray((self.folder / "digits.athpkg").read_bytes())
        changed[len(changed) // 2] ^= 1
        (self.folder / "changed.athpkg").write_bytes(changed)
        free = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
        for name, flags, words in [("digits", [], "it opens with key"), ("digits", ["--key", "stranger.key"], "does not open the package"),
                                   ("digits", ["--key", "customer.key", "--trust", "stranger.pub"], "a signature of"),
                                   ("finder", ["--trust", "vendor.pub"], "is not signed"),
                                   ("changed", ["--key", "customer.key"], "was changed")]:
            run = athanor(self.folder, "serve", f"{name}.athpkg", *flags, *free)
            self.assertIn(run.returncode, (1, 2), run.stderr)
            self.assertIn(words, run.stderr)
            self.assertIn(f"{name}.athpkg", run.stderr)
            self.assertIn("fix: ", run.stderr)
        run = athanor(self.folder, "serve", DIGITS, "--key", "customer.key", *free)
        self.assertIn("is no package", run.stderr)

    def test_one_bad_model_does_not_stop_the_others(self):
        (self.folder / "bad.athpkg").write_bytes((self.folder / "finder.athpkg").read_bytes()[:-1])
        server = Server(self.folder / "bad.athpkg", FRAUD, "--model-control")
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        self.assertEqual(server.request("GET", "/v2/health/ready")[0], 503)
        self.assertEqual(server.request("GET", "/v2/models/fraud/ready")[0], 200)
        index = json.loads(server.request("POST", "/v2/repository/index")[2])
        self.assertEqual([row["state"] for row in index], ["UNAVAILABLE", "READY"])
        self.assertIn("do not fit the file", index[0]["reason"])
        self.assertEqual(server.request("POST", "/v2/models/bad/infer", b"{}")[0], 503)
        (self.folder / "bad.athpkg").write_bytes((self.folder / "finder.athpkg").read_bytes())
        self.assertEqual(server.request("POST", "/v2/repository/models/bad/load")[0], 200)
        self.assertEqual(server.request("GET", "/v2/health/ready")[0], 200)
        code, text = server.stop()
        self.assertEqual(code, 0)
        self.assertIn("bad: not served", text)
        self.assertIn("bad.athpkg", text)


@unittest.skipUnless(HAS_CLIENTS, "tritonclient is not installed")
class TritonClients(Shared):
    arguments = [DIGITS, FRAUD, "--model-control"]

    def clients(self):
        yield tritonclient.http, tritonclient.http.InferenceServerClient(f"127.0.0.1:{self.server.port}")
        yield tritonclient.grpc, tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{self.server.facts['grpc_port']}")

    def infer(self, module, client, pixels, **options):
        tensor = module.InferInput("image", list(pixels.shape), "FP32")
        tensor.set_data_from_numpy(pixels)
        return client.infer("digits", [tensor], **options)

    def test_health_descriptions_and_statistics(self):
        for module, client in self.clients():
            self.assertTrue(client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits", "1"))
            self.assertFalse(client.is_model_ready("digit"))
            as_json = {} if module is tritonclient.http else {"as_json": True}
            self.assertEqual(client.get_server_metadata(**as_json)["name"], "athanor")
            shape = client.get_model_metadata("digits", **as_json)["inputs"][0]["shape"]
            self.assertEqual([int(d) for d in shape], [-1, 1, 32, 32])
            config = client.get_model_config("digits", **as_json)
            config = config.get("config", config)
            self.assertEqual(config["max_batch_size"], 16)
            self.assertEqual(config["input"][0]["data_type"], "TYPE_FP32")
            index = client.get_model_repository_index(**as_json)
            index = index if isinstance(index, list) else index["models"]
            self.assertEqual(index[0]["state"], "READY")
            self.infer(module, client, np.zeros((1, 1, 32, 32), np.float32))
            stats = client.get_inference_statistics("digits", **as_json)["model_stats"][0]
            self.assertGreater(int(stats["inference_count"]), 0)

    def test_inference_with_ids_outputs_and_classes(self):
        golden = np.load(ROOT / "examples" / "digits" / "golden.npz")
        for module, client in self.clients():
            result = self.infer(module, client, golden["image"].astype(np.float32), request_id="q")
            self.assertTrue(np.allclose(result.as_numpy("logits"), golden["logits"], atol=1e-3))
            answer = result.get_response()
            self.assertEqual(answer["id"] if isinstance(answer, dict) else answer.id, "q")
            wanted = [module.InferRequestedOutput("logits", class_count=2)]
            classes = self.infer(module, client, golden["image"].astype(np.float32), outputs=wanted).as_numpy("logits")
            best = int(classes.reshape(-1, 2)[0][0].decode().split(":")[1])
            self.assertEqual(best, int(np.argmax(golden["logits"][0])))

    def test_json_tensors_and_asynchronous_calls(self):
        pixels = np.full((2, 1, 32, 32), 0.5, np.float32)
        module, client = next(self.clients())
        tensor = module.InferInput("image", [2, 1, 32, 32], "FP32")
        tensor.set_data_from_numpy(pixels, binary_data=False)
        output = module.InferRequestedOutput("logits", binary_data=False)
        first = client.infer("digits", [tensor], outputs=[output]).as_numpy("logits")
        calls = [client.async_infer("digits", [tensor]) for _ in range(8)]
        for call in calls:
            self.assertTrue(np.allclose(call.get_result().as_numpy("logits"), first, atol=1e-4))
        client.close()

    def test_grpc_typed_contents(self):
        from tritonclient.grpc import service_pb2
        stub = tritonclient.grpc.service_pb2_grpc.GRPCInferenceServiceStub
        import grpc
        with grpc.insecure_channel(f"127.0.0.1:{self.server.facts['grpc_port']}") as channel:
            request = service_pb2.ModelInferRequest(model_name="fraud", id="t")
            tensor = request.inputs.add(name="features", datatype="FP32", shape=[1, 10])
            tensor.contents.fp32_contents[:] = [1.0] * 10
            answer = stub(channel).ModelInfer(request)
            self.assertEqual(answer.id, "t")
            self.assertEqual(np.frombuffer(answer.raw_output_contents[1], "<f4").shape, (2,))
            broken = [lambda r: r.inputs[0].contents.fp32_contents.pop(), lambda r: r.raw_input_contents.append(b"1"),
                      lambda r: r.inputs[0].shape.append(-1), lambda r: setattr(r.inputs[0], "datatype", "FP99"),
                      lambda r: setattr(r.inputs[0], "name", "x"), lambda r: r.inputs.add(name="y", datatype="INT8", shape=[]),
                      lambda r: r.raw_input_contents.extend([b"", b""]), lambda r: r.inputs[0].shape.append(2**62)]
            for damage in broken:
                copy = service_pb2.ModelInferRequest()
                copy.CopyFrom(request)
                damage(copy)
                with self.assertRaises(grpc.RpcError) as caught:
                    stub(channel).ModelInfer(copy)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, caught.exception.details())
            request.model_name = "x"
            with self.assertRaises(grpc.RpcError) as caught:
                stub(channel).ModelInfer(request)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_errors_reach_the_client_as_text(self):
        for module, client in self.clients():
            tensor = module.InferInput("image", [1, 5], "FP32")
            tensor.set_data_from_numpy(np.zeros((1, 5), np.float32))
            with self.assertRaisesRegex(tritonclient.utils.InferenceServerException, r"f32\[N, 1, 32, 32\]"):
                client.infer("digits", [tensor])

    def test_models_are_unloaded_and_loaded_when_allowed(self):
        for _, client in self.clients():
            client.unload_model("fraud")
            self.assertFalse(client.is_model_ready("fraud"))
            self.assertFalse(client.is_server_ready())
            client.load_model("fraud")
            self.assertTrue(client.is_model_ready("fraud") and client.is_server_ready())


if __name__ == "__main__":
    sys.exit(unittest.main())
