/** What `start` prints once it is ready: where to post, with what, and where to look. */
export const welcome = ({
  place,
  url,
  writeKey,
  uiUrl,
  sandboxUrl,
}: {
  place: string;
  url: string;
  writeKey: string;
  uiUrl: string | undefined;
  sandboxUrl: string | undefined;
}): string => {
  const event = JSON.stringify({
    userId: 'ada',
    event: 'First Event',
    properties: { plan: 'pro' },
  });
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const rows = [
    ['Configuration', place],
    ['Post events to', `${url}/v1/track (and identify, page, screen, group, alias, batch)`],
    ['Write key', writeKey],
    ...(sandboxUrl === undefined
      ? []
      : [['Partner sandbox', `${sandboxUrl} (what the partners received)`]]),
    ...(uiUrl === undefined ? [] : [['Temporal Web UI', `${uiUrl} (each batch, each delivery)`]]),
  ];
  return `
Distributary is ready.

${rows.map(([what, words]) => `  ${what!.padEnd(16)} ${words!}`).join('\n')}

Send a first event:

  curl -u ${quoted(`${writeKey}:`)} -H 'Content-Type: application/json' -d ${quoted(event)} ${url}/v1/track

Ctrl-C stops it.

`;
};
