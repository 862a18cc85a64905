"""Makes any of Lava's neuron models write its state and spikes to files at the end of every step."""

import numpy as np


def taped(model):
    """Return a subclass of ``model`` that fills the memory maps named in its process' ``proc_params["tapes"]``.

    What it sends is taken on its way through the output port, because models differ in where they keep it.
    """

    class Taped(model):
        """The model, and its tapes."""

        def run_spk(self):
            """Let Lava do the step, then write down its outcome."""
            if not hasattr(self, "tapes"):
                self.tapes = _open(self.proc_params)
                self.sent = _listen(self.s_out)
            super().run_spk()
            row, states = self.time_step - 1, self.proc_params["tape_states"]
            for quantity, tape in self.tapes.items():
                values = self.sent[-1] if quantity == "s" else getattr(self, states[quantity])
                shape = self.proc_params["shape"]
                tape.reshape(len(tape), *shape)[row] = np.broadcast_to(values, shape)

    Taped.__name__ = f"Taped{model.__name__}"
    return Taped


def _listen(port):
    """Return a list that always holds the last message sent through ``port``."""
    sent, send = [None], port.send

    def listening(data):
        sent[-1] = data
        send(data)

    port.send = listening
    return sent


def _open(params):
    cells = int(np.prod(params["shape"]))
    return {
        quantity: np.lib.format.open_memmap(path, mode="w+", dtype=np.int32, shape=(params["tape_steps"], cells))
        for quantity, path in params["tapes"].items()
    }
