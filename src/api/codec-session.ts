import { createHmac } from 'node:crypto';
import type { CookieOptions } from 'express';
import { isSameSecret } from './operator-token.ts';

const hours = 12;
const sessionMs = hours * 3_600_000;

export const sessionCookie = 'distributary-codec';

/** A cookie can be made by whoever knows the token alone, and serves the pages of one origin alone. */
const sign = (token: string, origin: string, expires: string): string =>
  createHmac('sha256', token).update(`codec-session\0${expires}\0${origin}`).digest('base64url');

/** A cookie's value that lets pages of an origin use the codec endpoint for twelve hours. */
export const newSession = (token: string, origin: string, now: number): string => {
  const expires = String(now + sessionMs);
  return `${expires}.${sign(token, origin, expires)}`;
};

/** Whether a request's cookies have a session for pages of this origin. */
export const hasSession = (
  cookies: string | undefined,
  origin: string,
  token: string,
  now: number,
): boolean =>
  (cookies ?? '').split(/; */).some((cookie) => {
    const [, expires, signature] =
      new RegExp(`^${sessionCookie}=(\\d{1,16})\\.([\\w-]{43})$`).exec(cookie) ?? [];
    return (
      signature !== undefined &&
      Number(expires) > now &&
      isSameSecret(signature, sign(token, origin, expires!))
    );
  });

/**
 * Scripts never see it. Over TLS it also goes to us from a Web UI on another site; it then is of use to
 * that origin alone. Without TLS browsers send such a cookie within one site only.
 */
export const sessionOptions = (secure: boolean): CookieOptions => ({
  httpOnly: true,
  path: '/codec',
  maxAge: sessionMs,
  secure,
  sameSite: secure ? 'none' : 'strict',
});

/** Where an operator types the token, once in a while. */
export const loginPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Distributary: show events in the Web UI</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem }
  label { display: block; margin: 1rem 0 } input { display: block; width: 100%; font: inherit }
</style>
<h1>Show events in the Web UI</h1>
<p>For ${hours} hours, in this browser, and in Temporal's Web UI at the address below alone. There, switch on
“include cross-origin credentials” beside the codec endpoint.</p>
<form method="post" action="session">
  <label>Address of the Web UI
    <input name="origin" type="url" required placeholder="http://127.0.0.1:8233"></label>
  <label>Operator token
    <input name="token" type="password" required autocomplete="off"></label>
  <button>Show them</button>
</form></html>
`;
export const loginPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
