"""What the parts of edgecnn need beyond its base: Python packages and programs, and the extras that bring them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A Python package.

    Attributes:
        distributions: Names it is installed under, any of which will do.
        module: What ``deep`` imports.
    """

    distributions: tuple[str, ...]
    module: str


@dataclass(frozen=True)
class Feature:
    """A part of edgecnn that needs packages beyond the base.

    Attributes:
        name: What it is called in the table.
        purpose: What it is for.
        extra: The extra of ``pyproject.toml`` that brings its packages.
        packages: All of them are needed.
    """

    name: str
    purpose: str
    extra: str
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class Tool:
    """A program.

    Attributes:
        name: What is called, and the Debian package that has it where ``package`` is empty.
        purpose: What it is for.
        package: The Debian packages that bring it.
        version: The option that prints the version.
    """

    name: str
    purpose: str
    package: str = ""
    version: str = "--version"


_TENSORFLOW = Package(("tensorflow-cpu", "tensorflow"), "tensorflow")
_KERAS = Package(("keras",), "keras")
_MATPLOTLIB = Package(("matplotlib",), "matplotlib")
LITERT = Package(("ai-edge-litert",), "ai_edge_litert.interpreter")
TFLITE_RUNTIME = Package(("tflite-runtime",), "tflite_runtime.interpreter")

FEATURES: tuple[Feature, ...] = (
    Feature(
        "train",
        "training, digits and your own images",
        "train",
        (
            _TENSORFLOW,
            _KERAS,
            Package(("tensorboard",), "tensorboard"),
            Package(("scikit-learn",), "sklearn"),
            Package(("pillow",), "PIL"),
            _MATPLOTLIB,
        ),
    ),
    Feature("quantize", "int8 TFLite from a Keras model", "train", (_TENSORFLOW, _KERAS)),
    Feature(
        "onnx",
        "ONNX export and its runtime",
        "onnx",
        (Package(("onnx",), "onnx"), Package(("onnxruntime",), "onnxruntime"), Package(("tf2onnx",), "tf2onnx")),
    ),
    Feature("tune", "search over recipes", "tune", (Package(("optuna",), "optuna"),)),
    Feature("ssh", "other machines: deploy, bench, doctor --on", "ssh", (Package(("asyncssh",), "asyncssh"),)),
    Feature("report", "report.html and plots", "report", (Package(("jinja2",), "jinja2"), _MATPLOTLIB)),
    Feature(
        "arena",
        "arena sizes, checks of exported C (Linux on x86-64)",
        "mcu",
        (Package(("tflite-micro",), "tflite_micro.python.tflite_micro.runtime"),),
    ),
)

TOOLS: tuple[Tool, ...] = (
    Tool("gcc", "compiling exported C", version="-dumpfullversion"),
    Tool("g++", "compiling it as C++", version="-dumpfullversion"),
    Tool("clang", "a second compiler to check it with"),
    Tool("cppcheck", "static analysis of it"),
    Tool(
        "arm-none-eabi-gcc",
        "compiling it for a Cortex-M",
        "gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "-dumpfullversion",
    ),
    Tool("qemu-system-arm", "running Cortex-M code without a board"),
    Tool("riscv64-unknown-elf-gcc", "compiling it for a RISC-V", "gcc-riscv64-unknown-elf", "-dumpfullversion"),
    Tool("qemu-system-riscv32", "running RISC-V code without a board", "qemu-system-misc"),
    Tool(
        "aarch64-linux-gnu-gcc",
        "compiling it for a Raspberry Pi (64 bits)",
        "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        "-dumpfullversion",
    ),
    Tool("qemu-aarch64", "running such code here", "qemu-user"),
    Tool(
        "arm-linux-gnueabihf-gcc",
        "compiling it for a Raspberry Pi (32 bits)",
        "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
        "-dumpfullversion",
    ),
    Tool("qemu-arm", "running such code here", "qemu-user"),
)
