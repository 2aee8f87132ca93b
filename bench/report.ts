import { cpus, totalmem } from 'node:os';
import { keepsBound, type Figure, type Scenario } from './scenario.ts';

/** What became of one scenario. */
export interface Result {
  name: string;
  title: string;
  figures: Figure[];
  /** Why the run is void, if it is. */
  void?: string;
}

export interface Report {
  machine: string;
  node: string;
  quick: boolean;
  at: string;
  results: Result[];
}

export const machine = (): string => {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 1_073_741_824);
  return `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${gib} GiB, ${process.platform}`;
};

export const resultOf = ({ name, title }: Scenario, figures: Figure[]): Result => ({
  name,
  title,
  figures,
});

/** A number with as many digits as it is worth. */
const shown = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
};

const boundWords = ({ atLeast, atMost }: Figure): string => {
  if (atLeast !== undefined) return `≥ ${shown(atLeast)}`;
  return atMost === undefined ? '' : `≤ ${shown(atMost)}`;
};

/** One scenario as lines of a table. */
export const table = ({ title, name, figures, void: why }: Result): string => {
  const rows = figures.map((figure) => {
    const kept = keepsBound(figure);
    const mark = kept === undefined ? '' : kept ? 'kept' : 'MISSED';
    const value = `${shown(figure.value)} ${figure.unit}`.trim();
    return [figure.name, value, boundWords(figure), mark];
  });
  const widths = [0, 1, 2].map((at) => Math.max(0, ...rows.map((row) => row[at]!.length)));
  const lines = rows.map(([label, value, bound, mark]) =>
    `  ${label!.padEnd(widths[0]!)}  ${value!.padStart(widths[1]!)}  ${bound!.padEnd(widths[2]!)}  ${mark!}`.trimEnd(),
  );
  return [`${name}: ${title}`, ...lines, ...(why === undefined ? [] : [`  VOID: ${why}`])].join(
    '\n',
  );
};

/** The same as a table in Markdown, of what is bounded and of what is first of each scenario. */
export const markdown = (results: readonly Result[]): string =>
  [
    '| scenario | figure | measured | bound |',
    '| --- | --- | --- | --- |',
    ...results.flatMap(({ title, figures }) =>
      figures.map(
        (figure) =>
          `| ${title} | ${figure.name} | ${`${shown(figure.value)} ${figure.unit}`.trim()} | ${boundWords(figure)} |`,
      ),
    ),
  ].join('\n');

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);

const margin = 16;
const rowHeight = 24;
/** Where bars begin, where the bound stands, and where bars are cut off. */
const [from, bound, end] = [260, 460, 560];
const chartWidth = 780; // as wide as a page of text: nothing is scaled down
const [good, bad] = ['#2e7d5b', '#b3402f'];

/** One figure's bar, and what it shows in words; undefined where it has no bound to be shown beside. */
const bar = (figure: Figure): ((y: number) => string) | undefined => {
  const { name, value, unit, atLeast, atMost } = figure;
  const kept = keepsBound(figure);
  if (kept === undefined || atMost === 0) return undefined;
  const share = atLeast !== undefined ? atLeast / value : value / atMost!;
  const width = Math.max(2, share * (bound - from));
  const isCut = from + width > end;
  const words = `${`${shown(value)} ${unit}`.trim()} (${boundWords(figure)})${kept ? '' : ' missed'}`;
  return (y) => {
    const [top, bottom] = [y - 12, y + 3];
    const right = isCut ? end : from + width;
    const tip = isCut ? ` L${end + 8} ${(top + bottom) / 2}` : ''; // it points to where it would end
    return [
      `<text x="${from - 10}" y="${y}" text-anchor="end">${escaped(name)}</text>`,
      `<path d="M${from} ${top} H${right.toFixed(1)}${tip} L${right.toFixed(1)} ${bottom} H${from} Z" fill="${kept ? good : bad}"/>`,
      `<text x="${end + 20}" y="${y}"${kept ? '' : ` fill="${bad}" font-weight="bold"`}>${escaped(words)}</text>`,
    ].join('\n');
  };
};

/**
 * A chart of how each bounded figure stands to its bound: bars that end left of the line keep it.
 * What must be at least something is shown inverted, so that shorter is better everywhere.
 */
export const chart = ({ results, machine: on, at }: Report): string => {
  let y = 64;
  const parts = results.flatMap(({ title, figures }) => {
    const bars = figures.flatMap((figure) => bar(figure) ?? []);
    if (bars.length === 0) return [];
    y += rowHeight + 4;
    const heading = `<text x="${margin}" y="${y}" font-weight="bold" stroke="white" stroke-width="4" paint-order="stroke">${escaped(title)}</text>`;
    return [heading, ...bars.map((draw) => draw((y += rowHeight)))];
  });
  const height = y + margin;
  const line = `x1="${bound}" x2="${bound}" y1="70" y2="${height - 6}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${chartWidth}" height="${height}" font-family="sans-serif" font-size="13">`,
    '<title>Each bounded figure beside its bound</title>',
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="${margin}" y="24">${escaped(`${on}, ${at.slice(0, 10)}`)}</text>`,
    `<text x="${margin}" y="42" fill="#555">Shorter is better; what is to be at least so much is shown inverted.</text>`,
    `<text x="${bound}" y="64" text-anchor="middle">the bound</text>`,
    `<line ${line} stroke="black" stroke-dasharray="4 3"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
};
