import { parkReasons, type PastAttempt } from '../delivery.ts';
import type { Failing, Fate } from './fate.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

const rules: Record<(Fate & { outcome: 'filtered' })['rule'], string> = {
  source: "the destination does not take this source's events",
  type: 'the destination does not take events of this type of this source',
  mapper: 'the destination type has nothing to send for it',
  integrations: "the event's integrations leave this destination out",
  unplanned: 'by the configuration of its day; by that of today it would be sent',
  untold: 'the receipt, of an older version, does not tell by which rule',
};

/** ` (503: no; failing since 12:00, 3 attempts in a row)`; nothing where nothing has failed. */
const failingWords = ({ reason, code, since, attempts }: Failing): string => {
  const parts = [
    ...(reason === undefined ? [] : [`last failure: ${reason}${code ? ` [${code}]` : ''}`]),
    ...(attempts === undefined ? [] : [`${attempts} failed in a row`]),
    ...(since === undefined ? [] : [`failing since ${iso(since)}`]),
  ];
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
};

/** What became of an event at a destination, in words. */
export const fateWords = (fate: Fate): string => {
  switch (fate.outcome) {
    case 'delivered':
      return 'delivered';
    case 'filtered':
      return `filtered: ${rules[fate.rule]}`;
    case 'rejected':
      return `rejected: ${fate.reasons.join(', or: ')}`;
    case 'abandoned':
      return `abandoned by an operator at ${iso(fate.at)}: ${fate.reason}`;
    case 'under_way':
      return `under way${fate.attempt === undefined ? '' : `: attempt ${fate.attempt}`}${failingWords(fate.failing ?? {})}`;
    case 'waiting': {
      const next =
        fate.nextAttemptAt === undefined
          ? ''
          : `: the next attempt is at ${iso(fate.nextAttemptAt)}`;
      return `waiting${fate.isPaused ? ', for its activity is paused' : next}${failingWords(fate.failing)}`;
    }
    case 'parked': {
      const kept = fate.keptUntil === undefined ? '' : `, kept until ${iso(fate.keptUntil)}`;
      const since = fate.parkedAt === undefined ? '' : ` since ${iso(fate.parkedAt)}`;
      return `parked${since}${kept}: ${parkReasons[fate.why]}${failingWords(fate.failing)}. Mend that, then redrive it`;
    }
    case 'expired':
      return `given up: it was parked for longer than it is kept (${parkReasons[fate.why]})${failingWords(fate.failing)}`;
    case 'unknown': {
      const { possible, why } = fate;
      const last = possible.at(-1);
      const all =
        possible.length > 1 ? `${possible.slice(0, -1).join(', ')} or ${last!}` : 'unknown';
      return `${all}: ${why}`;
    }
  }
};

const them = (events: number): string => (events === 1 ? 'it' : 'them');

/** Whether the partner has an attempt's events. */
export const receivedWords = ({
  received,
  events,
  status,
}: Pick<PastAttempt, 'received' | 'events'> & { status: unknown }): string => {
  if (received === 'yes' && Number(status) >= 300) return 'the partner has refused what it names';
  if (received === 'yes') return `the partner certainly received ${them(events)}`;
  if (received === 'maybe') return `the partner may have received ${them(events)}`;
  const but = events === 1 ? '' : ', but for those that it acknowledged';
  return `the partner certainly did not receive ${them(events)}${but}`;
};
