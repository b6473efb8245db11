"""The networks in Keras: generators, discriminators, the features of VGG.

May be imported by what trains or exports, and never by what upscales.
"""
