"""Networks of a recipe's [model] table, untrained but with norms that let their neurons fire now and then."""

import numpy as np
import torch
from torch import nn

from neurodeploy.export.systems import read_system, record_system
from neurodeploy.models.architectures import MODEL_KINDS, ModelContext, kind_of

SHAPE, CLASSES, STEPS = (2, 12, 12), 5, 5


def alive(settings, seed=0, shape=SHAPE, steps=STEPS):
    """Return a network in evaluation mode."""
    torch.manual_seed(seed)
    model = MODEL_KINDS[kind_of(settings)].build(settings, ModelContext(shape, CLASSES, steps))
    return awakened(model, shape, steps)


def awakened(model, shape=SHAPE, steps=STEPS):
    """Give the norms of a network statistics of its own and shares that let its neurons fire."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1.5, 3.0)
            nn.init.uniform_(module.bias, 0.0, 0.8)
            module.momentum = None
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.1, 0.4)
    with torch.no_grad():
        model.train()(torch.from_numpy(clips(4, 1, shape, steps)).float().transpose(0, 1))
    return model.eval()


def clips(samples, seed=0, shape=SHAPE, steps=STEPS):
    """Return input uint8 [samples, steps, *shape]."""
    return (np.random.default_rng(seed).random((samples, steps, *shape)) < 0.3).astype(np.uint8)


def graph_of(model, shape=SHAPE):
    return read_system(model, shape, 1e-3)


def answers(model, inputs):
    return record_system(model, torch.from_numpy(inputs).float().transpose(0, 1))
