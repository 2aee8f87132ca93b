/** The style of the sandbox's page, light and dark. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f5f7f8; --sheet: #ffffff; --line: #dde4e8; --ink: #16242c; --soft: #5a6c76;
  --river: #0b6e8a; --good: #1a7f4b; --good-ground: #e2f4ea; --again: #8a6100;
  --again-ground: #fbf1d5; --bad: #b3261e; --bad-ground: #fce8e6; --code: #f0f4f6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f171b; --sheet: #172127; --line: #2b3941; --ink: #e6eef2; --soft: #94a7b1;
    --river: #55bdd9; --good: #63cf96; --good-ground: #14331f; --again: #e5b84b;
    --again-ground: #37290a; --bad: #ff8f86; --bad-ground: #3f1a17; --code: #101a1f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
h1 { margin: 0; font-size: 24px; letter-spacing: -0.01em; }
header p { margin: 0; color: var(--soft); }
#link { margin-left: auto; font-size: 13px; color: var(--soft); }
#link::before { content: ''; display: inline-block; width: 8px; height: 8px; margin-right: 6px;
  border-radius: 50%; background: var(--soft); }
#link[data-state='live']::before { background: var(--good); }
#link[data-state='lost']::before { background: var(--bad); }
#partners { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px;
  margin: 24px 0 16px; }
.card { padding: 14px 16px; background: var(--sheet); border: 1px solid var(--line);
  border-radius: 10px; }
.card h2 { margin: 0 0 6px; font-size: 13px; font-weight: 600; color: var(--soft); }
.card strong { font-size: 28px; line-height: 1.1; font-variant-numeric: tabular-nums; }
.card span { margin-left: 6px; color: var(--soft); }
.card ul { display: flex; gap: 16px; margin: 8px 0 0; padding: 0; list-style: none; font-size: 13px;
  color: var(--soft); font-variant-numeric: tabular-nums; }
.card li.duplicate { color: var(--again); }
.card li.rejected { color: var(--bad); }
.card li.none { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 12px; }
button { padding: 5px 12px; font: inherit; font-size: 13px; color: var(--ink);
  background: var(--sheet); border: 1px solid var(--line); border-radius: 999px; cursor: pointer; }
button:hover { border-color: var(--river); }
button[aria-pressed='true'] { color: var(--sheet); background: var(--river);
  border-color: var(--river); }
button:focus-visible, summary:focus-visible { outline: 2px solid var(--river); outline-offset: 1px; }
nav .end { margin-left: auto; display: flex; gap: 8px; }
#rows { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; }
#rows:empty { display: none; }
details + details { border-top: 1px solid var(--line); }
summary { display: grid; grid-template-columns: 8px 100px 146px 100px minmax(0, 1fr) minmax(0, 1.3fr) 84px;
  gap: 12px; align-items: baseline; padding: 9px 16px; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::before { content: '›'; color: var(--soft); }
details[open] summary::before { transform: rotate(90deg); }
summary:hover { background: var(--code); }
summary > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
time, .ids, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: 12.5px; }
time, .partner, .kind, .ids { color: var(--soft); }
.name { font-weight: 600; }
.verdict { justify-self: end; padding: 1px 9px; font-size: 12.5px; border-radius: 999px; }
.verdict.accepted { color: var(--good); background: var(--good-ground); }
.verdict.duplicate { color: var(--again); background: var(--again-ground); }
.verdict.rejected { color: var(--bad); background: var(--bad-ground); }
.reason { grid-column: 5 / -1; margin-top: -8px; color: var(--bad); font-size: 13px;
  white-space: normal; overflow-wrap: anywhere; }
.verdict.accepted + .reason, .verdict.duplicate + .reason { color: var(--again); }
pre { margin: 0; padding: 14px 16px; max-height: 480px; overflow: auto; background: var(--code);
  border-top: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
#empty { padding: 48px 24px; text-align: center; background: var(--sheet);
  border: 1px dashed var(--line); border-radius: 10px; }
#empty[hidden] { display: none; }
#empty h2 { margin: 0 0 4px; font-size: 17px; }
#empty p { margin: 0 0 16px; color: var(--soft); }
#empty pre { display: inline-block; max-width: 100%; text-align: left; border: 1px solid var(--line);
  border-radius: 8px; }
@media (max-width: 760px) {
  summary { display: flex; flex-wrap: wrap; gap: 2px 12px; }
  .verdict { margin-left: auto; order: 1; }
  .name, .ids, .reason { flex-basis: 100%; order: 2; margin-top: 0; }
}
`;
