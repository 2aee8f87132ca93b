import { isPrivateAddress } from './activities/addresses.ts';
import type { Destination } from './destinations/destination.ts';

/** Whether a text is an address that is private however names are looked up. */
const isPrivate = (value: unknown): boolean => {
  if (typeof value !== 'string' || !/^https?:/i.test(value) || !URL.canParse(value)) return false;
  const host = new URL(value).hostname.replace(/^\[|\]$/g, '');
  return isPrivateAddress(host) || /^(.+\.)?localhost\.?$/.test(host);
};

/**
 * Where a destination is told to send to addresses that `network.allowPrivate: false` forbids: each
 * of its events would be refused. A setting that is an address is where its type sends to.
 * @returns paths below the destination's own
 */
export const privateAddresses = ({ endpoint, shared, own }: Destination): string[][] => {
  if (endpoint !== undefined) return isPrivate(endpoint) ? [['endpoint']] : [];
  const everywhere: Record<string, unknown> = shared?.settings ?? {};
  const found = Object.keys(everywhere).filter((key) => isPrivate(everywhere[key]));
  return [
    ...found.map((key) => ['settings', key]),
    ...[...own].flatMap(([source, { settings }]) =>
      Object.entries(settings)
        .filter(([key, value]) => value !== everywhere[key] && isPrivate(value))
        .map(([key]) => ['connections', source, 'settings', key]),
    ),
  ];
};
