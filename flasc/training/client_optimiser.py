"""Client optimisers on the vectors of several clients at once, for both engines.

One client gives the bits of torch.optim's SGD and AdamW, and of clip_grad_norm_.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from flasc.training.settings import Client

BETAS, EPS = (0.9, 0.999), 1e-8  # of AdamW, as in torch


class ClientOptimiser:
    """The optimiser of a group of clients, fresh at the start of their round.

    Parameters and gradients are lists of float32 [clients, ...]: one stacked vector, or each
    parameter of a model. A later step may have fewer clients: the first ones.
    """

    def __init__(self, settings: Client, parameters: Sequence[Tensor]) -> None:
        self.settings = settings
        self._first = [torch.zeros_like(parameter) for parameter in parameters]
        is_adamw = settings.optimizer == "adamw"
        self._second = [torch.zeros_like(parameter) for parameter in parameters if is_adamw]
        self._steps = 0

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        trainable: Sequence[Tensor] | None = None,
    ) -> None:
        """Update `parameters` in place; `gradients` are zero outside `trainable` (bool, alike).

        Gradients that are clipped change in place. Entries outside `trainable`, and parameters
        without a gradient, keep their values.
        """
        clients = len(parameters[0])
        if self.settings.clip_norm is not None:
            clip([each for each in gradients if each is not None], self.settings.clip_norm)
        warmup = self.settings.warmup
        lr = self.settings.lr * min(1.0, (self._steps + 1) / warmup if warmup else 1.0)
        self._steps += 1
        for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            if gradient is None:
                continue
            first = self._first[i][:clients]
            if self.settings.optimizer == "sgd":
                first.mul_(self.settings.momentum).add_(gradient)
                parameter.add_(first, alpha=-lr)
            else:
                self._decay(parameter, lr, None if trainable is None else trainable[i])
                self._adamw(parameter, first, self._second[i][:clients], gradient, lr)

    def _decay(self, parameter: Tensor, lr: float, trainable: Tensor | None) -> None:
        factor = 1 - lr * self.settings.weight_decay
        if trainable is None:
            parameter.mul_(factor)
        elif factor != 1:
            parameter.copy_(torch.where(trainable, parameter * factor, parameter))

    def _adamw(
        self, parameter: Tensor, first: Tensor, second: Tensor, gradient: Tensor, lr: float
    ) -> None:
        """Loshchilov and Hutter 2019, with torch's order of operations."""
        beta1, beta2 = BETAS
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (second.sqrt() / (1 - beta2**self._steps) ** 0.5).add_(EPS)
        parameter.addcdiv_(first, root, value=-(lr / (1 - beta1**self._steps)))


def clip(gradients: Sequence[Tensor], most: float) -> None:
    """Scale each client's gradient to an L2 norm of at most `most`, over all parameters jointly."""
    norms = torch.stack([torch.linalg.vector_norm(each.flatten(1), dim=1) for each in gradients])
    factors = (most / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))
