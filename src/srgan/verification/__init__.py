"""What an exported file must prove, and what is said about it: certificate and model card.

Runs each file in its own runtime. Needs no Keras.
"""
