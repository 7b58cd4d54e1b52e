#pragma once

namespace train {

/// The report's look, light and dark. The colours of the series are Okabe and Ito's, which colour-blind readers tell
/// apart, lightened for the dark.
inline constexpr const char* report_style = R"(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1d2430; --faint: #667085; --rule: #e3e7ed; --accent: #0072b2;
  --good: 0 114 178; --bad: 213 94 0;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #b5508c;
  --series-5: #b8860b; --series-6: #3f8fc4; --series-7: #6b4fb3; --series-8: #5b6675;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161d; --card: #1a2029; --ink: #e4e8ef; --faint: #98a2b3; --rule: #2d3542; --accent: #6ec1f0;
    --good: 60 150 210; --bad: 225 110 30;
    --series-1: #56b4e9; --series-2: #ee8e42; --series-3: #3fc79d; --series-4: #e08fc0;
    --series-5: #e3c04a; --series-6: #9fd0ef; --series-7: #ab93ea; --series-8: #a6b0bf;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
       Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 17px; font-weight: 600; color: var(--faint); margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 12px; }
.headline { font-size: 34px; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; margin: 4px 0 8px; }
.remark { color: var(--faint); margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 20px 22px;
          margin-top: 20px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px 28px; margin: 0; }
.facts dt { color: var(--faint); font-size: 13px; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 24px 32px; }
figure { margin: 0; }
figcaption { font-weight: 600; }
.legend { margin: 0; font-size: 13px; color: var(--faint); }
.legend span { margin-right: 12px; white-space: nowrap; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 5px;
            vertical-align: middle; }
.chart { width: 100%; height: auto; display: block; margin-top: 6px; }
.chart text { fill: var(--faint); font-size: 11.5px; }
.chart .rule { stroke: var(--rule); }
.chart .mark { stroke: var(--faint); stroke-dasharray: 4 4; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart .dot { opacity: 0.55; }
)"
                                            R"(
.l1 { stroke: var(--series-1); } .f1 { fill: var(--series-1); } .s1 { background: var(--series-1); }
.l2 { stroke: var(--series-2); } .f2 { fill: var(--series-2); } .s2 { background: var(--series-2); }
.l3 { stroke: var(--series-3); } .f3 { fill: var(--series-3); } .s3 { background: var(--series-3); }
.l4 { stroke: var(--series-4); } .f4 { fill: var(--series-4); } .s4 { background: var(--series-4); }
.l5 { stroke: var(--series-5); } .f5 { fill: var(--series-5); } .s5 { background: var(--series-5); }
.l6 { stroke: var(--series-6); } .f6 { fill: var(--series-6); } .s6 { background: var(--series-6); }
.l7 { stroke: var(--series-7); } .f7 { fill: var(--series-7); } .s7 { background: var(--series-7); }
.l8 { stroke: var(--series-8); } .f8 { fill: var(--series-8); } .s8 { background: var(--series-8); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; color: var(--faint); font-size: 13px; }
.names th, .names td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.names th { white-space: nowrap; }
.confusion td { min-width: 38px; text-align: center; border: 2px solid var(--card); border-radius: 4px; }
.confusion th { max-width: 160px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; border: 0; }
.confusion thead th { text-align: center; max-width: 90px; }
.confusion thead .corner { max-width: none; text-align: right; }
.confusion .right { background: rgb(var(--good) / var(--part)); }
.confusion .wrong { background: rgb(var(--bad) / var(--part)); }
.confusion .none { color: var(--rule); }
.confusion .found { color: var(--faint); text-align: right; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 20px 40px;
       align-items: start; }
.narrow { max-width: 560px; }
.graph { overflow-x: auto; text-align: center; }
.graph text { fill: var(--ink); }
.graph [fill="white"] { fill: none; }
.graph [fill="black"] { fill: var(--faint); }
.graph [stroke="black"] { stroke: var(--faint); }
.graph svg { max-width: 100%; height: auto; max-height: 900px; }
pre { overflow: auto; font-size: 12px; max-height: 400px; }
summary { cursor: pointer; font-weight: 600; font-size: 17px; }
details .wide { margin-top: 12px; }
@media print { section { break-inside: avoid; } body { background: none; } }
)";

}  // namespace train
