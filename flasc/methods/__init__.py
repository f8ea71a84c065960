"""Methods: which entries are downloaded, trained and uploaded. One file per method, one line here.

Packages add methods in the entry point group `flasc_emu.methods`.
"""

from flasc.methods.adapter_lth import AdapterLth
from flasc.methods.base import MethodSettings as MethodSettings
from flasc.methods.dense import DenseLora, FfaLora, Full, Head
from flasc.methods.federated_select import FederatedSelect
from flasc.methods.flasc import Flasc
from flasc.methods.flasc_tiers import FlascTiers
from flasc.methods.het_lora import HetLora
from flasc.methods.rank_tiers import RankTiers
from flasc.methods.sparse_adapter import SparseAdapter

METHODS: list[type[MethodSettings]] = [
    Full,
    Head,
    DenseLora,
    FfaLora,
    Flasc,
    FederatedSelect,
    SparseAdapter,
    AdapterLth,
    FlascTiers,
    RankTiers,
    HetLora,
]
