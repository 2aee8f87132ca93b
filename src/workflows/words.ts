import {
  countRanges,
  failureCodes,
  parkReasons,
  type Abandonment,
  type Unsettled,
} from '../delivery.ts';
import type { Parked } from './parking.ts';

/** The server takes summaries of at most 400 bytes, with what an encryption adds; a task with a longer one fails. */
const summaryBytes = 200;
/** And details of at most 20,000. */
const detailsBytes = 15_000;

/** Of a connection's last attempts; the query `deliveries` answers with more. */
const answersShown = 3;

/** The Web UI (2.42) measures the frame of the details too low: without a rule the last line is cut off. */
const lastLine = '\n---';

const bytesOf = (character: string): number => (character.codePointAt(0)! < 0x80 ? 1 : 4);

const bytesIn = (text: string): number => {
  let bytes = 0;
  for (const character of text) bytes += bytesOf(character);
  return bytes;
};

/** The longest beginning of a text that takes no more bytes. */
const cut = (text: string, most: number): string => {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > most - 1) return `${kept}…`;
    kept += character;
  }
  return kept;
};

const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;

/** What a timer or an activity is about, in one line. */
const partSummary = ({ connection, events, reason }: Unsettled): string =>
  cut(
    `${connection}: ${counted(countRanges(events), 'event')}${reason === undefined ? '' : `, ${reason}`}`,
    summaryBytes,
  );

/** The same of several. */
export const partsSummary = (parts: readonly Unsettled[]): string =>
  cut(parts.slice(0, 3).map(partSummary).join('; '), summaryBytes);

export const parkedSummary = ({ part }: Parked): string =>
  cut(`parked: ${partSummary(part)}`, summaryBytes);

/** The Web UI takes HTML in Markdown for markup, and partners answer with some. */
const literal = (text: string): string => `\`${text.replaceAll('`', "'")}\``;

const parkedWords = ({ part, parkedAt }: Parked): string => {
  const { connection, events, parked = 'failed', since, attempts, reason, past = [] } = part;
  const tried =
    since === undefined
      ? ''
      : ` Failing since ${time(since)}, ` +
        `${attempts === undefined ? 'as others have found' : `${counted(attempts, 'attempt')} in a row`}.`;
  const answers = past.slice(-answersShown).map(
    ({ at, status, reason: words, received }) =>
      `  - ${time(at)}: ${words === undefined ? 'taken' : literal(words)}` +
      `${typeof status === 'number' ? '' : ` (${failureCodes[status]})`}; ` +
      {
        no: 'the partner certainly has none of those left',
        yes: 'the partner has answered for each',
        maybe: 'the partner may have those left',
      }[received],
  );
  return [
    `- **${connection}**: ${counted(countRanges(events), 'event')} parked since ${time(parkedAt)}, as ${parkReasons[parked]}.${tried}`,
    ...(answers.length === 0 && reason !== undefined ? [`  - last: ${literal(reason)}`] : answers),
  ].join('\n');
};

/** What the Web UI shows of a batch, in Markdown: what is stuck, since when, and what can be done. */
export const stuckDetails = (parked: readonly Parked[], remark: string | undefined): string => {
  const about = remark === undefined ? [] : [`\n${remark}`];
  const [first] = parked;
  if (first === undefined) return ['Nothing is stuck.', ...about].join('\n');
  const { destination } = first;
  const end = [
    '\nOnce the cause is mended, send it again:\n',
    '- all of this batch: the signal `redrive` (More Actions, Send a Signal)',
    `- some of it: the same with names as its input, as in \`["${destination}"]\``,
    `- of every batch: the command \`distributary redrive --destination ${destination}\``,
    '\nOr give it up: the signal `abandon` with ' +
      `\`{"names": ["${destination}"], "reason": "why"}\`.`,
    ...about,
    lastLine,
  ].join('\n');
  const words: string[] = [];
  let bytes = end.length;
  for (const part of parked) {
    const more = parkedWords(part);
    bytes += bytesIn(more);
    if (bytes > detailsBytes) {
      words.push(`- and ${parked.length - words.length} more`);
      break;
    }
    words.push(more);
  }
  return `${words.join('\n')}\n${end}`;
};

/** Why a batch fails in the end. */
export const expiredWords = (expired: readonly Unsettled[]): string =>
  cut(
    `Not delivered, and kept for as long as it is: ${expired.map(partSummary).join('; ')}`,
    2_000,
  );

/** What an operator gave up of a part. */
export const abandonment = (part: Unsettled, reason: string, at: number): Abandonment => ({
  connection: part.connection,
  reason,
  at,
  count: countRanges(part.events),
  events: part.events,
});
