//! A start as a drawing: bars on an axis of time, as `systemd-analyze plot` draws a boot; pure.

use std::fmt::Write;

use super::timeline::{Kind, Span, Timeline};

/// Everything is in units of the drawing, which are pixels unless it is scaled.
const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 20.0;
const TOP: f64 = 60.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
/// To the right of this, the text of a bar is to the bar's left.
const TURNS: f64 = 620.0;

/// Light or dark, as the reader's browser asks for.
const STYLE: &str = "
  text { font: 12px sans-serif; fill: #222; stroke: #fff; stroke-width: 3px; paint-order: stroke }
  .title { font-size: 15px; font-weight: bold }
  .paper { fill: #fff }
  .grid { stroke: #ddd }
  .mark { stroke: #c33; stroke-dasharray: 4 3 }
  .wait { fill: #bcd }
  .session { fill: #37a }
  .other { fill: #7a5 }
  .failed { fill: #c66 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd; stroke: #181818 }
    .paper { fill: #181818 }
    .grid { stroke: #444 }
    .wait { fill: #456 }
    .session { fill: #6ad }
    .other { fill: #9c7 }
  }
";

/// Draws a start.
#[must_use]
pub fn draw(timeline: &Timeline) -> String {
    let end = timeline.end();
    let scale = (WIDTH - 2.0 * MARGIN) / end;
    let x = |at: f64| MARGIN + at * scale;
    let rows = timeline.spans.len();
    let bottom = TOP + ROW * f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) + 10.0;
    let height = bottom + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"26\">{title}</text>\n",
        title = escape(&timeline.headline())
    );
    let step = step(end);
    let mut at = 0.0;
    while at <= end {
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{bottom}\"/>\
             <text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\">{at:.0} ms</text>",
            x(at),
            bottom + 18.0
        );
        at += step;
    }
    let marks = [("asked", timeline.asked), ("managed", timeline.managed)];
    for (name, time) in marks.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        let _ = writeln!(
            svg,
            "<line class=\"mark\" x1=\"{0:.1}\" y1=\"{1}\" x2=\"{0:.1}\" y2=\"{bottom}\"/>\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\">{name}</text>",
            x(timeline.at(time)),
            TOP - 6.0,
            TOP - 10.0
        );
    }
    let mut y = TOP + 4.0;
    for span in &timeline.spans {
        bar(&mut svg, timeline, span, y, &x);
        y += ROW;
    }
    svg + "</svg>\n"
}

/// One unit: light until its program runs, full from then until it is up.
fn bar(svg: &mut String, timeline: &Timeline, span: &Span, y: f64, x: &dyn Fn(f64) -> f64) {
    let Some(leaves) = span.times.leaves else { return };
    let begin = x(timeline.at(leaves));
    let end = span.times.active.map_or_else(|| x(timeline.end()), |active| x(timeline.at(active))).max(begin + 2.0);
    let runs = span.times.executed.or(span.times.forked).map_or(begin, |runs| x(timeline.at(runs))).clamp(begin, end);
    let class = match (span.times.active, span.kind) {
        (None, _) => "failed",
        (Some(_), Kind::Session) => "session",
        (Some(_), Kind::Other) => "other",
    };
    for (class, from, to) in [("wait", begin, runs), (class, runs, end)] {
        if to > from {
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
                to - from
            );
        }
    }
    let (at, anchor) = if end < TURNS { (end + 5.0, "start") } else { (begin - 5.0, "end") };
    let label = format!("{} ({})", escape(&span.name), span.took_in_words(" ms"));
    let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>", y + 11.5);
}

/// The distance of two lines of the axis, in ms: 1, 2 or 5 times a power of ten, for about ten lines in all.
fn step(end: f64) -> f64 {
    let mut step = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if end / (step * factor) <= 12.0 {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

/// Escapes text that goes between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::example;
    use super::{draw, step};
    use crate::testing::golden;

    #[test]
    fn golden_drawing() {
        golden("analyze.svg", &draw(&example()));
    }

    #[test]
    fn the_axis_has_about_ten_lines() {
        for (end, expected) in
            [(1.0, 1.0), (12.0, 1.0), (13.0, 2.0), (160.0, 20.0), (700.0, 100.0), (90_000.0, 10_000.0)]
        {
            assert!((step(end) - expected).abs() < 1e-9, "{end}: {}", step(end));
        }
    }
}
