"""The compiler: an int8 ``.tflite`` in, dependency-free C99 out. Knows nothing of edgecnn, Keras or TensorFlow."""
