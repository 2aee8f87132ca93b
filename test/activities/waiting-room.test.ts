import { expect, test } from '@jest/globals';
import { createWaitingRoom } from '../../src/activities/waiting-room.ts';
import { eventually } from '../support/eventually.ts';

const open = ({
  works = () => true,
  hasRoom = () => true,
  isOverdue = () => false,
  isDone = () => true,
}: {
  works?: () => boolean;
  hasRoom?: () => boolean;
  isOverdue?: (connection: string) => boolean;
  /** Whether a delivery that was called has come and ended. */
  isDone?: () => boolean;
} = {}) => {
  const called: string[] = [];
  const room = createWaitingRoom({
    call: (delivery) => {
      const { workflowId } = delivery;
      called.push(workflowId);
      if (isDone()) room.done(delivery);
      return workflowId === 'gone' ? Promise.reject(new Error('no such')) : Promise.resolve();
    },
    gapMs: () => 1,
    works,
    isOverdue,
    hasRoom,
    closed: new AbortController().signal,
    now: () => 0,
  });
  const enter = (workflowId: string, connection: string, dueInMs = 60_000): void =>
    room.enter([connection], { workflowId, runId: workflowId, activityId: '1' }, dueInMs);
  return { room, called, enter };
};

test('calls back whoever waits for a connection, once, and nobody else', async () => {
  const { room, called, enter } = open();
  enter('one', 'a');
  enter('gone', 'a');
  enter('other', 'b');
  enter('soon', 'a', 500); // comes by itself
  enter('left', 'a');
  enter('last', 'a');
  room.leave({ workflowId: 'left', runId: 'left', activityId: '1' });
  room.callBack('a');
  room.callBack('a');
  await eventually(() => expect(called).toEqual(['one', 'gone', 'last']));
  room.callBack('b');
  await eventually(() => expect(called).toEqual(['one', 'gone', 'last', 'other']));
});

test('calls no more once the connection fails again', async () => {
  let works = true;
  const { room, called, enter } = open({ works: () => works });
  for (let n = 0; n < 20; n++) enter(`d-${n}`, 'a');
  room.callBack('a');
  await eventually(() => expect(called.length).toBeGreaterThan(2));
  works = false;
  const { length } = called;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(called.length).toBeLessThanOrEqual(length + 1);
});

test('waits for a slot', async () => {
  let hasRoom = false;
  const { room, called, enter } = open({ hasRoom: () => hasRoom });
  enter('one', 'a');
  room.callBack('a');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(called).toEqual([]);
  hasRoom = true;
  await eventually(() => expect(called).toEqual(['one']));
});

test('calls one of those that wait for a connection that nobody tries', async () => {
  let overdue = 'b';
  const { called, enter } = open({
    works: () => false,
    isOverdue: (connection) => {
      const is = connection === overdue;
      if (is) overdue = '';
      return is;
    },
  });
  enter('one', 'a');
  enter('two', 'b');
  enter('three', 'b');
  await eventually(() => expect(called).toEqual(['two']));
});

test('calls sixteen, and the next once one of them has ended', async () => {
  const { room, called, enter } = open({ isDone: () => false });
  const names = Array.from({ length: 17 }, (_, n) => `d-${n}`);
  for (const name of names) enter(name, 'a');
  room.callBack('a');
  await eventually(() => expect(called).toEqual(names.slice(0, 16)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(called).toHaveLength(16);
  room.done({ workflowId: 'd-0', runId: 'd-0', activityId: '1' });
  await eventually(() => expect(called).toEqual(names));
});
