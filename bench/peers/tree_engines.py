"""Forests in this engine and in its peers, behind the steps of engines.py. Each is called as its documentation advises
for speed; for one row each goes through its C interface where it has one, called from a loop in C (calls.c).
"""
import ctypes
import functools
import glob
import importlib.util
import itertools
import os
import pathlib
import shutil
import subprocess

import numpy as np

from engines import Skip


class Forest:
    """A peer takes the rows in batches, in turn: one batch of 100 000, or many of one row, because a processor that sees one row
    again and again learns its way through the trees."""
    kind = "interpreter"
    in_process = True  # its work counts as CPU time of the worker
    reads = ("xgboost", "lightgbm")  # whose models
    numbers = {"xgboost": np.float32, "lightgbm": np.float64, "catboost": np.float32, "jpmml": np.float64}  # that the library takes

    def __init__(self, job):
        self.job = job
        self.source, self.threads, self.single = job["files"]["source"], job["threads"], job["rows"] == 1
        self.path = job["files"][self.source]
        if self.source not in self.reads:
            raise Skip(f"reads no {self.source} files")

    def bind(self, inputs):
        x = np.ascontiguousarray(inputs["x"], self.numbers[self.source])
        self.batches = [x[at:at + self.job["rows"]] for at in range(0, len(x), self.job["rows"])]
        self.table = None
        if self.single and self.one_row:
            self.table = Calls(pathlib.Path(self.job["cache"]), [self.one_row(batch) for batch in self.batches])
        else:
            self.calls = itertools.cycle([self.call(batch) for batch in self.batches])

    one_row = None  # row -> its Call of the C interface

    def call(self, batch):
        """What scores the batch when it is called."""
        return functools.partial(self.predict, batch)

    def repeat(self, count):
        if self.table:
            self.table.make(count)
            return
        for _ in range(count):
            next(self.calls)()

    def run(self):
        self.repeat(1)

    def sums(self, batch):
        return self.predict(batch)

    def outputs(self, _result):
        if self.table:
            return [self.table.numbers()]
        return [np.concatenate([np.asarray(self.sums(batch), np.float64).reshape(-1) for batch in self.batches])]


class Call:
    """A call of a C function that writes one number."""

    def __init__(self, function, *arguments, number, keep=()):
        self.function, self.number, self.keep = function, number, (arguments, keep)
        self.arguments = [self.address(argument) for argument in arguments]

    @staticmethod
    def address(argument):
        if isinstance(argument, int):
            return argument
        if isinstance(argument, np.ndarray):
            return argument.ctypes.data
        return argument.value if isinstance(argument, ctypes.c_void_p) else ctypes.addressof(argument)


class Calls:
    """Calls that are made in turn, from a loop in C."""

    class Entry(ctypes.Structure):
        """call of calls.c."""
        _fields_ = [("function", ctypes.c_void_p), ("arguments", ctypes.c_void_p * 6)]

    def __init__(self, folder, calls):
        self.calls, self.at = calls, 0
        self.entries = (self.Entry * len(calls))()
        for entry, call in zip(self.entries, calls):
            entry.function = ctypes.cast(call.function, ctypes.c_void_p).value
            for i, argument in enumerate(call.arguments):
                entry.arguments[i] = argument
        loop = folder / "calls.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", pathlib.Path(__file__).with_name("calls.c"), "-o", loop], check=True)
        self.loop = ctypes.CDLL(str(loop)).make_calls
        self.loop.argtypes, self.loop.restype = [ctypes.c_void_p, ctypes.c_int64], None

    def make(self, count):
        while count > 0:
            some = min(count, len(self.calls) - self.at)
            self.loop(ctypes.addressof(self.entries) + self.at * ctypes.sizeof(self.Entry), some)
            self.at, count = (self.at + some) % len(self.calls), count - some

    def numbers(self):
        """Of each call once; some functions add to what is there."""
        for call in self.calls:
            call.number[:] = 0
        self.make(len(self.calls))
        return np.array([call.number[0] for call in self.calls], np.float64)


class Tensor(ctypes.Structure):
    """ath_tensor of athanor.h."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("data", ctypes.c_void_p)]


class SessionOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("device", ctypes.c_char_p), ("threads", ctypes.c_int32),
                ("streams", ctypes.c_int32), ("longest_queue", ctypes.c_int32)]


class ValueInfo(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("type", ctypes.c_char_p)]


class Athanor(Forest):
    """The C interface."""
    reads = ("xgboost", "lightgbm", "catboost", "jpmml")
    dtypes = {"float64": 1, "float32": 2}

    def load(self):
        self.c = ctypes.CDLL(self.job["files"]["library"])
        handle = ctypes.c_void_p()
        self.ask(self.c.ath_load(self.path.encode(), None, ctypes.byref(handle)))
        self.session = ctypes.c_void_p()
        options = SessionOptions(ctypes.sizeof(SessionOptions), b"cpu", self.threads)
        self.ask(self.c.ath_session_create(handle, ctypes.byref(options), ctypes.byref(self.session)))
        self.num_inputs = self.c.ath_model_num_inputs(handle)
        answer = ValueInfo(ctypes.sizeof(ValueInfo))
        self.ask(self.c.ath_model_output(handle, 0, ctypes.byref(answer)))
        self.answer = {code: name for name, code in self.dtypes.items()}[answer.dtype]
        self.answer_dims = [1] * answer.rank  # of one row

    def ask(self, code):
        if code:
            self.c.ath_error_message.restype = ctypes.c_char_p
            raise RuntimeError(self.c.ath_error_message().decode())

    def tensor(self, array, dims):
        return Tensor(ctypes.sizeof(Tensor), self.dtypes[str(array.dtype)], len(dims), (ctypes.c_int64 * len(dims))(*dims), array.ctypes.data)

    def tensors(self, batch):
        """The inputs, and what must live as long as they do."""
        rows, width = batch.shape[0], batch.shape[1] // self.num_inputs
        columns = [np.ascontiguousarray(batch[:, i * width:(i + 1) * width]) for i in range(self.num_inputs)]
        return (Tensor * self.num_inputs)(*[self.tensor(column, (rows, width)) for column in columns]), columns

    def one_row(self, row):
        tensors, columns = self.tensors(row)
        number = np.zeros(1, self.answer)
        answer = self.tensor(number, self.answer_dims)  # an ath_buffer has the same fields
        call = Call(self.c.ath_session_run_into, self.session, tensors, self.num_inputs, answer, 1, number=number, keep=columns)
        self.ask(self.c.ath_session_run_into(self.session, tensors, self.num_inputs, ctypes.byref(answer), 1))
        return call

    def predict(self, batch):
        """Only the run: `sums` looks at the answers."""
        return self.call(batch)()

    def call(self, batch):
        tensors, columns = self.tensors(batch)

        def run():
            result = ctypes.c_void_p()
            self.ask(self.c.ath_session_run(self.session, tensors, self.num_inputs, ctypes.byref(result)))
            self.c.ath_result_destroy(result)
        run.keep = columns
        return run

    def sums(self, batch):
        tensors, _columns = self.tensors(batch)
        result, answer = ctypes.c_void_p(), Tensor(ctypes.sizeof(Tensor))
        self.ask(self.c.ath_session_run(self.session, tensors, self.num_inputs, ctypes.byref(result)))
        self.ask(self.c.ath_result_output(result, 0, ctypes.byref(answer)))
        numbers = {1: ctypes.c_double, 2: ctypes.c_float}[answer.dtype]
        values = np.ctypeslib.as_array(ctypes.cast(answer.data, ctypes.POINTER(numbers)), (len(batch),)).copy()
        self.c.ath_result_destroy(result)
        return values


class XGBoost(Forest):
    reads = ("xgboost",)

    def load(self):
        import xgboost
        self.booster = xgboost.Booster(model_file=self.path)
        self.booster.set_param({"nthread": self.threads})

    def predict(self, batch):
        return self.booster.inplace_predict(batch, predict_type="margin")


class LightGBM(Forest):
    reads = ("lightgbm",)

    def load(self):
        import lightgbm
        self.booster = lightgbm.Booster(model_file=self.path)
        self.c = lightgbm.basic._LIB  # pylint: disable=protected-access
        self.parameters = f"num_threads={self.threads}".encode()

    def one_row(self, row):
        if not hasattr(self, "fast"):
            self.fast = ctypes.c_void_p()
            self.check(self.c.LGBM_BoosterPredictForMatSingleRowFastInit(
                self.booster._handle, 1, 0, -1, 1, row.shape[1], self.parameters, ctypes.byref(self.fast)))  # pylint: disable=protected-access
        number = np.zeros(1)
        return Call(self.c.LGBM_BoosterPredictForMatSingleRowFast, self.fast, row, ctypes.c_int64(), number, number=number)

    @staticmethod
    def check(code):
        if code:
            raise RuntimeError("LightGBM's C interface failed")

    def predict(self, batch):
        return self.booster.predict(batch, raw_score=True, num_threads=self.threads)


class CatBoost(Forest):
    reads = ("catboost",)

    def load(self):
        import catboost
        self.model = catboost.CatBoost()
        self.model.load_model(self.path)

    def predict(self, batch):
        return self.model.predict(batch, prediction_type="RawFormulaVal", thread_count=self.threads)


class Jpmml(Forest):
    """jpmml-evaluator, from the jars of the PyPI package of that name, in a Java machine of its own: one line starts a run."""
    reads = ("jpmml",)
    in_process = False

    def load(self):
        if self.single:
            raise Skip("a pipe to its process takes longer than one row")
        if shutil.which("javac") is None:
            raise Skip("there is no javac")
        package = importlib.util.find_spec("jpmml_evaluator")
        jars = glob.glob(os.path.join(package.submodule_search_locations[0], "**", "*.jar"), recursive=True)
        self.path_of_classes = os.pathsep.join([self.job["cache"], *jars])
        source = pathlib.Path(__file__).with_name("Jpmml.java")
        subprocess.run(["javac", "-cp", self.path_of_classes, "-d", self.job["cache"], source], check=True, capture_output=True)

    def bind(self, inputs):
        super().bind(inputs)
        numbers = pathlib.Path(self.job["cache"]) / "rows.bin"
        (x,) = self.batches
        x.astype(">f8").tofile(numbers)
        self.java = subprocess.Popen(
            ["java", "-Xmx4g", "-cp", self.path_of_classes, "Jpmml", self.path, numbers, *map(str, x.shape), str(self.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.java.stdout.readline()

    def ask(self, command):
        self.java.stdin.write(command + "\n")
        self.java.stdin.flush()
        return self.java.stdout.readline()

    def predict(self, _batch):
        return self.ask("run")

    def sums(self, _batch):
        return [float(word) for word in self.ask("answers").split()]


class OnnxRuntime(Forest):
    reads = ("xgboost",)

    def load(self):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = self.threads, 3
        self.session = onnxruntime.InferenceSession(self.job["files"]["onnx"], options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def bound(self, batch):
        """Bound inputs and outputs spare it copies and names to look up."""
        import onnxruntime
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self.name, onnxruntime.OrtValue.ortvalue_from_numpy(batch))
        binding.bind_output(self.session.get_outputs()[0].name, "cpu")
        return binding

    def call(self, batch):
        return functools.partial(self.session.run_with_iobinding, self.bound(batch))

    def sums(self, batch):
        binding = self.bound(batch)
        self.session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]


class Treelite(Forest):
    """Its interpreter, GTIL."""

    def load(self):
        import treelite
        self.treelite = treelite
        load = treelite.frontend.load_xgboost_model if self.source == "xgboost" else treelite.frontend.load_lightgbm_model
        self.model = load(self.path)

    def predict(self, batch):
        return self.treelite.gtil.predict(self.model, batch, nthread=self.threads, pred_margin=True)


class Tl2cgen(Forest):
    """treelite's compiler to C, compiled by gcc -O3."""
    kind = "compiled"

    def load(self):
        import tl2cgen
        import treelite
        library = pathlib.Path(self.job["cache"]).parent / "tl2cgen.so"
        if not library.exists():
            load = treelite.frontend.load_xgboost_model if self.source == "xgboost" else treelite.frontend.load_lightgbm_model
            tl2cgen.export_lib(load(self.path), toolchain="gcc", libpath=str(library), params={"parallel_comp": 16})
        self.tl2cgen = tl2cgen
        self.predictor = tl2cgen.Predictor(str(library), nthread=self.threads)
        self.c = ctypes.CDLL(str(library))

    def call(self, batch):
        return functools.partial(self.predictor.predict, self.tl2cgen.DMatrix(batch, dtype=str(batch.dtype)), pred_margin=True)

    def predict(self, batch):
        return self.call(batch)()

    def one_row(self, row):
        """Its C takes numbers as they lie in memory, -1 in all bits where one is missing, and adds to what is there."""
        entries, number = row.copy(), np.zeros(1, row.dtype)
        entries.view(f"i{row.itemsize}")[np.isnan(row)] = -1
        return Call(self.c.predict, entries, 1, number, number=number)


class Lleaves(Forest):
    """LLVM."""
    kind = "compiled"
    reads = ("lightgbm",)

    def load(self):
        import lleaves
        self.model = lleaves.Model(model_file=self.path)
        self.model.compile(cache=str(pathlib.Path(self.job["cache"]).parent / "lleaves.o"), raw_score=True)

    def one_row(self, row):
        number = np.zeros(1)
        return Call(self.model._c_entry_func, row, number, 0, 1, number=number)  # pylint: disable=protected-access

    def predict(self, batch):
        return self.model.predict(batch, n_jobs=self.threads)


class Daal(Forest):
    """oneDAL."""

    def load(self):
        import daal4py
        daal4py.daalinit(self.threads)
        if self.source == "xgboost":
            import xgboost
            booster = xgboost.Booster(model_file=self.path)
        else:
            import lightgbm
            booster = lightgbm.Booster(model_file=self.path)
        self.model = daal4py.mb.convert_model(booster)

    def predict(self, batch):
        return self.model.predict(batch)


ENGINES = {"athanor": Athanor, "xgboost": XGBoost, "lightgbm": LightGBM, "catboost": CatBoost, "jpmml": Jpmml, "onnxruntime": OnnxRuntime, "treelite": Treelite,
           "tl2cgen": Tl2cgen, "lleaves": Lleaves, "daal4py": Daal}


def library(build):
    found = glob.glob(os.path.join(build, "**", "libathanor.so"), recursive=True)
    return found[0] if found else None
