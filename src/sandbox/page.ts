import { createHash } from 'node:crypto';
import { partnerNames, type PartnerName } from './arrivals.ts';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page's own script and style, and this origin: nothing else is run or asked. */
export const pagePolicy = [
  "default-src 'none'",
  `script-src ${hashOf(pageScript)}`,
  `style-src ${hashOf(pageStyle)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The partners by the names that the page calls them by. */
const partnerTitles: Record<PartnerName, string> = {
  'google-analytics-4': 'Google Analytics 4',
  mixpanel: 'Mixpanel',
  optimizely: 'Optimizely',
  webhook: 'Webhook',
};
const buttons = partnerNames
  .map(
    (name) =>
      `  <button type="button" data-show="${name}" aria-pressed="false">${partnerTitles[name]}</button>`,
  )
  .join('\n');

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/**
 * The page that shows what the sandbox's partners received, live.
 * @param firstEvent the command that the empty page tells to send a first event with
 */
export const pageFor = (firstEvent: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Partner sandbox · Distributary</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
<main>
<header>
  <h1>Partner sandbox</h1>
  <p>What the partners received from Distributary.</p>
  <span id="link" role="status">Connecting</span>
</header>
<div id="partners"></div>
<nav aria-label="Which arrivals to show">
  <button type="button" data-show="all" aria-pressed="true">All</button>
${buttons}
  <button type="button" data-show="rejected" aria-pressed="false">Rejected</button>
  <span class="end">
    <button type="button" id="pause" aria-pressed="false">Pause</button>
    <button type="button" id="clear">Clear</button>
  </span>
</nav>
<div id="rows"></div>
<div id="empty">
  <h2>Nothing has arrived yet</h2>
  <p>Send a first event:</p>
  <pre>${escaped(firstEvent)}</pre>
</div>
</main>
<script>${pageScript}</script>
</body>
</html>
`;
