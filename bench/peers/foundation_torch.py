#!/usr/bin/env python3
"""The foundation model in PyTorch: the same network, weights, episodes, loss and optimizer as `guike pretrain`.

    python foundation_torch.py --folder FOLDER --shops 8 --steps 20 --threads 2

FOLDER holds `weights.safetensors` and `episode-0.safetensors` and on, as `bench foundation` writes them. Every step takes the
next episodes: each forward and back by itself, its gradient shortened to 1, then AdamW on their mean. Prints, as JSON, the
loss of the first step (which tells that it is the same network), CPU and wall seconds of the steps after a warm-up of one
pass over the files, and the peak memory in MiB.

The recurrence runs over padded events, one step of all customers at a time: what a PyTorch user writes. It is the only part
that is not one fused call of the library.
"""
import argparse, json, resource, struct, time
import numpy as np, torch
import torch.nn.functional as F

FADES = torch.tensor([14.0, 60.0, 240.0, 960.0, 1e9], dtype=torch.float64)
WEIGHTS = (1.0, 0.4, 0.1, 0.2)
SEASON, STEP = 13, 28.0


def read(path):
    """Arrays of a safetensors file."""
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    body = raw[8 + size :]
    out = {}
    for name, at in header.items():
        if name != "__metadata__":
            low, high = at["data_offsets"]
            out[name] = torch.from_numpy(np.frombuffer(body[low:high], dtype="<f4").reshape(at["shape"]).copy())
    return out


class Episode:
    def __init__(self, path):
        a = read(path)
        self.__dict__.update(a)
        offsets = a["offsets"].long()
        length = offsets[1:] - offsets[:-1]
        rows, steps = len(length), int(length.max())
        self.events_padded = torch.zeros(steps, rows, a["events"].shape[1])
        self.since_padded = torch.zeros(steps, rows, 1)
        self.there = torch.zeros(steps, rows, 1, dtype=torch.bool)
        for i in range(rows):
            n, low = int(length[i]), int(offsets[i])
            self.events_padded[:n, i] = a["events"][low : low + n]
            self.since_padded[:n, i, 0] = a["since"][low : low + n]
            self.there[:n, i] = True
        self.group = torch.repeat_interleave(torch.arange(len(a["runs"])), a["runs"].long())
        self.n = int(a["runs"][0])


def gelu(x):
    return x * torch.sigmoid(1.702 * x)


def linear(p, name, x, bias=True):
    return F.linear(x, p[name].t(), p[name + ".bias"][0] if bias else None)


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[name + ".gain"][0], p[name + ".bias"][0])


def block(p, name, x):
    return x + linear(p, f"{name}.down", gelu(linear(p, f"{name}.up", norm(p, f"{name}.norm", x))))


def scan(p, e):
    gate = torch.sigmoid(linear(p, "events.gate", e.events_padded))
    value = linear(p, "events.value", e.events_padded)
    speed = torch.exp(p["events.decay"])
    keep = gate * torch.exp(-speed * e.since_padded)
    new = (1.0 - gate) * value
    h = torch.zeros(value.shape[1:])
    for t in range(value.shape[0]):
        h = torch.where(e.there[t], keep[t] * h + new[t], h)
    return h * torch.exp(-speed * e.idle[:, None])


def attend(q, k, v, heads):
    shape = lambda x: x.view(1, len(x), heads, -1).transpose(1, 2)
    found = F.scaled_dot_product_attention(shape(q), shape(k), shape(v))
    return found.transpose(1, 2).reshape(len(q), -1)


def forward(p, e, blocks, looks, heads):
    scenes = linear(p, "scene.out", gelu(linear(p, "scene.in", e.scenes)))
    h = linear(p, "row", e.rows) + linear(p, "events.out", scan(p, e), bias=False) + scenes[e.group]
    for i in range(blocks):
        h = block(p, f"encoder.{i}", h)
    h, others = h[: e.n], h[e.n :]
    tokens = p["nobody"]
    if len(others):
        tokens = torch.cat([tokens, block(p, "example", others + linear(p, "label", e.labels))])
    tokens = norm(p, "example.last", tokens)
    for i in range(looks):
        x = norm(p, f"look.{i}.norm", h)
        q = linear(p, f"look.{i}.query", x, bias=False)
        k, v = (linear(p, f"look.{i}.{part}", tokens, bias=False) for part in ("key", "value"))
        h = block(p, f"look.{i}.block", h + linear(p, f"look.{i}.out", attend(q, k, v, heads), bias=False))
    return linear(p, "head", norm(p, "last", h)), linear(p, "season", scenes[:1])[0]


def basis(season, days):
    """Integrals of the fading rates over a horizon with the season in them."""
    whole, start, step = 0.0, 0.0, 0
    while start < days:
        end = min(start + STEP, days)
        part = FADES * torch.exp(-start / FADES) * -torch.expm1(-(end - start) / FADES)
        whole, start, step = whole + torch.exp(season[step % SEASON]) * part, end, step + 1
    return whole


def loss(out, season, e):
    out, season = out.double(), season.double()
    log_rate, log_spend = e.bases.double().T
    classes = torch.log_softmax(out[:, :3], 1)
    rate = log_rate[:, None] + out[:, 3:5].clamp(-8, 6) + torch.tensor([-0.7, 0.7])
    shares = torch.softmax(out[:, 5:15].reshape(-1, 2, 5), 2)
    shape = torch.exp(out[:, 15:17].clamp(-4, 4) + 0.5)
    log_spend = log_spend + out[:, 17].clamp(-5, 5)
    v = torch.exp(out[:, 18].clamp(-4, 3))
    total = 0.0
    for h, n in zip(e.horizons.tolist(), e.orders.double().T):
        mu = (torch.exp(rate.clamp(max=4.1)) * (shares * basis(season, h)).sum(2)).clamp(min=1e-12)
        n = n[:, None]
        fail = -torch.log1p(mu / shape)
        log_p = (torch.lgamma(n + shape) - torch.lgamma(shape) - torch.lgamma(n + 1)
                 + shape * fail + n * (torch.log(mu / shape) + fail))
        gone = torch.where(n == 0, classes[:, :1], torch.tensor(-torch.inf, dtype=torch.float64))
        total = total - torch.logsumexp(torch.cat([gone, classes[:, 1:] + log_p], 1), 1) / len(e.horizons)
    loss = WEIGHTS[0] * total
    n = e.orders.double()[:, -1]
    active = n > 0
    if active.any():
        count, spent = n[active], e.spend.double()[active]
        ratio = (spent / count).clamp(min=1e-6) / torch.exp(log_spend[active])
        trust = count / (1.0 + 0.3 * count)
        part = WEIGHTS[1] * trust * (ratio - 1.0 - torch.log(ratio))
        p = torch.exp(classes)
        none = p[:, :1] + (p[:, 1:] * torch.exp(shape * fail)).sum(1, keepdim=True)
        expected = (p[:, 1:] * mu).sum(1) / (1.0 - none[:, 0]).clamp(min=1e-9)
        mean = log_spend[active] + torch.log(expected.clamp(min=1e-12))[active]
        off = torch.log(spent.clamp(min=1e-6)) - mean.detach() + v[active] / 2
        part = part + WEIGHTS[2] * (0.5 * torch.log(v[active]) + off * off / (2 * v[active]))
        loss = loss.index_add(0, active.nonzero()[:, 0], part)
    known = e.alive >= 0
    if known.any():
        gone = torch.exp(classes[:, 0]).clamp(1e-7, 1 - 1e-7)
        loss = loss - WEIGHTS[3] * torch.where(e.alive > 0, torch.log(1 - gone), torch.log(gone)) * known
    return loss.mean()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--folder", required=True)
    a.add_argument("--shops", type=int, default=8)
    a.add_argument("--steps", type=int, default=20)
    a.add_argument("--threads", type=int, default=2)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    p = {n: x.requires_grad_(n != "edges") for n, x in read(f"{a.folder}/weights.safetensors").items()}
    blocks = sum(n.startswith("encoder.") and n.endswith(".up") for n in p)
    looks = sum(n.startswith("look.") and n.endswith(".query") for n in p)
    learned = [x for n, x in p.items() if n != "edges"]
    matrices, vectors = [x for x in learned if x.shape[0] > 1], [x for x in learned if x.shape[0] == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=2e-3, betas=(0.9, 0.98), eps=1e-8, fused=True)
    import glob
    files = sorted(glob.glob(f"{a.folder}/episode-*.safetensors"), key=lambda f: int(f.rsplit("-", 1)[1].split(".")[0]))
    episodes = [Episode(f) for f in files]

    def step(i):
        sums, total = [torch.zeros_like(x) for x in learned], 0.0
        for j in range(a.shops):
            e = episodes[(i * a.shops + j) % len(episodes)]
            one = loss(*forward(p, e, blocks, looks, 4), e)
            grads = torch.autograd.grad(one, learned, allow_unused=True)
            grads = [torch.zeros_like(x) if g is None else g for g, x in zip(grads, learned)]
            length = torch.sqrt(sum((g * g).sum() for g in grads))
            scale = min(1.0, 1.0 / float(length))
            for s, g in zip(sums, grads):
                s.add_(g, alpha=scale / a.shops)
            total += float(one) / a.shops
        for x, s in zip(learned, sums):
            x.grad = s
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        return total

    first = [step(i) for i in range(len(episodes) // a.shops)][0]
    cpu, wall = time.process_time(), time.perf_counter()
    for i in range(a.steps):
        step(i)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"loss": first, "cpu": cpu, "wall": wall, "peak_mib": peak}))


if __name__ == "__main__":
    main()
