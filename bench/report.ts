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

const rowHeight = 26;
const labelWidth = 430;
const barWidth = 360;

/**
 * A chart of how each bounded figure stands to its bound: bars that end left of the line keep it.
 * What must be at least something is shown inverted, so that shorter is better everywhere.
 */
export const chart = ({ results, machine: on, at }: Report): string => {
  const rows = results.flatMap(({ name, figures }) =>
    figures.flatMap((figure) => {
      const { value, atLeast, atMost } = figure;
      if (keepsBound(figure) === undefined || atMost === 0) return [];
      const share = atLeast !== undefined ? atLeast / value : value / atMost!;
      const words = `${shown(value)} ${figure.unit}`.trim();
      return [{ label: `${name}: ${figure.name}`, share, words, bound: boundWords(figure) }];
    }),
  );
  const scale = barWidth / 2; // the bound stands in the middle
  const height = rows.length * rowHeight + 70;
  const bars = rows.map(({ label, share, words, bound }, row) => {
    const y = 50 + row * rowHeight;
    const width = Math.max(2, Math.min(share, 2) * scale);
    const colour = share <= 1 ? '#2e7d5b' : '#b3402f';
    return [
      `<text x="${labelWidth - 10}" y="${y + 14}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${labelWidth}" y="${y}" width="${width.toFixed(1)}" height="18" fill="${colour}"/>`,
      `<text x="${labelWidth + barWidth + 10}" y="${y + 14}">${escaped(words)} (${escaped(bound)})</text>`,
    ].join('\n');
  });
  const middle = labelWidth + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${labelWidth + barWidth + 200}" height="${height}" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="10" y="20">${escaped(`${on}, ${at.slice(0, 10)}`)}</text>`,
    `<text x="${middle}" y="40" text-anchor="middle">the bound</text>`,
    ...bars,
    `<line x1="${middle}" x2="${middle}" y1="45" y2="${height - 15}" stroke="black" stroke-dasharray="4 3"/>`,
    '</svg>',
    '',
  ].join('\n');
};
