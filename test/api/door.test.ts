import { afterEach, expect, test } from '@jest/globals';
import { createDoor, type Door } from '../../src/api/door.ts';
import { UserError } from '../../src/user-error.ts';

const doors: Door[] = [];
afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close()));
});
const open = async (port = 0): Promise<Door> => {
  const door = await createDoor({ host: '127.0.0.1', port });
  doors.push(door);
  return door;
};

test('sends clients away for a while until there is an app, then lets it answer', async () => {
  const door = await open();
  const early = await fetch(`${door.url}/v1/track`, { method: 'POST', body: '{}' });
  expect([early.status, early.headers.get('Retry-After'), await early.json()]).toEqual([
    503,
    '2',
    { code: 'overloaded', message: 'Distributary is starting' },
  ]);
  const { url } = door.open((_request, response) => response.end('yes'));
  expect(url).toBe(door.url);
  expect(await (await fetch(url)).text()).toBe('yes');
});

test('tells at once of a port that is taken', async () => {
  const { port } = await open();
  await expect(open(port)).rejects.toThrow(UserError);
});
