"""ONNX Runtime as the bench's peer: the same networks, timed on request.

    ort_peer.py FOLDER

FOLDER holds what the bench driver wrote of one encoder: shape.txt ("key value" lines),
layout.txt ("tensor layer rows cols offset"), weights.f32 (flat, little endian) and ids.txt.
Graphs are made there. Then one request a line on standard input, one line of answer:

    engines                 names of the graphs that load, each with ":" and a remark
    ENGINE answer           logits
    ENGINE time T INNER N W three numbers a sample, as in tests/bench/harness/main.c; T is
                            ignored, the graphs have a fixed length
    versions                of the packages

The graphs: plain fp32, as an exporter writes it (exact GELU as Erf, attention as separate
products); `fused`, what onnxruntime.transformers.optimizer makes of it; int8 by
quantize_dynamic on both; int4 by MatMulNBits with blocks of 32 and int8 activations
(accuracy level 4) on both, the fused one with its attention left apart, as that operator
knows no 4-bit weights; and `empty`, a graph that only hands its input on, whose time is
what a call costs from here. One thread, inputs and outputs bound once.
"""

import contextlib
import logging
import os
import re
import resource
import sys
import time

FILES = {}
SESSIONS = {}
REMARKS = {}


def read_shape(folder):
    shape = {}
    with open(os.path.join(folder, "shape.txt"), encoding="utf-8") as f:
        for line in f:
            key, value = line.split()
            shape[key] = int(value)
    return shape


def read_tensors(folder):
    flat = np.fromfile(os.path.join(folder, "weights.f32"), dtype="<f4")
    tensors = {}
    with open(os.path.join(folder, "layout.txt"), encoding="utf-8") as f:
        for line in f:
            kind, layer, rows, cols, offset = line.split()
            n = int(rows) * int(cols)
            w = flat[int(offset) : int(offset) + n].reshape(int(rows), int(cols))
            tensors[kind, int(layer)] = w[:, 0] if int(cols) == 1 else w
    return tensors


class Graph:
    """Nodes and initialisers of one graph; every method returns the name of its output."""

    def __init__(self):
        self.nodes, self.constants, self.n = [], [], 0

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, *inputs, **attributes):
        self.n += 1
        out = f"t{self.n}"
        self.nodes.append(
            helper.make_node(kind, list(inputs), [out], name=f"{kind}_{self.n}", **attributes)
        )
        return out


def linear(g, x, name, w, b):
    y = g.op("MatMul", x, g.constant(name + "_w", w.T))
    return g.op("Add", g.constant(name + "_b", b), y)


def norm(g, x, name, gain, bias):
    return g.op(
        "LayerNormalization",
        x,
        g.constant(name + "_g", gain),
        g.constant(name + "_b", bias),
        axis=-1,
        epsilon=1e-5,
    )


def gelu(g, x):
    y = g.op("Erf", g.op("Div", x, "sqrt2"))
    return g.op("Mul", g.op("Mul", x, g.op("Add", y, "one")), "half")


def attention(g, x, i, t):
    q, k, v = (linear(g, x, f"l{i}_{c}", t["w" + c, i], t["b" + c, i]) for c in "qkv")
    q, v = (g.op("Transpose", g.op("Reshape", y, "split"), perm=[0, 2, 1, 3]) for y in (q, v))
    k = g.op("Transpose", g.op("Reshape", k, "split"), perm=[0, 2, 3, 1])
    p = g.op("Softmax", g.op("Div", g.op("MatMul", q, k), "root"), axis=-1)
    o = g.op("Transpose", g.op("MatMul", p, v), perm=[0, 2, 1, 3])
    return linear(g, g.op("Reshape", o, "join"), f"l{i}_o", t["wo", i], t["bo", i])


def make_plain(shape, t, path):
    d, heads, seq = shape["d_model"], shape["n_heads"], shape["seq_len"]
    g = Graph()
    for name, value in (
        ("sqrt2", np.sqrt(2.0)),
        ("one", 1.0),
        ("half", 0.5),
        ("root", np.sqrt(d // heads)),
    ):
        g.constant(name, np.array(value, dtype=np.float32))
    g.constant("split", np.array([0, 0, heads, d // heads], dtype=np.int64))
    g.constant("join", np.array([0, 0, d], dtype=np.int64))
    x = g.op("Gather", g.constant("embed", t["embed", -1]), "ids", axis=0)
    x = g.op("Add", x, g.constant("pos", t["pos", -1][:seq]))
    x = norm(g, x, "norm0", t["norm0_g", -1], t["norm0_b", -1])
    for i in range(shape["n_layers"]):
        x = g.op("Add", attention(g, x, i, t), x)
        x = norm(g, x, f"l{i}_n1", t["norm1_g", i], t["norm1_b", i])
        y = gelu(g, linear(g, x, f"l{i}_1", t["w1", i], t["b1", i]))
        x = g.op("Add", linear(g, y, f"l{i}_2", t["w2", i], t["b2", i]), x)
        x = norm(g, x, f"l{i}_n2", t["norm2_g", i], t["norm2_b", i])
    x = g.op("ReduceMean", x, axes=[1], keepdims=0)
    x = linear(g, x, "intent", t["intent_w", -1], t["intent_b", -1])
    g.nodes[-1].output[0] = "logits"
    save(g, [("ids", TensorProto.INT64, [1, seq])], [1, shape["n_classes"]], path)


def save(g, inputs, output, path):
    graph = helper.make_graph(
        g.nodes,
        "encoder",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def make_empty(path):
    g = Graph()
    g.op("Identity", "x")
    g.nodes[-1].output[0] = "logits"
    save(g, [("x", TensorProto.FLOAT, [1, 4])], [1, 4], path)


def make_fused(shape, plain, path, with_attention=True):
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.enable_attention = with_attention
    m = optimizer.optimize_model(
        plain,
        model_type="bert",
        num_heads=shape["n_heads"],
        hidden_size=shape["d_model"],
        optimization_options=options,
        opt_level=0,
    )
    found = {k: v for k, v in m.get_fused_operator_statistics().items() if v}
    if with_attention and found.get("Attention", 0) != shape["n_layers"]:
        raise RuntimeError("the optimizer fused no attention")
    m.save_model_to_file(path)
    with open(path + ".remark", "w", encoding="utf-8") as f:
        f.write(",".join(f"{k}={v}" for k, v in sorted(found.items())))


def make_int8(source, path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The fused operators have no shape inference, so their type is given.
    quantize_dynamic(
        source,
        path,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def make_int4(shape, source, path, fused):
    """A fused attention would keep its weights in fp32: all else is fused."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    if fused:
        make_fused(shape, source, path, with_attention=False)
        source = path
    q = MatMulNBitsQuantizer(
        onnx.load(source), block_size=32, is_symmetric=True, accuracy_level=4
    )
    q.process()
    q.model.save_model_to_file(path)


def make_all(folder, shape):
    """Makes what is not there yet; a graph that cannot be made is a remark."""

    def path(name):
        return os.path.join(folder, name + ".onnx")

    plain, fused = path("fp32"), path("fp32-fused")
    recipes = [
        ("empty", lambda out: make_empty(out)),
        ("fp32", lambda out: make_plain(shape, read_tensors(folder), out)),
        ("fp32-fused", lambda out: make_fused(shape, plain, out)),
        ("int8-dyn", lambda out: make_int8(plain, out)),
        ("int8-fused", lambda out: make_int8(fused, out)),
        ("int4-plain", lambda out: make_int4(shape, plain, out, False)),
        ("int4-fused", lambda out: make_int4(shape, plain, out, True)),
    ]
    for name, make in recipes:
        FILES[name] = path(name)
        try:
            if not os.path.exists(path(name)):
                make(path(name))
        except Exception as e:  # whatever these packages throw
            REMARKS[name] = re.sub(r"\s+", "_", f"{type(e).__name__}:{e}")[:120]
            del FILES[name]
    for name, file in FILES.items():
        if os.path.exists(file + ".remark"):
            with open(file + ".remark", encoding="utf-8") as f:
                REMARKS[name] = f.read()


def open_session(name, file, ids):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = np.zeros((1, 4), dtype=np.float32) if name == "empty" else ids
    shape = [int(n) for n in session.get_outputs()[0].shape]
    out = ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input(
        session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(feed)
    )
    binding.bind_ortvalue_output("logits", out)
    # The same call as session.run_with_iobinding, without its Python wrapper.
    SESSIONS[name] = (session._sess.run_with_iobinding, binding._iobinding, out, session)


def switches():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def time_runs(name, inner, n, warm):
    run, binding, _, _ = SESSIONS[name]
    samples = []
    loop = range(inner)
    for _ in range(warm):
        run(binding, None)
    for _ in range(n):
        before = switches()
        cpu = time.thread_time_ns()
        wall = time.perf_counter_ns()
        for _ in loop:
            run(binding, None)
        wall = time.perf_counter_ns() - wall
        cpu = time.thread_time_ns() - cpu
        samples.append(f"{wall} {cpu} {switches() - before}")
    return " ".join(samples)


def engines():
    names = [f"{name}:{REMARKS.get(name, 'ok')}" for name in SESSIONS]
    names += [f"!{name}:{why}" for name, why in REMARKS.items() if name not in SESSIONS]
    return " ".join(names)


def reply(words):
    if words == ["engines"]:
        return engines()
    if words == ["versions"]:
        return f"onnxruntime={ort.__version__} onnx={onnx.__version__} numpy={np.__version__}"
    if len(words) == 2 and words[0] in SESSIONS and words[1] == "answer":
        run, binding, out, _ = SESSIONS[words[0]]
        run(binding, None)
        return " ".join(f"{v:.9g}" for v in out.numpy().ravel())
    if len(words) == 6 and words[0] in SESSIONS and words[1] == "time":
        return time_runs(words[0], int(words[3]), int(words[4]), int(words[5]))
    return "error unknown request"


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "ids.txt"), encoding="utf-8") as f:
        ids = np.array([[int(w) for w in f.read().split()]], dtype=np.int64)
    with contextlib.redirect_stdout(sys.stderr):  # the packages are talkative
        make_all(folder, read_shape(folder))
        for name, file in FILES.items():
            try:
                open_session(name, file, ids)
            except Exception as e:
                REMARKS[name] = re.sub(r"\s+", "_", f"{type(e).__name__}:{e}")[:120]
    for line in sys.stdin:
        print(reply(line.split()), flush=True)


if __name__ == "__main__":
    # Nobody reads what they complain; a full pipe would stop them.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable(logging.CRITICAL)
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    main()
