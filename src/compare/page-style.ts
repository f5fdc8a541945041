/** Style of the comparison's page: two accents that differ in lightness too, in both colour schemes. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --page: #fff; --ink: #1c2126; --soft: #5b6670; --line: #d5dbe0;
  --left: #0b6fb8; --right: #c2540a; --heat: #7a3fb0; --prefill: #0b6fb8; --transfer: #c2540a; --decode: #3f8f4f; }
@media (prefers-color-scheme: dark) { :root { --page: #14181c; --ink: #e8ecef; --soft: #9aa6b0; --line: #333c44;
  --left: #58b1f0; --right: #f0975a; --heat: #b98ae6; --prefill: #58b1f0; --transfer: #f0975a; --decode: #7cc98a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 70rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
.a { color: var(--left); } .b { color: var(--right); }
.answer { border-left: 4px solid var(--left); padding: .25rem 0 .25rem 1rem; margin: 1rem 0; }
.answer p { font-size: 1.15rem; font-weight: 600; margin: 0 0 .5rem; }
.answer li { margin: .25rem 0; } .note { color: var(--soft); font-size: .9rem; max-width: 60rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line);
  white-space: pre-line; overflow-wrap: break-word; }
thead th { border-bottom: 2px solid var(--soft); } tbody th { font-weight: 600; min-width: 8rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1.25rem; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .title { font-weight: 600; font-size: 13px; } svg .soft { fill: var(--soft); }
.grid { stroke: var(--line); } .limit { stroke: var(--soft); stroke-dasharray: 5 4; }
.line { fill: none; stroke-width: 2.5; } .line.left, .dot.left { stroke: var(--left); }
.line.right, .dot.right { stroke: var(--right); } .dot { fill: var(--page); stroke-width: 2; }
.line.right { stroke-dasharray: 7 3; }
.cell.left { fill: var(--left); } .cell.right { fill: var(--right); } .cell.even { fill: var(--soft); }
.cell.heat { fill: var(--heat); } .cell.prefill { fill: var(--prefill); fill-opacity: .55; }
.cell.transfer { fill: var(--transfer); fill-opacity: .8; } .cell.decode { fill: var(--decode); fill-opacity: .45; }
.flows { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 2rem; }
.flow { list-style: none; padding: 0; margin: 0; } .flow li { border: 1px solid var(--line); border-radius: 6px;
  padding: .5rem .8rem; } .flow .via { border: 0; padding: .15rem .8rem; color: var(--soft); font-size: .85rem; }
.flow strong { display: block; } .flow span { display: block; font-size: .9rem; }
details summary { cursor: pointer; font-weight: 600; margin: 1.25rem 0 .5rem; }
`;
