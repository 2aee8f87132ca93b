const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command that sends a first event, as it is to be typed. */
export const firstEvent = (url: string, writeKey: string): string => {
  const event = { userId: 'ada', event: 'First Event', properties: { plan: 'pro' } };
  const type = quoted('Content-Type: application/json');
  return `curl -u ${quoted(`${writeKey}:`)} -H ${type} -d ${quoted(JSON.stringify(event))} ${url}/v1/track`;
};

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

  ${firstEvent(url, writeKey)}

Ctrl-C stops it.

`;
};
