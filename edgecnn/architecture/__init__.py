"""Networks written as a code, ``(CR)2P(CR)2P(CR)2PF``, in place of a ``model.py``.

``notation.py`` reads the code, ``settings.py`` has the sizes that stand beside it in ``[model]``, ``plan.py`` gives
each layer its own and follows the shapes, ``keras_network.py`` builds it. Only the last one needs Keras.
"""
