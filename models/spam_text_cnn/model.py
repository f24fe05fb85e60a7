"""Convolution over word vectors, then each filter's maximum over the text (Kim 2014, with filters of one width)."""

import keras
from keras import layers

from edgecnn.layers import TokenEmbedding


def build(
    input_shape: tuple[int, ...],
    classes: int,
    vocabulary_size: int,
    dimensions: int = 16,
    filters: int = 32,
    words: int = 3,
    dropout: float = 0.5,
) -> keras.Model:
    """One sigmoid output for two classes, otherwise a softmax over all.

    Args:
        input_shape: ``(length,)``: ids of so many words.
        classes: Of the data.
        vocabulary_size: Rows of the embedding, as in ``[preprocess]``.
        dimensions: Length of a word's vector.
        filters: Patterns that are looked for.
        words: Length of a pattern.
        dropout: Share of word dimensions, and of filters, that a training step leaves out.
    """
    ids = keras.Input(input_shape, dtype="int32")                                 # L
    x = TokenEmbedding(vocabulary_size, dimensions, name="embedding")(ids)        # L x dimensions
    x = layers.Conv1D(filters, words, activation="relu", name="patterns")(x)      # (L - words + 1) x filters
    x = layers.GlobalMaxPooling1D(name="anywhere")(x)                             # filters
    x = layers.Dropout(dropout)(x)
    if classes == 2:
        outputs = layers.Dense(1, activation="sigmoid", name="output")(x)         # 1
    else:
        outputs = layers.Dense(classes, activation="softmax", name="output")(x)   # classes
    return keras.Model(ids, outputs, name="spam_text_cnn")
