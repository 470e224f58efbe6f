"""Forests in this engine and in its peers, behind the steps of engines.py. Each is called as its documentation advises
for speed; for one row each goes through its C interface where it has one, so that Python's share is the same for all.
"""
import ctypes
import glob
import importlib.util
import os
import pathlib
import shutil
import subprocess

import numpy as np

from engines import Skip


class Forest:
    kind = "interpreter"
    reads = ("xgboost", "lightgbm")  # whose models
    numbers = {"xgboost": np.float32, "lightgbm": np.float64, "catboost": np.float32, "jpmml": np.float64}  # that the library takes

    def __init__(self, job):
        self.job = job
        self.source, self.threads = job["files"]["source"], job["threads"]
        self.path = job["files"][self.source]
        if self.source not in self.reads:
            raise Skip(f"reads no {self.source} files")

    def bind(self, inputs):
        x = inputs["x"]
        self.x = np.ascontiguousarray(x, self.numbers[self.source])

    def outputs(self, result):
        return [np.asarray(result, np.float64).reshape(-1)]


class Tensor(ctypes.Structure):
    """ath_tensor of athanor.h."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("data", ctypes.c_void_p)]


class SessionOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("device", ctypes.c_char_p), ("threads", ctypes.c_int32),
                ("streams", ctypes.c_int32), ("longest_queue", ctypes.c_int32)]


class Athanor(Forest):
    """The C interface."""
    reads = ("xgboost", "lightgbm", "catboost", "jpmml")

    def load(self):
        self.c = ctypes.CDLL(self.job["files"]["library"])
        handle = ctypes.c_void_p()
        self.ask(self.c.ath_load(self.path.encode(), None, ctypes.byref(handle)))
        self.session = ctypes.c_void_p()
        options = SessionOptions(ctypes.sizeof(SessionOptions), b"cpu", self.threads)
        self.ask(self.c.ath_session_create(handle, ctypes.byref(options), ctypes.byref(self.session)))
        self.num_inputs = self.c.ath_model_num_inputs(handle)

    def ask(self, code):
        if code:
            self.c.ath_error_message.restype = ctypes.c_char_p
            raise RuntimeError(self.c.ath_error_message().decode())

    def bind(self, inputs):
        super().bind(inputs)
        dtype = {"float64": 1, "float32": 2}[str(self.x.dtype)]
        rows, width = self.x.shape[0], self.x.shape[1] // self.num_inputs
        self.columns = [np.ascontiguousarray(self.x[:, i * width:(i + 1) * width]) for i in range(self.num_inputs)]
        self.dims = (ctypes.c_int64 * 2)(rows, width)
        self.tensors = (Tensor * self.num_inputs)(*[
            Tensor(ctypes.sizeof(Tensor), dtype, 2, self.dims, column.ctypes.data) for column in self.columns])
        self.result, self.answer = ctypes.c_void_p(), Tensor(ctypes.sizeof(Tensor))
        self.arguments = (self.session, self.tensors, self.num_inputs, ctypes.byref(self.result))
        self.answers = ctypes.POINTER(ctypes.c_float if self.source == "xgboost" else ctypes.c_double)

    def run(self):
        """The first number; outputs() takes all of a run of its own."""
        self.ask(self.c.ath_session_run(*self.arguments))
        self.ask(self.c.ath_result_output(self.result, 0, ctypes.byref(self.answer)))
        value = ctypes.cast(self.answer.data, self.answers)[0]
        self.c.ath_result_destroy(self.result)
        return value

    def outputs(self, result):
        self.ask(self.c.ath_session_run(*self.arguments))
        self.ask(self.c.ath_result_output(self.result, 0, ctypes.byref(self.answer)))
        values = np.ctypeslib.as_array(ctypes.cast(self.answer.data, self.answers), (len(self.x),)).copy()
        self.c.ath_result_destroy(self.result)
        return super().outputs(values)


class XGBoost(Forest):
    reads = ("xgboost",)

    def load(self):
        import xgboost
        self.booster = xgboost.Booster(model_file=self.path)
        self.booster.set_param({"nthread": self.threads})

    def run(self):
        return self.booster.inplace_predict(self.x, predict_type="margin")


class LightGBM(Forest):
    reads = ("lightgbm",)

    def load(self):
        import lightgbm
        self.booster = lightgbm.Booster(model_file=self.path)
        self.c = lightgbm.basic._LIB  # pylint: disable=protected-access
        self.parameters = f"num_threads={self.threads}".encode()

    def bind(self, inputs):
        super().bind(inputs)
        self.y, self.length = np.zeros(len(self.x)), ctypes.c_int64()
        if self.job["rows"] != 1:
            return
        self.fast = ctypes.c_void_p()
        self.check(self.c.LGBM_BoosterPredictForMatSingleRowFastInit(
            self.booster._handle, 1, 0, -1, 1, self.x.shape[1], self.parameters, ctypes.byref(self.fast)))  # pylint: disable=protected-access
        self.arguments = (self.fast, ctypes.c_void_p(self.x.ctypes.data), ctypes.byref(self.length), ctypes.c_void_p(self.y.ctypes.data))

    @staticmethod
    def check(code):
        if code:
            raise RuntimeError("LightGBM's C interface failed")

    def run(self):
        if self.job["rows"] == 1:
            self.check(self.c.LGBM_BoosterPredictForMatSingleRowFast(*self.arguments))
            return self.y
        return self.booster.predict(self.x, raw_score=True, num_threads=self.threads)


class CatBoost(Forest):
    reads = ("catboost",)

    def load(self):
        import catboost
        self.model = catboost.CatBoost()
        self.model.load_model(self.path)

    def run(self):
        return self.model.predict(self.x, prediction_type="RawFormulaVal", thread_count=self.threads)


class Jpmml(Forest):
    """jpmml-evaluator, from the jars of the PyPI package of that name, in a Java machine of its own: one line starts a run."""
    reads = ("jpmml",)

    def load(self):
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
        self.x.astype(">f8").tofile(numbers)
        self.java = subprocess.Popen(
            ["java", "-Xmx4g", "-cp", self.path_of_classes, "Jpmml", self.path, numbers, *map(str, self.x.shape), str(self.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.java.stdout.readline()

    def ask(self, command):
        self.java.stdin.write(command + "\n")
        self.java.stdin.flush()
        return self.java.stdout.readline()

    def run(self):
        return self.ask("run")

    def outputs(self, result):
        return super().outputs([float(word) for word in self.ask("answers").split()])


class OnnxRuntime(Forest):
    reads = ("xgboost",)

    def load(self):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = self.threads, 3
        self.session = onnxruntime.InferenceSession(self.job["files"]["onnx"], options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def run(self):
        return self.session.run(None, {self.name: self.x})[0]


class Treelite(Forest):
    """Its interpreter, GTIL."""

    def load(self):
        import treelite
        self.treelite = treelite
        load = treelite.frontend.load_xgboost_model if self.source == "xgboost" else treelite.frontend.load_lightgbm_model
        self.model = load(self.path)

    def run(self):
        return self.treelite.gtil.predict(self.model, self.x, nthread=self.threads, pred_margin=True)


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

    def bind(self, inputs):
        super().bind(inputs)
        if self.job["rows"] == 1:
            self.row, self.y = self.x.copy(), np.zeros(1, self.x.dtype)
            self.arguments = (ctypes.c_void_p(self.row.ctypes.data), 1, ctypes.c_void_p(self.y.ctypes.data))
        else:
            self.data = self.tl2cgen.DMatrix(self.x, dtype=str(self.x.dtype))

    def run(self):
        if self.job["rows"] == 1:  # a number lies in an entry as it is; NaN would be an entry of -1
            self.c.predict(*self.arguments)
            return self.y
        return self.predictor.predict(self.data, pred_margin=True)


class Lleaves(Forest):
    """LLVM."""
    kind = "compiled"
    reads = ("lightgbm",)

    def load(self):
        import lleaves
        self.model = lleaves.Model(model_file=self.path)
        self.model.compile(cache=str(pathlib.Path(self.job["cache"]).parent / "lleaves.o"), raw_score=True)

    def bind(self, inputs):
        super().bind(inputs)
        self.y = np.zeros(len(self.x))
        pointer = ctypes.POINTER(ctypes.c_double)
        self.arguments = (self.x.ctypes.data_as(pointer), self.y.ctypes.data_as(pointer), 0, len(self.x))

    def run(self):
        if self.job["rows"] == 1:
            self.model._c_entry_func(*self.arguments)  # pylint: disable=protected-access
            return self.y
        return self.model.predict(self.x, n_jobs=self.threads)


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

    def run(self):
        return self.model.predict(self.x)


ENGINES = {"athanor": Athanor, "xgboost": XGBoost, "lightgbm": LightGBM, "catboost": CatBoost, "jpmml": Jpmml, "onnxruntime": OnnxRuntime, "treelite": Treelite,
           "tl2cgen": Tl2cgen, "lleaves": Lleaves, "daal4py": Daal}


def library(build):
    found = glob.glob(os.path.join(build, "**", "libathanor.so"), recursive=True)
    return found[0] if found else None
