import { afterEach, expect, test } from '@jest/globals';
import type { OperatorDeps } from '../../src/api/operator-routes.ts';
import { CannotOpen } from '../../src/encryption.ts';
import { UserError } from '../../src/user-error.ts';
import { eventually } from '../support/eventually.ts';
import { closeServers, serveApi } from './api-server.ts';

afterEach(closeServers);

const token = 'a-token-of-the-test';
const bearer = { authorization: `Bearer ${token}` };
const found: OperatorDeps['explain'] = (question) =>
  Promise.resolve({ events: [question], searched: 'Searched all.' });
const serve = async (explain: OperatorDeps['explain'] = found) => {
  const { url } = await serveApi({ operator: { token, explain } });
  return (query: string, init: RequestInit = { headers: bearer }) =>
    fetch(`${url}/v1/operator/explain${query}`, init);
};

test('asks what the query says, and lets nobody keep the answer', async () => {
  const get = await serve();
  const answer = await get('?messageId=a%2Bb%20c&around=2h+ago');
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    events: [{ messageId: 'a+b c', around: '2h ago' }],
    searched: 'Searched all.',
  });
  expect(answer.headers.get('Cache-Control')).toBe('no-store');
});

test.each([
  ['none', {}],
  ['another', { authorization: 'Bearer a-token-of-the-tesT' }],
  ['a part', { authorization: 'Bearer a-token' }],
  ['an empty one', { authorization: 'Bearer ' }],
  ['Basic', { authorization: `Basic ${btoa(`${token}:`)}` }],
])('lets nobody in without the token: %s', async (_, headers: Record<string, string>) => {
  const get = await serve(() => Promise.reject(new Error('was asked')));
  const answer = await get('?messageId=m', { headers });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toEqual({
    code: 'no_operator_token',
    message: "Send the operator's token as Authorization: Bearer",
  });
});

test('is not there where no token is configured', async () => {
  const { url } = await serveApi();
  const answer = await fetch(`${url}/v1/operator/explain?messageId=m`, { headers: bearer });
  const other = await fetch(`${url}/v1/nothing`);
  expect(answer.status).toBe(404);
  expect(await answer.json()).toEqual(await other.json());
});

test('pages of browsers are not let in', async () => {
  const get = await serve();
  const origin = { origin: 'https://shop.example' };
  const preflight = await get('?messageId=m', { method: 'OPTIONS', headers: origin });
  expect(preflight.status).toBe(405);
  const answer = await get('?messageId=m', { headers: { ...bearer, ...origin } });
  for (const { headers } of [preflight, answer]) {
    expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
  }
});

test.each([
  ['', 'messageId: is missing'],
  ['?messageid=m', 'The query takes messageId, batch, around alone'],
  ['?messageId=m&messageId=n', 'messageId is there twice'],
  [`?messageId=m&around=${'9'.repeat(1_001)}`, 'around is too long'],
])('a query that is none: %s', async (query, message) => {
  const get = await serve();
  const answer = await get(query);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ code: 'invalid_query', message });
});

test.each([
  [
    'not found',
    () => Promise.resolve({ events: [], searched: 'All.' }),
    404,
    'event_not_found',
    'All.',
  ],
  ['a mistake', () => Promise.reject(new UserError('no time')), 400, 'invalid_query', 'no time'],
  [
    'a key that is gone',
    () => Promise.reject(new CannotOpen('no key')),
    500,
    'cannot_open',
    'no key',
  ],
] as const)('%s', async (_, explain, status, code, message) => {
  const get = await serve(explain);
  const answer = await get('?messageId=m');
  expect([answer.status, await answer.json()]).toEqual([status, { code, message }]);
});

test('no more than two searches at a time; one whose asker has gone is ended', async () => {
  let slow = 0;
  const get = await serve((question, over) => {
    if (question.messageId !== 'slow') return found(question, over);
    slow += 1;
    return new Promise((_, reject) => {
      over.addEventListener('abort', () => reject(over.reason as Error));
    });
  });
  const gone = new AbortController();
  const asked = Promise.allSettled(
    [1, 2].map(() => get('?messageId=slow', { headers: bearer, signal: gone.signal })),
  );
  await eventually(() => expect(slow).toBe(2));
  const refused = await get('?messageId=m');
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '5']);
  gone.abort();
  await asked;
  await eventually(async () => expect((await get('?messageId=m')).status).toBe(200));
});
