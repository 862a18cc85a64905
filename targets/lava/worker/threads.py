"""Runs Lava's process models in the threads of one process: no forks, no shared memory, nothing that can hang unseen.

The models are Lava's, made by Lava's own builder; only what connects them is ours. A process reads one message from
each of its inputs and writes one to each of its outputs in every step, so the order in which threads run cannot change
any value (a Kahn network), and no clock is needed: each thread goes through its steps as far as its inputs reach.
"""

import threading
from queue import SimpleQueue

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.utils import PortInitializer, VarInitializer
from lava.magma.core.process.ports.ports import create_port_id
from taped import MODELS

#: Steps a thread may run ahead of another, which bounds what waits in the channels.
PORTION = 256


class Abandoned(Exception):
    """Another process of the network has failed."""


class Channel:
    """One connection between two ports, typed as Lava's: the sender's shape and type, with the casts of a C array."""

    def __init__(self, source, target, dtype):
        self.shape, self.dtype = source.shape, np.dtype(dtype)
        self.queue = SimpleQueue()
        self.sender, self.receiver = Sender(source.name, self), Receiver(target.name, self)

    def abandon(self):
        """Wake the receiver for good."""
        self.queue.put(None)


class Sender:
    """The end that a process writes to."""

    def __init__(self, name, channel):
        self.name, self.channel = name, channel

    def send(self, data):
        """Send a copy, cast to the channel's type."""
        if data.shape != self.channel.shape:
            raise AssertionError(f"a message of shape {data.shape} on a channel of {self.channel.shape}")
        message = np.empty(self.channel.shape, self.channel.dtype)
        message[:] = data[:]
        self.channel.queue.put(message)


class Receiver:
    """The end that a process reads from."""

    def __init__(self, name, channel):
        self.name, self.channel = name, channel

    def recv(self):
        """Wait for a message and return it."""
        message = self.channel.queue.get()
        if message is None:
            raise Abandoned
        return message


def step_through(processes, steps, progress):
    """Run the processes, which name all that is connected, for ``steps`` steps; raise the first exception of any."""
    models, channels = assemble(processes)
    for start in range(0, steps, PORTION):
        portion = min(PORTION, steps - start)
        failures = []
        threads = [
            threading.Thread(target=_advance, args=(model, portion, channels, failures), daemon=True)
            for model in models
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        progress(start + portion)


def _advance(model, steps, channels, failures):
    try:
        for _ in range(steps):
            model.time_step += 1
            model.run_spk()
            if failures:
                return
    except Abandoned:
        pass
    except BaseException as error:  # noqa: BLE001  # raised again where the threads are joined
        failures.append(error)
        for channel in channels:
            channel.abandon()


def assemble(processes):
    """Return the models of the processes, connected, and the channels between them."""
    builders = {process.id: _builder(process) for process in processes}
    channels = []
    for process in processes:
        for source in process.out_ports:
            for target in source.get_dst_ports():
                dtype = getattr(MODELS[type(process)], source.name).d_type
                channel = Channel(source, target, dtype)
                channels.append(channel)
                builders[process.id].set_csp_ports([channel.sender])
                receiving = builders[target.process.id]
                receiving.set_csp_ports([channel.receiver])
                receiving.add_csp_port_mapping(create_port_id(process.id, source.name), channel.receiver)
    return [builder.build() for builder in builders.values()], channels


def _builder(process):
    model = MODELS[type(process)]
    builder = PyProcessBuilder(model, process.id, process.proc_params)
    builder.set_variables([VarInitializer(var.name, var.shape, var.init, var.id) for var in process.vars])
    ports = [
        PortInitializer(
            port.name,
            port.shape,
            getattr(model, port.name).d_type,
            type(port).__name__,
            PORTION,
            port.get_incoming_transform_funcs(),
        )
        for port in (*process.in_ports, *process.out_ports)
    ]
    builder.set_py_ports(ports)
    builder.check_all_vars_and_ports_set()
    return builder
