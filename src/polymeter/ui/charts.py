"""Charts: Bokeh documents made here and drawn by its own script in the browser.

Numbers are made floats for drawing only; the tables beside the chart show what is stored. A gap is no line:
the curve is broken there and the missing time is shaded.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from polymeter.services.fleet import History

__all__ = ["TARGET", "chart"]

TARGET: Final = "chart"
"""The id of the element it is drawn in."""

_COLOURS: Final = {
    "light": {"ink": "#1d2733", "grid": "#d5dbe1", "line": "#0b62a8", "gap": "#b3261e"},
    "dark": {"ink": "#dfe6ee", "grid": "#36414d", "line": "#6db8f2", "gap": "#ff8a80"},
}


def chart(history: History, theme: str) -> dict[str, Any]:
    """The document that `Bokeh.embed.embed_item` draws.

    Args:
        theme: `light` or `dark`.
    """
    # Imported late: half a second that only those pay who look at a chart.
    from bokeh.core.types import ID
    from bokeh.embed import json_item
    from bokeh.models import BasicTickFormatter, HoverTool
    from bokeh.models.annotations import BoxAnnotation
    from bokeh.plotting import figure

    colours = _COLOURS[theme]
    plot = figure(
        x_axis_type="datetime",
        height=320,
        sizing_mode="stretch_width",
        tools="pan,xwheel_zoom,box_zoom,reset,save",
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        y_axis_label=history.series.unit,
        x_axis_label="UTC",
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    times, values = _points(history)
    plot.line(times, values, line_width=2, color=colours["line"])
    plot.scatter(times, values, size=4, color=colours["line"])
    for gap in history.gaps:
        plot.add_layout(
            BoxAnnotation(
                left=_ms(gap.after),
                right=_ms(gap.before),
                fill_color=colours["gap"],
                fill_alpha=0.15,
                hatch_pattern="/",
                hatch_color=colours["gap"],
                hatch_alpha=0.4,
            )
        )
    tips = [("time (UTC)", "$x{%F %T}"), (history.series.name, f"$y{{0.[000000]}} {history.series.unit}")]
    plot.add_tools(HoverTool(tooltips=tips, formatters={"$x": "datetime"}, mode="vline"))
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_label_text_color = colours["ink"]
        axis.major_label_text_color = colours["ink"]
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = colours["grid"]
    plot.grid.grid_line_color = colours["grid"]
    plot.yaxis.formatter = BasicTickFormatter(use_scientific=False)
    return dict(json_item(plot, ID(TARGET)))


def _ms(at: datetime) -> float:
    return at.timestamp() * 1000


def _points(history: History) -> tuple[list[float], list[float]]:
    holes = {gap.after for gap in history.gaps}
    times: list[float] = []
    values: list[float] = []
    for shown in history.rows:
        if not isinstance(shown.reading.value, Decimal):
            continue
        times.append(_ms(shown.reading.instant))
        values.append(float(shown.reading.value))
        if shown.reading.instant in holes:
            times.append(_ms(shown.reading.instant) + 1)
            values.append(float("nan"))
    return times, values
