"""The GRU recurrence for CPUs: both directions at once, with the gradient written out.

On a CPU torch runs a packed bidirectional GRU as two recurrences of many small kernels, each recorded by autograd. Here
the two directions are one batch of matrix products (the backward one reads reversed clips, so nothing is packed), the
gates' factors of the gradient are computed for all frames at once, and the weights' gradients are one product over all
frames. Outputs and gradients equal those of ``nn.GRU`` up to rounding (tested).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

__all__ = ["bidirectional_layer", "reversal"]


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """(frames, B) indices that reverse each clip within its own length; padding keeps its place."""
    time = torch.arange(frames, device=lengths.device)[:, None]
    reverse = lengths[None, :] - 1 - time
    return torch.where(reverse >= 0, reverse, time)


def bidirectional_layer(features: Tensor, reverse: Tensor, gru: nn.GRU, layer: int) -> Tensor:
    """One layer of a bidirectional GRU.

    Args:
        features: (T, B, D); padding changes no frame before it.
        reverse: of :func:`reversal`, (T, B).
        gru: holds the weights.
        layer: which of its layers.

    Returns:
        (T, B, 2 * hidden): forward, then backward direction.
    """
    frames, size, width = features.shape
    weights = [
        torch.stack([getattr(gru, f"{name}_l{layer}"), getattr(gru, f"{name}_l{layer}_reverse")])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    index = reverse[:, :, None]
    both = torch.stack([features, features.gather(0, index.expand(-1, -1, width))]).view(2, frames * size, width)
    gates = torch.baddbmm(weights[2][:, None], both, weights[0].transpose(1, 2))
    gates = gates.view(2, frames, size, -1).transpose(0, 1)
    states: Tensor = _Recurrence.apply(gates, weights[1], weights[3])  # type: ignore[no-untyped-call]
    backward = states[:, 1].gather(0, index.expand(-1, -1, gru.hidden_size))
    return torch.cat([states[:, 0], backward], -1)


class _Recurrence(torch.autograd.Function):
    """h_t = (1 - z) n + z h_{t-1} with n = tanh(g_n + r (W h_{t-1} + b)_n); Cho et al. 2014, as torch defines it.

    Shapes: gates of the input (T, 2, B, 3H) in the order r, z, n; W (2, 3H, H); b (2, 3H); states (T, 2, B, H).
    """

    @staticmethod
    def forward(ctx: FunctionCtx, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        frames, both, size, wide = gates.shape
        hidden = wide // 3
        transposed, shift = weight.transpose(1, 2), bias[:, None]
        states = gates.new_zeros(frames + 1, both, size, hidden)
        reset_update = gates.new_empty(frames, both, size, 2 * hidden)
        new = gates.new_empty(frames, both, size, hidden)
        recurrent_new = torch.empty_like(new)
        state = states[0]
        for t in range(frames):
            recurrent = torch.baddbmm(shift, state, transposed)
            gate = gates[t]
            rz = torch.add(gate[..., : 2 * hidden], recurrent[..., : 2 * hidden], out=reset_update[t]).sigmoid_()
            recurrent_new[t].copy_(recurrent[..., 2 * hidden :])
            candidate = torch.addcmul(gate[..., 2 * hidden :], rz[..., :hidden], recurrent_new[t], out=new[t]).tanh_()
            state = torch.lerp(candidate, state, rz[..., hidden:], out=states[t + 1])
        ctx.save_for_backward(states, reset_update, new, recurrent_new, weight)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (gradient,) = outputs
        states, reset_update, new, recurrent_new, weight = ctx.saved_tensors
        frames, both, size, hidden = new.shape
        reset, update = reset_update[..., :hidden], reset_update[..., hidden:]
        # From dh_t to what enters the gates before their squashing: no recurrence in these factors.
        to_new = (1 - update) * (1 - new * new)
        to_update = (states[:-1] - new) * update * (1 - update)
        to_reset = to_new * recurrent_new * reset * (1 - reset)
        factors = torch.stack([to_reset, to_update, to_new * reset], -2)
        recurrent_gradient = torch.empty_like(factors)
        state_gradients = torch.empty_like(new)
        carried = gradient.new_zeros(both, size, hidden)
        for t in range(frames - 1, -1, -1):
            at = torch.add(gradient[t], carried, out=state_gradients[t])
            torch.mul(factors[t], at.unsqueeze(-2), out=recurrent_gradient[t])
            carried = torch.baddbmm(at * update[t], recurrent_gradient[t].view(both, size, 3 * hidden), weight)
        flat = recurrent_gradient.view(frames, both, size, 3 * hidden)
        gate_gradient = flat.clone()
        gate_gradient[..., 2 * hidden :] = state_gradients * to_new
        rows = flat.transpose(0, 1).reshape(both, frames * size, 3 * hidden)
        before = states[:-1].transpose(0, 1).reshape(both, frames * size, hidden)
        return gate_gradient, rows.transpose(1, 2) @ before, rows.sum(1)
