"""The ``.net`` file: lava-dl's netx, read into an integer Network and written from one."""

from neurodeploy.export.netx.reader import read_net
from neurodeploy.export.netx.writer import write_net

__all__ = ["read_net", "write_net"]
