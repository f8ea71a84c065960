"""Methods: which entries go down, may train and go up. One small file each, one line here.

A method is asked once a round and keeps no clock; what it must remember from round to round it
keeps in `state`, so that a training can be restored exactly. Masks are bool [n] tensors; None
stands for every entry.
"""

from flasc import method_settings as settings
from flasc.common import plugins
from flasc.methods.base import Got, Layout, Mask, Method, Penalty, Task
from flasc.methods.dense import DenseLora, FfaLora, Full, Head
from flasc.methods.federated_select import AdapterLth, FederatedSelect
from flasc.methods.flasc import Flasc, FlascTiers
from flasc.methods.rank_tiers import HetLora, RankTiers
from flasc.methods.sparse_adapter import SparseAdapter

__all__ = ["METHODS", "Got", "Layout", "Mask", "Method", "Penalty", "Task", "kind_of"]

METHODS: dict[type[settings.MethodSettings], type[Method]] = {
    settings.Full: Full,
    settings.Head: Head,
    settings.DenseLora: DenseLora,
    settings.FfaLora: FfaLora,
    settings.Flasc: Flasc,
    settings.FlascTiers: FlascTiers,
    settings.FederatedSelect: FederatedSelect,
    settings.SparseAdapter: SparseAdapter,
    settings.AdapterLth: AdapterLth,
    settings.RankTiers: RankTiers,
    settings.HetLora: HetLora,
}


def kind_of(method: settings.MethodSettings) -> type[Method]:
    """The method that these settings describe: one of ours, or of another package's."""
    found: type[Method] = METHODS.get(type(method)) or plugins.implementation(method)
    return found
