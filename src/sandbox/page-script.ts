/**
 * The script of the sandbox's page. Events are written by strangers: they reach the page as text
 * nodes only, and the page's policy allows no other script.
 */
export const pageScript = String.raw`
'use strict';
const most = 500;
const byId = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const titles = Object.fromEntries(
  [...document.querySelectorAll('[data-show]')].map(({ dataset, textContent }) =>
    [dataset.show, textContent]));
let shown = 'all';
let paused = false;
let waiting = [];

const isShown = (arrival) =>
  shown === 'all' || shown === arrival.partner || shown === arrival.verdict;

const rowOf = (arrival) => {
  const row = make('details');
  const summary = make('summary');
  const time = make('time', '', new Date(arrival.at).toLocaleTimeString([], { hour12: false }) +
    '.' + arrival.at.slice(20, 23));
  time.dateTime = arrival.at;
  const ids = Object.entries(arrival.ids).map(([key, value]) => key + ' ' + value).join(' · ');
  const name = make('span', 'name', arrival.name || '(no name)');
  const told = make('span', 'ids', ids);
  name.title = arrival.name;
  told.title = ids;
  summary.append(time, make('span', 'partner', titles[arrival.partner]),
    make('span', 'kind', arrival.kind), name, told,
    make('span', 'verdict ' + arrival.verdict, arrival.verdict));
  row.append(summary);
  if (arrival.reason) summary.append(make('span', 'reason', arrival.reason));
  row.addEventListener('toggle', async () => {
    if (!row.open || row.querySelector('pre')) return;
    const pre = make('pre', '', '…');
    row.append(pre);
    try {
      const answer = await fetch('/received/' + arrival.id);
      const found = await answer.json();
      pre.textContent = answer.ok ? JSON.stringify(found.content, null, 2) : found.error;
    } catch {
      pre.textContent = 'The sandbox does not answer.';
    }
  });
  row.arrival = arrival;
  row.hidden = !isShown(arrival);
  return row;
};

const showCounts = (counts) => {
  const cards = Object.entries(counts).map(([partner, { accepted, duplicate, rejected }]) => {
    const card = make('section', 'card');
    const list = make('ul');
    const line = (kind, number, words) =>
      list.append(make('li', number === 0 ? 'none' : kind, number.toLocaleString() + ' ' + words));
    line('duplicate', duplicate, duplicate === 1 ? 'duplicate' : 'duplicates');
    line('rejected', rejected, 'rejected');
    card.append(make('h2', '', titles[partner]), make('strong', '', accepted.toLocaleString()),
      make('span', '', 'accepted'), list);
    return card;
  });
  byId('partners').replaceChildren(...cards);
};

const add = (arrivals) => {
  const rows = byId('rows');
  rows.prepend(...arrivals.map(rowOf));
  while (rows.childElementCount > most) rows.lastElementChild.remove();
  byId('empty').hidden = rows.childElementCount > 0;
};
const onSnapshot = ({ counts, arrivals }) => {
  waiting = [];
  showCounts(counts);
  byId('rows').replaceChildren();
  add(arrivals);
};
const onArrivals = ({ counts, arrivals }) => {
  showCounts(counts);
  if (paused) waiting = [...arrivals, ...waiting].slice(0, most);
  else add(arrivals);
  byId('pause').textContent = paused ? 'Resume (' + waiting.length + ')' : 'Pause';
};

for (const button of document.querySelectorAll('[data-show]')) {
  button.addEventListener('click', () => {
    shown = button.dataset.show;
    for (const other of document.querySelectorAll('[data-show]')) {
      other.setAttribute('aria-pressed', String(other === button));
    }
    for (const row of byId('rows').children) row.hidden = !isShown(row.arrival);
  });
}
byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', String(paused));
  byId('pause').textContent = paused ? 'Resume' : 'Pause';
  if (!paused) add(waiting.splice(0));
});
byId('clear').addEventListener('click', () => fetch('/received', { method: 'DELETE' }).then(poll));

const say = (state, words) => {
  byId('link').dataset.state = state;
  byId('link').textContent = words;
};
const poll = async () => {
  try {
    const answer = await fetch('/received');
    onSnapshot(await answer.json());
    return true;
  } catch {
    say('lost', 'The sandbox does not answer');
    return false;
  }
};

if (window.EventSource) {
  const stream = new EventSource('/events/stream');
  stream.addEventListener('open', () => say('live', 'Live'));
  stream.addEventListener('error', () => say('lost', 'Connection lost, trying again'));
  stream.addEventListener('snapshot', (event) => onSnapshot(JSON.parse(event.data)));
  stream.addEventListener('arrivals', (event) => onArrivals(JSON.parse(event.data)));
} else {
  const again = async () => {
    if (!paused && (await poll())) say('live', 'Every 2 seconds');
    setTimeout(again, 2000);
  };
  again();
}
`;
