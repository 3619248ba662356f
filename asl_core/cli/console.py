"""What a run prints: one screen before training, a line per epoch, the result and the next command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from asl_core.cli.showing import Display
from asl_core.cli.tables import table_lines
from asl_core.cli.wrapping import columns, say, wrapped
from asl_core.config.run_config import RunConfig
from asl_core.data.audit import Audit
from asl_core.evaluation.metrics import HEADLINES, TOP1, WER, headlines, metric_of
from asl_core.files.bounded import plain
from asl_core.text import json_text, one_line, shortened
from asl_core.training.events import EpochReport

if TYPE_CHECKING:
    from asl_core.studies.curriculum import StageResult

__all__ = [
    "ConsoleObserver",
    "JsonObserver",
    "QuietObserver",
    "audit_lines",
    "percent",
    "print_line",
    "print_report",
    "print_stages",
]


def percent(share: float) -> str:
    """``0.6123`` as "61.2 %"."""
    return f"{100 * share:.1f} %"


def audit_lines(audit: Audit) -> list[str]:
    """The splits and the findings, a line each."""
    lines = [
        f"{name:<6} {s.clips} clips, {s.glosses} glosses, {s.frames[0]}/{s.frames[1]:g}/{s.frames[2]} frames "
        f"(min/median/max), {s.width} features per frame, {percent(s.empty_share)} frames empty"
        + (f", {s.signers} signers" if s.signers else "")
        for name, s in audit.splits.items()
    ]
    return [one_line(line) for line in (*lines, *(f"{f.level}: {f.message}" for f in audit.findings))]


class ConsoleObserver:
    """Plain lines, in colour where the output is a terminal."""

    def __init__(self, display: Display | None = None):
        self.display = display or Display()
        self.console = self.display.console
        self._warned: set[str] = set()

    def _line(self, text: str, style: str | None = None) -> None:
        print_line(self.console, text, style)
        self.display.spoke()

    def on_start(self, config: RunConfig, summary: Mapping[str, Any]) -> None:
        """Print data, model, device, and where the run is saved."""
        for line in audit_lines(summary["audit"]):
            self._line(line, "red" if line.startswith("error") else "yellow" if line.startswith("warning") else None)
        heads = ", ".join(
            f"{h.choice.name} ({' + '.join(_weighted(loss.choice.name, loss.weight) for loss in h.losses.values())})"
            for h in config.heads.values()
        )
        self._line(
            f"model  {config.encoder.name} encoder, {heads} head, {summary['parameters']:,} parameters, "
            f"{summary['classes']} glosses; chance {percent(1 / max(1, summary['classes']))}"
        )
        augments = ", ".join(a.name for a in config.augments) or "none"
        self._line(
            f"train  {config.train.epochs} epochs, batches of {config.train.batch_size}, augmentation {augments}, "
            f"seed {config.run.seed}, on {summary['device']} ({summary['precision']}, {summary['threads']} threads"
            + (f", each batch shared by {summary['processes']} processes)" if summary["processes"] > 1 else ")")
        )
        for number, line in enumerate(summary["transfer"]):
            self._line(f"{'' if number else 'init':<6} {line}", "yellow" if line.startswith("warning") else None)
        for note in summary["notes"]:
            self._line(f"note: {note}")
        self._line(f"run    {summary['run']}" + (f" (from epoch {summary['done'] + 1})" if summary["done"] else ""))

    def on_epoch(self, report: EpochReport) -> None:
        """One line."""
        parts = [
            f"epoch {report.epoch:>{len(str(report.epochs))}}/{report.epochs}",
            f"loss {report.train['loss']:.3f}",
        ]
        losses = [k for k in report.train if k != "loss"]
        if shown := _parts(losses):
            parts.append("(" + ", ".join(f"{short} {report.train[k]:.3f}" for k, short in shown) + ")")
        for key, value in report.val.items():
            metric = metric_of(key, losses)
            if metric in HEADLINES or key.endswith("blank"):
                parts.append(f"{key} {metric.text(value)}")
        if report.val and not {TOP1.name, WER.name} & set(report.val):
            figures = [k for k in report.val if k not in losses]
            parts.append("val " + ", ".join(f"{k} {report.val[k]:.3f}" for k in figures))
        parts.append(f"{report.seconds:.1f} s, {_duration(report.seconds_left)} left")
        self._line("  ".join(parts))
        for warning in report.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._line(f"warning: {warning}", "yellow")

    def on_end(self, summary: Mapping[str, Any]) -> None:
        """Print the result and what to type next."""
        print_report(summary["report"], self.console, "last epoch")
        best = summary["best"]
        for metric in (TOP1, WER):
            if metric.name in best:
                value = metric.text(best[metric.name])
                self._line(f"best epoch by val: {summary['best_epoch']} with {metric.title} {value}")
        self._line(f"saved in {summary['run']}; next: {', or '.join(summary['next'])}")


class QuietObserver(ConsoleObserver):
    """Prints only the result."""

    def on_start(self, config: RunConfig, summary: Mapping[str, Any]) -> None:
        """Nothing."""

    def on_epoch(self, report: EpochReport) -> None:
        """Print warnings only."""
        for warning in report.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                say(one_line(f"warning: {warning}"), err=True)


class JsonObserver:
    """One JSON object a line on standard output, for programs."""

    def __init__(self, display: Display | None = None):
        self.display = display or Display()

    def _emit(self, **entry: Any) -> None:
        click.echo(json_text(plain(entry), default=str))
        self.display.spoke()

    def on_start(self, config: RunConfig, summary: Mapping[str, Any]) -> None:
        """``{"event": "start", …}``."""
        audit: Audit = summary["audit"]
        self._emit(event="start", config=config.values(), **{**summary, "audit": audit.to_json()})

    def on_epoch(self, report: EpochReport) -> None:
        """``{"event": "epoch", …}``."""
        self._emit(event="epoch", epoch=report.epoch, epochs=report.epochs, train=report.train, val=report.val,
                   best_epoch=report.best_epoch, warnings=report.warnings, seconds=report.seconds)  # fmt: skip

    def on_end(self, summary: Mapping[str, Any]) -> None:
        """``{"event": "end", …}``."""
        self._emit(event="end", **summary)


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """One line of any text, without escape codes and markup."""
    for line in wrapped(one_line(text), columns(console.file)):
        console.print(Text(line), style=style)


def print_report(report: Mapping[str, Any], console: Console, title: str) -> None:
    """Print an evaluation."""
    if not report:  # there was no split to evaluate on
        return
    metrics, clips = report["metrics"], _scored_of(report)
    if WER.name in metrics:
        value = WER.text(metrics[WER.name])
        if "wer_interval" in report:
            value += " (95 % interval {} to {})".format(*map(WER.text, report["wer_interval"]))
        print_line(console, f"{title}: {WER.title} {value}, {clips}")
        if "text_of" in report:
            print_line(
                console,
                f"the text, and so its word error rate, is that of {report['text_of']} alone: only the "
                f"probabilities of single signs are averaged over runs",
            )
    elif "top1" in metrics:
        low, high = report["interval"]
        rest = f", top-1 without unknown glosses {percent(metrics['top1-known'])}" if "top1-known" in metrics else ""
        print_line(
            console,
            f"{title}: top-1 {percent(metrics['top1'])} (95 % interval {percent(low)} to {percent(high)}), top-5 "
            f"{percent(metrics['top5'])}, chance {percent(report['chance'])}, {clips}{rest}",
        )
        mean = report["class_top1"]
        print_line(
            console,
            f"mean over {mean['glosses']} glosses: top-1 {percent(mean['mean'])}"
            + (f" ({mean['without_clips']} glosses have no clip and are left out)" if mean["without_clips"] else ""),
        )
        print_line(console, f"hardest: {_signs(report['hardest'])}")
        if report["easiest"]:
            print_line(console, f"easiest: {_signs(report['easiest'])}")
        if report["confusions"]:
            pairs = ", ".join(f"{c['was']} as {c['said']} ({c['clips']})" for c in report["confusions"][:5])
            print_line(console, f"most confused: {pairs}")
    elif metrics or report.get("unscored"):
        figures = ", ".join(f"{k} {v:.4g}" for k, v in metrics.items()) or "no figure"
        print_line(console, f"{title}: {figures}, {clips}")
    for why, ids in report.get("unscored", {}).items():
        print_line(console, f"not scored, for {why}: {len(ids)} clips ({shortened(ids)})")


def _scored_of(report: Mapping[str, Any]) -> str:
    """``165 clips``, or ``164 of 165 clips`` where not all could be scored."""
    scored = report.get("scored", report["clips"]) if report.get("unscored") else report["clips"]
    return f"{scored} of {report['clips']} clips" if scored != report["clips"] else f"{scored} clips"


def print_stages(results: Sequence[StageResult]) -> None:
    """Print a table of the stages of a curriculum."""
    rows = []
    for result in results:
        config, summary = result.stage.config, result.summary
        last = summary["report"].get("metrics") or summary["best"]
        shown = [m.name for m in headlines(last)] or [k for k in last if "/" not in k][:3]
        figures = ", ".join(f"{k} {metric_of(k).text(last[k])}" for k in shown)
        heads = ", ".join(h.choice.name for h in config.heads.values())
        state = "done before" if result.done_before else "done"
        start = result.stage.after or "random"
        rows.append([result.stage.name, start, config.encoder.name, heads, str(summary["epochs"]), figures, state])
    for line in table_lines(["stage", "from", "encoder", "head", "epochs", "val", ""], rows):
        say(line)


def _signs(rows: Sequence[Mapping[str, Any]], most: int = 6) -> str:
    return ", ".join(f"{r['gloss']} {round(r['top1'] * r['clips'])}/{r['clips']}" for r in rows[:most])


def _parts(names: Sequence[str]) -> list[tuple[str, str]]:
    """(key, short name) of the parts of the loss to print: not those of a single objective with a single part."""
    whole = [n for n in names if "/" not in n]
    if len(whole) > 1:
        return [(n, n) for n in whole]
    inner = [(n, n.partition("/")[2]) for n in names if "/" in n]
    return inner if len(inner) > 1 else []


def _weighted(name: str, weight: float) -> str:
    return name if weight == 1 else f"{weight:g}·{name}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"
