"""TFLite's schema, version 3, as data: operator names, element types, and the attributes of operators.

Taken from the schema that TensorFlow 2.21 generates its own readers from (``schema.fbs``); a test holds every number
here against the copy that LiteRT ships. Numbers are never reused in the schema, so a newer file can only hold
values that are not in these tables yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from firmware_export.graph import OptionValue

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3

_OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
    LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH
    SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
    ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE
    TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK
    LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL
    FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL
    REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND
    HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
    HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
    ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
    DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
    STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
    STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE
    STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG
    STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT
    STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL
    STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE
    STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
BUILTIN_OPERATORS: tuple[str, ...] = tuple(_OPERATORS.split())
"""``BuiltinOperator``: the position is the code."""

CUSTOM_CODE = BUILTIN_OPERATORS.index("CUSTOM")

_TENSOR_TYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant
    uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
"""
TENSOR_TYPES: tuple[str, ...] = tuple(_TENSOR_TYPES.split())
"""``TensorType``: the position is the code."""

ENUMERATIONS: Mapping[str, tuple[str, ...]] = {
    "activation": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
    "padding": ("SAME", "VALID"),
    "weights_format": ("DEFAULT", "SHUFFLED4x16INT8"),
    "mirror_pad_mode": ("REFLECT", "SYMMETRIC"),
    "tensor_type": TENSOR_TYPES,
}
"""Types of fields that are one signed byte with a name for each value."""

SCALARS: Mapping[str, str] = {"int32": "i", "float32": "f", "bool": "?"}
"""Types of fields that are one number: the ``struct`` format character."""


class Field(NamedTuple):
    """One attribute of an operator.

    Attributes:
        name: The schema's name.
        slot: Its place in the table.
        type: A key of ``ENUMERATIONS`` or ``SCALARS``, or ``int32[]``.
        default: What an absent field means.
    """

    name: str
    slot: int
    type: str
    default: OptionValue


class OptionsTable(NamedTuple):
    """The attributes that some operators have.

    Attributes:
        name: The schema's name of the table.
        number: Its number in the union ``BuiltinOptions``.
        ops: The operators that use it.
        fields: Its fields.
    """

    name: str
    number: int
    ops: tuple[str, ...]
    fields: tuple[Field, ...]


_REDUCERS = ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL")

OPTIONS_TABLES: tuple[OptionsTable, ...] = (
    OptionsTable("Conv2DOptions", 1, ("CONV_2D",), (
        Field("padding", 0, "padding", "SAME"),
        Field("stride_w", 1, "int32", 0),
        Field("stride_h", 2, "int32", 0),
        Field("fused_activation_function", 3, "activation", "NONE"),
        Field("dilation_w_factor", 4, "int32", 1),
        Field("dilation_h_factor", 5, "int32", 1),
        Field("quantized_bias_type", 6, "tensor_type", "float32"),
    )),
    OptionsTable("DepthwiseConv2DOptions", 2, ("DEPTHWISE_CONV_2D",), (
        Field("padding", 0, "padding", "SAME"),
        Field("stride_w", 1, "int32", 0),
        Field("stride_h", 2, "int32", 0),
        Field("depth_multiplier", 3, "int32", 0),
        Field("fused_activation_function", 4, "activation", "NONE"),
        Field("dilation_w_factor", 5, "int32", 1),
        Field("dilation_h_factor", 6, "int32", 1),
    )),
    OptionsTable("Pool2DOptions", 5, ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), (
        Field("padding", 0, "padding", "SAME"),
        Field("stride_w", 1, "int32", 0),
        Field("stride_h", 2, "int32", 0),
        Field("filter_width", 3, "int32", 0),
        Field("filter_height", 4, "int32", 0),
        Field("fused_activation_function", 5, "activation", "NONE"),
    )),
    OptionsTable("SVDFOptions", 6, ("SVDF",), (
        Field("rank", 0, "int32", 0),
        Field("fused_activation_function", 1, "activation", "NONE"),
        Field("asymmetric_quantize_inputs", 2, "bool", False),
    )),
    OptionsTable("FullyConnectedOptions", 8, ("FULLY_CONNECTED",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
        Field("weights_format", 1, "weights_format", "DEFAULT"),
        Field("keep_num_dims", 2, "bool", False),
        Field("asymmetric_quantize_inputs", 3, "bool", False),
        Field("quantized_bias_type", 4, "tensor_type", "float32"),
    )),
    OptionsTable("SoftmaxOptions", 9, ("SOFTMAX",), (
        Field("beta", 0, "float32", 0.0),
    )),
    OptionsTable("ConcatenationOptions", 10, ("CONCATENATION",), (
        Field("axis", 0, "int32", 0),
        Field("fused_activation_function", 1, "activation", "NONE"),
    )),
    OptionsTable("AddOptions", 11, ("ADD",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
        Field("pot_scale_int16", 1, "bool", True),
    )),
    OptionsTable("L2NormOptions", 12, ("L2_NORMALIZATION",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
    )),
    OptionsTable("LocalResponseNormalizationOptions", 13, ("LOCAL_RESPONSE_NORMALIZATION",), (
        Field("radius", 0, "int32", 0),
        Field("bias", 1, "float32", 0.0),
        Field("alpha", 2, "float32", 0.0),
        Field("beta", 3, "float32", 0.0),
    )),
    OptionsTable("ResizeBilinearOptions", 15, ("RESIZE_BILINEAR",), (
        Field("align_corners", 2, "bool", False),
        Field("half_pixel_centers", 3, "bool", False),
    )),
    OptionsTable("ReshapeOptions", 17, ("RESHAPE",), (
        Field("new_shape", 0, "int32[]", ()),
    )),
    OptionsTable("SpaceToDepthOptions", 19, ("SPACE_TO_DEPTH",), (
        Field("block_size", 0, "int32", 0),
    )),
    OptionsTable("MulOptions", 21, ("MUL",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
    )),
    OptionsTable("GatherOptions", 23, ("GATHER",), (
        Field("axis", 0, "int32", 0),
        Field("batch_dims", 1, "int32", 0),
    )),
    OptionsTable("ReducerOptions", 27, _REDUCERS, (
        Field("keep_dims", 0, "bool", False),
    )),
    OptionsTable("SubOptions", 28, ("SUB",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
        Field("pot_scale_int16", 1, "bool", True),
    )),
    OptionsTable("DivOptions", 29, ("DIV",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
    )),
    OptionsTable("SqueezeOptions", 30, ("SQUEEZE",), (
        Field("squeeze_dims", 0, "int32[]", ()),
    )),
    OptionsTable("StridedSliceOptions", 32, ("STRIDED_SLICE",), (
        Field("begin_mask", 0, "int32", 0),
        Field("end_mask", 1, "int32", 0),
        Field("ellipsis_mask", 2, "int32", 0),
        Field("new_axis_mask", 3, "int32", 0),
        Field("shrink_axis_mask", 4, "int32", 0),
        Field("offset", 5, "bool", False),
    )),
    OptionsTable("SplitOptions", 35, ("SPLIT",), (
        Field("num_splits", 0, "int32", 0),
    )),
    OptionsTable("SplitVOptions", 79, ("SPLIT_V",), (
        Field("num_splits", 0, "int32", 0),
    )),
    OptionsTable("CastOptions", 37, ("CAST",), (
        Field("in_data_type", 0, "tensor_type", "float32"),
        Field("out_data_type", 1, "tensor_type", "float32"),
    )),
    OptionsTable("ArgMaxOptions", 40, ("ARG_MAX",), (
        Field("output_type", 0, "tensor_type", "float32"),
    )),
    OptionsTable("ArgMinOptions", 57, ("ARG_MIN",), (
        Field("output_type", 0, "tensor_type", "float32"),
    )),
    OptionsTable("TransposeConvOptions", 49, ("TRANSPOSE_CONV",), (
        Field("padding", 0, "padding", "SAME"),
        Field("stride_w", 1, "int32", 0),
        Field("stride_h", 2, "int32", 0),
        Field("fused_activation_function", 3, "activation", "NONE"),
        Field("quantized_bias_type", 4, "tensor_type", "float32"),
    )),
    OptionsTable("ShapeOptions", 55, ("SHAPE",), (
        Field("out_type", 0, "tensor_type", "float32"),
    )),
    OptionsTable("FakeQuantOptions", 58, ("FAKE_QUANT",), (
        Field("min", 0, "float32", 0.0),
        Field("max", 1, "float32", 0.0),
        Field("num_bits", 2, "int32", 0),
        Field("narrow_range", 3, "bool", False),
    )),
    OptionsTable("PackOptions", 59, ("PACK",), (
        Field("values_count", 0, "int32", 0),
        Field("axis", 1, "int32", 0),
    )),
    OptionsTable("UnpackOptions", 64, ("UNPACK",), (
        Field("num", 0, "int32", 0),
        Field("axis", 1, "int32", 0),
    )),
    OptionsTable("OneHotOptions", 61, ("ONE_HOT",), (
        Field("axis", 0, "int32", 0),
    )),
    OptionsTable("UnidirectionalSequenceLSTMOptions", 71, ("UNIDIRECTIONAL_SEQUENCE_LSTM",), (
        Field("fused_activation_function", 0, "activation", "NONE"),
        Field("cell_clip", 1, "float32", 0.0),
        Field("proj_clip", 2, "float32", 0.0),
        Field("time_major", 3, "bool", False),
        Field("asymmetric_quantize_inputs", 4, "bool", False),
        Field("diagonal_recurrent_tensors", 5, "bool", False),
    )),
    OptionsTable("ResizeNearestNeighborOptions", 74, ("RESIZE_NEAREST_NEIGHBOR",), (
        Field("align_corners", 0, "bool", False),
        Field("half_pixel_centers", 1, "bool", False),
    )),
    OptionsTable("LeakyReluOptions", 75, ("LEAKY_RELU",), (
        Field("alpha", 0, "float32", 0.0),
    )),
    OptionsTable("MirrorPadOptions", 77, ("MIRROR_PAD",), (
        Field("mode", 0, "mirror_pad_mode", "REFLECT"),
    )),
    OptionsTable("ReverseSequenceOptions", 87, ("REVERSE_SEQUENCE",), (
        Field("seq_dim", 0, "int32", 0),
        Field("batch_dim", 1, "int32", 0),
    )),
    OptionsTable("DepthToSpaceOptions", 94, ("DEPTH_TO_SPACE",), (
        Field("block_size", 0, "int32", 0),
    )),
    OptionsTable("BatchMatMulOptions", 101, ("BATCH_MATMUL",), (
        Field("adj_x", 0, "bool", False),
        Field("adj_y", 1, "bool", False),
        Field("asymmetric_quantize_inputs", 2, "bool", False),
    )),
    OptionsTable("CumsumOptions", 102, ("CUMSUM",), (
        Field("exclusive", 0, "bool", False),
        Field("reverse", 1, "bool", False),
    )),
    OptionsTable("Conv3DOptions", 106, ("CONV_3D", "CONV_3D_TRANSPOSE"), (
        Field("padding", 0, "padding", "SAME"),
        Field("stride_d", 1, "int32", 0),
        Field("stride_w", 2, "int32", 0),
        Field("stride_h", 3, "int32", 0),
        Field("fused_activation_function", 4, "activation", "NONE"),
        Field("dilation_d_factor", 5, "int32", 1),
        Field("dilation_w_factor", 6, "int32", 1),
        Field("dilation_h_factor", 7, "int32", 1),
    )),
    OptionsTable("GeluOptions", 116, ("GELU",), (
        Field("approximate", 0, "bool", False),
    )),
)
"""Tables with fields. An operator in none of them has no attributes, or none that this package reads."""

OPTIONS_OF: Mapping[str, OptionsTable] = {op: table for table in OPTIONS_TABLES for op in table.ops}
"""The table of each operator that has one."""
