"""A model as C source: what is written, what it says, and that nothing is written when it cannot be."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.export.c_source import c_source, left_over, plan_of, write_c_source
from edgecnn.export.tflm_arena import measure_arena
from edgecnn.preprocess import ImagePreprocess
from edgecnn.tflite_metadata import embed
from tests.firmware_export.c_build import STRICT, build
from tests.networks import Network, tflite_micro
from tests.small_networks import convolutions

FILES = ["net.h", "net.c", "net_weights.h", "net_kernels.h", "net_memory.svg"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.tflite"
    path.write_bytes(convolutions())
    return path


def test_files_are_the_sources_and_the_picture(model: Path, tmp_path: Path) -> None:
    (tmp_path / "net.c").write_text("an older export")
    (tmp_path / "main.c").write_text("mine")
    written = write_c_source(c_source(model, "net"), tmp_path)
    assert [path.name for path in written] == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "main.c"])
    assert "an older export" not in (tmp_path / "net.c").read_text()
    assert (tmp_path / "main.c").read_text() == "mine"
    picture = (tmp_path / "net_memory.svg").read_text(encoding="utf-8")
    assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"


def test_sources_give_the_bytes_of_tflite_micro(model: Path, tmp_path: Path) -> None:
    built = build(model.read_bytes(), tmp_path / "build", "net")
    for file, text in built.compiled.files.items():
        assert c_source(model, "net").texts[file] == text
    sample = np.random.default_rng(3).integers(-128, 128, (1, 12, 12, 3)).astype(np.int8)
    assert np.array_equal(built.run(sample)[0], tflite_micro(model.read_bytes(), sample)[0])


def test_single_header_compiles_alone(model: Path, tmp_path: Path) -> None:
    written = write_c_source(c_source(model, "net", single_header=True), tmp_path)
    assert [path.name for path in written] == ["net.h", "net_memory.svg"]
    (tmp_path / "main.c").write_text('#define NET_IMPLEMENTATION\n#include "net.h"\n#include "net.h"\n')
    done = subprocess.run(["gcc", *STRICT, "-c", "main.c"], cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def test_same_model_same_text_and_no_path_in_it(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(model.read_bytes())
    first, second = c_source(model, "net"), c_source(copy, "net")
    assert first.texts == second.texts
    assert not any(str(model.parent) in text for text in first.texts.values())


def test_labels_are_those_of_the_contract(model: Path, tmp_path: Path) -> None:
    ends = [
        TensorContract(name=name, shape=shape, dtype="int8", scale=0.02, zero_point=0)
        for name, shape in (("in", (1, 12, 12, 3)), ("out", (1, 6, 6, 4)))
    ]
    steps = ImagePreprocess(scale=1 / 255, offset=0.0)
    labels = ('a "cat"', "dog\\", "Kätzchen", "*/")
    contract = Contract(name="net", labels=labels, preprocess=steps, input=ends[0], output=ends[1])
    path = tmp_path / "net.tflite"
    path.write_bytes(embed(model.read_bytes(), METADATA_NAME, contract.to_json().encode()))
    write_c_source(c_source(path, "net"), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "net.h"\n#include <stdio.h>\n'
        "int main(void) { int i; for (i = 0; i < NET_CLASSES; i++) puts(net_labels[i]); return 0; }\n"
    )
    gcc = ["gcc", *STRICT, "main.c", "net.c", "-o", "program"]
    done = subprocess.run(gcc, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    said = subprocess.run([tmp_path / "program"], capture_output=True, encoding="utf-8", timeout=60).stdout
    assert said.splitlines() == list(contract.labels)


def test_plan_stands_beside_tflite_micros_arena(model: Path) -> None:
    pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    plan = plan_of(model)
    assert plan == c_source(model, "net").memory
    assert plan.tflm_arena_bytes == measure_arena(model).bytes
    assert plan.tflm_arena_bytes is not None
    assert plan.arena_bytes < plan.tflm_arena_bytes


# Sizes on a target.


def test_sizes_are_those_of_the_same_text_in_either_form(model: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    several, one = (c_source(model, "net", single_header, "cortex-m4") for single_header in (False, True))
    assert several.sizes is not None
    assert several.sizes == one.sizes
    assert several.sizes.weight_bytes == several.memory.weight_bytes + several.memory.lookup_bytes
    assert 300 < several.sizes.code_bytes < 20_000
    assert several.sizes.stack_bytes is not None
    assert 0 < several.sizes.stack_bytes < 2000
    assert several.sizes.ram_bytes == 0
    assert several.sizes_note == ""


def test_missing_compiler_is_a_note(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = c_source(model, "net", target="cortex-m4")
    assert source.sizes is None
    assert "arm-none-eabi-gcc" in source.sizes_note
    assert "apt-get install gcc-arm-none-eabi" in source.sizes_note
    assert set(source.texts) == set(FILES)


def test_unknown_target_is_refused_before_anything_is_compiled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown target 'cortex_m4'\. Did you mean 'cortex-m4'\? Known: .*riscv32"):
        c_source(tmp_path / "none.tflite", "net", target="cortex_m4")


# What cannot be compiled.


def test_name_must_be_a_c_identifier(model: Path) -> None:
    with pytest.raises(UsageError, match=r"--name my-net: .*Try: my_net"):
        c_source(model, "my-net")
    with pytest.raises(UsageError, match=r"--name String: .*header string\.h\. Try: String_net"):
        c_source(model, "String")


@pytest.mark.parametrize(("suffix", "way"), [(".keras", "edgecnn quantize"), (".onnx", "it was made from")])
def test_other_model_files_get_the_way_to_a_tflite_file(tmp_path: Path, suffix: str, way: str) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"PK")
    with pytest.raises(UsageError, match=rf"C source is made from a \.tflite file.*{way}"):
        c_source(path, "net")


def test_float_model_is_refused_with_the_node_and_the_way(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(convolutions(float_input=True))
    with pytest.raises(EdgecnnError, match=r"net\.tflite: node 0 CONV_2D.*float32.*int8.*edgecnn quantize"):
        c_source(path, "net")


def test_unsupported_operator_is_refused_by_name(tmp_path: Path) -> None:
    network = Network()
    value = network.input([1, 4, 4, 2], 0.02, 0)
    value = network.op("TOPK_V2", [value, network.constant(np.array(1, np.int32))], [1, 4, 4, 1], 0.02)
    path = tmp_path / "net.tflite"
    path.write_bytes(network.pack(value))
    with pytest.raises(EdgecnnError, match=r"node 0 TOPK_V2.*not supported \(supported: .*CONV_2D"):
        c_source(path, "net")


def test_folder_that_is_a_file_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EdgecnnError, match="cannot write"):
        write_c_source(c_source(model, "net"), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


def test_failure_leaves_no_file_of_the_export(model: Path, tmp_path: Path) -> None:
    """The third file cannot take its place: no other one does, and what stood there stays."""
    (tmp_path / "net.h").write_text("an older export")
    source = c_source(model, "net")
    broken = replace(source, texts={**source.texts, "net_weights.h": "\ud800"})
    with pytest.raises(UnicodeEncodeError):
        write_c_source(broken, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["net.h"]
    assert (tmp_path / "net.h").read_text() == "an older export"


def test_files_of_the_other_form_are_told(model: Path, tmp_path: Path) -> None:
    write_c_source(c_source(model, "net"), tmp_path)
    single = c_source(model, "net", single_header=True)
    found = left_over(tmp_path, "net", tuple(single.texts))
    assert [path.name for path in found] == ["net.c", "net_weights.h", "net_kernels.h"]
    assert left_over(tmp_path, "net", FILES) == left_over(tmp_path / "none", "net", []) == []
