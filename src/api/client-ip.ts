import type { Request } from 'express';
import { isIP, isIPv4 } from 'node:net';

/** `203.0.113.9`, `203.0.113.9:4711`, `[2001:db8::1]:4711`, `::ffff:203.0.113.9` → the address alone. */
const addressOf = (text: string): string | undefined => {
  const bracketed = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1];
  const address = bracketed ?? text.replace(/^([\d.]+):\d+$/, '$1');
  const mapped = address.replace(/^::ffff:(?=[\d.]+$)/i, '');
  return isIP(mapped) === 0 ? undefined : mapped;
};

/** Where a request comes from: its connection, or what the proxies say that express may trust. */
export const clientIp = ({ ip, socket }: Pick<Request, 'ip' | 'socket'>): string | undefined =>
  addressOf(ip ?? '') ?? addressOf(socket.remoteAddress ?? '');

/** Who posted a request: its address, and whether it is the user's own browser or device. */
export interface Client {
  ip: string | undefined;
  isUsers: boolean;
}

/**
 * The `ip` to complete a context with, as Segment does: of whoever asks for it with `direct: true`,
 * and, IPv6 aside, of users' own clients, unless they say `direct: false`. What a context has as
 * `ip`, null included, stays: undefined then.
 */
export const missingIp = (
  context: Record<string, unknown>,
  { ip, isUsers }: Client,
): string | undefined => {
  if (ip === undefined || context['ip'] !== undefined) return undefined;
  if (context['direct'] === true) return ip;
  return isUsers && context['direct'] !== false && isIPv4(ip) ? ip : undefined;
};
