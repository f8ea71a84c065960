"""Server optimisers on the flat vector; the mean update is the gradient.

The reference code uses AdamW (bias-corrected, with weight decay). The paper says FedAdam, which
Reddi et al. 2021 define without either. Both are available, and plain averaging.
"""

import torch
from torch import Tensor

from flasc.training.settings import AdamW, FedAdam, FedAvg


class Optimiser:
    """`params` float32 [n] and its optimiser state; `steps` counts the steps that were taken."""

    def __init__(self, params: Tensor, settings: AdamW | FedAdam | FedAvg) -> None:
        self.settings = settings
        self.params = params.clone()
        self.first = torch.zeros_like(params)
        self.second = torch.zeros_like(params)
        self.steps = 0

    def step(self, gradient: Tensor) -> None:
        """Update `params` by one step against a float32 [n] gradient."""
        lr = self.settings.lr * self.settings.schedule.factor(self.steps)
        self.steps += 1
        match self.settings:
            case AdamW():
                self._adamw(gradient, self.settings, lr)
            case FedAdam():
                self._fedadam(gradient, self.settings, lr)
            case FedAvg():
                self.params -= lr * gradient

    def _adamw(self, gradient: Tensor, s: AdamW, lr: float) -> None:
        """Loshchilov and Hutter 2019, as in torch: entries without gradient change, too."""
        self.params *= 1 - lr * s.weight_decay
        self.first.lerp_(gradient, 1 - s.beta1)
        self.second.mul_(s.beta2).addcmul_(gradient, gradient, value=1 - s.beta2)
        scale = lr / (1 - s.beta1**self.steps)
        root = self.second.sqrt() / (1 - s.beta2**self.steps) ** 0.5
        self.params.addcdiv_(self.first, root + s.eps, value=-scale)

    def _fedadam(self, gradient: Tensor, s: FedAdam, lr: float) -> None:
        """Reddi et al. 2021, algorithm 2."""
        self.first.lerp_(gradient, 1 - s.beta1)
        self.second.mul_(s.beta2).addcmul_(gradient, gradient, value=1 - s.beta2)
        self.params.addcdiv_(self.first, self.second.sqrt() + s.tau, value=-lr)

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        vectors = {"params": self.params, "first": self.first, "second": self.second}
        return vectors | {"steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state exactly."""
        kept = (state[name].clone() for name in ("params", "first", "second"))
        self.params, self.first, self.second = kept
        self.steps = int(state["steps"])
