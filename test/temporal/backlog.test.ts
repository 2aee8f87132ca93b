import { afterEach, expect, test } from '@jest/globals';
import { trackEvent } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { openRoad, type Road } from '../support/road.ts';
import { destinationQueue } from '../../src/delivery.ts';
import { watchBacklog } from '../../src/temporal/backlog.ts';

let road: Road | undefined;
afterEach(async () => {
  await road?.close();
});

test('tells how long the oldest task of a queue that nobody works on has waited', async () => {
  const settings = { url: 'http://127.0.0.1:9/' };
  const destinations = [{ name: 'hook', type: 'webhook', settings }];
  road = await openRoad({ destinations, attended: false });
  const ages: number[] = [];
  const { connection } = road;
  const queue = destinationQueue(road.name('hook'));
  const observe = (_queue: string, ageMs: number) => ages.push(ageMs);
  const end = watchBacklog({ connection, namespace: 'default', queues: [queue], observe });
  await eventually(() => expect(ages[0]).toBe(0));
  await road.start([trackEvent()]);
  await eventually(() => expect(Math.max(...ages)).toBeGreaterThan(500));
  end();
});
