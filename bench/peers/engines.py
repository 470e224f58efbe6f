"""The engines, each behind the same three steps: load a network, run it, give its outputs.

Runs inside a worker process of its own (worker.py), so that nobody's threads or memory meet another's. Each is set up as
its own documentation advises for speed; what there is to choose between is a variant, and the best one counts. Outputs
are kept in the order of the ONNX file's outputs.
"""
import pathlib


class Skip(Exception):
    """The engine cannot take this network or setting; the text says why."""


class Athanor:
    """The session is kept in its cache. In the 16-bit class kernels may multiply in bf16 where that is faster."""
    variants = ("default",)
    low_variants = ("auto",)

    def __init__(self, job):
        import athanor
        self.athanor, self.job = athanor, job

    def load(self):
        path = self.job["files"].get("ath") or self.job["files"]["onnx"]
        precision = "auto" if self.job["variant"] == "auto" else "f32"
        self.model = self.athanor.load(path, threads=self.job["threads"], cache=self.job["cache"], precision=precision)

    def bind(self, inputs):
        self.inputs = inputs

    def run(self):
        return self.model.run(self.inputs)

    def outputs(self, result):
        return [result[name] for name in self.job["outputs"]]


class OnnxRuntime:
    """All optimisations; the optimised graph is its cache."""
    variants = ("spin", "no-spin")

    def __init__(self, job):
        import onnxruntime
        self.ort, self.job = onnxruntime, job

    def load(self):
        options = self.ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.job["threads"]
        options.inter_op_num_threads = 1
        options.execution_mode = self.ort.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if self.job["variant"] == "spin" else "0")
        cache = pathlib.Path(self.job["cache"], "optimised.onnx")
        if cache.exists():
            options.graph_optimization_level = self.ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        else:
            options.graph_optimization_level = self.ort.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.optimized_model_filepath = str(cache)
        path = cache if cache.exists() else self.job["files"]["onnx"]
        self.session = self.ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def bind(self, inputs):
        self.inputs = inputs

    def run(self):
        return self.session.run(self.job["outputs"], self.inputs)

    def outputs(self, result):
        return result


class OpenVino:
    """Static shapes; the class of precision is the row's; the compiled model is its cache."""
    variants = ("latency", "throughput")

    def __init__(self, job):
        import openvino
        self.ov, self.job = openvino, job

    def load(self):
        core = self.ov.Core()
        variant, _, source = self.job["variant"].partition("+")
        config = {"PERFORMANCE_HINT": variant.upper(), "INFERENCE_NUM_THREADS": self.job["threads"],
                  "INFERENCE_PRECISION_HINT": self.job["precision"], "CPU_DENORMALS_OPTIMIZATION": True}
        cache = pathlib.Path(self.job["cache"], "compiled.blob")
        if cache.exists():
            self.compiled = core.import_model(cache.read_bytes(), "CPU", config)
        else:
            self.compiled = core.compile_model(self.read(core, source), "CPU", config)
            cache.write_bytes(self.compiled.export_model().getvalue())
        self.request = self.compiled.create_infer_request()

    def read(self, core, source):
        model = core.read_model(self.job["files"][source or "onnx"])
        shapes = self.job["shapes"]
        if source:  # the inputs have other names there, in the same order
            shapes = dict(zip([port.any_name for port in model.inputs], shapes.values()))
        if any(port.partial_shape.is_dynamic for port in model.inputs):
            model.reshape({name: self.ov.PartialShape(shape) for name, shape in shapes.items()})
        return model

    def bind(self, inputs):
        self.inputs = inputs  # the request looks into these arrays
        for name, array in inputs.items():
            index = list(self.job["shapes"]).index(name)
            self.request.set_input_tensor(index, self.ov.Tensor(array, shared_memory=True))

    def run(self):
        self.request.infer()

    def outputs(self, result):
        return [self.request.get_output_tensor(i).data for i in range(len(self.compiled.outputs))]


class Ncnn:
    """Through our .param writer. ncnn has no batch: inputs of one image only."""
    variants = ("fp32",)
    low_variants = ("fp16-storage", "bf16-storage")

    def __init__(self, job):
        import ncnn
        self.ncnn, self.job = ncnn, job

    def load(self):
        if "param" not in self.job["files"]:
            raise Skip(self.job["missing"].get("param", "no .param file"))
        if self.job["batch"] != 1:
            raise Skip("ncnn has no batch")
        param = pathlib.Path(self.job["files"]["param"])
        self.net = self.ncnn.Net()
        option, variant = self.net.opt, self.job["variant"]
        option.num_threads = self.job["threads"]
        option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = variant == "fp16-storage"
        option.use_bf16_storage = variant == "bf16-storage"
        if self.net.load_param(str(param)) != 0 or self.net.load_model(str(param.with_suffix(".bin"))) != 0:
            raise Skip("ncnn refuses the file")
        layers = [line.split() for line in param.read_text().split("\n")[2:] if line]
        made, read = [], set()
        for _, _, inputs, outputs, *rest in layers:
            read |= set(rest[:int(inputs)])
            made += rest[int(inputs):int(inputs) + int(outputs)]
        self.names = [name for name in made if name not in read]
        if set(self.job["outputs"]) <= set(made):
            self.names = self.job["outputs"]
        self.input_names = [layer[4] for layer in layers if layer[0] == "Input"]

    def bind(self, inputs):
        names = self.input_names if set(self.input_names) != set(inputs) else list(inputs)
        self.inputs = inputs
        self.mats = [(name, self.ncnn.Mat(array[0])) for name, array in zip(names, inputs.values())]

    def run(self):
        with self.net.create_extractor() as extractor:
            for name, mat in self.mats:
                extractor.input(name, mat)
            return [extractor.extract(name)[1] for name in self.names]

    def outputs(self, result):
        import numpy as np
        return [np.array(mat) for mat in result]


class Mnn:
    """Through MNN's converter (made beforehand). Its cache holds nothing on a CPU."""
    variants = ("high",)
    low_variants = ("low", "low_bf16")

    def __init__(self, job):
        import MNN
        import MNN.expr
        import MNN.nn
        self.mnn, self.job = MNN, job

    def load(self):
        if "mnn" not in self.job["files"]:
            raise Skip(self.job["missing"].get("mnn", "no .mnn file"))
        config = {"backend": "CPU", "numThread": self.job["threads"], "precision": self.job["variant"]}
        self.runtime = self.mnn.nn.create_runtime_manager((config,))
        self.module = self.mnn.nn.load_module_from_file(
            self.job["files"]["mnn"], list(self.job["shapes"]), self.job["outputs"],
            runtime_manager=self.runtime, shape_mutable=False)

    def bind(self, inputs):
        expr = self.mnn.expr
        kinds = {"float32": expr.float, "int32": expr.int, "int64": expr.int64, "uint8": expr.uint8}
        self.inputs = inputs
        self.vars = [expr.const(array, list(array.shape), expr.NCHW, kinds[array.dtype.name]) for array in inputs.values()]

    def run(self):
        return [output.read() for output in self.module.onForward(self.vars)]

    def outputs(self, result):
        import numpy as np
        return [np.array(array) for array in result]


class Torch:
    """Eager, and TorchScript traced, frozen and optimised for inference: what a user of PyTorch runs."""
    variants = ("eager", "script")

    def __init__(self, job):
        import torch
        import torch_graph
        self.torch, self.translate, self.job = torch, torch_graph.translate, job
        torch.set_num_threads(job["threads"])
        torch.set_flush_denormal(True)

    def load(self):
        self.module = self.translate(self.job["files"]["onnx"], self.job["outputs"])
        if isinstance(self.module, str):
            raise Skip(self.module)

    def bind(self, inputs):
        self.args = [self.torch.from_numpy(array.copy()) for array in inputs.values()]
        if self.job["variant"] == "script":
            with self.torch.inference_mode():
                traced = self.torch.jit.trace(self.module.eval(), tuple(self.args), check_trace=False)
                self.module = self.torch.jit.optimize_for_inference(self.torch.jit.freeze(traced))

    def run(self):
        with self.torch.inference_mode():
            return self.module(*self.args)

    def outputs(self, result):
        return [tensor.numpy() for tensor in (result if isinstance(result, tuple) else (result,))]


ENGINES = {"athanor": Athanor, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn, "torch": Torch}
