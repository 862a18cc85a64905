"""The networks of public compiler logs and notebooks, layer by layer; weights are ones, for only sizes count."""

from neurodeploy.network import Convolution, Network
from tests.chains import chain, conv, dense, pool


def pilotnet(*, port: bool = False) -> Network:
    """Return PilotNet; without port its input takes cores, as in the spiking version."""
    return chain(
        (3, 66, 200),
        conv(24, 3, 3, stride=(2, 2)),
        conv(36, 24, 3, stride=(2, 2)),
        conv(48, 36, 3, stride=(2, 2)),
        conv(64, 48, 3, stride=(2, 1), padding=(1, 0)),
        conv(64, 64, 3),
        *(dense(100, 2560), dense(50, 100), dense(10, 50), dense(1, 10)),
        port=port,
    )


def yolo_kp(bits: int = 5) -> Network:
    """Return YOLO-KP, ten convolutions from 448 x 448."""
    near, half = {"padding": (1, 1)}, {"padding": (1, 1), "stride": (2, 2)}
    return chain(
        (3, 448, 448),
        conv(16, 3, 3, **half),
        conv(32, 16, 3, **half),
        conv(64, 32, 3, **half),
        conv(128, 64, 3, **half),
        conv(256, 128, 3, **near),
        conv(256, 256, 3, **half),
        conv(512, 256, 3, **near),
        conv(256, 512, 1),
        conv(512, 256, 3, **near),
        conv(48, 512, 1),
        bits=bits,
    )


def mnist() -> Network:
    """Return the MNIST network of lava-dl's tutorial."""
    return chain((784,), dense(128, 784), dense(64, 128), dense(10, 64))


def slayer_gesture() -> Network:
    """Return the DVS Gesture network of SLAYER's Loihi tutorial."""
    return chain(
        (2, 128, 128),
        pool(2, 4),
        conv(16, 2, 5, padding=(2, 2)),
        pool(16, 2),
        conv(32, 16, 3, padding=(1, 1)),
        pool(32, 2),
        dense(512, 2048),
        dense(11, 512),
        port=False,
    )


def sana_fe_gesture() -> Network:
    """Return the DVS Gesture network that SANA-FE ships, 18678 neurons."""
    return chain(
        (1, 32, 32),
        conv(16, 1, 3, stride=(2, 2)),
        conv(32, 16, 3),
        conv(64, 32, 3),
        conv(11, 64, 3),
        dense(11, 891),
        port=False,
    )


_NEAR, _HALF = {"padding": (1, 1)}, {"padding": (1, 1), "stride": (2, 2)}


def depthwise(channels: int, **options: tuple[int, int]) -> Convolution:
    """Return a convolution of 3 x 3 taps that keeps channels apart."""
    return conv(channels, 1, 3, groups=channels, **options)


def pseudo_mobilenet() -> Network:
    """Return the CIFAR-10 network of NxTF's tutorial, by the layers its notebook prints, 76810 neurons."""
    return chain(
        (3, 32, 32),
        *(conv(32, 3, 3, **_HALF), depthwise(32, **_NEAR), conv(64, 32, 1)),
        *(depthwise(64, **_HALF), conv(128, 64, 1), depthwise(128, **_NEAR), conv(128, 128, 1)),
        *(depthwise(128, **_HALF), conv(256, 128, 1), depthwise(256, **_NEAR), conv(256, 256, 1)),
        *(conv(256, 256, 2, stride=(2, 2)), dense(10, 1024)),
    )


def mobilenet() -> Network:
    """Return MobileNet with 28 layers on images of 128 x 128, 1.6 million neurons."""
    layers, channels = [conv(32, 3, 3, **_HALF)], 32
    wider = ((64, _NEAR), (128, _HALF), (128, _NEAR), (256, _HALF), (256, _NEAR), (512, _HALF))
    for out, options in (*wider, *[(512, _NEAR)] * 5, (1024, _HALF), (1024, _NEAR)):
        layers += [depthwise(channels, **options), conv(out, channels, 1)]
        channels = out
    return chain((3, 128, 128), *layers, pool(1024, 4), dense(1000, 1024))
