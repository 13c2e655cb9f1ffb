"""The style sheet of the page: one column, readable on a phone, black on white, suitable for print."""

STYLE = """\
:root { color-scheme: light; --ink: #222; --quiet: #5c5c5c; --line: #d9d9d9; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 2px solid var(--line); }
p, ul { margin: .6rem 0; }
ul { padding-left: 1.2rem; }
li { margin: .35rem 0; }
ul.key { list-style: none; padding: .6rem 1rem; border-left: 4px solid var(--blue); background: #f2f7fb; }
.quiet { color: var(--quiet); font-size: .875rem; }
.warn { padding: .5rem .8rem; border-left: 4px solid #d55e00; background: #fdf3ec; }
.wide { overflow-x: auto; margin: 1rem 0; overflow-wrap: normal; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #eee; text-align: right; vertical-align: top; }
td { white-space: nowrap; }
th:first-child, .words { text-align: left; white-space: normal; min-width: 7rem; }
tbody th { font-weight: 400; }
thead th { color: var(--quiet); font-weight: 600; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; }
figcaption { color: var(--quiet); font-size: .875rem; }
summary { cursor: pointer; color: var(--blue); padding: .4rem 0; }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; white-space: pre-wrap; font-size: .875rem; }
:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  .wide { overflow: visible; }
  figure, table, ul.key { break-inside: avoid; }
  img { max-height: 23cm; width: auto; }
  h2 { break-after: avoid; }
}
"""
